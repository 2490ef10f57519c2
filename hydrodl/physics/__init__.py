"""The model: Lagrangian, losses, problem, and what a solution of it holds."""
