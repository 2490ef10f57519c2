"""PROBLEM.toml: its schema, its reading, and the objects it describes."""
