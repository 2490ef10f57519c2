"""What a discrete flow conserves, what it really solves, and how stable it is."""
