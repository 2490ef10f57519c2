"""Heat steps and stiffness where rows of nodes are shared out over ranks: what of other ranks' rows they need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from hydrodl.common.arrays import Floats, Ints
from hydrodl.discretisation.heat_step import AxisHeat, HeatStep, axes_of
from hydrodl.linear_algebra.grid_operators import GridStiffness
from hydrodl.linear_algebra.row_lines import RowLines
from hydrodl.linear_algebra.row_shares import RowShares, RowWindow


class RowHeat:
    """R where rows are shared out: along x_1 the ranks solve together, along the others every rank has what it needs.

    Args:
        shares: the rows; shape, spacing, axes: as for ``HeatStep``.
    """

    def __init__(self, shares: RowShares, shape: Sequence[int], spacing: Floats, axes: Sequence[AxisHeat]) -> None:
        rows, (first, *others) = shape[0], axes
        self._shares = shares
        self._along = HeatStep(shape[1:], spacing[1:], others)
        volumes = np.full(rows, 1 / float(spacing[0]))
        volumes[[0, -1]] *= 2
        first_row, end = shares.first, shares.first + shares.rows
        self._volumes = volumes[first_row:end, None]
        self._factors: list[tuple[int, Ints, Ints, float]] = []
        for (stride, share), low, high in reversed(list(zip(first.explicit, *first.neighbours(rows), strict=True))):
            here, start = slice(first_row, end), max(first_row - stride, 0)
            self._factors.insert(0, (first_row - start, low[here] - start, high[here] - start, share))
            first_row, end = start, min(end + stride, rows)
        self._window = around(shares, rows, sum(stride for stride, _ in first.explicit))[0]
        b = first.implicit
        beside, diagonal = np.full((2, rows), -b), np.full(rows, 1 + 2 * b)
        beside[0, -1] = beside[1, 0] = -2 * b
        self._lines = RowLines(shares, beside[0], diagonal, beside[1]) if b else None

    @classmethod
    def of(cls, shares: RowShares, shape: Sequence[int], spacing: Floats, step: float, noise: Floats) -> RowHeat:
        """For the thickness Delta of slabs and the noise s_a, (d,), not negative."""
        return cls(shares, shape, spacing, axes_of(spacing, step, noise))

    def smooth(self, duals: Floats, out: Floats | None = None) -> Floats:
        """R duals, (C, nodes here); ``out`` must be contiguous and may be what was given; collective."""
        out = np.empty(duals.shape) if out is None else out
        lines = out.reshape(-1, self._shares.inner)
        self._along.smooth(np.ascontiguousarray(duals).reshape(lines.shape), out=lines)
        rows = out.reshape(len(out), self._shares.rows, self._shares.inner)
        rows *= self._volumes
        if self._factors:  # a factor is taken on all rows that those after it reach
            seen = self._window.fetch(out).reshape(len(out), -1, self._shares.inner)
            for start, low, high, share in self._factors:
                found = np.empty((len(out), len(low), self._shares.inner))
                _explicit(seen, start, low, high, share, found)
                seen = found
            rows[...] = seen
        if self._lines is not None:
            self._lines.solve(out)
        return out


@njit(cache=True, error_model="numpy")
def _explicit(seen: Floats, start: int, low: Ints, high: Ints, beside: float, out: Floats) -> None:
    """I + a L_k on the rows that start at ``start`` among those that are seen, (C, rows, inner)."""
    m, n, inner = out.shape
    stay = 1 - 2 * beside
    for c in range(m):
        for i in range(n):
            own, before, after = seen[c, start + i], seen[c, low[i]], seen[c, high[i]]
            for j in range(inner):
                out[c, i, j] = stay * own[j] + beside * (before[j] + after[j])


def around(shares: RowShares, rows: int, reach: int) -> tuple[RowWindow, int]:
    """The window of every rank's rows and so many on either side, and its first row."""
    bounds = shares.bounds
    windows = np.column_stack([np.maximum(bounds[:-1] - reach, 0), np.minimum(bounds[1:] + reach, rows)])
    return RowWindow(shares, windows), int(windows[shares.comm.rank, 0])


class RowStiffness:
    """c K where rows are shared out: every rank fetches the rows beside its own.

    Args:
        shares: the rows; shape, spacing, stiffness: as for ``GridStiffness``.
    """

    def __init__(self, shares: RowShares, shape: Sequence[int], spacing: Floats, stiffness: float) -> None:
        self._window, first = around(shares, shape[0], 1)
        self._stiffness = GridStiffness((self._window.rows, *shape[1:]), spacing, stiffness)
        start = (shares.first - first) * shares.inner
        self._own = slice(start, start + shares.width)

    def product(self, fields: Floats) -> Floats:
        """c K times each of the fields (..., nodes here); collective."""
        seen = self._window.fetch(fields.reshape(-1, fields.shape[-1]))
        return self._stiffness.product(seen)[:, self._own].reshape(fields.shape)
