"""A tridiagonal matrix along x_1, applied backwards to fields whose rows are shared out over ranks.

With the rows a .. b - 1 on a rank, T_r its block of T, and x_a-1 and x_b the unknowns beside it,

    x = T_r^-1 f + v x_{a-1} + w x_b,    v = -lower_a T_r^-1 e_a,    w = -upper_{b-1} T_r^-1 e_{b-1},

so that the ends of all ranks solve a small system, the same for every column: its inverse is made once, and two rows of
every rank, once to all, are the only exchange. Where T is an M-matrix all of it is not negative.
Related: Polizzi, Sameh, Parallel Computing 32 (2006).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba import njit

from hydrodl.common.arrays import Floats
from hydrodl.linear_algebra.row_shares import RowShares


class RowLines:
    """T^-1 for an M-matrix T, on every column of nodes along x_1.

    Args:
        shares: the rows; lower, diagonal, upper: T_{i,i-1}, T_ii, T_{i,i+1} of all rows, (n,); the first and the last
            are not read.
    """

    def __init__(self, shares: RowShares, lower: Floats, diagonal: Floats, upper: Floats) -> None:
        self._shares, ranks, rank = shares, shares.comm.size, shares.comm.rank
        inside = np.eye(2 * ranks)
        for r, (a, b) in enumerate(pairwise(shares.bounds)):
            block = _factors(lower[a:b], diagonal[a:b], upper[a:b])
            beside = np.zeros((2, b - a, 1))
            beside[0, 0], beside[1, -1] = -lower[a] if r else 0.0, -upper[b - 1] if r + 1 < ranks else 0.0
            _solve(beside, *block)
            if r:
                inside[2 * r : 2 * r + 2, 2 * r - 1] = -beside[0, [0, -1], 0]
            if r + 1 < ranks:
                inside[2 * r : 2 * r + 2, 2 * r + 2] = -beside[1, [0, -1], 0]
            if r == rank:
                self._block, self._v, self._w = block, beside[0, :, 0].copy(), beside[1, :, 0].copy()
        inverse, self._coupling = np.maximum(np.linalg.inv(inside), 0.0), np.zeros((2, 2 * ranks))
        if rank:
            self._coupling[0] = inverse[2 * rank - 1]
        if rank + 1 < ranks:
            self._coupling[1] = inverse[2 * rank + 2]

    def solve(self, fields: Floats) -> None:
        """fields <- T^-1 fields, contiguous, (m, nodes in this rank's rows); collective."""
        shares = self._shares
        x = fields.reshape(len(fields), shares.rows, shares.inner)
        _solve(x, *self._block)
        if shares.comm.size == 1:
            return
        ends = np.empty((shares.comm.size, 2, len(x), shares.inner))
        shares.comm.Allgather(np.ascontiguousarray(x[:, [0, -1]].swapaxes(0, 1)), ends)
        left, right = (self._coupling @ ends.reshape(2 * shares.comm.size, -1)).reshape(2, len(x), shares.inner)
        _add(x, self._v, self._w, left, right)


def _factors(lower: Floats, diagonal: Floats, upper: Floats) -> tuple[Floats, Floats, Floats]:
    """Of T = L U: the negative of what is below L's diagonal, and beside U's, and inverse pivots."""
    pivots, below = 1.0 / diagonal, np.zeros_like(diagonal)
    for i in range(1, len(diagonal)):
        below[i] = -lower[i] * pivots[i - 1]
        pivots[i] = 1.0 / (diagonal[i] + below[i] * upper[i - 1])
    return below, -upper * pivots, pivots


@njit(cache=True, error_model="numpy")
def _solve(x: Floats, below: Floats, beside: Floats, pivots: Floats) -> None:
    """x <- (L U)^-1 x along the second of three axes; sums of what is not negative stay so."""
    m, n, inner = x.shape
    for c in range(m):
        rows = x[c]
        for i in range(1, n):
            for j in range(inner):
                rows[i, j] += below[i] * rows[i - 1, j]
        for j in range(inner):
            rows[n - 1, j] *= pivots[n - 1]
        for i in range(n - 2, -1, -1):
            for j in range(inner):
                rows[i, j] = rows[i, j] * pivots[i] + beside[i] * rows[i + 1, j]


@njit(cache=True, error_model="numpy")
def _add(x: Floats, v: Floats, w: Floats, left: Floats, right: Floats) -> None:
    """x += v left + w right, row by row."""
    m, n, inner = x.shape
    for c in range(m):
        for i in range(n):
            for j in range(inner):
                x[c, i, j] += v[i] * left[c, j] + w[i] * right[c, j]
