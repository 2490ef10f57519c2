"""Wasserstein distances between sample sets, by the POT library (optional: ``pip install 'hydrodl[transport]'``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats, evenly
from hydrodl.common.errors import InputError

MOST = 2000  # points of a set in an exact distance; larger sets are thinned, since its cost grows with the cube


_PIVOTS = 2_000_000


def pot() -> Any:
    """The POT library.

    Raises:
        InputError: it is not installed.
    """
    try:
        import ot
    except ImportError:
        raise InputError(
            "Wasserstein distances need the POT library, which is not installed: pip install 'hydrodl[transport]'"
        ) from None
    return ot


def has_pot() -> bool:
    """Is the POT library installed?"""
    try:
        pot()
    except InputError:
        return False
    return True


def wasserstein(
    x: ArrayLike, y: ArrayLike, *, weights: ArrayLike | None = None, comm: MPI.Comm = MPI.COMM_WORLD
) -> float:
    """W_2 between two sets of points, the root of the least mean squared way; exact, computed on one rank; collective.

    Sets of more than 2000 points without weights are thinned evenly to 2000.

    Args:
        x, y: shapes (n, d) and (m, d), the same on all ranks.
        weights: of x, shape (n,), of any positive sum; default equal.
        comm: the ranks that call.

    Raises:
        InputError: POT is not installed; sets that are empty, not finite or of different dimension.

    Example:
        >>> x = np.array([[0.0], [1.0]])
        >>> round(hd.wasserstein(x, x + 3.0), 12)
        3.0
    """
    ot = pot()
    first, second = _points(x), _points(y)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"sample sets of dimension {first.shape[1]} and {second.shape[1]} have no distance")
    mass = np.full(len(first), 1 / len(first)) if weights is None else np.asarray(weights, dtype=float)
    if mass.shape != (len(first),) or not (np.isfinite(mass).all() and mass.min() >= 0 and mass.sum() > 0):
        raise InputError(f"weights must be {len(first)} numbers that are not negative, and not all 0")
    square = 0.0
    if comm.rank == 0:
        if weights is None:
            first = _thinned(first)
            mass = np.full(len(first), 1 / len(first))
        second = _thinned(second)
        even = np.full(len(second), 1 / len(second))
        square = float(ot.emd2(mass / mass.sum(), even, ot.dist(first, second), numItermax=_PIVOTS))
    return float(np.sqrt(max(comm.bcast(square, root=0), 0.0)))


def displacement(x: ArrayLike, y: ArrayLike, share: float) -> tuple[Floats, Floats]:
    """Displacement interpolation (McCann): points (k, d) and weights (k,) a ``share`` of the optimal way from x to y.

    Raises:
        InputError: see :func:`wasserstein`.
    """
    ot = pot()
    first, second = _thinned(_points(x)), _thinned(_points(y))
    plan = np.asarray(ot.emd(*(np.full(len(p), 1 / len(p)) for p in (first, second)), ot.dist(first, second)))
    rows, columns = np.nonzero(plan > 0)
    return (1 - share) * first[rows] + share * second[columns], plan[rows, columns]


def _points(values: ArrayLike) -> Floats:
    try:
        points = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError("a sample set is not a table of numbers") from None
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise InputError(f"a sample set has shape {points.shape}, must be finite and (n, d) with n > 0")
    return points


def _thinned(points: Floats) -> Floats:
    """At most MOST of the points, spread evenly over the set's order."""
    return points[evenly(len(points), MOST)]
