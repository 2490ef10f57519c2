"""``hydrodl plot``: the figures of a run again."""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from hydrodl.application.run_directory import CALIBRATION, check_writable, load
from hydrodl.pictures.decision import plot_calibration
from hydrodl.pictures.figures import plot_all
from hydrodl.problem_file import building


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
