"""The running cost of all slabs and its first derivatives, from the forms of the action."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.slab_action import SlabAction


class RunningCost(Protocol):
    """cost(u_k, R_k) of slabs, without what V costs; for all slabs here or some."""

    def values(self, velocity: Floats, total: Floats) -> Floats:
        """cost(u_k, R_k) of every slab, (n,), this rank's part, of u (n, d, local) and R (n, local)."""

    def slopes(self, velocity: Floats, total: Floats) -> tuple[Floats, Floats]:
        """The derivatives of every slab's cost in u, (n, d, local), and in R, (n, 1, local), to be accumulated."""


class FormCost:
    """See :class:`RunningCost`; slab by slab, from UFL."""

    def __init__(self, action: SlabAction) -> None:
        self._action = action

    def values(self, velocity: Floats, total: Floats) -> Floats:
        """See :class:`RunningCost`."""
        action, found = self._action, np.empty(len(velocity))
        for k, (u, R) in enumerate(zip(velocity, total, strict=True)):
            action.set_slab(u, R)
            found[k] = action.scalar(action.cost)
        return found

    def slopes(self, velocity: Floats, total: Floats) -> tuple[Floats, Floats]:
        """See :class:`RunningCost`."""
        action = self._action
        by_velocity, by_density = np.empty_like(velocity), np.empty((len(total), 1, total.shape[1]))
        for k, (u, R) in enumerate(zip(velocity, total, strict=True)):
            action.set_slab(u, R)
            found = action.blocked_vector(action.cost_1)
            by_velocity[k], by_density[k, 0] = found[: action.R], found[action.R]
        return by_velocity, by_density
