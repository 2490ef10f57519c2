"""Is training stable around a network of a given size? Conditions that ask for no size, looked at where it is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hydrodl.adaptivity.deeper_flow import deeper_flow
from hydrodl.analysis.stability.algorithm_bounds import algorithm_bounds
from hydrodl.analysis.stability.bounds import Bound, nodes_per_direction
from hydrodl.analysis.stability.hessian_spectrum import spectrum
from hydrodl.analysis.stability.training_bounds import second_variation
from hydrodl.analysis.stability.training_stability import training_stability
from hydrodl.common.cards import plural
from hydrodl.common.errors import SolverError
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution
from hydrodl.training.neighbourhood import Neighbourhood


def size_of(problem: Problem) -> tuple[int, tuple[int, ...], int | None]:
    """N, nodes by direction, J."""
    width = None if problem.control is None else problem.control.width
    return len(problem.layers), nodes_per_direction(problem.domain), width


def training_conditions(solution: Solution, tolerance: float, options: Mapping[str, Any] | None) -> tuple[Bound, ...]:
    """Second variation, a step of descent, Newton's ball, a radius for the data, the distance to the deeper flow.

    Collective. None of them asks for more nodes, and what the last asks of layers is enough, not needed. A warning says
    where eigenvalues were not found, and there are none then.

    Args:
        solution: trained; tolerance: of the paths, in feature units; options: PETSc's, as in ``train``.
    """
    layers, nodes, width = size_of(solution.problem)
    neurons = "" if width is None else f", {plural(width, 'neuron')}"
    where = f"with {plural(layers, 'layer')}, {' x '.join(map(str, nodes))} nodes{neurons}"
    try:
        with Neighbourhood(solution, options) as near:
            ends = spectrum(near, comm=near.comm)
            found = training_stability(near, ends)
            bounds = [second_variation(near, near.comm, ends), *algorithm_bounds(found)]
        if width is None and float(solution.problem.lagrangian.kinetic) > 0:
            bounds.append(deeper_flow(solution, found.descent.smallest, tolerance, options))
    except SolverError as error:
        if solution.problem.domain.comm.rank == 0:
            warnings.warn(
                f"whether training is stable {where} was not found out: {error}", RuntimeWarning, stacklevel=2
            )
        return ()
    return tuple(replace(bound, note=f"{where}: {bound.note}") for bound in bounds)
