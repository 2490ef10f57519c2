"""Saddles: where training ends with a gradient of zero, and J has no minimum.

A direction in which J is even, such as the velocity at a wall that nothing reaches, or one that breaks a symmetry of
the data, has no share in any gradient on the way, so that Newton's method never meets its curvature. Conjugate
gradients from a right-hand side with a bit of everything do: they are Lanczos' method, and stop at the first Krylov
space on which the Hessian is not positive. A few steps find what is far below zero; they prove nothing of the rest, as
the smallest eigenvalue does (``analysis.spectrum``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import summed
from hydrodl.linear_algebra.conjugate_gradients import negative_direction
from hydrodl.training.controlled_functional import ControlledFunctional

LEAST, SHARE = 4, 16
"""Hessian products spent on looking: so many, or one for so many of those that training took."""


FLAT = 1e-6
"""Curvature in the control inner product above which, with its sign changed, nothing falls."""


FALL = 0.25
"""What J must fall by, over what the curvature alone promises."""


UNTOUCHED = 10.0
"""Weight, where it looks, of the controls that are zero still: no gradient has had a share of them."""


WORTH = 2e-8
"""What J must fall by, relative to its size: where there are hardly any samples there is less, at the same cost."""


HALVINGS = 30


class WayDown(NamedTuple):
    """A point below a saddle: its controls, J there, and the curvature v.Hv / v.Pv of the direction to it."""

    controls: Floats
    objective: float
    curvature: float


def way_down(functional: ControlledFunctional, x: Floats, value: float, accuracy: float) -> WayDown | None:
    """From a stationary point that is a saddle to a lower one; None where none shows. Collective.

    Args:
        functional: J and its derivatives.
        x: flat local controls, which it stays at where there is no way; value: J there.
        accuracy: of linear solves within Hessian products.
    """
    comm = functional.problem.domain.comm
    steps = max(LEAST, functional.products // SHARE)
    functional.linearise(x)
    with functional.own.inexact(accuracy):
        start = functional.rough(x) * np.where(x == 0, UNTOUCHED, 1.0)
        found = negative_direction(comm, functional.hessian_product, functional.precondition, start, steps)
        if found is None:
            return None
        direction = found / _length(functional, found)
        curvature = float(summed(comm, float(direction @ functional.hessian_product(direction))))
    if not curvature < -FLAT:
        return None
    ways, step = (direction, -direction, _inward(functional, direction)), max(1.0, _length(functional, x))
    for _ in range(HALVINGS):
        values = [_value(functional, x + step * way) for way in ways]
        best = int(np.argmin(values))
        if values[best] < value + FALL * curvature * step**2 / 2:
            if value - values[best] < WORTH * abs(value):
                break
            return WayDown(x + step * ways[best], values[best], curvature)
        step /= 2
    functional.gradient(x)  # back to where it was
    return None


def _inward(functional: ControlledFunctional, direction: Floats) -> Floats:
    """The same with velocities at walls turned inward: outward they are cut off, so that J is not smooth there."""
    domain, own = functional.problem.domain, functional.own
    if functional.problem.control is not None:
        return direction
    turned, size = direction.copy(), functional.space.size
    velocity = own.stacks.collect(direction[:size].reshape(own.shape)).copy()
    places = domain.coordinates[: domain.owned]
    for axis, (low, high) in enumerate(zip(*domain.bounds, strict=True)):
        for wall, sign in ((low, 1.0), (high, -1.0)):
            there = np.abs(places[:, axis] - wall) < 1e-9 * (high - low)
            velocity[:, axis, there] = sign * np.abs(velocity[:, axis, there])
    turned[:size] = own.stacks.spread(velocity).ravel()
    return turned


def _length(functional: ControlledFunctional, direction: Floats) -> float:
    square = summed(functional.problem.domain.comm, float(direction @ functional.metric_product(direction)))
    return float(np.sqrt(square))


def _value(functional: ControlledFunctional, x: Floats) -> float:
    try:
        value = functional.evaluate(x)
    except SolverError:
        return np.inf
    return value if np.isfinite(value) else np.inf
