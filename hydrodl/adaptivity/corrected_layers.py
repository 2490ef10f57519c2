"""The modified system solved, and the other way round: coarse layers with the optimum of infinitely many.

A scheme in layers of thickness delta solves the modified system whose first terms, along smooth R(t) and phi(t)
through the layers, are those of the original at moved fields (Hairer, Lubich and Wanner, Geometric numerical
integration, IX; Chartier, Hairer and Vilmart, Numerical integrators based on modified differential equations, 2007):

    midpoint   R' + delta^2/24 R''' = F(u, R + delta^2/8 R'', phi + delta^2/8 phi''),  the same for phi
    Euler box  R'                   = F(u, R + delta/2 R', phi - delta/2 phi')

and u belongs to the moved fields in both. So one number, c, corrects a scheme
(:class:`~hydrodl.problem.correction.Correction`):

    a = c/8 R'', a* = c/8 phi'', b = c delta/24 R''', b* = -c delta/24 phi'''     c = D^2 - delta^2    midpoint
    a = c/2 R',  a* = -c/2 phi'                                                     c = D - delta        Euler box

For layer maps slabs of 2, .. p times the thickness take the place of the series (``thick_slabs``), to order p; with
e the corrected curve less what a slab makes of it, R above and phi below,

    S'' b = -e_R,  S' b* = -e_phi,    e = (delta - D)/(2 delta) (e of a double slab)            p = 2

With D the thickness of coarse layers, layers of thickness delta < D solve the modified system of the coarse ones; with
D = 0 they solve the original system to order 4 (midpoint), 2 (Euler box) or p: a modifying action. Derivatives are
differences over layers, taken from the solution before: each round is one training, warm, and gains an order of c.
Nothing else is expanded: space, losses and velocity are those of the scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hydrodl.adaptivity.depth_differences import derivative
from hydrodl.adaptivity.refined_problem import velocity_on
from hydrodl.adaptivity.thick_slabs import MapCurve
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.notices import warn_runtime
from hydrodl.common.parallel import summed
from hydrodl.common.parameters import COUNT, Number
from hydrodl.discretisation.heat_flow import HeatFlow
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.quadrature import moment
from hydrodl.problem.correction import Correction
from hydrodl.problem.flow import Flow
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution
from hydrodl.solver.sweeps import Sweeps
from hydrodl.training.minimisation import train

_FEWEST, _SETTLED = 4, 1e-6
"""Layers that there must be; moves of a round, relative, of which nothing is said."""


_ODD, _ORDER = Number(3, least=1, whole=True), Number(2, least=2, whole=True)


@dataclass(frozen=True, eq=False)
class Corrected:
    """A solution in corrected layers.

    Attributes:
        solution: its objective is the corrected action; its fields are those of the corrected system at layers.
        objective: J of that system: running cost and losses, without the action's own correction.
        thickness: D, of the layers whose modified system it is; 0: it is the original system.
        order: in the thickness of the layers, of what the series leaves out.
        rounds: how far the fields still moved in each round, relative.

    Example:
        >>> box = replace(problem, scheme="midpoint", layers=hd.layers(8))
        >>> found = hd.corrected(box)
        >>> found.solution.converged, found.thickness
        (True, 0.0)
    """

    solution: Solution
    objective: float
    thickness: float
    order: int
    rounds: tuple[float, ...]


def corrected(
    problem: Problem, *, rounds: int | None = None, order: int | None = None, options: Mapping[str, Any] | None = None
) -> Corrected:
    """Train coarse layers that have the fields, and J, of infinitely many to order 4 ("midpoint") or 2 (other schemes).

    Collective. For layer maps each round trains ``order`` - 1 problems of one layer for every layer besides.

    Args:
        problem: with equal layers, at least 4 of them and two more than ``order``, and no loss inside.
        rounds: how often the correction is made anew, None: as often as the order, twice for box schemes.
        order: of a layer map's, from 2 on, None: 2, or 3 for "strang", of which little is of first order; box schemes
            have their own.
        options: as in ``train``.

    Warns:
        RuntimeWarning: the last round moved the fields further than the one before: layers too thick for the series.

    Raises:
        InputError: another problem, rounds less than 1, or an order that the scheme does not have.

    Example:
        >>> box = replace(problem, scheme="midpoint", layers=hd.layers(8))
        >>> abs(hd.corrected(box).objective - hd.train(box).objective) < 0.1
        True
    """
    return _solved(problem, 0.0, rounds, order, options)


def modified(
    given: Problem | Solution,
    *,
    pieces: int | None = None,
    rounds: int | None = None,
    order: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Corrected:
    """Solve the modified system of a problem's layers in layers ``pieces`` times as thin; collective.

    The problem's own solution differs from it by order 4 ("midpoint"), 2 ("euler-box") or ``order`` (layer maps), and
    from that of the original system by order 2 or 1.

    Args:
        given: the problem, or its solution; as for :func:`corrected`.
        pieces: thin layers in one, None: 3, or as many as the order needs; odd, so that the middles of layers are
            middles of thin layers too, and for layer maps above the order: slabs as thick as the given ones take no
            part.
        rounds, order, options: as for :func:`corrected`.

    Raises:
        InputError: as for :func:`corrected`, or a number of pieces that is not allowed.

    Example:
        >>> coarse = hd.train(replace(problem, scheme="midpoint", layers=hd.layers(4)))
        >>> found = hd.modified(coarse)
        >>> len(found.solution.problem.layers), found.thickness
        (12, 0.25)
    """
    problem = given.problem if isinstance(given, Solution) else given
    fewest = _order(problem, order) if problem.method.moves_points else 1
    pieces = fewest + 1 + fewest % 2 if pieces is None else pieces
    _ODD.check("pieces", pieces)
    if pieces % 2 == 0:
        raise InputError(f"pieces is {pieces}, must be odd")
    if pieces <= fewest:
        raise InputError(f"pieces is {pieces}, must be above the order, {_order(problem, order)}")
    layers = problem.layers
    thin = Layers(np.linspace(0.0, layers.depth, pieces * len(layers) + 1))
    fine = replace(problem, layers=thin)
    start = velocity_on(given.flow, thin, problem.domain) if isinstance(given, Solution) else None
    _check(problem)
    return _solved(fine, float(layers.steps.mean()), rounds, order, options, start)


def correction_of(solution: Solution, thickness: float) -> Correction:
    """The correction that makes a box scheme's layers solve the modified system of layers of another thickness.

    Args:
        solution: in equal layers, corrected before or not; thickness: D, 0: the original system.
    """
    flow = solution.flow
    step, times = float(flow.layers.steps.mean()), flow.layers.times
    fields, middle = (flow.density, flow.potential), times[:-1] + flow.layers.steps / 2
    none = np.zeros_like(flow.density[1:])
    if flow.scheme.order == 1:
        c = thickness - step
        first = [derivative(field, times, middle, 1) for field in fields]
        return Correction(c / 2 * first[0], -c / 2 * first[1], none, none)
    c = thickness**2 - step**2
    second, third = ([derivative(field, times, middle, order) for field in fields] for order in (2, 3))
    growth, decline = (sign * c * step / 24 * field for sign, field in zip((1, -1), third, strict=True))
    return Correction(c / 8 * second[0], c / 8 * second[1], growth, decline)


def _solved(
    problem: Problem,
    thickness: float,
    rounds: int | None,
    order: int | None,
    options: Mapping[str, Any] | None,
    start: Floats | None = None,
) -> Corrected:
    _check(problem)
    order = _order(problem, order)
    maps = problem.method.moves_points
    if maps:
        problem = replace(problem, heat_flow=HeatFlow(thickness))
    if maps and len(problem.layers) < order + 2:
        raise InputError(f"order {order} needs at least {order + 2} layers; there are {len(problem.layers)}")
    rounds = (order if maps else 2) if rounds is None else rounds
    COUNT.check("rounds", rounds)
    found = train(problem, options=options, initial=start)
    moves = []
    for _ in range(rounds):
        correction = _curve(found, order, options).correction(thickness) if maps else correction_of(found, thickness)
        before, found = found, train(replace(problem, correction=correction), options=options, initial=found.velocity)
        moves.append(distance(before.flow, found.flow))
    if len(moves) > 1 and moves[-1] > max(moves[-2], _SETTLED):
        words = f"corrected layers do not settle: fields moved by {moves[-2]:.2g}, then {moves[-1]:.2g}"
        warn_runtime(f"{words}; the layers are too thick for the series", problem.domain.comm)
    if maps:
        running = _curve(found, order, options).running_cost(thickness)
        losses = sum(value for name, value in found.parts.items() if name not in ("running", "correction"))
        return Corrected(found, running + losses, thickness, order, tuple(moves))
    return Corrected(found, _objective(found, thickness), thickness, order, tuple(moves))


def _order(problem: Problem, order: int | None) -> int:
    """The order given, or the scheme's own; raise InputError where the scheme does not have it."""
    if problem.method.moves_points:
        default = 3 if problem.method.trapezoidal else 2
        _ORDER.check("order", default if order is None else order)
        return default if order is None else order
    own = 2 * problem.method.order
    if order not in (None, own):
        raise InputError(f"order is {order}; that of {problem.scheme!r} is {own}")
    return own


