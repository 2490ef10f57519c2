"""Derivatives of the internal energy U at given densities, from its UFL expression."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI
from ufl.algorithms import strip_variables
from ufl.algorithms.apply_algebra_lowering import apply_algebra_lowering
from ufl.algorithms.apply_derivatives import apply_derivatives

from hydrodl.common.arrays import Floats
from hydrodl.physics.lagrangian import Lagrangian


def energy_derivative(lagrangian: Lagrangian, density: Floats, order: int) -> Floats:
    """The derivative of U of an order 0, 1 or 2 at densities of any shape; zeros without an internal energy.

    Densities below 1e-12 count as 1e-12: a power need not be defined below zero.
    """
    values = np.maximum(np.asarray(density, dtype=float), 1e-12)
    if lagrangian.energy is None or not values.size:
        return np.zeros_like(values)
    return EnergyValues(lagrangian, values.size)(values.reshape(1, -1), order).reshape(values.shape)


class EnergyValues:
    """U of an internal energy and its derivatives at rows of densities (m, size), on this rank alone."""

    def __init__(self, lagrangian: Lagrangian, size: int) -> None:
        # the values are the nodes of a line: one compiled kernel serves every feature mesh
        line = dmesh.create_interval(MPI.COMM_SELF, max(size - 1, 1), [0.0, 1.0])
        space = fem.functionspace(line, ("Lagrange", 1))
        self._given, self._found, self._size = fem.Function(space), fem.Function(space), size
        energy = lagrangian.on(line).energy
        assert energy is not None
        total = ufl.variable(self._given)
        self._expressions, expression = [], energy.density(total)
        for _ in range(3):
            # a variable has a new number each time: with it in, the same energy is compiled again and again
            plain = strip_variables(apply_derivatives(apply_algebra_lowering(expression)))
            self._expressions.append(fem.Expression(plain, space.element.interpolation_points))
            expression = ufl.diff(expression, total)

    def __call__(self, rows: Floats, order: int) -> Floats:
        """The derivative of an order 0, 1 or 2, (m, size)."""
        out = np.empty(rows.shape)
        for row, found in zip(rows, out, strict=True):
            self._given.x.array[:] = row[0]
            self._given.x.array[: self._size] = row
            self._found.interpolate(self._expressions[order])
            found[:] = self._found.x.array[: self._size]
        return out
