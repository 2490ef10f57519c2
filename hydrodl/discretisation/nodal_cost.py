"""The running cost on a uniform box, where the vertex rule makes it numbers at nodes and one constant stiffness:

    cost(u, R) = sum_i M_i [ 1/2 (w R_i + eps) |u_i|^2 + U(R_i) ] + 1/2 alpha^2 sum_a u_a . K u_a,

K with the neighbours along the axes: what the UFL forms come to, for a fraction of the time and without matrices. w,
eps, alpha^2, U and its derivatives are read from the UFL expression of the running cost (``physics/cost_numbers.py``).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.linear_algebra.grid_operators import GridStiffness
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.physics.cost_numbers import cost_numbers
from hydrodl.physics.energy_derivative import EnergyValues
from hydrodl.physics.lagrangian import Lagrangian


class OnGrid(Protocol):
    """Stacks from nodes to this rank's layers on the grid and back."""

    halo: Halo
    nodes: GridNodes
    shares: Shares

    def own_fields(self, stack: Floats, name: str) -> Floats:
        """A stack (N, m, local) on the grid at this rank's layers, not to be written to; collective."""

    def add_own(self, own: Floats, out: Floats) -> None:
        """Add fields on the grid at this rank's layers to a stack; collective."""


class NodalCost:
    """See :class:`~hydrodl.discretisation.running_cost.RunningCost`.

    Args:
        domain, lagrangian: of the flow; mass: M at the owned nodes; grid: where stacks go for K.

    Attributes:
        numbers: w, eps and alpha^2; stiffness: alpha^2 K on the grid, None where it vanishes.
    """

    def __init__(self, domain: Domain, lagrangian: Lagrangian, mass: Floats, grid: OnGrid) -> None:
        numbers = cost_numbers(lagrangian)
        assert numbers is not None  # as the scheme saw to
        self.numbers, self._grid, self._owned = numbers, grid, domain.owned
        self._mass = mass
        self._energy = None if lagrangian.energy is None else EnergyValues(lagrangian, domain.owned)
        shape, spacing, stiffness = grid.nodes.shape, grid.nodes.spacing, numbers.stiffness
        self.stiffness = GridStiffness(shape, spacing, stiffness) if stiffness else None

    def values(self, velocity: Floats, total: Floats) -> Floats:
        """See :class:`~hydrodl.discretisation.running_cost.RunningCost`."""
        u, R = velocity[..., : self._owned], total[:, : self._owned]
        density = 0.5 * self.numbers.inertia(R) * np.einsum("kdn,kdn->kn", u, u)
        if self._energy is not None:
            density += self._energy(R, 0)
        found = density @ self._mass
        if self.stiffness is not None:
            own = self._grid.own_fields(velocity, "u")
            found[self._grid.shares.layers] += 0.5 * np.einsum("kdn,kdn->k", own, self.stiffness.product(own))
        return np.asarray(found)

    def slopes(self, velocity: Floats, total: Floats) -> tuple[Floats, Floats]:
        """See :class:`~hydrodl.discretisation.running_cost.RunningCost`."""
        u, R, owned = velocity[..., : self._owned], total[:, : self._owned], self._owned
        by_velocity, by_density = np.zeros_like(velocity), np.zeros((len(total), 1, total.shape[1]))
        np.multiply((self._mass * self.numbers.inertia(R))[:, None], u, out=by_velocity[..., :owned])
        if self.stiffness is not None:
            self._grid.add_own(self.stiffness.product(self._grid.own_fields(velocity, "u")), by_velocity)
        density = 0.5 * self.numbers.kinetic * np.einsum("kdn,kdn->kn", u, u)
        if self._energy is not None:
            density += self._energy(R, 1)
        by_density[:, 0, :owned] = self._mass * density
        return by_velocity, by_density

    @property
    def has_energy(self) -> bool:
        """Is there an internal energy?"""
        return self._energy is not None

    def energy(self, total: Floats) -> Floats:
        """M U''(R) at the owned nodes, (N, owned)."""
        assert self._energy is not None
        return self._mass * self._energy(total[:, : self._owned], 2)
