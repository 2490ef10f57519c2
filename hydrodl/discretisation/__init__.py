"""The discrete action and its derivatives: what a scheme is."""
