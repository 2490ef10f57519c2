"""Loads the compiled stack in the order it needs, before any test module imports dolfinx, petsc4py or mpi4py."""

import hydrodl  # noqa: F401
