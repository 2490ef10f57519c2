"""A training run: solve what a problem file describes and write its files."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.application.defaults import SAVE_EVERY
from hydrodl.application.report import report
from hydrodl.application.run_directory import (
    CHECKPOINT,
    PROBLEM,
    REPORT,
    check_replaceable,
    check_writable,
    retired_report,
    signed,
)
from hydrodl.application.run_lock import locked
from hydrodl.application.watch import Watch
from hydrodl.common import progress
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import on_all_ranks, on_root, partial
from hydrodl.files.checkpoint import save_checkpoint
from hydrodl.files.model_record import model, resumed, samples_record
from hydrodl.files.paraview import write_vtk
from hydrodl.files.text_files import plain, write_json, write_text
from hydrodl.network.network import Network
from hydrodl.physics.losses import Density
from hydrodl.problem.solution import Controls, Solution, Statistics
from hydrodl.problem_file import building
from hydrodl.problem_file import reading as config
from hydrodl.problem_file.building_snapshots import missed
from hydrodl.problem_file.building_snapshots import report as snapshot_report
from hydrodl.problem_file.given_data import Given
from hydrodl.problem_file.schema import Config
from hydrodl.problem_file.size_estimate import available_bytes, memory_bytes, sizes_of
from hydrodl.training.minimisation import minimise

FINER = {1: 4, 2: 8, 3: 16}
"""Size of the problem that an error bar evaluates, over that of the run, by dimension."""


LONG = 60.0
"""Seconds of a training whose error bar would be too long to wait for unasked."""


def plot_all(*given: Any) -> list[Path]:
    """The figures of a run; what draws them is slow to import, and no refused run waits for it."""
    from hydrodl.pictures.figures import plot_all as draw

    return draw(*given)


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
    with locked(folder, comm):
        check_replaceable(folder, comm)
        return _train(folder, wanted, resume, minutes, every, began, comm)


def _train(
    folder: Path, wanted: Config, resume: bool, minutes: float | None, every: float, began: float, comm: MPI.Comm
) -> dict[str, Any]:
    """Train in a folder that is ours."""
    with progress.phase("reading the data and building the problem"):
        made = building.setup(wanted)
        problem, checkpoint = made.problem, folder / CHECKPOINT
        initial = resumed(checkpoint, problem) if resume else None
    text = signed(config.dumps(made.config, folder))
    _clear(folder, comm)

    def save(controls: Controls) -> None:
        held = {"model": model(problem, made.given.train.preprocessing, controls)}
        with retired_report(folder, comm):
            save_checkpoint(checkpoint, problem.domain, problem.layers, controls.velocity, attributes=held)
        write_text(folder / PROBLEM, text, comm)  # after what it describes: load looks into the checkpoint first

    progress.say(str(problem))
    watch = Watch(comm, save, minutes, began=began, every=every, first=not resume)
    with watch.catching_signals():
        solution = minimise(problem, options=made.config.solver, initial=initial, monitor=watch)
        if watch.stopped and not solution.converged:
            solution = replace(solution, reason=watch.stopped)
        return _write(folder, solution, made, text, began)


def _clear(folder: Path, comm: MPI.Comm) -> None:
    """Remove what a run that was killed left half written; collective."""

    def clear() -> None:
        for name in (REPORT, PROBLEM, CHECKPOINT):
            partial(folder / name).unlink(missing_ok=True)

    on_root(comm, clear)


def _write(folder: Path, solution: Solution, made: building.Setup, text: str, began: float) -> dict[str, Any]:
    """All files of a run, ``text`` being its problem.toml; the report."""
    problem, given, start = solution.problem, made.given, time.monotonic()
    comm = problem.domain.comm
    facts = {f.name: getattr(solution, f.name) for f in fields(Statistics)}
    controls = solution.controls
    held = {
        "model": model(problem, given.train.preprocessing, controls),
        "samples": {"train": samples_record(given.train), "test": samples_record(given.test)},
    }
    targets = [loss.target.values for loss in problem.terms if isinstance(loss, Density)] if given.snapshots else None
    with retired_report(folder, comm):
        save_checkpoint(
            folder / CHECKPOINT,
            problem.domain,
            problem.layers,
            solution.velocity,
            density=solution.density,
            potential=solution.potential,
            jumps=solution.jumps,
            targets=None if targets is None else np.stack(targets),
            attributes=facts | held,
        )
    write_text(folder / PROBLEM, text, comm)
    network = Network(solution, given.train.preprocessing)
    lost = _for_others(folder, solution, network, given)
    known = problem.readout is not None
    with progress.phase("measuring accuracy"):
        accuracies: dict[str, Any] = {
            "train_accuracy": network.accuracy(given.train) if known else None,
            "test_accuracy": network.accuracy(given.test) if known and given.test is not None else None,
        }
    if given.snapshots is not None:
        accuracies["snapshots"] = snapshot_report(solution, given.snapshots)
    far = missed(accuracies["snapshots"], given.snapshots) if given.snapshots is not None else ()
    for words in far if comm.rank == 0 else ():
        warnings.warn(words, stacklevel=2)
    accuracies["warnings"] = [*given.notes, *problem.densities.notes, *solution.warnings, *far]
    bar, bar_seconds = _error_bar(solution, made)
    accuracies["objective_error"] = bar
    now = time.monotonic()
    spent = {"io": now - start - bar_seconds, "error_bar": bar_seconds}
    times = {"wall_time_s": now - began, "time_s": dict(solution.timings) | spent}
    result = comm.bcast(plain(report(solution) | accuracies | times), root=0)
    write_json(folder / REPORT, result, comm)
    for error in lost:
        if isinstance(error, InputError):  # told now that nothing else can be lost
            raise error
        if comm.rank == 0:
            warnings.warn(f"a figure could not be drawn: {type(error).__name__}: {error}", stacklevel=2)
    return result


def _error_bar(solution: Solution, made: building.Setup) -> tuple[dict[str, float] | None, float]:
    """What layers, nodes and noise add to J, and the seconds that it took; None where it is not to be had.

    It takes about as long as the training: after a long one it is left to ``hydrodl analyze``.
    """
    began, problem = time.monotonic(), solution.problem
    short = problem.domain.comm.bcast(sum(solution.timings.values()) < LONG)
    fits = FINER[problem.domain.dimension] * memory_bytes(sizes_of(problem)) <= available_bytes(problem.domain.comm)
    found = None
    if solution.converged and short and fits:
        with suppress(InputError, SolverError), progress.phase("measuring the error of J"):  # the same on every rank
            from hydrodl.adaptivity.error_bar import error_bar  # here: slow to import, like what draws

            found = error_bar(solution, options=made.config.solver).to_dict()
    return found, time.monotonic() - began


def _for_others(folder: Path, solution: Solution, network: Network, given: Given) -> list[Exception]:
    """Fields and figures, which cost no report and no other file when they fail; what failed. Collective."""

    def fields_file() -> None:
        with progress.phase("writing fields for ParaView"):
            write_vtk(folder, solution, given.train)

    failed: list[Exception] = []
    for write in (fields_file, lambda: plot_all(solution, network, given.train, folder, given.test)):
        try:
            write()
        except Exception as error:
            if not on_all_ranks(error, solution.problem.domain.comm):
                raise
            failed.append(error)
    return failed
