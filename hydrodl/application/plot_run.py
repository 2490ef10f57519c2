"""``hydrodl plot``: the figures of a run again."""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from hydrodl.application.run_directory import check_writable, load
from hydrodl.common.progress import phase
from hydrodl.pictures.figures import plot_all


def redraw(folder: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> None:
    """The figures of a run again, from its directory; collective.

    Raises:
        InputError: see :func:`load` and :func:`check_writable`.
    """
    check_writable(folder, comm)
    with phase("reading the run"):
        run = load(folder, comm)
    plot_all(run.solution, run.network, run.train, folder, run.test)
