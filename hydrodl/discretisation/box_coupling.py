"""Second derivatives of H_h for the box schemes: a few block-diagonal stacks of sparse matrices."""

from __future__ import annotations

from itertools import product

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
        self._cost = action.second_cost([*([(R, i)] for i in u), *pairs, [(R, R)]])
        self._carried = action.second_carried([*([(PHI, i), (RHO, i)] for i in u), *pairs])
        masks = [a | b for a, b in zip(self._cost.masks, self._carried.masks, strict=False)]
        flux, control = [action.pattern(mask) for mask in masks[:dim]], [action.pattern(mask) for mask in masks[dim:]]
        energy = action.pattern(self._cost.masks[-1])
        kept = [pattern if mask.any() else None for pattern, mask in zip(control, masks[dim:], strict=True)]
        self._flux = BlockOperator(local, slabs, [flux] * (2 * classes))
        self._control = BlockOperator(local, slabs, [kept[i * dim : (i + 1) * dim] for i in u])
        self.energy = BlockOperator(local, slabs, [[energy]]) if self._cost.masks[-1].any() else None
        self._cost.bind([*flux, *control, energy])
        self._carried.bind([*flux, *control])
        self._pairs = [(i, j) for (i, j), pattern in zip(product(u, u), kept, strict=True) if pattern is not None]
        self._work = np.zeros((slabs, dim, local))

    def assemble(self, velocity: Floats, density: Floats, potential: Floats) -> None:
        """Fill all blocks at u, r and q."""
        for k, fields in enumerate(zip(velocity, density, potential, strict=True)):
            self._fill(k, *fields)
        for operator in (self._flux, self._control, self.energy):
            if operator is not None:
                operator.assembled()

    def _fill(self, k: int, velocity: Floats, density: Floats, potential: Floats) -> None:
        action, classes, dim = self._action, self._classes, self._dim
        action.set_slab(velocity, density.sum(axis=0))
        cost = self._cost.assemble()
        if self.energy is not None:
            self.energy.put(k, 0, 0, cost[-1][:, 0])
        momentum, control = cost[:dim], cost[dim : dim + dim**2]
        for c in range(classes):
            action.set_class(density[c], potential[c])
            carried = self._carried.assemble()
            for i, flux in enumerate(carried[:dim]):
                self._flux.put(k, c, i, flux[:, 0])
                self._flux.put(k, classes + c, i, flux[:, 1] + momentum[i][:, 0])
            control = [a + b for a, b in zip(control, carried[dim:], strict=True)]
        for i, j in self._pairs:
            self._control.put(k, i, j, control[i * dim + j][:, 0])

    @property
    def alone(self) -> None:
        """Slabs have nodes on other ranks."""

    def apply(self, direction: Floats, out: Floats) -> None:
        """K direction."""
        self._flux.apply(direction, out)

    def transposed(self, response: Floats, direction: Floats, out: Floats) -> None:
        """K^T response + B direction."""
        self._flux.apply(response, out, transpose=True)
        self._control.apply(direction, self._work)
        out += self._work
