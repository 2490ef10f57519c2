"""Second derivatives of H_h for the layer-map schemes.

The running cost brings sparse blocks, as for every scheme. What is carried brings, with the gradients g_c of the
splines of q_c at y, their curvatures, and m_c = M r_c,

    dH/dphi_c = -sum_a (D_a W)^T (m_c v_a)      dH/drho_c = -M sum_a g_ca v_a      for a change v of the velocity,

the transposes of both, and -Delta sum_c m_c D_ab(Pi q_c) in (u_a, u_b): no matrices, numbers at nodes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.push import Push
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.linear_algebra.block_operator import BlockOperator
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.linear_algebra.sparsity import Pattern
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.grid_nodes import GridNodes


class OwnSlabs(Protocol):
    """What the coupling asks of the slabs."""

    halo: Halo
    action: SlabAction
    nodes: GridNodes
    pushes: list[Push]
    shares: Shares

    @property
    def own_steps(self) -> Floats:
        """Delta of this rank's layers."""

    def own_fields(self, stack: Floats, name: str) -> Floats:
        """A stack on the grid at this rank's layers, not to be written to."""

    def add_own(self, own: Floats, out: Floats) -> None:
        """Add fields on the grid at this rank's layers to a stack."""


class CostBlocks:
    """Second derivatives of the running cost in (u, R), as block-diagonal stacks of sparse matrices.

    Attributes:
        energy: U''(R), None where it vanishes.
    """

    def __init__(self, action: SlabAction, local: int, slabs: int) -> None:
        self._action, u = action, range(action.dimension)
        R = action.R
        self._form = action.second_cost([[(R, i) for i in u], *([(i, j)] for i in u for j in u), [(R, R)]])
        patterns = [action.pattern(mask) for mask in self._form.masks]
        self._form.bind(patterns)
        mixed, *control, energy = patterns
        self._kept = [bool(mask.any()) for mask in self._form.masks[1:-1]]
        blocks: list[Pattern | None] = [p if kept else None for p, kept in zip(control, self._kept, strict=True)]
        d = len(u)
        self._mixed = BlockOperator(local, slabs, [[mixed] * d])
        self._control = BlockOperator(local, slabs, [blocks[i * d : (i + 1) * d] for i in u])
        self.energy = BlockOperator(local, slabs, [[energy]]) if self._form.masks[-1].any() else None
        self._total, self._work = np.zeros((slabs, 1, local)), np.zeros((slabs, d, local))

    def assemble(self, velocity: Floats, total: Floats) -> None:
        """Fill all blocks at u (N, d, local) and R (N, local)."""
        d = self._action.dimension
        for k, (u, R) in enumerate(zip(velocity, total, strict=True)):
            self._action.set_slab(u, R)
            mixed, *control, energy = self._form.assemble()
            for i in range(d):
                self._mixed.put(k, 0, i, mixed[:, i])
            for number, (values, kept) in enumerate(zip(control, self._kept, strict=True)):
                if kept:
                    self._control.put(k, number // d, number % d, values[:, 0])
            if self.energy is not None:
                self.energy.put(k, 0, 0, energy[:, 0])
        for operator in (self._mixed, self._control, self.energy):
            if operator is not None:
                operator.assembled()

    def mixed(self, direction: Floats) -> Floats:
        """d2H/dR du direction, (N, 1, local), valid until the next call."""
        self._mixed.apply(direction, self._total)
        return self._total

    def transposed(self, total: Floats, direction: Floats, out: Floats) -> None:
        """out = d2H/du dR total (N, local) + d2H/du2 direction."""
        self._total[:, 0] = total
        self._mixed.apply(self._total, out, transpose=True)
        self._control.apply(direction, self._work)
        out += self._work


class LayerMapCoupling:
    """See :class:`~hydrodl.discretisation.scheme.Coupling`."""

    def __init__(self, slabs: OwnSlabs, classes: int) -> None:
        self._slabs, self._classes = slabs, classes
        count = slabs.shares.mine
        d, nodes = slabs.action.dimension, len(slabs.nodes.mass)
        self._cost = CostBlocks(slabs.action, slabs.halo.local, len(slabs.shares.owners))
        self.energy = self._cost.energy
        self._masses, self._weighted = np.zeros((count, classes, nodes)), np.zeros((count, classes, d, nodes))
        self._curvature = np.zeros((count, d, d, nodes))
        self._sources, self._dual = np.zeros((count, 2 * classes, nodes)), np.zeros((count, d, nodes))
        self._none = np.zeros((classes, nodes))

    def assemble(self, velocity: Floats, density: Floats, potential: Floats) -> None:
        """Masses, weighted gradients and curvatures at the point; collective."""
        slabs = self._slabs
        self._cost.assemble(velocity, density.sum(axis=1))
        potentials = slabs.own_fields(potential, "q")
        np.multiply(slabs.nodes.mass, slabs.own_fields(density, "r"), out=self._masses)
        for j, (push, step) in enumerate(zip(slabs.pushes, slabs.own_steps, strict=True)):
            slopes = push.pull_with_slopes(potentials[j])[1]
            np.multiply(-slabs.nodes.mass, slopes, out=self._weighted[j])
            self._curvature[j] = -step * push.curvatures(self._masses[j], potentials[j])

    def apply(self, direction: Floats, out: Floats) -> None:
        """K direction."""
        slabs, classes = self._slabs, self._classes
        own = slabs.own_fields(direction, "u")
        for j, push in enumerate(slabs.pushes):
            self._sources[j, :classes] = push.carry_change(self._masses[j], -own[j], self._none)
            np.einsum("can,an->cn", self._weighted[j], own[j], out=self._sources[j, classes:])
        out[:, :classes] = 0.0
        out[:, classes:] = self._cost.mixed(direction)
        slabs.add_own(self._sources, out)

    def transposed(self, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction."""
        slabs, classes = self._slabs, self._classes
        self._cost.transposed(response[:, classes:].sum(axis=1), direction, out)
        changes = slabs.own_fields(response, "response")
        own = slabs.own_fields(direction, "u")
        for j, push in enumerate(slabs.pushes):
            slopes = push.pull_with_slopes(changes[j, :classes])[1]
            dual = np.einsum("abn,bn->an", self._curvature[j], own[j])
            dual -= np.einsum("cn,can->an", self._masses[j], slopes)
            self._dual[j] = dual + np.einsum("can,cn->an", self._weighted[j], changes[j, classes:])
        slabs.add_own(self._dual, out)
