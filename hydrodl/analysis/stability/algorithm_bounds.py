"""Stability of training as bounds, and two descents that show it: one on each side of the limit."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hydrodl.analysis.stability.bounds import SPECIFICATION, Bound
from hydrodl.analysis.stability.data_sensitivity import Near
from hydrodl.analysis.stability.training_stability import TrainingStability
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError

GRADIENT = "Nocedal, Wright, Numerical Optimization, 2006, section 3.3; limit: Polyak, USSR Comp. Math. 4 (1964)"


BALL = "Rheinboldt, Banach Center Publ. 3 (1978); Traub, Wozniakowski, J. ACM 26 (1979)"


SHARES = (0.975, 1.025)
"""Steps that are shown, of the limit: 1.95 and 2.05 over the largest eigenvalue."""


_STEPS = 60
_NEAR, _CLEAR = 1e-3, 1e2  # where descents start: a share of Newton's ball, but so many times the solution's own error


def algorithm_bounds(stability: TrainingStability) -> tuple[Bound, ...]:
    """What training itself asks for, around a solution: a step of descent, Newton's ball, a radius for the data.

    None of them asks for more layers or nodes: in the control inner product the spectrum is one of the problem.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     found = hd.analysis.training_stability(near)
        >>> [bound.name for bound in hd.analysis.algorithm_bounds(found)]
        ['descent step', 'Newton ball', 'data radius']
    """
    limit, scale = stability.descent, stability.scale
    rate = limit.contraction(limit.best)
    step = Bound(
        name="descent step",
        value=limit.best,
        bound=limit.limit,
        holds=scale > 0,
        inequality="2/(lambda_1 + lambda_n) < 2/lambda_n",
        sufficient_only=False,
        source=GRADIENT,
        note=f"plain descent in the control inner product converges for steps below {limit.limit:.3g}, and at best "
        f"brings the error to {rate:.3g} of itself in a step",
    )
    ball = Bound(
        name="Newton ball",
        value=stability.distance,
        bound=stability.newton_radius,
        holds=stability.distance <= stability.newton_radius,
        inequality="|H^-1 g| <= 2 lambda_1/(3 Lambda)",
        sufficient_only=True,
        source=BALL,
        note="an exact minimum is within twice that distance; Lambda is measured, not proven",
    )
    data = Bound(
        name="data radius",
        value=stability.data_radius,
        bound=0.0,
        holds=stability.data_radius > 0,
        inequality="0.4 lambda_1/(sigma Lambda) > 0",
        sufficient_only=True,
        source=SPECIFICATION + "; implicit function theorem",
        note="a minimum persists for data within this distance, which is 2 f where at most a share f of any place gets "
        "other labels",
    )
    return step, ball, data


@dataclass(frozen=True)
class Descents:
    """Two descents from one start near a minimum, in the inner product of the minimum.

    Attributes:
        steps: their lengths s, below and above the limit.
        distances: |x - x*| after every step, over that at the start; two lists.
        predicted: max |1 - s lambda| of both.
    """

    steps: tuple[float, float]
    distances: tuple[tuple[float, ...], tuple[float, ...]]
    predicted: tuple[float, float]


def observed_descents(near: Near, stability: TrainingStability, top: Floats) -> Descents | None:
    """Descend on both sides of the limit; None where there is no room to: no ball, or no minimum found well enough.

    Args:
        near: the functional around the minimum; stability: of the same.
        top: the eigenvector of the largest eigenvalue, flat.
        steps: how many.

    Raises:
        SolverError: a density is not finite.
    """
    radius = stability.newton_radius
    size = max(_NEAR * radius, _CLEAR * stability.distance)
    if not 0 < radius < inf or size > radius:
        return None
    rough = near.precondition(near.rough())
    start = top + rough / near.length(rough)
    start *= size / near.length(start)
    lengths = tuple(share * stability.descent.limit for share in SHARES)
    found = tuple(_distances(near, start, step) for step in lengths)
    predicted = tuple(stability.descent.contraction(step) for step in lengths)
    return Descents((lengths[0], lengths[1]), (found[0], found[1]), (predicted[0], predicted[1]))


def _distances(near: Near, start: Floats, step: float) -> tuple[float, ...]:
    """Over that of the start; they end early where the descent has left what can be computed."""
    first = near.length(start)
    x, found = start, [1.0]
    for _ in range(_STEPS):
        try:
            x = x - step * near.precondition(near.gradients(x)[0])
        except SolverError:
            break
        found.append(near.length(x) / first)
    return tuple(found)
