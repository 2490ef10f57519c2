"""The trained network: maps, inverse, noise averages, random paths, exact forms."""
