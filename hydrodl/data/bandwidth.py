"""How wide the kernel of a density estimate should be: the width that best predicts each sample from the others."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.parallel import on_root
from hydrodl.data.samples import Samples

WIDTHS = np.geomspace(0.05, 1.0, 27)
"""The widths that are tried, in standardised units."""


MOST = 1500
"""Samples of a class that are looked at; of more, as many drawn at random."""


def choose_bandwidth(samples: Samples, *, comm: MPI.Comm = MPI.COMM_WORLD) -> float:
    """The kernel width h that maximises the leave-one-out likelihood of the class densities; collective.

    h = argmax over ``WIDTHS`` of sum over classes c and samples i of c: log 1/(n_c - 1) sum_{j != i} N(x_i - x_j; h^2)

    It knows nothing of a mesh or of a classifier. Of classes of more than ``MOST`` samples it looks at a fixed random
    choice, for which the usual law h ~ n^(-1/(d + 4)) makes up. Samples at the very same place do not speak for each
    other, else rounded data would ask for no width at all. Samples count by their weights. Added coordinates
    (``Preprocessing.lift``) do not count.

    This is the width for a classifier that compares the densities as they are. A flow blurs them itself, by its noise
    and by the mesh, and is regular by its cost: half of this width is what serves it best (``benchmarks/accuracy.py``).

    Args:
        samples: their standardised ``points`` are used.
        comm: the ranks that call; one of them computes.

    Returns:
        h, between 0.05 and 1.

    Raises:
        DataError: no class with samples at two places.
    """
    return on_root(comm, lambda: _choose(samples))


def _choose(samples: Samples) -> float:
    points = samples.points[:, : samples.preprocessing.taken]
    d = points.shape[1]
    scores, counted, drawn = np.zeros(len(WIDTHS)), 0.0, 0.0
    for c in range(samples.classes):
        rows = _some(np.flatnonzero(samples.labels == c))
        place, weights = points[rows], samples.amounts[rows]
        if len(place) > 1 and (np.ptp(place, axis=0) > 0).any():
            scores += _likelihood(place, weights)
            counted += float(samples.amounts[samples.labels == c].sum())
            drawn += float(weights.sum())
    if not counted:
        raise DataError("a bandwidth cannot be chosen: no class has samples at two places")
    chosen = float(WIDTHS[int(np.argmax(scores))]) * (drawn / counted) ** (1 / (d + 4))
    return float(np.clip(chosen, WIDTHS[0], WIDTHS[-1]))


def _some(rows: Ints) -> Ints:
    if len(rows) <= MOST:
        return rows
    return rows[np.random.default_rng(0).permutation(len(rows))[:MOST]]


def _likelihood(points: Floats, weights: Floats) -> Floats:
    """Leave-one-out log likelihood of points (n, d) that count by weights (n,), for all widths."""
    squares = cdist(points, points, "sqeuclidean")
    squares[squares == 0] = np.inf  # the sample itself, and others at its place
    others = weights.sum() - np.isinf(squares) @ weights
    scores = []
    for width in WIDTHS:
        near = logsumexp(-squares / (2 * width**2), axis=1, b=weights)
        scores.append(float(weights @ (near - np.log(others) - points.shape[1] * np.log(width))))
    return np.array(scores)
