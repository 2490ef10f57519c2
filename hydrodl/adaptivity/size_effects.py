"""What layers, nodes and neurons do to where a network takes points, by training networks around it.

Networks of half and of twice as many layers, with half the spacing, and of all functions in the place of neurons, each
from the velocity at hand: displacements of the points of the data, the objective, and orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from hydrodl.adaptivity.output_error import pushed
from hydrodl.adaptivity.refined_problem import finer_domain, finer_layers, on_domain, on_layers, resized, velocity_on
from hydrodl.common.arrays import Floats
from hydrodl.network.network import Network
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls, Solution
from hydrodl.training.minimisation import train

_SLOWEST = 0.5
"""Order in neurons: that of random ones. What is measured below it is chance."""


_FASTEST = 4.0
"""Order in neurons that is still believed."""


@dataclass(frozen=True)
class Effect:
    """What one number adds: displacements (n, d) of the points, the objective, and their orders in that number."""

    moved: Floats
    order: float
    gap: float
    gap_order: float

    def factor(self, weights: Floats, tolerance: float) -> float:
        """How many times the number alone is too small, 0 where it adds nothing."""
        return float((size(self.moved, weights) / tolerance) ** (1 / self.order))


def size(moved: Floats, weights: Floats) -> float:
    """The root of the mean square of displacements (n, d)."""
    return float(np.sqrt(weights @ (moved**2).sum(axis=1)))


def effects(seen: Solution, points: Floats, weights: Floats, options: Mapping[str, Any] | None) -> dict[str, Effect]:
    """What layers, nodes and neurons add."""
    field = seen
    if seen.problem.control is not None:
        field = trained_near(replace(seen.problem, control=None), seen, options)
    fine_problem = on_domain(field.problem, finer_domain(field.problem.domain))
    fine = trained_near(fine_problem, field, options)
    deep = trained_near(on_layers(fine_problem, finer_layers(fine_problem.layers)), fine, options)
    here, there, below = (_output(one, points) for one in (field, fine, deep))
    order = last = float(fine.problem.method.order)
    if len(fine.problem.layers) > 1:
        half = trained_near(resized(fine_problem, len(fine_problem.layers) // 2), fine, options)
        ratio = size(there - _output(half, points), weights) / max(size(below - there, weights), 1e-300)
        order = _order(ratio, len(fine.problem.layers) / len(half.problem.layers))
    # among few layers the order is above the scheme's, to which deeper networks come: half of what is left by each
    share = (1 / (1 - 0.5**order) + 1 / (1 - 0.5**last)) / 2
    parts = {
        "layers": Effect(share * (there - below), order, share * (fine.objective - deep.objective), order),
        "nodes": Effect(4 / 3 * (here - there), 2.0, 4 / 3 * (field.objective - fine.objective), 2.0),
    }
    return parts if seen is field else parts | {"neurons": _neurons(seen, field, points, weights, options)}


def _neurons(
    seen: Solution, field: Solution, points: Floats, weights: Floats, options: Mapping[str, Any] | None
) -> Effect:
    """What neurons are away from all functions, at one width and at two times that."""
    control = seen.problem.control
    assert control is not None
    twice = train(replace(seen.problem, control=replace(control, width=2 * control.width)), options=options)
    end = _output(field, points)
    moved = [_output(one, points) - end for one in (seen, twice)]
    gaps = [one.objective - field.objective for one in (seen, twice)]
    pairs = ([size(m, weights) for m in moved], gaps)
    far, lost = (float(np.clip(np.log2(max(a, 1e-300) / max(b, 1e-300)), _SLOWEST, _FASTEST)) for a, b in pairs)
    return Effect(moved[0], far, gaps[0], lost)


def _order(ratio: float, times: float) -> float:
    """p of errors N^-p, from changes between N/times, N and 2 N; from 1 to 2."""

    def excess(p: float) -> float:
        return float((times**p - 1) / (1 - 0.5**p) - ratio)

    if excess(1.0) >= 0:
        return 1.0
    return 2.0 if excess(2.0) <= 0 else float(brentq(excess, 1.0, 2.0, xtol=1e-3))


def _output(solution: Solution, points: Floats) -> Floats:
    """Where the network takes points."""
    problem = solution.problem
    if problem.control is not None:
        return Network(solution).push(points)[-1]
    return pushed(problem.domain, solution.velocity, problem.layers, points)


def trained_near(problem: Problem, near: Solution, options: Mapping[str, Any] | None) -> Solution:
    """From the velocity of a network nearby."""
    if problem.control is not None:
        return train(problem, options=options)
    start = velocity_on(near.flow, problem.layers, problem.domain)
    return train(problem, options=options, initial=Controls(start, readout=near.readout))
