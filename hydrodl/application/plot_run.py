"""``hydrodl plot``: the figures of a run again."""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from hydrodl.application.run_directory import CALIBRATION, check_writable, load
from hydrodl.common.progress import phase
from hydrodl.pictures.calibration import plot_calibration
from hydrodl.pictures.figures import plot_all


def redraw(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> None:
    """The figures of a run again, from its directory; collective.

    Raises:
        InputError: see :func:`load` and :func:`check_writable`.
    """
    check_writable(folder, comm)
    with phase("reading the run"):
        run = load(folder, comm)
    network = run.network
    plot_all(run.solution, network, run.train, folder)
    if run.solution.readout is not None and run.test is not None:
        with phase(f"drawing {CALIBRATION}"):
            plot_calibration(network, run.test, folder / CALIBRATION)
