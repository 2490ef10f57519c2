"""A training run as a directory: solve what a problem file describes, write its files, and read them back."""

from __future__ import annotations

import json
import math
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dolfinx
import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from hydrodl.application.progress import SAVE_EVERY, Watch, progress
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, partial, replacing
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.tables import read_points
from hydrodl.files.checkpoint import load_checkpoint, save_checkpoint
from hydrodl.files.model_record import model, point, resumed
from hydrodl.files.paraview import write_vtk
from hydrodl.mesh.bounding_box import lifted_nodes
from hydrodl.mesh.domain import Domain
from hydrodl.network.network import Network
from hydrodl.network.noise_average import posterior_proba
from hydrodl.physics.problem import Problem
from hydrodl.physics.solution import Controls, Solution
from hydrodl.pictures.decision import plot_calibration
from hydrodl.pictures.figures import plot_all
from hydrodl.problem_file import building
from hydrodl.problem_file import reading as config
from hydrodl.problem_file.building_snapshots import report as snapshot_report
from hydrodl.problem_file.schema import Config
from hydrodl.training.minimisation import DEFAULTS, train

REPORT, PROBLEM, CHECKPOINT = "report.json", "problem.toml", "solution.h5"


CALIBRATION = "calibration.png"


_FIELDS = ("problem", "velocity", "density", "potential", "jumps", "coefficients")


@dataclass(frozen=True, eq=False)
class Run:
    """What a directory of a finished run holds.

    Attributes:
        config: the problem file as solved.
        solution: the solution, on any number of ranks.
        preprocessing: from raw features to mesh coordinates.
    """

    config: Config
    solution: Solution
    preprocessing: Preprocessing

    @property
    def network(self) -> Network:
        """The residual network of the solution, on raw features."""
        return Network(self.solution, self.preprocessing)


def check_writable(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> None:
    """Make the output directory and see that files can be written in it; collective.

    Raises:
        InputError: they cannot.
    """

    def test() -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"hydrodl")
        except OSError as error:
            raise InputError(f"output directory {folder} cannot be written: {error.strerror}") from None

    attempt(comm, lambda: test() if comm.rank == 0 else None)