def _curve(solution: Solution, order: int, options: Mapping[str, Any] | None) -> MapCurve:
    return MapCurve(solution, _running_costs(solution), order, options)


def _objective(solution: Solution, thickness: float) -> float:
    """Running cost, by the midpoint rule of layers of the thickness, and losses; box schemes."""
    plain = solution.objective - solution.parts["correction"]
    if solution.flow.scheme.order == 1:
        return plain
    layers = solution.problem.layers
    step, middle = float(layers.steps.mean()), layers.times[:-1] + layers.steps / 2
    costs = _running_costs(solution)
    curved = layers.steps @ derivative(costs, middle, middle, 2)
    return plain - (thickness**2 - step**2) / 24 * float(curved)


def _running_costs(solution: Solution) -> Floats:
    """l of every slab, (N,); collective."""
    sweeps = Sweeps(solution.problem, {})
    try:
        sweeps.set_velocity(sweeps.stacks.spread(solution.velocity))
        sweeps.forward()
        return sweeps.running_costs()
    finally:
        sweeps.transport.close()


def distance(first: Flow, second: Flow) -> float:
    """Root mean square of the differences of densities and potentials at layers, relative to the second's; collective.

    The layers of one are among those of the other.
    """
    few, many = (first, second) if len(first.layers) <= len(second.layers) else (second, first)
    at = np.searchsorted(many.layers.times, few.layers.times - 1e-9)
    mass = moment(few.domain)
    sums = np.zeros((2, 2))
    for number, name in enumerate(("density", "potential")):
        coarse, fine = getattr(few, name), getattr(many, name)[at]
        sums[number] = [float((mass * (coarse - fine) ** 2).sum()), float((mass * fine**2).sum())]
    total = summed(few.domain.comm, sums)
    return float(np.sqrt((total[:, 0] / total[:, 1]).max()))


def _check(problem: Problem) -> None:
    """Raise InputError unless the problem can be corrected."""
    steps, count = problem.layers.steps, len(problem.layers)
    if count < _FEWEST or np.ptp(steps) > 1e-9 * steps.max():
        raise InputError(f"a correction needs equal layers, at least {_FEWEST} of them; there are {count}")
    if any(loss.layer not in (None, count) for loss in problem.terms):
        raise InputError("a correction needs fields that are smooth in depth: no loss may act inside")
    if problem.control is not None:
        raise InputError("neurons differ from layer to layer: a correction needs the field control")
