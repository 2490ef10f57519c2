"""Strong losses at small noise by way of easier problems: lighter losses at larger noise first.

Neurons that are trained whole come after the same neurons trained in their output weights alone, a simpler problem.

Far from the optimum of a strong loss the Hessian is indefinite and Newton's method takes hundreds of short steps. The
optimum of an eighth of the weight at eight times the noise is found in a few, and leads to the next. What that saves is
measured by benchmarks/strong.py; with layer maps nothing where the splines bring most of the noise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hydrodl.physics.losses import Classification
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution

STRONG = 4e3
"""Weight of the classification loss over the noise from which easier problems save time: 40 percent at 5e3, none at
2e3, and below they cost time."""


STRONG_MAPS = 1e4
"""The same with layer maps, over the noise that the splines bring where that is larger: easier problems save a third of
the time at 2e4, and cost a fifth to a third at 6e3 to 7e3."""


FACTORS = (8.0, 4.0, 2.0)
"""Weight divided by, and noise multiplied by, in this order."""


OUTPUTS = 1e-2
"""Neurons have been trained enough in their output weights alone when their gradient norm is below this."""


NEAR = 1e-3
"""An easier problem has served when its gradient norm, over its weight, is below this."""


def easier(problem: Problem) -> list[tuple[Problem, float]]:
    """The problems to go through first and their gradient tolerances; none unless neurons are trained whole or the loss
    is strong.

    A strong loss only with the field control and a single classification loss with a fixed readout, where it was
    measured. Collective.
    """
    terms, noise = problem.terms, problem.lagrangian.noise
    if problem.control is not None and problem.control.whole:
        return [(replace(problem, control=replace(problem.control, hidden_weights="fixed")), OUTPUTS)]
    if problem.control is not None or len(terms) != 1 or not isinstance(terms[0], Classification):
        return []
    loss, method = terms[0], problem.method
    strong = STRONG_MAPS if method.moves_points else STRONG
    if loss.trained or loss.weight < strong * noise:
        return []
    if loss.weight < strong * method.map_noise(problem.domain, problem.layers.steps):
        return []
    physics = [replace(problem.lagrangian, noise=factor * noise) for factor in FACTORS]
    losses = [replace(loss, weight=loss.weight / factor) for factor in FACTORS]
    return [
        (replace(problem, lagrangian=louder, losses=[lighter]), NEAR * lighter.weight)
        for louder, lighter in zip(physics, losses, strict=True)
    ]


def joined(stages: Iterable[Solution], last: Solution) -> Solution:
    """The last solution with the steps, products, seconds and history of all; a history entry says of which stage."""
    history: list[dict[str, Any]] = []
    steps, seconds = 0, 0.0
    every = [*stages, last]
    for number, found in enumerate(every):
        for entry in found.history[min(number, 1) :]:  # a stage starts where the one before it ended
            at = {"iteration": steps + entry["iteration"], "seconds": seconds + entry["seconds"]}
            history.append(dict(entry) | at | {"stage": number})
        steps, seconds = steps + found.iterations, seconds + sum(found.timings.values())
    timings = {phase: sum(found.timings[phase] for found in every) for phase in last.timings}
    products, rebuilt = (sum(getattr(f, name) for f in every) for name in ("hessian_products", "operators_rebuilt"))
    return replace(
        last,
        iterations=steps,
        hessian_products=products,
        operators_rebuilt=rebuilt,
        timings=timings,
        history=tuple(history),
    )
