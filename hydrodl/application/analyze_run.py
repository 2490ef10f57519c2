"""``hydrodl analyze DIR``: what a trained run conserves, what it really solves, how stable it is, and what to use next.

Writes analysis.json, analysis.md (one page for a person) and three figures beside the run. Parts whose cost grows
faster than that of training are done on as much of the run as a bound on memory or time allows, and say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.adaptivity.error_bar import error_bar
from hydrodl.adaptivity.output_error import output_error
from hydrodl.analysis.backward_error.modified_system import layer_residuals, modified_energy, space_residuals
from hydrodl.analysis.backward_error.objective_error import objective_error
from hydrodl.analysis.backward_error.residual_sums import ModifiedResiduals
from hydrodl.analysis.stability.bounds import nodes_per_direction
from hydrodl.analysis.structure.conservation import Conservation, conservation
from hydrodl.analysis.structure.euler_poincare import euler_poincare
from hydrodl.analysis.structure.multisymplectic_law import Multisymplecticity, multisymplecticity
from hydrodl.analysis.structure.neuron_tangents import neuron_multisymplecticity
from hydrodl.application.analysis_journal import Journal
from hydrodl.application.analysis_limits import EIGEN_SECONDS, FACTOR_BYTES, central_slabs
from hydrodl.application.analysis_page import PAGE, page
from hydrodl.application.analysis_summary import ANALYSIS
from hydrodl.application.analyze_stability import stability
from hydrodl.application.defaults import TOLERANCE
from hydrodl.application.report import versions
from hydrodl.application.run_directory import check_writable, load
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import POSITIVE
from hydrodl.common.progress import phase
from hydrodl.files.text_files import plain, write_json, write_text
from hydrodl.pictures.analysis_figures import draw_all
from hydrodl.problem.flow import Flow
from hydrodl.problem.solution import Solution

RESIDUALS = ("equation_residual", "modified_residual_2", "modified_residual_4")


KEYS = (
    "energy_drift",
    "modified_energy_drift",
    "multisymplectic_residual",
    *RESIDUALS,
    "stability",
    "hessian_min_eigenvalue",
    "recommended",
)


NEURONS = (
    "the velocity is made of neurons: layer invertibility, depth convergence, the error of the output, tangent "
    "solutions and the Hessian are theirs, all else here is about the flow of their values at the nodes; the momentum "
    "map holds for the neurons' coefficients and not node by node, so that there is a law at every layer and none on "
    "patches; infinitely deep means the same neurons in ever thinner layers, because layers drawn apart are no samples "
    "of one velocity"
)


_POINTS = (9, 7)  # of the differences for the residuals: fewer only where there are too few layers or nodes


def analyze_run(
    folder: Path, comm: MPI.Comm = MPI.COMM_WORLD, *, tolerance: float = TOLERANCE, full: bool = False
) -> dict[str, Any]:
    """Analyse the run in a directory; write analysis.json, analysis.md and the figures there. Collective.

    Args:
        folder: the directory of a finished run.
        comm: all ranks.
        tolerance: how far, in feature units, the network may be from the infinitely deep one; positive.
        full: no bounds on memory and time of the costly parts.

    Returns:
        What analysis.json holds: JSON values; a number that could not be found is None, and "notes" says why.

    Raises:
        InputError: not the directory of a finished run, one that cannot be written to, or a tolerance not positive.
    """
    POSITIVE.check("tolerance", tolerance)
    with phase("reading the run"):
        loaded = load(folder, comm)
    check_writable(folder, comm)
    options = loaded.config.solver
    result = analyze(loaded.solution, tolerance=tolerance, full=full, options=options)
    with phase("drawing figures"):
        figures = draw_all(comm, folder, result)
    write_text(folder / PAGE, page(result, folder.resolve().name, [path.name for path in figures]), comm)
    write_json(folder / ANALYSIS, result, comm)
    return result


def analyze(
    solution: Solution, *, tolerance: float = TOLERANCE, full: bool = False, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The analysis of a solution as JSON values, without files; collective.

    Args:
        solution: trained.
        tolerance, full: see :func:`analyze_run`.
        options: PETSc's options that the solution was trained with; those of its linear solvers are used.

    Raises:
        InputError: the tolerance is not positive.
    """
    POSITIVE.check("tolerance", tolerance)
    flow, journal = solution.flow, Journal()
    if not solution.converged:
        journal.note("run", f"the training did not converge ({solution.reason}): the fields are not stationary")
    if solution.coefficients is not None:
        journal.note("run", NEURONS)
    result = _structure(flow, journal) | _modified(flow, journal) | _objective(solution, options or {}, journal)
    result |= _multisymplectic(solution, math.inf if full else FACTOR_BYTES, journal)
    result |= stability(solution, tolerance, options or {}, math.inf if full else EIGEN_SECONDS, journal)
    facts = {"run": _facts(solution), "tolerance": tolerance, "notes": journal.notes, "time_s": journal.seconds}
    result = plain({key: result[key] for key in KEYS} | result | facts | {"versions": versions()})
    for key in KEYS:
        if result[key] is None and key not in result["notes"]:
            result["notes"][key] = "it is not a finite number"
    # numbers of different ranks may differ in their last digit, and times do
    return solution.problem.domain.comm.bcast(result, root=0)


