"""Sparse operators on nodes, the PETSc solvers of families of them, and how ranks share them out."""
