"""Integrals and moments of functions over feature space, for densities that are given as formulas."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem, la

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.mesh.domain import Domain


def point_text(point: Floats) -> str:
    """Coordinates as they appear in messages."""
    return "(" + ", ".join(f"{value:.6g}" for value in point) + ")"


def moment(domain: Domain, direction: int | None = None) -> Floats:
    """(psi_i, 1)_h, or (psi_i, x_direction)_h, for the owned nodes i."""
    # One compiled form for all moments: which one is wanted is data.
    chosen = np.zeros(domain.dimension)
    if direction is not None:
        chosen[direction] = 1.0
    ones = fem.Constant(domain.mesh, 1.0 if direction is None else 0.0)
    axis = fem.Constant(domain.mesh, chosen)
    weight = ones + ufl.dot(axis, ufl.SpatialCoordinate(domain.mesh))
    vector = fem.assemble_vector(fem.form(weight * ufl.TestFunction(domain.V) * domain.dx))
    vector.scatter_reverse(la.InsertMode.add)
    return np.array(vector.array[: domain.owned])


def integrals(domain: Domain, moment: Floats, values: Floats) -> Floats:
    """sum_i moment_i values_ci over the nodes of all ranks, shape (C,)."""
    return summed(domain.comm, values @ moment)
