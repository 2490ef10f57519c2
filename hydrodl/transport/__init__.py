"""Schroedinger bridges, snapshots and probability flows: densities tied at several times."""
