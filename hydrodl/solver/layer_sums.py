"""V and U where they act at layers, by the trapezoidal rule: half of a slab's share at either end of it.

    int F dt -> sum_k Delta_k/2 (F(R_k) + F(R_{k+1})) = sum_j w_j F(R_j),    F(R) = sum_c (V_c, rho_c)_h + (U(R), 1)_h

R is a constant during both halves, so that a potential is moved by -Delta_k/2 F' at either end of a slab ("kicked"),
which leaves a slab the symplectic and symmetric map that it is without V and U. phi_j stands between the kicks of its
two slabs, and F_0 is a constant that the data alone change.
"""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.discretisation.scheme import LayerCost, Transport
from hydrodl.physics.potential_cost import PotentialCost
from hydrodl.problem.problem import Problem


class LayerSums:
    """Sums over layers and their derivatives; densities above slabs are stacks (slabs here, C, owned).

    Args:
        problem: whose V and U; cost: F where stacks are; transport: whose.
    """

    def __init__(self, problem: Problem, cost: LayerCost, transport: Transport) -> None:
        domain, steps = problem.domain, problem.layers.steps
        self._cost, self._mass, self._steps, self._comm = cost, transport.mass, steps, domain.comm
        potentials = problem.lagrangian.potentials(domain.coordinates[: domain.owned], problem.classes)
        self._nodal = PotentialCost(problem.lagrangian, potentials)
        self._weights = problem.layers.weights[1:][transport.stacks.layers]
        self.curved, self._curvatures = cost.curved, np.zeros((0, 0))
        self.set_data(problem.densities.values)

    def set_data(self, densities: Floats) -> None:
        """Put densities (C, owned) at the first layer."""
        self._first = float(self._nodal.values(densities[None])[0] @ self._mass.ones)
        self._slope = self._mass.apply(self._nodal.slopes(densities[None])[0])

    def value(self, above: Floats) -> float:
        """The sum over layers, this rank's part."""
        return float(self._weights @ self._cost.values(above)) + self._steps[0] / 2 * self._first

    def values(self, above: Floats) -> Floats:
        """F above the slabs here, this rank's part."""
        return self._cost.values(above)

    def means(self, above: Floats) -> Floats:
        """Of F at both ends of every slab, (N,), from F above every slab, (N,); collective."""
        return 0.5 * (np.append(summed(self._comm, self._first), above[:-1]) + above)

    def kicks(self, above: Floats) -> Floats:
        """w_{k+1} dF/drho, dual vectors, a stack: both slabs at a layer together."""
        found = self._cost.slopes(above)
        found *= self._weights[:, None, None]
        return found

    def kick_first(self, dual: Floats) -> None:
        """M phi_0 from what slab 0 makes of the potential above it, (C, owned)."""
        dual -= self._steps[0] / 2 * self._slope

    def between(self, above: Floats, density: Floats) -> Floats:
        """phi at layers 0 .. N - 1 from phi before the lower kick of the slab above, both (N, C, owned) by nodes."""
        return above - self._steps[:, None, None] / 2 * self._nodal.slopes(density)

    def linearise(self, above: Floats) -> None:
        """Take the densities whose second derivatives are asked for."""
        if self.curved:
            self._curvatures = self._weights[:, None] * self._cost.curvatures(above)

    def kick_changes(self, changes: Floats) -> Floats:
        """The change of ``kicks`` with the densities above slabs, a stack."""
        return np.broadcast_to((self._curvatures * changes.sum(axis=1))[:, None], changes.shape)
