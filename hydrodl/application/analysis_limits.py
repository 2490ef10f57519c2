"""The parts of an analysis whose cost grows faster than that of training, each within a bound on memory or time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hydrodl.adaptivity.error_bar import refinable
from hydrodl.adaptivity.recommended_size import recommend
from hydrodl.analysis.stability.algorithm_bounds import Descents, observed_descents
from hydrodl.analysis.stability.bounds import Bound
from hydrodl.analysis.stability.hessian_spectrum import Quadratic, Spectrum, spectrum
from hydrodl.analysis.stability.recommendation import Recommendation
from hydrodl.analysis.stability.training_bounds import second_variation
from hydrodl.analysis.stability.training_stability import TrainingStability, training_stability
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.progress import say
from hydrodl.problem.flow import Flow
from hydrodl.problem.solution import Solution
from hydrodl.problem_file.size_estimate import seconds, sizes_of
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.neighbourhood import Neighbourhood
from hydrodl.training.reduced_functional import ReducedFunctional

FACTOR_BYTES = 5e8
"""Memory for tangent solutions, the factors of their matrix first of all: the multisymplectic law is checked on no more
slabs than fit."""


EIGEN_SECONDS = 1200.0
"""Estimated time on one core beyond which the smallest eigenvalue of the Hessian is not looked for."""


PRODUCTS = 300  # Hessian products that an eigenvalue usually takes, at most


GRADIENTS = 400  # what the stability of training takes beside them


STEPS = 10  # Newton steps of trainings that start near their ends, at most


ROUGH = 1e-6  # accuracy of the largest eigenvalue


RESTARTS = 60  # most restarts of the search, about 20 products each


SPEAK_EVERY = 10.0  # seconds


def law_bytes(flow: Flow, slabs: int) -> float:
    """Memory for tangent solutions of some slabs and what the law needs of them.

    Box schemes: the factors of the space-time matrix, entries of L and U under nested dissection of the feature mesh, a
    dense block of all of a node's unknowns each. Layer maps: two sets of all unknowns and their rows, no factors.
    """
    d, nodes = flow.domain.dimension, flow.domain.nodes
    if flow.scheme.moves_points:
        return 64.0 * slabs * nodes * (flow.density.shape[1] * (4 * d + 4) + d)
    block = slabs * (d + 2 * flow.density.shape[1])
    fill = {1: 4.0, 2: 1.0 + math.log2(nodes), 3: 2.0 * nodes ** (1 / 3)}[d]
    return 16.0 * block**2 * nodes * fill


def central_slabs(flow: Flow, limit: float) -> Flow:
    """The flow on as many slabs around mid-depth as the limit on ``law_bytes`` allows; a solution like the whole.

    Raises:
        InputError: not even 2 slabs fit.
    """
    whole = len(flow.layers)
    slabs = max((n for n in range(1, whole + 1) if law_bytes(flow, n) <= limit), default=0)
    if slabs < min(2, whole):
        raise InputError(
            f"tangent solutions on 2 slabs would take about {law_bytes(flow, 2) / 1e9:.2g} GB, more than "
            f"{limit / 1e9:.2g} GB"
        )
    first = (whole - slabs) // 2
    return flow.window(first, first + slabs)


def smallest_curvature(solution: Solution, options: Mapping[str, Any], limit: float) -> tuple[Spectrum, Bound]:
    """The smallest eigenvalue of the reduced Hessian at a solution, and the bound it decides; collective.

    Args:
        solution: where to linearise.
        options: PETSc's options of the run; those of its linear solvers are used.
        limit: estimated seconds on one core beyond which not to begin, so that the answer depends on no timing.

    Raises:
        InputError: the estimate is beyond the limit.
        SolverError: SLEPc did not converge.
    """
    span = seconds(sizes_of(solution.problem), steps=1, products=PRODUCTS)
    if span > limit:
        raise InputError(f"it would take about {span / 60:.0f} min on one core, more than {limit / 60:.0f} min")
    linear = {key: value for key, value in options.items() if key.startswith(("slab_", "metric_"))}
    functional = ReducedFunctional(solution.problem, linear)
    try:
        controlled = ControlledFunctional(functional)
        controlled.linearise(controlled.flat(solution.controls))
        comm = solution.problem.domain.comm
        found = spectrum(_Watched(controlled), comm=comm, largest=False, options={"eps_max_it": RESTARTS})
        return found, second_variation(controlled, comm, found)
    finally:
        functional.close()


def stability_of_training(
    solution: Solution, options: Mapping[str, Any], limit: float, small: Spectrum
) -> tuple[TrainingStability, Descents | None]:
    """Steps of descent, Newton's ball, changes of the data, and descents that show the first; collective.

    Args:
        solution, options, limit: as for :func:`smallest_curvature`.
        small: the smallest eigenvalue.

    Raises:
        InputError: the estimate is beyond the limit, or the solution is no strict minimum.
        SolverError: SLEPc or conjugate gradients did not converge, or a density is not finite nearby.
    """
    span = seconds(sizes_of(solution.problem), steps=GRADIENTS, products=2 * PRODUCTS)
    if span > limit:
        raise InputError(f"it would take about {span / 60:.0f} min on one core, more than {limit / 60:.0f} min")
    if small.smallest[0] <= small.residuals[0]:
        raise InputError("the solution is no strict minimum")
    with Neighbourhood(solution, options) as near:
        watched, own = _Watched(near), {"eps_max_it": RESTARTS}
        large = spectrum(watched, comm=near.comm, tolerance=ROUGH, smallest=False, options=own)
        ends = replace(small, largest=large.largest, largest_modes=large.largest_modes)
        found = training_stability(near, ends)
        return found, observed_descents(near, found, ends.largest_modes[0].ravel())


def measured_size(solution: Solution, tolerance: float, options: Mapping[str, Any], limit: float) -> Recommendation:
    """Layers, nodes and neurons needed, by training networks twice as fine; collective.

    Args:
        solution, options, limit: as for :func:`smallest_curvature`.
        tolerance: of the network's output, in feature units.

    Raises:
        InputError: the estimate is beyond the limit, the solution did not converge, or its mesh cannot be refined.
    """
    problem = solution.problem
    if not refinable(problem.domain):
        raise InputError("by bounds alone: there is no mesh like this one twice as fine")
    times = 2 ** (problem.domain.dimension + 1)
    span = times * seconds(sizes_of(problem), steps=STEPS, products=STEPS * STEPS)
    if span > limit:
        raise InputError(f"by bounds alone: to measure it would take about {span / 60:.0f} min on one core")
    return recommend(solution, tolerance, options=options, rounds=1)


class _Counted(Quadratic, Protocol):
    """A functional that counts its Hessian products."""

    @property
    def products(self) -> int:
        """So far."""


@dataclass
class _Watched:
    """A functional that tells now and then how many Hessian products it has done."""

    functional: _Counted
    spoken: float = 0.0

    def __post_init__(self) -> None:
        self.spoken = time.monotonic()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.functional.shape

    def hessian_product(self, direction: Floats) -> Floats:
        if time.monotonic() - self.spoken > SPEAK_EVERY:
            self.spoken = time.monotonic()
            say(f"{self.functional.products} Hessian products")
        return self.functional.hessian_product(direction)

    def metric_product(self, direction: Floats) -> Floats:
        return self.functional.metric_product(direction)

    def precondition(self, dual: Floats) -> Floats:
        return self.functional.precondition(dual)
