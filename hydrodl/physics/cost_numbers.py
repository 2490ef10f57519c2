"""The numbers of a running cost, read from its UFL expression: what nodal kernels and the control inner product need.

    cost(u, R) = 1/2 (w R + eps) |u|^2 + 1/2 s |grad u|^2 + U(R)

w, eps and s are second derivatives of ``Lagrangian.running_cost``, which stays the only statement of the cost: whoever
changes it changes these numbers, and a cost of another form has none.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import basix.ufl
import numpy as np
import ufl

from hydrodl.common.arrays import Floats
from hydrodl.physics.lagrangian import Lagrangian

_PLANE = 2
_ORIGIN = (0.0,) * _PLANE


@dataclass(frozen=True)
class CostNumbers:
    """w, eps and s = alpha^2 of a running cost."""

    kinetic: float
    decay: float
    stiffness: float

    def inertia(self, total: Floats) -> Floats:
        """w R + eps, what the square of the velocity costs."""
        return self.kinetic * total + self.decay


def cost_numbers(lagrangian: Lagrangian) -> CostNumbers | None:
    """The numbers of a running cost, None if it is of another form; they do not depend on V and noise."""
    kind = replace(lagrangian, potential=None)
    return _remembered(kind) if isinstance(kind.energy, Hashable) else _read(kind)


def _read(lagrangian: Lagrangian) -> CostNumbers | None:
    at_rest = _Affine(lagrangian, np.zeros(_PLANE), np.zeros((_PLANE, _PLANE)), 0.0)
    u, slope, total = at_rest.u[0], at_rest.slopes[0][0], at_rest.total
    found = CostNumbers(at_rest.derivative(u, u, total), at_rest.derivative(u, u), at_rest.derivative(slope, slope))
    draws = np.random.default_rng(0)
    samples = [
        _Affine(lagrangian, draws.normal(size=_PLANE), draws.normal(size=(_PLANE, _PLANE)), draws.uniform(0.5, 2.0))
        for _ in range(3)
    ]
    return found if all(sample.agrees(found) for sample in samples) else None


_remembered = lru_cache(maxsize=64)(_read)


class _Affine:
    """The cost of u(x) = u + A x and R at x = 0, as an expression in the numbers u, A and R."""

    def __init__(self, lagrangian: Lagrangian, u: Floats, slopes: Floats, total: float) -> None:
        x = ufl.SpatialCoordinate(ufl.Mesh(basix.ufl.element("Lagrange", "triangle", 1, shape=(_PLANE,))))
        self.u = [ufl.variable(ufl.as_ufl(float(value))) for value in u]
        self.slopes = [[ufl.variable(ufl.as_ufl(float(value))) for value in row] for row in slopes]
        self.total = ufl.variable(ufl.as_ufl(float(total)))
        field = [b + sum(a * x[j] for j, a in enumerate(row)) for b, row in zip(self.u, self.slopes, strict=True)]
        self._given, self._energy = (u, slopes, total), lagrangian.energy
        self._cost = lagrangian.running_cost(ufl.as_vector(field), self.total)

    def derivative(self, *by: Any) -> float:
        """A derivative of the cost."""
        found = self._cost
        for variable in by:
            found = ufl.diff(found, variable)
        return float(found(_ORIGIN))

    def agrees(self, numbers: CostNumbers) -> bool:
        """Do the numbers give this cost?"""
        u, slopes, total = self._given
        stated = 0.5 * (numbers.kinetic * total + numbers.decay) * (u @ u) + 0.5 * numbers.stiffness * (slopes**2).sum()
        if self._energy is not None:
            stated += float(ufl.as_ufl(self._energy.density(self.total))(_ORIGIN))
        return bool(np.isclose(self.derivative(), stated, rtol=1e-12, atol=0.0))
