"""The one warning of what has not converged: scikit-learn's, which its users filter already."""

from __future__ import annotations

import warnings

from mpi4py import MPI


def warn_unconverged(words: str, comm: MPI.Comm) -> None:
    """A ConvergenceWarning on the first rank of those that worked together, at the line that called the caller."""
    from sklearn.exceptions import ConvergenceWarning  # here: it loads all of scikit-learn

    if comm.rank == 0:
        warnings.warn(words, ConvergenceWarning, stacklevel=3)
