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
from hydrodl.discretisation.nodal_cost import NodalCost, OnGrid
from hydrodl.discretisation.nodal_kernels import across, along
from hydrodl.discretisation.push import Push
from hydrodl.discretisation.slab_action import SlabAction


class OwnSlabs(OnGrid, Protocol):
    """What the coupling asks of the slabs."""

    action: SlabAction
    cost: NodalCost
    pushes: list[Push]

    def put_own(self, own: Floats, out: Floats) -> None:
        """Put fields on the grid at this rank's layers into a stack."""

    @property
    def own_steps(self) -> Floats:
        """Delta of this rank's layers."""


class NodalEnergy:
    """M U''(R), numbers at nodes."""

    def __init__(self, owned: int) -> None:
        self._owned, self.values = owned, np.zeros((0, owned))

    def apply(self, x: Floats, y: Floats) -> None:
        """y = M U''(R) x for stacks (N, 1, local)."""
        y[...] = 0.0
        np.multiply(self.values[:, None], x[..., : self._owned], out=y[..., : self._owned])


class LayerMapCoupling:
    """See :class:`~hydrodl.discretisation.scheme.Coupling`."""

    def __init__(self, slabs: OwnSlabs, classes: int) -> None:
        self._slabs, self._classes = slabs, classes
        count, d, nodes = slabs.shares.mine, slabs.action.dimension, len(slabs.nodes.mass)
        self.energy = NodalEnergy(slabs.halo.owned) if slabs.cost.has_energy else None
        # M r_c; d2H/drho_c du and d2H/du2 without the stiffness
        self._masses, self._weighted = np.zeros((count, classes, nodes)), np.zeros((count, classes, d, nodes))
        self._curvature = np.zeros((count, d, d, nodes))
        self._by_potential, self._by_density = np.zeros((2, count, classes, nodes))
        self._dual = np.zeros((count, d, nodes))

    def assemble(self, velocity: Floats, density: Floats, potential: Floats) -> None:
        """Masses, weighted gradients and curvatures at the point; collective."""
        slabs, numbers, mass = self._slabs, self._slabs.cost.numbers, self._slabs.nodes.mass
        if self.energy is not None:
            self.energy.values = slabs.cost.energy(density.sum(axis=1))
        densities, potentials = slabs.own_fields(density, "r"), slabs.own_fields(potential, "q")
        velocities = slabs.own_fields(velocity, "u")
        np.multiply(mass, densities, out=self._masses)
        for j, (push, step) in enumerate(zip(slabs.pushes, slabs.own_steps, strict=True)):
            slopes = push.pull_with_slopes(potentials[j])[1]
            np.multiply(mass, numbers.kinetic * velocities[j] - slopes, out=self._weighted[j])
            curvature = push.curvatures(self._masses[j], potentials[j], out=self._curvature[j])
            curvature *= -step
            inertia = mass * numbers.inertia(densities[j].sum(axis=0))
            for a in range(len(curvature)):
                curvature[a, a] += inertia

    def apply(self, direction: Floats, out: Floats) -> None:
        """K direction."""
        slabs, classes = self._slabs, self._classes
        own = slabs.own_fields(direction, "u")
        along(self._weighted, own, self._by_density)
        for masses, field, found, push in zip(self._masses, own, self._by_potential, slabs.pushes, strict=True):
            push.carry_shift(masses, field, out=found, factor=-1.0)
        slabs.put_own(self._by_density, out[:, classes:])
        slabs.put_own(self._by_potential, out[:, :classes])

    def transposed(self, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction."""
        slabs, classes = self._slabs, self._classes
        own, changes = slabs.own_fields(direction, "u"), slabs.own_fields(response, "response")
        for masses, change, found, push in zip(self._masses, changes, self._dual, slabs.pushes, strict=True):
            push.forces(masses, change[:classes], out=found, factor=-1.0)
        across(self._curvature, own, self._weighted, changes, self._dual)
        if slabs.cost.stiffness is not None:
            self._dual += slabs.cost.stiffness.product(own)
        slabs.put_own(self._dual, out)
