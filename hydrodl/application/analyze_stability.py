"""The part of an analysis that is about stability: of the flow, of training, and the sizes that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hydrodl.adaptivity.deeper_flow import deeper_flow
from hydrodl.analysis.stability.algorithm_bounds import algorithm_bounds
from hydrodl.analysis.stability.bounds import Bound
from hydrodl.analysis.stability.hessian_spectrum import Spectrum
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.analysis.stability.recommendation import combined
from hydrodl.analysis.stability.training_bounds import training_bounds
from hydrodl.application.analysis_journal import Journal
from hydrodl.application.analysis_limits import measured_size, smallest_curvature, stability_of_training
from hydrodl.problem.solution import Solution


def stability(
    solution: Solution, tolerance: float, options: Mapping[str, Any], limit: float, journal: Journal
) -> dict[str, Any]:
    """Every bound that concerns a trained flow, and the numbers of layers and nodes that follow."""
    flow, neurons = solution.flow, NeuronLayers.of(solution)
    part = ("stability bounds", ("stability",), lambda: training_bounds(flow, tolerance, None, neurons))
    bounds = journal.part(*part) or ()
    found = journal.part(
        "smallest eigenvalue of the Hessian",
        ("hessian_min_eigenvalue",),
        lambda: smallest_curvature(solution, options, limit),
    )
    value = hessian = None
    if found is not None:
        eigen, decided = found
        value, bounds = float(eigen.smallest[0]), (*bounds, decided)
        hessian = {"residual": eigen.residuals[0], "products": eigen.products}
    near = _relative_energy(solution, value, tolerance, options, journal)
    training, more = _training(solution, options, limit, None if found is None else found[0], journal)
    asked = ("layers and nodes needed", ("recommended",), lambda: measured_size(solution, tolerance, options, limit))
    advice = combined(journal.part(*asked), (*bounds, *more))
    return {
        "stability": [bound.to_dict() for bound in (advice.bounds if advice else ())],
        "hessian_min_eigenvalue": value,
        "hessian": hessian,
        "training": training,
        "relative_energy": near,
        "recommended": advice.to_dict() if advice else None,
    }


def _relative_energy(
    solution: Solution, curvature: float | None, tolerance: float, options: Mapping[str, Any], journal: Journal
) -> dict[str, Any] | None:
    """How far paths are from those of the infinitely deep trained network."""
    key = "relative_energy"
    if curvature is None or curvature <= 0:
        journal.note(key, "it needs the smallest eigenvalue of the Hessian, positive")
        return None
    found = journal.part(
        "distance to the deeper network", (key,), lambda: deeper_flow(solution, curvature, tolerance, options)
    )
    return None if found is None else found.to_dict()


def _training(
    solution: Solution, options: Mapping[str, Any], limit: float, small: Spectrum | None, journal: Journal
) -> tuple[dict[str, Any] | None, tuple[Bound, ...]]:
    """Stability of the algorithm around the solution, and the bounds it makes."""
    if small is None:
        return None, ()
    part = "stability of training"
    found = journal.part(part, ("training",), lambda: stability_of_training(solution, options, limit, small))
    if found is None:
        return None, ()
    stability, descents = found
    shown = None if descents is None else asdict(descents)
    return stability.to_dict() | {"descents": shown}, algorithm_bounds(stability)
