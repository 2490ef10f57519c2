"""Schroedinger bridges with exact ends: the flow of least work that takes a density to given densities.

    minimise  int_0^T int rho |u|^2 / 2 dx dt     over  d_t rho + div(rho u) = nu Laplace rho,
    rho(0) = start,   rho(t_j) = rho*_j  at the layers j of the targets.

A loss of finite weight lambda leaves an error of order 1 / lambda, and a large weight is hard to solve. The method of
multipliers keeps the weight and moves the target instead. Both divergences absorb the multiplier mu of the constraint:

    l2:  <mu, rho> + lambda/2 |rho - rho*|^2     = lambda/2 |rho - s|^2 + const.,     s = rho* - mu / lambda
    KL:  <mu, rho> + lambda KL(rho || rho*)      = lambda KL(rho || s) + const.,      s = rho* exp(-mu / lambda)

so that every round is an ordinary training problem, started from the flow of the round before, and then
mu += lambda (rho - rho*), or mu += lambda log(rho / rho*). The second is an implicit step of what Sinkhorn's algorithm
does to its end potential: an error shrinks by about 2 nu / (2 nu + lambda) a round where it oscillates, and by
s^2 / (s^2 + lambda T) where it shifts a cloud of deviation s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hydrodl.common import progress
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.notices import warn_unconverged
from hydrodl.common.parameters import COUNT, POSITIVE, Choice, Number
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import raw_metric
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.losses import DIVERGENCE
from hydrodl.problem.problem import SCHEME, Problem
from hydrodl.problem.solution import Solution
from hydrodl.training.minimisation import minimise
from hydrodl.training.optimiser import Monitor
from hydrodl.training.stopping import STOPPED
from hydrodl.transport.bridge_cost import kinetic_cost
from hydrodl.transport.bridge_result import Bridge
from hydrodl.transport.multipliers import Multipliers, first_weight

REACHED = "distance below the tolerance"


METHOD = Choice("augmented", ("augmented", "penalty"))


def bridge(
    start: Densities,
    targets: Densities | Mapping[int, Densities],
    layers: Layers,
    physics: Lagrangian | float,
    *,
    tolerance: float = 1e-3,
    method: str = "augmented",
    divergence: str = "kl",
    weight: float | None = None,
    floor: float = 1e-8,
    max_rounds: int = 20,
    scheme: str | None = SCHEME.default,
    initial: Floats | Bridge | None = None,
    options: Mapping[str, Any] | None = None,
    monitor: Monitor | None = None,
    verbose: int = 0,
) -> Bridge:
    """The flow of least work from one density to given densities, by a loop of training problems; collective.

    The loop stops after the first round whose optimiser converged with every relative L1 distance at most
    ``tolerance``; or, not converged, after ``max_rounds``, when the optimiser failed in the first round or in two
    rounds in turn, or when the monitor asks for it.

    On a uniform box the default scheme "strang" is positive and of second order in the thickness of layers; the work is
    that of the noise asked for once there are nodes enough (``solution.effective_noise``), and the least one as the
    decay goes to 0. The noise at the end of its last layer has exponential tails: with few thick layers and much noise
    a target whose tails fall faster is out of reach, and the distance stalls at the mass of those tails; more layers
    help. On other meshes the scheme is "euler-box", which feels more noise than it is asked for
    (``solution.effective_noise`` again); refine the mesh, and add layers, until the work no longer changes.

    Args:
        start: rho(0).
        targets: the densities at the last layer, or a mapping from layer indices 1..N to densities; on the same
            domain, with the classes and class masses of the start.
        layers: partition of depth.
        physics: the running cost and noise; or the noise alone, with the default decay and nothing else.
        tolerance: the relative L1 distance to reach, at every target.
        method: "augmented", the method of multipliers (the weight grows, threefold, only after a round that gains less
            than a factor 4), or "penalty", no multipliers and a weight that grows tenfold every round.
        divergence: "kl" or "l2"; KL is the better one wherever the densities stay positive.
        weight: of the first round; default 2 for KL and 2 over the mean density of the target for l2. A larger one
            needs fewer rounds, but pulls so hard at the start that an unfitted scheme may lose its positivity.
        floor: of the KL divergence, see :class:`hydrodl.Density`.
        max_rounds: limit of training problems.
        scheme: see :class:`~hydrodl.Problem`.
        initial: a velocity (N, d, owned), or a Bridge whose velocity and multipliers to go on from, on the same domain
            and with as many targets and the same divergence, but with another decay, noise, scheme or partition.
        options, monitor, verbose: as in :func:`hydrodl.train`; the monitor's mapping has "round" and "weight" as well.

    Warns:
        sklearn.exceptions.ConvergenceWarning: not converged, unless the monitor asked to stop.

    Raises:
        InputError: targets that do not fit the start (layer, domain, classes, masses), arguments out of range.
        SolverError: see :func:`hydrodl.train`.

    Example:
        >>> line = hd.Domain.interval(-3.0, 3.0, nodes=31)
        >>> start, end = (hd.mixture([hd.Gaussian(m, std=0.6)], line) for m in (-0.5, 0.5))
        >>> found = hd.bridge(start, end, hd.layers(4), hd.Lagrangian(noise=0.2))
        >>> found.rounds >= 1, found.raw_cost == found.cost  # no preprocessing: mesh units are raw units
        (True, True)
    """
    lagrangian = physics if isinstance(physics, Lagrangian) else Lagrangian(physics, smoothness=0.0)
    _check(tolerance, method, divergence, max_rounds)
    goals = _goals(start, targets, layers, tolerance)
    loop = Multipliers(
        start, goals, divergence, floor, first_weight(goals, divergence, weight), _kept(initial, goals, divergence)
    )
    velocity = _on_layers(initial.solution, layers) if isinstance(initial, Bridge) else initial
    history: list[dict[str, Any]] = []
    with progress.shown(verbose):
        while True:
            problem = Problem(start.domain, layers, start, lagrangian, loop.losses(), scheme)
            about = {"round": len(history) + 1, "weight": loop.weight}
            told: dict[str, Any] = {"options": options, "monitor": monitor, "about": about}
            solution = minimise(problem, initial=velocity, saddles=False, **told)
            history.append(_line(solution, loop))
            reason = _why_stop(history, loop.distances(solution), tolerance, max_rounds)
            if reason == REACHED:  # rounds are on the way only: saddles are looked for at the end
                looked = minimise(problem, initial=solution.velocity, saddles=True, **told)
                if looked.saddles:
                    solution = looked
                    history[-1] = _line(solution, loop, history[-1])
                    reason = _why_stop(history, loop.distances(solution), tolerance, max_rounds)
            velocity = solution.velocity
            if reason:
                break
            loop.advance(solution, method)
    if reason != REACHED and history[-1]["reason"] != STOPPED:
        warn_unconverged(f"the target was not reached: {reason}", start.domain.comm)
    metric = raw_metric(start.preprocessing, start.domain.dimension)
    return Bridge(
        solution,
        goals,
        loop.distances(solution),
        tolerance,
        reason == REACHED,
        reason,
        tuple(history),
        kinetic_cost(solution, np.eye(start.domain.dimension)),
        kinetic_cost(solution, metric),
        loop.after(solution),
        divergence,
    )


def _goals(
    start: Densities, targets: Densities | Mapping[int, Densities], layers: Layers, tolerance: float
) -> dict[int, Densities]:
    """The targets by layer, checked; collective."""
    given = {len(layers): targets} if isinstance(targets, Densities) else dict(targets)
    if not given:
        raise InputError("targets: at least one is needed")
    for layer, goal in given.items():
        Number(least=1, most=len(layers), whole=True).check("target layer", layer)
        if not isinstance(goal, Densities):
            raise InputError(f"target at layer {layer} is {type(goal).__name__}, must be Densities")
        if goal.domain is not start.domain or goal.values.shape != start.values.shape:
            raise InputError(
                f"target at layer {layer} has {goal.classes} densities for {start.classes} classes, or was made on "
                "another domain; give one per class on the start's domain"
            )
        gap = np.abs(goal.masses - start.masses)
        if gap.sum() > tolerance / 2:
            c = int(np.argmax(gap))
            raise InputError(
                f"target at layer {layer}: class {goal.class_names[c]!r} has mass {goal.masses[c]:.6g}, the start has "
                f"{start.masses[c]:.6g}; a flow keeps the mass of every class"
            )
    return {int(layer): given[layer] for layer in sorted(given)}


def _check(tolerance: float, method: str, divergence: str, max_rounds: int) -> None:
    POSITIVE.check("tolerance", tolerance)
    METHOD.check("method", method)
    DIVERGENCE.check("divergence", divergence)
    COUNT.check("max_rounds", max_rounds)


def _kept(
    initial: Floats | Bridge | None, goals: Mapping[int, Densities], divergence: str
) -> Mapping[int, Floats] | None:
    """The multipliers of a bridge to go on from, target by target in the order of depth."""
    if not isinstance(initial, Bridge):
        return None
    there = [mu for _, mu in sorted(initial.multipliers.items())]
    fits = len(there) == len(goals) and all(
        mu.shape == g.values.shape for mu, g in zip(there, goals.values(), strict=False)
    )
    if initial.divergence != divergence or not fits:
        raise InputError(
            "initial is a bridge with another number of targets, on another domain or in another divergence"
        )
    return dict(zip(goals, there, strict=True))


def _on_layers(solution: Solution, layers: Layers) -> Floats:
    """The velocity of a solution on another partition of the same depth: that of the slab around each slab's middle."""
    times = solution.problem.layers.times / solution.problem.layers.depth
    middles = (layers.times[1:] + layers.times[:-1]) / (2 * layers.depth)
    return solution.velocity[np.searchsorted(times, middles) - 1]


def _line(solution: Solution, loop: Multipliers, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the history says of a round, of which part was done before."""
    done = before or {"iterations": 0, "hessian_products": 0}
    return {
        "weight": loop.weight,
        "distances": loop.distances(solution),
        "objective": solution.objective,
        "converged": solution.converged,
        "reason": solution.reason,
        "iterations": solution.iterations + done["iterations"],
        "hessian_products": solution.hessian_products + done["hessian_products"],
        "saddles": solution.saddles,
    }


def _why_stop(history: list[dict[str, Any]], distances: Mapping[int, float], tolerance: float, max_rounds: int) -> str:
    """Why the loop ends here; nothing if it goes on."""
    last = history[-1]
    if last["converged"] and max(distances.values()) <= tolerance:
        return REACHED
    if last["reason"] == STOPPED or not any(line["converged"] for line in history[-2:]):
        return f"round {len(history)}: {last['reason']}"
    if len(history) == max_rounds:
        return f"distance {max(distances.values()):.1e} after max_rounds = {max_rounds}"
    return ""