def _facts(solution: Solution) -> dict[str, Any]:
    """What was analysed."""
    problem = solution.problem
    domain, physics = problem.domain, problem.lagrangian
    return {
        "converged": solution.converged,
        "reason": solution.reason,
        "gradient_norm": solution.gradient_norm,
        "scheme": problem.scheme,
        "layers": len(problem.layers),
        "depth": problem.layers.depth,
        "nodes": domain.nodes,
        "nodes_per_direction": list(nodes_per_direction(domain)),
        "dimension": domain.dimension,
        "width": None if problem.control is None else problem.control.width,
        "classes": problem.classes,
        "noise": float(physics.noise),
        "effective_noise": solution.effective_noise,
        "largest_noise": solution.largest_noise,
        "objective": solution.objective,
        "uniform_box": domain.uniform_box and domain.lumped,
        "ranks": domain.comm.size,
    }


def _structure(flow: Flow, journal: Journal) -> dict[str, Any]:
    """Conserved quantities, energies and equations by slab."""
    found = journal.part("conservation laws", ("energy_drift",), lambda: conservation(flow))
    more = journal.part("modified energy", ("modified_energy_drift",), lambda: modified_energy(flow))
    fluid = journal.part("momentum equation", ("euler_poincare_residual",), lambda: euler_poincare(flow).relative)
    out: dict[str, Any] = {"energy_drift": None, "modified_energy_drift": None, "euler_poincare_residual": fluid}
    energy: dict[str, Any] = {"time": flow.layers.times[:-1] + flow.layers.steps / 2}
    if found is not None:
        out |= _conserved(found)
        energy["H"] = found.energy
    if more is not None:
        size = max(float(np.abs(more.energy).max()), np.finfo(float).tiny)
        out["modified_energy_drift"] = more.modified_drift / size
        energy |= {"modified_slabs": more.slabs, "modified": more.modified, "modified_order": more.order}
        energy["drift_of_these_slabs"] = more.drift / size
    return out | {"energy": energy}


def _conserved(found: Conservation) -> dict[str, Any]:
    equations = {
        "mass": found.mass_balance.max(),
        "potential": found.potential_balance.max(),
        "momentum": found.momentum_balance.max(),
    }
    return {
        "energy_drift": found.energy_drift,
        "mass_error": found.mass_error,
        "duality_residual": found.duality_residual,
        "slab_equations": equations,
        "momentum": found.momentum,
        "circulation": found.circulation,
        "energy_source": found.energy_source,
    }


def _objective(solution: Solution, options: Mapping[str, Any], journal: Journal) -> dict[str, Any]:
    """What layers, nodes and noise add to J: measured, and for the layers by formula, cause by cause."""
    key = "objective_error"
    bar = journal.part("error bar of the objective", (key,), lambda: error_bar(solution, options=options))
    found = journal.part("layers' share of the objective", (key,), lambda: objective_error(solution))
    numbers: dict[str, Any] = {} if bar is None else bar.to_dict()
    if found is not None:
        parts = {name: float(values.sum()) for name, values in found.parts.items()}
        numbers["by_formula"] = {"layers": found.layers, "order": found.order, "parts": parts}
    out = journal.part("error of the output", ("output_error",), lambda: output_error(solution).to_dict())
    return {key: numbers or None, "output_error": out}


def _modified(flow: Flow, journal: Journal) -> dict[str, Any]:
    """Residuals of the original and the modified equations; the three numbers are those of the layers."""
    layers = journal.part("modified equations in layers", RESIDUALS, lambda: _with_points(layer_residuals, flow))
    space = journal.part(
        "modified equations in space", ("residuals.space",), lambda: _with_points(space_residuals, flow)
    )
    numbers: dict[str, Any] = dict.fromkeys(RESIDUALS)
    if layers is not None:
        worst = [max(level["density"], level["potential"]) for level in layers.levels]
        numbers = dict(zip(RESIDUALS, worst, strict=True))
    return numbers | {"residuals": {"layers": _levels(layers), "space": _levels(space)}}


def _with_points(part: Callable[..., ModifiedResiduals], flow: Flow) -> ModifiedResiduals:
    """With the differences of highest order for which there are layers, or nodes, enough."""
    for points in _POINTS[:-1]:
        try:
            return part(flow, points=points)
        except InputError:
            continue
    return part(flow, points=_POINTS[-1])


def _levels(found: ModifiedResiduals | None) -> dict[str, Any] | None:
    if found is None:
        return None
    equations = {name: [level[name] for level in found.levels] for name in found.equation_residual}
    return {"step": found.step, "places": found.places, "equations": equations}


def _multisymplectic(solution: Solution, limit: float, journal: Journal) -> dict[str, Any]:
    """The law on random patches of the slabs around mid-depth, of neurons that at the layers of the whole."""
    flow, key, slabs = solution.flow, "multisymplectic_residual", [0]

    def check() -> Multisymplecticity:
        if solution.neurons is not None:
            slabs[0] = len(flow.layers)
            return neuron_multisymplecticity(solution)
        part = central_slabs(flow, limit)
        slabs[0] = len(part.layers)
        return multisymplecticity(part)

    found = journal.part("multisymplectic law", (key,), check)
    if found is None:
        return {key: None, "multisymplectic": None}
    if slabs[0] < len(flow.layers):
        journal.note(key, f"on {slabs[0]} slabs around mid-depth, to save memory")
    patches = [asdict(patch) | {"residual": patch.residual} for patch in found.patches]
    shown = {"slabs": slabs[0], "two_form_drift": found.two_form_drift, "two_form": found.two_form, "patches": patches}
    return {key: found.residual, "multisymplectic": shown}