def train_into(
    folder: Path,
    wanted: Config,
    *,
    resume: bool = False,
    minutes: float | None = None,
    every: float = SAVE_EVERY,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> dict[str, Any]:
    """Train and write report.json, problem.toml, solution.h5, fields.pvd and the figures; collective.

    solution.h5 is there from the first step on, as a checkpoint; report.json only when the run has ended.

    Args:
        folder: the output directory, made if it is not there.
        wanted: the problem file.
        resume: go on from the folder's checkpoint.
        minutes: stop at the first step after this time and keep the best iterate.
        every: minutes between checkpoints; 0 writes one at every step.
        comm: all ranks.

    Returns:
        The report.

    Raises:
        InputError: anything wrong with the input; raised before the solve.
        SolverError: the computation failed.
    """
    began = time.monotonic()
    check_writable(folder, comm)
    made = building.setup(wanted)
    problem, checkpoint = made.problem, folder / CHECKPOINT
    initial = resumed(checkpoint, problem) if resume else None
    solved = _as_solved(wanted, problem.domain, made.train.preprocessing.lift)
    text = config.dumps(solved, folder)
    _clear(folder, comm)

    def save(controls: Controls) -> None:
        held = {"model": model(problem, made.train.preprocessing, controls)}
        save_checkpoint(checkpoint, problem.domain, problem.layers, controls.velocity, attributes=held)
        write_text(folder / PROBLEM, text, comm)  # after what it describes: load looks into the checkpoint first

    with progress(_title(problem), comm) as show:
        watch = Watch(comm, show, save, minutes, began=began, every=every, first=not resume)
        with watch.catching_sigterm():
            solution = train(problem, options=solved.solver, initial=initial, monitor=watch)
            if watch.stopped and not solution.converged:
                solution = replace(solution, reason=watch.stopped)
            return _write(folder, solution, made, text, began)


def _clear(folder: Path, comm: MPI.Comm) -> None:
    """Remove what a run that was killed left half written, and the report of an earlier one; collective."""

    def clear() -> None:
        for name in (REPORT, PROBLEM, CHECKPOINT):
            partial(folder / name).unlink(missing_ok=True)
        (folder / REPORT).unlink(missing_ok=True)

    attempt(comm, lambda: clear() if comm.rank == 0 else None)


def _write(folder: Path, solution: Solution, made: building.Setup, text: str, began: float) -> dict[str, Any]:
    """All files of a run, ``text`` being its problem.toml; the report."""
    problem, start = solution.problem, time.monotonic()
    comm = problem.domain.comm
    facts = {f.name: getattr(solution, f.name) for f in fields(solution) if f.name not in _FIELDS}
    controls = Controls(solution.velocity, solution.coefficients, solution.readout)
    held = {"model": model(problem, made.train.preprocessing, controls)}
    save_checkpoint(
        folder / CHECKPOINT,
        problem.domain,
        problem.layers,
        solution.velocity,
        density=solution.density,
        potential=solution.potential,
        jumps=solution.jumps,
        attributes=facts | held,
    )
    write_text(folder / PROBLEM, text, comm)
    write_vtk(folder, solution)
    network = Network(solution, made.train.preprocessing)
    plot_all(solution, network, made.train, folder)
    known = problem.readout is not None
    if known and made.test is not None:
        plot_calibration(network, made.test, folder / CALIBRATION)
    accuracies: dict[str, Any] = {
        "train_accuracy": network.accuracy(made.train) if known else None,
        "test_accuracy": network.accuracy(made.test) if known and made.test is not None else None,
    }
    if made.snapshots is not None:
        accuracies["snapshots"] = snapshot_report(solution, made.snapshots)
    now = time.monotonic()
    times = {"wall_time_s": now - began, "time_s": dict(solution.timings) | {"io": now - start}}
    result = comm.bcast(plain(report(solution) | accuracies | times), root=0)
    write_text(folder / REPORT, json.dumps(result, indent=2, allow_nan=False) + "\n", comm)
    return result


def report(solution: Solution) -> dict[str, Any]:
    """The numbers of report.json that are known from a solution alone."""
    problem = solution.problem
    names = (
        "converged",
        "reason",
        "objective",
        "gradient_norm",
        "iterations",
        "hessian_products",
        "warnings",
        "mass_error",
        "min_density",
        "peclet",
        "linear_solver",
    )
    sizes = {"layers": len(problem.layers), "nodes": problem.domain.nodes, "unknowns": problem.unknowns}
    numbers = {name: getattr(solution, name) for name in names}
    return numbers | sizes | {"ranks": problem.domain.comm.size, "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of everything that the numbers of a run may depend on."""
    return {
        "hydrodl": version("hydrodl"),
        "dolfinx": dolfinx.__version__,
        "petsc": ".".join(str(part) for part in PETSc.Sys.getVersion()),
        "mpi": " ".join(MPI.Get_library_version().strip("\0\n").splitlines()[0].replace("Version:", "").split()),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def load(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> Run:
    """Read the directory of a finished run; the data it was trained on are not needed. Collective.

    Raises:
        InputError: no such directory, a file missing or damaged, or a run that has not finished.
    """
    if not comm.bcast((folder / PROBLEM).is_file() and (folder / CHECKPOINT).is_file() if comm.rank == 0 else None):
        raise InputError(f"{folder} is not the directory of a run: it has no {PROBLEM} and {CHECKPOINT}")
    solved = config.load(folder / PROBLEM, comm=comm, check_data=False)
    lower, upper = solved.domain.lower or [], solved.domain.upper or []
    dimension = None if solved.domain.mesh is not None else len(lower)
    domain = building.make_domain(solved, dimension, (np.array(lower), np.array(upper)))
    found = load_checkpoint(folder / CHECKPOINT, domain, building.make_layers(solved))
    if found.density is None or found.potential is None:
        raise InputError(f"the run in {folder} has not finished; continue it with hydrodl train --resume")
    held = found.attributes["model"]
    preprocessing = Preprocessing.from_dict(held["preprocessing"])
    rho = Densities(domain, found.density[0], tuple(held["class_names"]), preprocessing)
    controls = point(found)
    names = [f.name for f in fields(Solution) if f.name not in _FIELDS and f.name in found.attributes]
    facts = {name: found.attributes[name] for name in names}
    problem = building.make_problem(solved, rho, controls.readout)
    jumps = np.zeros_like(found.potential[1:]) if found.jumps is None else found.jumps
    solution = Solution(
        problem, found.velocity, found.density, found.potential, jumps, coefficients=controls.coefficients, **facts
    )
    return Run(solved, solution, preprocessing)


def predict(folder: Path, points: Path, comm: MPI.Comm = MPI.COMM_WORLD, *, averaged: bool = False) -> list[list[str]]:
    """The rows of a prediction table, its header first: label, then the probability of every class; collective.

    Args:
        folder: of the run.
        points: a table with the columns of the training data.
        comm: all ranks.
        averaged: probabilities averaged over the noise of the flow, instead of those of the network without noise.

    Raises:
        InputError: a run without a readout, or a table without the training features or with unusable cells.
    """
    run = load(folder, comm)
    if run.solution.problem.readout is None:
        kinds = ", ".join(loss.kind for loss in run.config.loss)
        raise InputError(f"the run in {folder} has no readout (its loss is {kinds}); predict needs classification")
    names = run.solution.problem.densities.class_names
    features = read_points(points, run.preprocessing.feature_names, comm=comm)
    probabilities = posterior_proba(run.network, features) if averaged else run.network.predict_proba(features)
    rows = [[names[int(np.argmax(row))], *(repr(float(p)) for p in row)] for row in probabilities]
    return [["label", *(f"p_{name}" for name in names)], *rows]


def redraw(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> None:
    """The figures of a run again, from its directory and its data; collective.

    Raises:
        InputError: see :func:`load` and :func:`check_writable`, or data that are not there any more.
    """
    check_writable(folder, comm)
    run = load(folder, comm)
    samples, test = building.samples(run.config.data)
    network = run.network
    plot_all(run.solution, network, samples.with_preprocessing(run.preprocessing), folder)
    if run.solution.readout is not None and test is not None:
        plot_calibration(network, test.with_preprocessing(run.preprocessing), folder / CALIBRATION)


def _as_solved(wanted: Config, domain: Domain, lift: int) -> Config:
    """The problem file with what was found out on the way: corners and nodes of the box, the solver's defaults."""
    box = wanted.domain
    if box.mesh is None:
        lower, upper = (corner.tolist() for corner in domain.bounds)
        nodes = lifted_nodes(box.nodes, *domain.bounds, lift)
        box = box.model_copy(update={"lower": lower, "upper": upper, "nodes": nodes})
    return wanted.model_copy(update={"domain": box, "solver": DEFAULTS | wanted.solver})


def _title(problem: Problem) -> str:
    domain, ranks = problem.domain, problem.domain.comm.size
    return (
        f"{len(problem.layers)} layers x {domain.nodes} nodes in d = {domain.dimension}, {problem.classes} "
        f"class{'es' * (problem.classes > 1)}, {problem.unknowns} unknowns, {ranks} rank{'s' * (ranks > 1)}"
    )


def plain(value: Any) -> Any:
    """The same in JSON's types; a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_text(path: Path, text: str, comm: MPI.Comm) -> None:
    """Rank 0 writes the file, which takes its name when it is complete; collective."""

    def write() -> None:
        with replacing(path) as file:
            file.write_text(text, encoding="utf-8")

    attempt(comm, lambda: write() if comm.rank == 0 else None)
