"""The running cost on a uniform box, where the vertex rule makes it numbers at nodes and one constant stiffness:

    cost(u, R) = sum_i M_i [ 1/2 (w R_i + eps) |u_i|^2 + U(R_i) ] + 1/2 alpha^2 sum_a u_a . K u_a,

K with the neighbours along the axes: what the UFL forms come to, for a fraction of the time and without matrices. w,
eps, alpha^2, U and its derivatives are read from the UFL expression of the running cost (``physics/cost_numbers.py``).
Nodes are on the grid, where the layout has them.
"""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.slab_layouts import SlabLayout
from hydrodl.physics.cost_numbers import cost_numbers
from hydrodl.physics.energy_derivative import EnergyValues
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.potential_cost import PotentialCost


class NodalCost:
    """See :class:`~hydrodl.discretisation.running_cost.RunningCost`.

    Args:
        lagrangian: of the flow; layout: of the nodes here.

    Attributes:
        numbers: w, eps and alpha^2; stiffness: alpha^2 K, None where it vanishes.
    """

    def __init__(self, lagrangian: Lagrangian, layout: SlabLayout) -> None:
        numbers = cost_numbers(lagrangian)
        assert numbers is not None  # as the scheme saw to
        self.numbers, self._mass = numbers, layout.mass
        self._energy = None if lagrangian.energy is None else EnergyValues(lagrangian, len(layout.mass))
        stiffness = numbers.stiffness
        self.stiffness = layout.stiffness(stiffness) if stiffness else None

    def values(self, velocity: Floats, total: Floats) -> Floats:
        """See :class:`~hydrodl.discretisation.running_cost.RunningCost`."""
        density = 0.5 * self.numbers.inertia(total) * np.einsum("kdn,kdn->kn", velocity, velocity)
        if self._energy is not None:
            density += self._energy(total, 0)
        found = density @ self._mass
        if self.stiffness is not None:
            found += 0.5 * np.einsum("kdn,kdn->k", velocity, self.stiffness.product(velocity))
        return np.asarray(found)

    def slopes(self, velocity: Floats, total: Floats) -> tuple[Floats, Floats]:
        """See :class:`~hydrodl.discretisation.running_cost.RunningCost`."""
        by_velocity = (self._mass * self.numbers.inertia(total))[:, None] * velocity
        if self.stiffness is not None:
            by_velocity += self.stiffness.product(velocity)
        density = 0.5 * self.numbers.kinetic * np.einsum("kdn,kdn->kn", velocity, velocity)
        if self._energy is not None:
            density += self._energy(total, 1)
        return by_velocity, (self._mass * density)[:, None]

    @property
    def has_energy(self) -> bool:
        """Is there an internal energy?"""
        return self._energy is not None

    def energy(self, total: Floats) -> Floats:
        """M U''(R), (n, nodes)."""
        assert self._energy is not None
        return self._mass * self._energy(total, 2)


class NodalLayerCost:
    """See :class:`~hydrodl.discretisation.scheme.LayerCost`.

    Args:
        cost: F at the nodes; mass: of the nodes, lumped.
    """

    def __init__(self, cost: PotentialCost, mass: Floats) -> None:
        self._cost, self._mass, self.curved = cost, mass, cost.curved

    def values(self, density: Floats) -> Floats:
        """See :class:`~hydrodl.discretisation.scheme.LayerCost`."""
        return self._cost.values(density) @ self._mass

    def slopes(self, density: Floats) -> Floats:
        """See :class:`~hydrodl.discretisation.scheme.LayerCost`."""
        found = self._cost.slopes(density)
        found *= self._mass
        return found

    def curvatures(self, density: Floats) -> Floats:
        """See :class:`~hydrodl.discretisation.scheme.LayerCost`."""
        found = self._cost.curvatures(density)
        found *= self._mass
        return found
