"""Tests of derivatives that any user can run on their own problem: Taylor remainders and symmetry of the Hessian.

    e -> |J(u + e v) - J(u) - e <g(u), v>|          falls like e^2 where g is the gradient of J
    e -> ||g(u + e v) - g(u) - e H(u) v||           falls like e^2 where H is the Hessian of J

(after hIPPYlib's ``modelVerify`` and pyadjoint's ``taylor_test``). All sums run over every rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import smallest, summed
from hydrodl.training.reduced_functional import ReducedFunctional

STEPS = (1e-2, 5e-3, 2.5e-3, 1.25e-3)
"""Lengths e of the steps along the direction."""


@dataclass(frozen=True)
class TaylorOrders:
    """Observed orders log(r_i / r_{i+1}) / log(e_i / e_{i+1}) between consecutive steps; 2 where derivatives are right.

    Attributes:
        gradient: orders of the remainder of J, one fewer than steps.
        hessian: orders of the remainder of the gradient.
        gradient_remainders, hessian_remainders: the remainders themselves, one a step.
    """

    gradient: tuple[float, ...]
    hessian: tuple[float, ...]
    gradient_remainders: tuple[float, ...]
    hessian_remainders: tuple[float, ...]


def taylor_orders(
    functional: ReducedFunctional, velocity: Floats, direction: Floats, steps: Sequence[float] = STEPS
) -> TaylorOrders:
    """Orders at which the Taylor remainders of J and of its gradient vanish along a direction; collective.

    The remainder of the gradient is a dual vector, measured in the control inner product at ``velocity``. Remainders
    near rounding (steps too short, or a J that is quadratic along the direction) have no order: look at them too.

    Args:
        functional: the reduced functional J; it is left linearised at ``velocity``.
        velocity: the point u, shape (N, d, owned).
        direction: v, the same shape.
        steps: at least two positive decreasing lengths e.

    Raises:
        InputError: arrays of another shape or not finite, or steps that are not positive and decreasing.
        SolverError: a density is not finite at u or at a step.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> direction = np.random.default_rng(0).normal(size=solution.velocity.shape)
        >>> orders = hd.taylor_orders(functional, solution.velocity, direction)
        >>> min(orders.gradient) > 1.9, min(orders.hessian) > 1.9
        (True, True)
    """
    lengths = np.asarray(steps, dtype=float)
    if lengths.ndim != 1 or lengths.size < 2 or not (lengths[-1] > 0 and (np.diff(lengths) < 0).all()):
        raise InputError(f"steps is {list(steps)}, must be at least two positive decreasing numbers")
    u, v = _controls(functional, velocity=velocity, direction=direction)
    value, gradient = functional.evaluate(u), functional.gradient(u)
    functional.linearise(u)
    slope, product = _dot(functional, gradient, v), functional.hessian_product(v).copy()
    first, second = [], []
    for e in lengths:
        first.append(abs(functional.evaluate(u + e * v) - value - e * slope))
        second.append(functional.gradient(u + e * v) - gradient - e * product)
    functional.linearise(u)  # the inner product too is that of u again
    norms = [functional.norm(remainder) for remainder in second]
    return TaylorOrders(_orders(lengths, first), _orders(lengths, norms), tuple(first), tuple(norms))


def hessian_symmetry(functional: ReducedFunctional, velocity: Floats, v: Floats, w: Floats) -> float:
    """|<w, H v> - <v, H w>| / sum_i |w_i (H v)_i|: asymmetry of J''(u), relative to the terms of its sums; collective.

    Args:
        functional: the reduced functional J; it is left linearised at ``velocity``.
        velocity: the point u, shape (N, d, owned).
        v, w: two directions, the same shape.

    Raises:
        InputError: arrays of another shape or not finite.
        SolverError: a density is not finite at u.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> v, w = np.random.default_rng(0).normal(size=(2, *solution.velocity.shape))
        >>> hd.hessian_symmetry(functional, solution.velocity, v, w) < 1e-8
        True
    """
    u, v, w = _controls(functional, velocity=velocity, v=v, w=w)
    functional.linearise(u)
    along_v = functional.hessian_product(v).copy()
    along_w = functional.hessian_product(w)
    gap = abs(_dot(functional, w, along_v) - _dot(functional, v, along_w))
    return gap / max(_dot(functional, np.abs(w), np.abs(along_v)), np.finfo(float).tiny)


def _controls(functional: ReducedFunctional, **arrays: Floats) -> list[Floats]:
    """The arrays, checked on every rank before any of them goes on to communicate."""
    checked = [np.asarray(array, dtype=float) for array in arrays.values()]
    fine = [a.shape == functional.shape and bool(np.isfinite(a).all()) for a in checked]
    worst = smallest(functional.problem.domain.comm, fine.index(False) if False in fine else len(fine))
    if worst < len(fine):
        name = list(arrays)[worst]
        raise InputError(f"{name} has shape {checked[worst].shape}, must be finite and {functional.shape} on this rank")
    return checked


def _dot(functional: ReducedFunctional, dual: Floats, primal: Floats) -> float:
    return float(summed(functional.problem.domain.comm, float((dual * primal).sum())))


def _orders(steps: Floats, remainders: Sequence[float]) -> tuple[float, ...]:
    safe = np.maximum(remainders, np.finfo(float).tiny)
    return tuple((np.log(safe[:-1] / safe[1:]) / np.log(steps[:-1] / steps[1:])).tolist())
