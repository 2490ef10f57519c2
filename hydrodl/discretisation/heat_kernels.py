"""The compiled lines of the heat steps: explicit factors and a tridiagonal solve, along one axis of a box.

Fields are copied in narrow tiles, so that what a line needs again stays in the nearest cache (``benchmarks/push.py``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hydrodl.common.arrays import Floats, Ints


@njit(cache=True, error_model="numpy")
def heat_lines(
    x: Floats, volumes: Floats, low: Ints, high: Ints, beside: Floats, lower: Floats, upper: Floats, pivots: Floats
) -> None:
    """x <- S M^-1 x along the second of three axes; sums of what is not negative, which stay so.

    Args:
        x: (outer, n, inner).
        volumes: diagonal of M^-1, (n,).
        low, high: where node i's neighbours are in each explicit factor, (factors, n), one at least.
        beside: a of each, what of a node comes from either of them, (factors,).
        lower, upper, pivots: of the tridiagonal solve, L, U and the inverse pivots, (n,) each.
    """
    outer, n, inner = x.shape
    width = 8 if inner == 1 and outer <= 8 else 32
    old, new = np.zeros((n, width)), np.empty((n, width))
    if inner == 1:  # along the last axis: lines are turned, since the steps along one wait for each other
        lines = x.reshape(outer, n)
        for start in range(0, outer, width):
            count = min(width, outer - start)
            for j in range(count):
                for i in range(n):
                    old[i, j] = lines[start + j, i] * volumes[i]
            found = _tile(old, new, low, high, beside, lower, upper, pivots)
            for j in range(count):
                for i in range(n):
                    lines[start + j, i] = found[i, j]
        return
    for o in range(outer):
        rows = x[o]
        for start in range(0, inner, width):
            count = min(width, inner - start)
            for i in range(n):
                volume = volumes[i]
                for j in range(count):
                    old[i, j] = rows[i, start + j] * volume
            found = _tile(old, new, low, high, beside, lower, upper, pivots)
            for i in range(n):
                for j in range(count):
                    rows[i, start + j] = found[i, j]


@njit(cache=True, error_model="numpy", inline="always")
def _tile(
    old: Floats, new: Floats, low: Ints, high: Ints, beside: Floats, lower: Floats, upper: Floats, pivots: Floats
) -> Floats:
    """S old for columns (n, width), in one of the two arrays; what was in them is lost."""
    (n, width), last = old.shape, len(beside) - 1
    for f in range(last):
        share, stay = beside[f], 1 - 2 * beside[f]
        for i in range(n):
            before, after = low[f, i], high[f, i]
            for j in range(width):
                new[i, j] = stay * old[i, j] + share * (old[before, j] + old[after, j])
        old, new = new, old
    share, stay = beside[last], 1 - 2 * beside[last]
    for i in range(n):  # the last factor with what the solve does on its way up
        before, after, below = low[last, i], high[last, i], max(i - 1, 0)
        near, far, link = stay * pivots[i], share * pivots[i], lower[i]
        if i == 0:
            for j in range(width):
                new[i, j] = near * old[i, j] + far * (old[before, j] + old[after, j])
        else:
            for j in range(width):
                new[i, j] = near * old[i, j] + far * (old[before, j] + old[after, j]) + link * new[below, j]
    for i in range(n - 2, -1, -1):
        link = upper[i]
        for j in range(width):
            new[i, j] += link * new[i + 1, j]
    return new
