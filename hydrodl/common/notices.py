"""Warnings of what a computation found, at the line of the user's that it was called from, once under MPI."""

from __future__ import annotations

import warnings
from pathlib import Path

from mpi4py import MPI

_PACKAGE = str(Path(__file__).parents[1])


def warn_runtime(words: str, comm: MPI.Comm) -> None:
    """A RuntimeWarning on the first of the ranks that worked together."""
    _warn(words, RuntimeWarning, comm)


def warn_unconverged(words: str, comm: MPI.Comm) -> None:
    """A ConvergenceWarning: scikit-learn's, which its users filter already."""
    from sklearn.exceptions import ConvergenceWarning  # here: it loads all of scikit-learn

    _warn(words, ConvergenceWarning, comm)


def _warn(words: str, category: type[Warning], comm: MPI.Comm) -> None:
    if comm.rank == 0:
        warnings.warn(words, category, skip_file_prefixes=(_PACKAGE,))
