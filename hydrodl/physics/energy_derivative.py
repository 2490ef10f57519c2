"""Derivatives of the internal energy U at given densities, from its UFL expression."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.physics.lagrangian import Lagrangian


def energy_derivative(lagrangian: Lagrangian, density: Floats, order: int) -> Floats:
    """The derivative of U of an order 0, 1 or 2 at densities of any shape; zeros without an internal energy.

    Densities below 1e-12 count as 1e-12: a power need not be defined below zero.
    """
    values = np.maximum(np.asarray(density, dtype=float), 1e-12)
    if lagrangian.energy is None or not values.size:
        return np.zeros_like(values)
    # the values are the nodes of a line on this rank alone: one compiled kernel serves every feature mesh
    line = dmesh.create_interval(MPI.COMM_SELF, max(values.size - 1, 1), [0.0, 1.0])
    space = fem.functionspace(line, ("Lagrange", 1))
    given, found = fem.Function(space), fem.Function(space)
    given.x.array[:] = values.ravel()[0]
    given.x.array[: values.size] = values.ravel()
    energy = lagrangian.on(line).energy
    assert energy is not None
    total = ufl.variable(given)
    expression = energy.density(total)
    for _ in range(order):
        expression = ufl.diff(expression, total)
    found.interpolate(fem.Expression(expression, space.element.interpolation_points))
    return np.array(found.x.array[: values.size]).reshape(values.shape)
