"""What of the running cost depends on the densities alone, at nodes:

F(rho) = sum_c V_c rho_c + U(R).
"""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.physics.energy_derivative import EnergyValues
from hydrodl.physics.lagrangian import Lagrangian


class PotentialCost:
    """F of densities (n, C, nodes), node by node, and its derivatives.

    Args:
        lagrangian: whose U it is; potentials: V_c at the nodes, (C, nodes).

    Attributes:
        curved: has F second derivatives, is there an internal energy?
    """

    def __init__(self, lagrangian: Lagrangian, potentials: Floats) -> None:
        self._potentials, nodes = potentials, potentials.shape[1]
        self.curved = lagrangian.energy is not None
        self._energy = EnergyValues(lagrangian, nodes) if self.curved and nodes else None

    def values(self, density: Floats) -> Floats:
        """F, (n, nodes)."""
        found = np.einsum("cn,kcn->kn", self._potentials, density)
        return found if self._energy is None else found + self._energy(density.sum(axis=1), 0)

    def slopes(self, density: Floats) -> Floats:
        """dF/drho_c = V_c + U'(R), (n, C, nodes)."""
        found = np.repeat(self._potentials[None], len(density), axis=0)
        if self._energy is not None:
            found += self._energy(density.sum(axis=1), 1)[:, None]
        return found

    def curvatures(self, density: Floats) -> Floats:
        """U''(R), the same for every two classes, (n, nodes)."""
        total = density.sum(axis=1)
        return np.zeros_like(total) if self._energy is None else self._energy(total, 2)
