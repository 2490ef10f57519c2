"""Training on layers and meshes that follow the flow: train, look where the error is, cut there, train again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hydrodl.adaptivity.layer_placement import adapted_layers
from hydrodl.adaptivity.mesh_refinement import check_refinable, refined
from hydrodl.adaptivity.velocity_transfer import transfer
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import COUNT, Number
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls, Solution
from hydrodl.training.minimisation import train


def adapt(
    problem_on: Callable[[Domain, Layers], Problem],
    domain: Domain,
    layers: Layers,
    rounds: int = 3,
    *,
    bulk: float | None = 0.5,
    growth: float | None = 1.0,
    margin: float | None = None,
    options: Mapping[str, Any] | None = None,
    verbose: int = 0,
) -> tuple[Solution, ...]:
    """Train, refine, train again, each time from the velocity found before; collective.

    Args:
        problem_on: the problem on a domain and layers; it makes the densities anew. A loss inside finds its layer by
            ``layer_at(layers, depth)``: its depth stays a layer.
        domain, layers: to begin with, coarse.
        rounds: how many problems are solved, at least 1.
        bulk: the share of the estimated error whose cells are refined, see ``refined``; None
            leaves the mesh as it is.
        growth: the number of layers is multiplied by it and they are placed anew; 1 moves them; None leaves them.
        margin: as in :func:`hydrodl.adapted_layers`, here None by default.
        options, verbose: as in ``train``.

    Returns:
        The solutions of all rounds, the last one best. A round that does not converge is the last one.

    Raises:
        InputError: numbers out of range, a mesh of boxes that is to be refined, a problem on another domain or other
            layers than given, neurons, or what ``train`` raises.

    Example:
        >>> problem_on = lambda domain, layers: replace(problem, domain=domain, layers=layers)
        >>> rounds = hd.adapt(problem_on, domain, hd.layers(4), rounds=2, bulk=None)
        >>> rounds[-1].problem.layers.depth
        1.0
    """
    _check(domain, rounds, bulk, growth)
    found: list[Solution] = []
    for number in range(rounds):
        if number:
            domain, layers = _next(found[-1], bulk, growth, margin)
        problem = problem_on(domain, layers)
        if problem.domain is not domain or problem.layers is not layers:
            raise InputError("problem_on returned a problem on another domain or other layers than it was given")
        if problem.control is not None:
            raise InputError("neurons cannot be adapted: adapt needs problems with the field control")
        start = Controls(transfer(found[-1], problem), readout=found[-1].readout) if found else None
        found.append(train(problem, options=options, initial=start, verbose=verbose))
        if not found[-1].converged:
            break
    return tuple(found)


def _next(solution: Solution, bulk: float | None, growth: float | None, margin: float | None) -> tuple[Domain, Layers]:
    domain, layers = solution.problem.domain, solution.problem.layers
    if bulk is not None:
        domain = refined(solution, bulk)
    if growth is not None:
        layers = adapted_layers(solution, int(np.ceil(growth * len(layers) - 1e-9)), margin=margin)
    return domain, layers


def _check(domain: Domain, rounds: int, bulk: float | None, growth: float | None) -> None:
    COUNT.check("rounds", rounds)
    if bulk is not None:
        check_refinable(domain, bulk)
    if growth is not None:
        Number(least=1).check("growth", growth)
