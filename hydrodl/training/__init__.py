"""The reduced functional, the controls, and their optimisation by TAO."""
