"""How many layers, nodes and neurons a network needs: measured around a trained one, by training it finer.

Where the trained network takes a point of the data depends on its N layers, its spacing h and its J neurons,

    x(N, h, J) = x + a N^-p + b h^2 + c J^-q + ...,

x being where the infinitely deep, infinitely fine and infinitely wide one takes it. Networks of half and twice as many
layers, with half the spacing, and of all functions in the place of J neurons, each trained from the velocity at hand,
give a, b, c at the points of the data, p and q. The size that is asked for keeps each of the three, and what they
add up to, within the tolerance: as displacements, so that no triangle inequality makes it larger than needed. Each
number is the same factor above what it alone would need. Then a network of that size is trained and looked at in
the same way, until it asks for its own size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hydrodl.adaptivity.error_bar import refinable
from hydrodl.adaptivity.output_error import data_points
from hydrodl.adaptivity.refined_problem import resized
from hydrodl.adaptivity.size_effects import Effect, effects, size, trained_near
from hydrodl.adaptivity.sizes_tried import SETTLED, Tried
from hydrodl.adaptivity.stable_training import size_of, training_conditions
from hydrodl.analysis.stability.bounds import SPECIFICATION, Bound, at_least, cells_per_direction
from hydrodl.analysis.stability.hessian_spectrum import Quadratic
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.analysis.stability.recommendation import Recommendation, combined, weigh
from hydrodl.analysis.stability.recommendation import recommend as by_bounds
from hydrodl.analysis.stability.training_bounds import training_bounds
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import POSITIVE
from hydrodl.problem.flow import Flow
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution

_MEASURED = ("depth convergence", "cell Peclet")
"""Bounds on errors that are measured here."""


_REACH = 4.0
"""Times that a number may change in one round: orders are local."""


_FINER = 1.02
"""By which all numbers grow until together they keep the tolerance."""


_AIM = 0.95
"""Of the tolerance, where layers have a higher order among few than among many: what is expected is then found to be 5
percent short (benchmarks/recommendation.py)."""


_LARGEST = 2**21
"""Layers times nodes of a network that is trained to look at it."""


OBJECTIVE = 0.1
"""Of J: what layers, nodes and neurons may each add to it."""


def recommend(
    given: Solution | Flow,
    tolerance: float = 0.1,
    *,
    functional: Quadratic | None = None,
    marched: bool = False,
    options: Mapping[str, Any] | None = None,
    rounds: int = 6,
) -> Recommendation:
    """The smallest N, M and J for which the network is within the tolerance of the infinitely deep, fine and wide one,
    and every stability bound that applies holds; collective.

    A solution is trained again, finer, as often as it takes: each round costs a few trainings from near the minimum,
    the largest of 2^(d + 1) times the size. A flow, and a solution on a mesh that cannot be refined, have bounds alone:
    ``analysis.recommend``.

    Where sizes are looked at, a network of the one recommended is asked whether training is stable around it: its
    second variation, steps of descent, Newton's ball, radius for changes of the data, and its distance to the deeper
    one by relative energy are among the bounds, which say of what size they are.

    Args:
        given: a trained solution, or a flow.
        tolerance: root of the mean square distance over the data, in the feature space of the mesh; positive.
        functional: linearised at the solution's velocity; adds the second variation.
        marched: the flow was marched as an initial value problem: the bounds are those of waves.
        options: PETSc's, as in ``train``.
        rounds: sizes that are looked at, at most; with 1 none but the given one is.

    Raises:
        InputError: the tolerance is not positive, or a solution that did not converge.

    Example:
        >>> advice = hd.recommend(solution, tolerance=0.2, rounds=1)
        >>> advice.layers >= 1, advice.nodes >= 2, advice.error is not None
        (True, True, True)
    """
    POSITIVE.check("tolerance", tolerance)
    if isinstance(given, Flow) or marched or not refinable(given.problem.domain):
        return by_bounds(given, tolerance, functional=functional, marched=marched)
    if not given.converged:
        raise InputError("the solution did not converge: what it needs cannot be measured around it")
    seen, tried = given, (Tried(), Tried(), Tried())
    most = _REACH if rounds > 1 else math.inf  # what is not looked at again is not cut off
    advice = _around(given, given, tolerance, tried, functional, options, most)
    for _ in range(rounds - 1):
        if _settled(seen, advice) or not advice.feasible or not given.problem.domain.uniform_box:
            break
        wanted = _of_size(given, advice)
        if len(wanted.layers) * wanted.domain.nodes > _LARGEST:
            break
        trained = trained_near(wanted, seen, options)
        if not trained.converged:
            break
        seen = trained
        advice = _around(given, seen, tolerance, tried, None, options)
    if rounds == 1:
        return advice
    there = _trained_so(given, seen, advice, options)
    return combined(advice, training_conditions(there, tolerance, options)) or advice


def _around(
    first: Solution,
    seen: Solution,
    tolerance: float,
    tried: tuple[Tried, Tried, Tried],
    functional: Quadratic | None,
    options: Mapping[str, Any] | None,
    most: float = _REACH,
) -> Recommendation:
    """What is needed, by networks around one; no more than ``most`` times what there is."""
    points, weights = data_points(first.flow)
    parts = effects(seen, points, weights, options)
    aim = tolerance * (_AIM if parts["layers"].order > seen.problem.method.order else 1.0)
    limit = OBJECTIVE * abs(seen.objective - sum(part.gap for part in parts.values()))
    domain, control = seen.problem.domain, seen.problem.control
    width = None if control is None else control.width
    cells = max(cells_per_direction(domain))
    numbers = {"layers": len(seen.problem.layers), "nodes": cells, "neurons": width or 1}
    bounds = training_bounds(seen.flow, tolerance, functional, NeuronLayers.of(seen))
    kept = [bound for bound in bounds if bound.name not in _MEASURED]
    kept += [_objective(name, part, numbers[name], most, limit) for name, part in parts.items()]

    def conditions(common: float) -> list[Bound]:
        """With each number so many times what it alone needs."""
        factors = {name: common * part.factor(weights, aim) for name, part in parts.items()}
        return [_condition(n, parts[n], factors[n], numbers[n], most, weights, tolerance) for n in parts] + kept

    found, common = conditions(1.0), 1.0
    while common < 2 * len(parts) and _at(weigh(tuple(found)), numbers, parts, weights) > aim:
        common *= _FINER
        found = conditions(common)
    advice = _with_tried(found, tried, len(seen.problem.layers), round(cells) + 1, width)
    return replace(advice, error=_at(advice, numbers, parts, weights))


def _with_tried(
    found: list[Bound], tried: tuple[Tried, Tried, Tried], layers: int, nodes: int, width: int | None
) -> Recommendation:
    """What follows from these conditions and from the sizes that were looked at."""
    plain = weigh(tuple(found))
    least = tried[0].number(layers, plain.layers)
    found = [b if b.needs_layers is None else replace(b, needs_layers=min(b.needs_layers, least)) for b in found]
    found.append(_measured("layers", layers, least))
    advice = weigh(tuple(found))
    found.append(_measured("nodes", nodes, tried[1].number(nodes, advice.nodes)))
    if width is not None:
        found.append(_measured("neurons", width, tried[2].number(width, plain.width or 1)))
    advice = weigh(tuple(found))
    pairs = [(advice.layers, plain.layers), (advice.nodes, plain.nodes), (advice.width or 1, plain.width or 1)]
    near = all(abs(a - b) <= max(1, SETTLED * b) for a, b in pairs)
    return replace(advice, binding=plain.binding, binds=plain.binds) if near else advice


def _needs(name: str, number: float, factor: float, most: float) -> dict[str, Any]:
    """So many times the number at hand, within reach."""
    found = at_least(min(max(factor, 1 / _REACH), most) * number)
    return {
        "needs_layers": found if name == "layers" else None,
        "needs_nodes": None if name != "nodes" or found is None else found + 1,
        "needs_width": found if name == "neurons" else None,
    }


def _measured(name: str, number: int, least: int) -> Bound:
    """Networks around which others were found to ask for more, or for no more."""
    return Bound(
        name=f"{name} that were measured",
        value=float(number),
        bound=float(least),
        holds=number >= least,
        needs_layers=least if name == "layers" else None,
        needs_nodes=least if name == "nodes" else None,
        needs_width=least if name == "neurons" else None,
        inequality=f"more {name} than networks that asked for more, as many as one that did not",
        sufficient_only=False,
        source=SPECIFICATION,
        note=f"networks with these {name} were trained and looked at",
    )


def _condition(
    name: str, part: Effect, factor: float, number: float, most: float, weights: Floats, tolerance: float
) -> Bound:
    """The distance that one number adds."""
    value = size(part.moved, weights)
    return Bound(
        name=f"infinitely many {name}",
        value=value,
        bound=tolerance,
        holds=value <= tolerance,
        inequality="root mean square |x - x_h| <= tol over the data",
        sufficient_only=False,
        source=SPECIFICATION,
        note=f"measured by training finer, of order {part.order:.2g} in {name}",
        **_needs(name, number, factor, most),
    )


def _objective(name: str, part: Effect, number: float, most: float, allowed: float) -> Bound:
    """What one number adds to J."""
    return Bound(
        name=f"objective of infinitely many {name}",
        value=abs(part.gap),
        bound=allowed,
        holds=abs(part.gap) <= allowed,
        inequality=f"|J - J_h| <= {OBJECTIVE:g} J",
        sufficient_only=False,
        source=SPECIFICATION,
        note=f"measured by training finer, of order {part.gap_order:.2g} in {name}",
        **_needs(name, number, (abs(part.gap) / max(allowed, 1e-300)) ** (1 / part.gap_order), most),
    )


def _at(advice: Recommendation, numbers: Mapping[str, float], parts: Mapping[str, Effect], weights: Floats) -> float:
    """The distance to be expected of the size recommended."""
    wanted = {"layers": advice.layers, "nodes": advice.nodes - 1, "neurons": advice.width or 1}
    moved = [part.moved * (numbers[name] / wanted[name]) ** part.order for name, part in parts.items()]
    return size(sum(moved), weights)  # type: ignore[arg-type]


def _of_size(first: Solution, advice: Recommendation) -> Problem:
    """The problem as it was given, in the layers, nodes and neurons recommended."""
    problem = resized(first.problem, advice.layers, advice.nodes)
    control = first.problem.control
    if control is None or advice.width is None:
        return problem
    return replace(problem, control=replace(control, width=advice.width))


def _trained_so(first: Solution, seen: Solution, advice: Recommendation, options: Mapping[str, Any] | None) -> Solution:
    """A network of the size recommended; that which was looked at last where it is no box, too large or not found."""
    if not first.problem.domain.uniform_box:
        return seen
    wanted = _of_size(first, advice)
    if size_of(wanted) == size_of(seen.problem) or len(wanted.layers) * wanted.domain.nodes > _LARGEST:
        return seen
    found = trained_near(wanted, seen, options)
    return found if found.converged else seen


def _settled(seen: Solution, advice: Recommendation) -> bool:
    """Does a size ask for itself?"""
    problem = seen.problem
    pairs = [(len(problem.layers), advice.layers), (max(cells_per_direction(problem.domain)), advice.nodes - 1)]
    if problem.control is not None and advice.width is not None:
        pairs.append((problem.control.width, advice.width))
    return all(abs(a - b) <= max(1, SETTLED * a) for a, b in pairs)
