"""Second derivatives of H_h for the box schemes: a few block-diagonal stacks of sparse matrices."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.linear_algebra.block_operator import BlockOperator


class BoxCoupling:
    """See :class:`~hydrodl.discretisation.scheme.Coupling`. Rows of K are phi_0 .. phi_{C-1}, rho_0 .. rho_{C-1}."""

    def __init__(self, action: SlabAction, local: int, slabs: int, classes: int) -> None:
        self._action, self._classes, self._dim = action, classes, action.dimension
        dim, u, R, RHO, PHI = self._dim, range(action.dimension), action.R, action.RHO, action.PHI
        pairs = [[(i, j)] for i in u for j in u]
        self._cost = action.second_cost([[(R, i) for i in u], *pairs, [(R, R)]])
        self._carried = action.second_carried([[(row, i) for row in (PHI, RHO) for i in u], *pairs])
        masks = [a | b for a, b in zip(self._cost.masks, self._carried.masks, strict=False)]
        flux, *control = [action.pattern(mask) for mask in masks]
        energy = action.pattern(self._cost.masks[-1])
        self._flux = BlockOperator(local, slabs, [[flux] * dim] * (2 * classes))
        self._control = BlockOperator(local, slabs, [control[i * dim : (i + 1) * dim] for i in u])
        self.energy = BlockOperator(local, slabs, [[energy]]) if self._cost.masks[-1].any() else None
        self._cost.bind([flux, *control, energy])
        self._carried.bind([flux, *control])
        self._work = np.zeros((slabs, dim, local))

    def assemble(self, velocity: Floats, density: Floats, potential: Floats) -> None:
        """Fill all blocks at u, r and q."""
        for k, fields in enumerate(zip(velocity, density, potential, strict=True)):
            self._fill(k, *fields)
        for operator in (self._flux, self._control, self.energy):
            if operator is not None:
                operator.assembled()

    def _fill(self, k: int, velocity: Floats, density: Floats, potential: Floats) -> None:
        action, classes, dim = self._action, self._classes, range(self._dim)
        action.set_slab(velocity, density.sum(axis=0))
        momentum, *control, energy = self._cost.assemble()
        if self.energy is not None:
            self.energy.put(k, 0, 0, energy[:, 0])
        for c in range(classes):
            action.set_class(density[c], potential[c])
            flux, *carried = self._carried.assemble()
            for i in dim:
                self._flux.put(k, c, i, flux[:, i])
                self._flux.put(k, classes + c, i, flux[:, self._dim + i] + momentum[:, i])
            control = [a + b for a, b in zip(control, carried, strict=True)]
        for i in dim:
            for j in dim:
                self._control.put(k, i, j, control[i * self._dim + j][:, 0])

    def apply(self, direction: Floats, out: Floats) -> None:
        """K direction."""
        self._flux.apply(direction, out)

    def transposed(self, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction."""
        self._flux.apply(response, out, transpose=True)
        self._control.apply(direction, self._work)
        out += self._work
