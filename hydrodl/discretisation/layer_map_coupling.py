"""Second derivatives of H_h for the layer-map schemes.

The running cost brings numbers at nodes and a constant stiffness. What is carried brings, with the gradients g_c of the
splines of q_c at y, their curvatures, and m_c = M r_c,

    dH/dphi_c = -sum_a (D_a W)^T (m_c v_a)      dH/drho_c = -M sum_a g_ca v_a      for a change v of the velocity,

the transposes of both, and -Delta sum_c m_c D_ab(Pi q_c) in (u_a, u_b): no matrices, numbers at nodes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.nodal_cost import NodalCost
from hydrodl.discretisation.nodal_kernels import across, along
from hydrodl.discretisation.push import Push
from hydrodl.discretisation.slab_layouts import SlabLayout


class OwnSlabs(Protocol):
    """What the coupling asks of the slabs."""

    layout: SlabLayout
    cost: NodalCost
    pushes: list[Push]

    @property
    def own_steps(self) -> Floats:
        """Delta of this rank's layers."""


class NodalEnergy:
    """M U''(R), numbers at nodes."""

    def __init__(self) -> None:
        self.values = np.zeros((0, 0))

    def apply(self, x: Floats, y: Floats) -> None:
        """y = M U''(R) x for stacks (slabs here, 1, nodes)."""
        np.multiply(self.values[:, None], x, out=y)


class LayerMapCoupling:
    """See :class:`~hydrodl.discretisation.scheme.Coupling`."""

    def __init__(self, slabs: OwnSlabs, classes: int) -> None:
        self._slabs, self._classes = slabs, classes
        count, d, nodes = len(slabs.pushes), len(slabs.layout.stacks.nodes.shape), len(slabs.layout.mass)
        self.energy = NodalEnergy() if slabs.cost.has_energy else None
        # M r_c; d2H/drho_c du and d2H/du2 without the stiffness
        self._masses, self._weighted = np.zeros((count, classes, nodes)), np.zeros((count, classes, d, nodes))
        self._curvature = np.zeros((count, d, d, nodes))

    def assemble(self, velocity: Floats, density: Floats, potential: Floats) -> None:
        """Masses, weighted gradients and curvatures at the point."""
        slabs, numbers, mass = self._slabs, self._slabs.cost.numbers, self._slabs.layout.mass
        if self.energy is not None:
            self.energy.values = slabs.cost.energy(density.sum(axis=1))
        np.multiply(mass, density, out=self._masses)
        for j, (push, step) in enumerate(zip(slabs.pushes, slabs.own_steps, strict=True)):
            slopes = push.pull_with_slopes(potential[j])[1]
            np.multiply(mass, numbers.kinetic * velocity[j] - slopes, out=self._weighted[j])
            curvature = push.curvatures(self._masses[j], potential[j], out=self._curvature[j])
            curvature *= -step
            inertia = mass * numbers.inertia(density[j].sum(axis=0))
            for a in range(len(curvature)):
                curvature[a, a] += inertia

    @property
    def alone(self) -> LayerMapCoupling:
        """This."""
        return self

    def apply(self, direction: Floats, out: Floats) -> None:
        """K direction."""
        for k in range(len(out)):
            self.apply_at(k, direction, out)

    def apply_at(self, k: int, direction: Floats, out: Floats) -> None:
        """K direction of the slab at place k."""
        along(self._weighted[k], direction[k], out[k])
        self._slabs.pushes[k].carry_shift(self._masses[k], direction[k], out=out[k, : self._classes], factor=-1.0)

    def transposed(self, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction."""
        for k in range(len(out)):
            self.transposed_at(k, response, direction, out)

    def transposed_at(self, k: int, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction of the slab at place k."""
        self._slabs.pushes[k].forces(self._masses[k], response[k, : self._classes], out=out[k], factor=-1.0)
        across(self._curvature[k], direction[k], self._weighted[k], response[k], out[k])
        if self._slabs.cost.stiffness is not None:
            out[k] += self._slabs.cost.stiffness.product(direction[k])
