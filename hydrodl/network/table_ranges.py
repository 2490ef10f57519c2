"""What layers that are tables of velocities on a grid do on boxes of points: exact images and gradients.

Where a box meets a cell u is multilinear, takes its extremes at the corners of what they share, and so does the norm
of its gradient, which is convex in every single coordinate (see ``element_gradients``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from hydrodl.common.arrays import Floats, Ints, lattice
from hydrodl.network.layer_ranges import EPS, Boxes, norms

MOST_CELLS = 256
"""Cells that a box may meet: for a larger one the bounds are those of the whole layer."""


_BLOCK = 500  # boxes at a time, each of at most so many cells: a bound on memory


@dataclass(frozen=True, eq=False)
class TableRanges:
    """Layers that are multilinear between the nodes of a grid, whose lines may be at any distance.

    Attributes:
        axes: positions of the grid's lines in each direction, increasing.
        table: u_k at the nodes, shape (N, d, n_1, .., n_d).
        steps: Delta, shape (N,).
    """

    axes: Sequence[Floats]
    table: Floats
    steps: Floats

    @cached_property
    def lower(self) -> Floats:
        """Lower corner of feature space, (d,)."""
        return np.array([axis[0] for axis in self.axes])

    @cached_property
    def upper(self) -> Floats:
        """Upper corner of feature space, (d,)."""
        return np.array([axis[-1] for axis in self.axes])

    @cached_property
    def _corners(self) -> Ints:
        """Of a cell, (2^d, d): 0 or 1 in each direction."""
        return np.array(list(product((0, 1), repeat=len(self.axes))))

    def _cells(self, points: Floats) -> Ints:
        """The number of the cell of each point in each direction, (n, d)."""
        found = [
            np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 2)
            for axis, x in zip(self.axes, points.T, strict=True)
        ]
        return np.stack(found, axis=1)

    def _widths(self, cells: Ints) -> Floats:
        return np.stack([np.diff(axis)[i] for axis, i in zip(self.axes, cells.T, strict=True)], axis=1)

    def _starts(self, cells: Ints) -> Floats:
        return np.stack([axis[i] for axis, i in zip(self.axes, cells.T, strict=True)], axis=1)

    def _values(self, k: int, cells: Ints) -> Floats:
        """Velocities at the corners of cells (n, d), shape (n, 2^d, d)."""
        places = tuple((cells[:, None] + self._corners).transpose(2, 0, 1))
        return np.moveaxis(self.table[k][(slice(None), *places)], 0, -1)

    def _factors(self, fractions: Floats) -> Floats:
        """t or 1 - t for every corner, (n, 2^d, d)."""
        return np.where(self._corners == 1, fractions[:, None], 1 - fractions[:, None])

    def _moved(self, k: int, points: Floats, values: Floats, fractions: Floats) -> Floats:
        weights = self._factors(fractions).prod(axis=2)
        return points + self.steps[k] * np.einsum("nc,nci->ni", weights, values)

    def _jacobians(self, k: int, values: Floats, fractions: Floats, widths: Floats) -> Floats:
        factors, d = self._factors(fractions), len(self.axes)
        result = np.empty((len(values), d, d))
        for j in range(d):
            others = [i for i in range(d) if i != j]
            slopes = factors[..., others].prod(axis=2) * (2 * self._corners[:, j] - 1)
            result[..., j] = np.einsum("nc,nci->ni", slopes, values) * (self.steps[k] / widths[:, j])[:, None]
        return result + np.eye(d)

    def move(self, k: int, points: Floats) -> Floats:
        """x + Delta_k u_k(x)."""
        cells = self._cells(points)
        fractions = (points - self._starts(cells)) / self._widths(cells)
        return self._moved(k, points, self._values(k, cells), fractions)

    def jacobian(self, k: int, points: Floats) -> Floats:
        """I + Delta_k grad u_k in the cell of each point."""
        cells = self._cells(points)
        widths = self._widths(cells)
        return self._jacobians(k, self._values(k, cells), (points - self._starts(cells)) / widths, widths)

    def _pieces(self, boxes: Boxes) -> Iterator[tuple[slice, Ints, Ints, Floats, Floats]]:
        """Each box with each cell that it meets, a block of boxes at a time.

        Yields:
            The boxes (a slice of all), where each one's pieces begin, the cells of all pieces (m, d), and the lower and
            upper corners of what box and cell share, each (m, d).
        """
        first = self._cells(boxes[0])
        counts = self._cells(boxes[1]) - first + 1
        sizes = counts.prod(axis=1)
        for begin in range(0, len(sizes), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            starts = np.concatenate([[0], np.cumsum(sizes[block])[:-1]]).astype(np.int64)
            rows = np.repeat(np.arange(begin, begin + len(starts)), sizes[block])
            number = np.arange(len(rows)) - np.repeat(starts, sizes[block])
            cells = first[rows]
            for a in range(len(self.axes)):
                cells[:, a] += number % counts[rows, a]
                number //= counts[rows, a]
            low = self._starts(cells)
            high = low + self._widths(cells)
            yield block, starts, cells, np.maximum(boxes[0][rows], low), np.minimum(boxes[1][rows], high)

    def _few(self, boxes: Boxes) -> Ints:
        """The boxes that do not meet too many cells."""
        counts = (self._cells(boxes[1]) - self._cells(boxes[0]) + 1).prod(axis=1)
        return np.flatnonzero(counts <= MOST_CELLS)

    def deviation(self, k: int, boxes: Boxes, about: Floats) -> Floats:
        """The largest |I + Delta_k grad u_k - about|_2 over each box, exact but for boxes of too many cells."""
        few = self._few(boxes)
        found = np.full(len(about), self.stretch(k)) + norms(about)
        found[few] = self._largest(k, (boxes[0][few], boxes[1][few]), about[few])
        return found

    def _largest(self, k: int, boxes: Boxes, about: Floats) -> Floats:
        found = np.zeros(len(about))
        for block, starts, cells, low, high in self._pieces(boxes):
            values, widths, origin = self._values(k, cells), self._widths(cells), self._starts(cells)
            centre = np.repeat(about[block], np.diff(np.append(starts, len(cells))), axis=0)
            for corner in self._corners:
                fractions = (np.where(corner == 1, high, low) - origin) / widths
                size = norms(self._jacobians(k, values, fractions, widths) - centre)
                found[block] = np.maximum(found[block], np.maximum.reduceat(size, starts))
        return found

    def image(self, k: int, boxes: Boxes) -> Boxes:
        """The least boxes that hold the images, but for boxes of too many cells."""
        table = self.steps[k] * self.table[k].reshape(len(self.axes), -1)
        least, most = boxes[0] + table.min(axis=1), boxes[1] + table.max(axis=1)
        few = self._few(boxes)
        least[few], most[few] = np.inf, -np.inf
        for block, starts, cells, low, high in self._pieces((boxes[0][few], boxes[1][few])):
            values, widths, origin, at = self._values(k, cells), self._widths(cells), self._starts(cells), few[block]
            for corner in self._corners:
                points = np.where(corner == 1, high, low)
                moved = self._moved(k, points, values, (points - origin) / widths)
                least[at] = np.minimum(least[at], np.minimum.reduceat(moved, starts))
                most[at] = np.maximum(most[at], np.maximum.reduceat(moved, starts))
        return least, most

    @cached_property
    def _stretches(self) -> Floats:
        """Of all layers, (N,)."""
        cells = lattice([np.arange(len(axis) - 1) for axis in self.axes])
        widths = self._widths(cells)
        found = np.zeros(len(self.steps))
        for k in range(len(self.steps)):
            values = self._values(k, cells)
            for corner in self._corners:
                fractions = np.broadcast_to(corner.astype(float), cells.shape)
                found[k] = max(found[k], norms(self._jacobians(k, values, fractions, widths)).max())
        return found

    def stretch(self, k: int) -> float:
        """The largest |I + Delta_k grad u_k|_2, exact."""
        return float(self._stretches[k])

    def rounding(self, k: int) -> float:
        """A place in the grid is rounded by parts of eps of the grid's size, the rest by parts of eps of its terms."""
        reach = float(np.abs([self.lower, self.upper]).max())
        lines = reach / min(float(np.diff(axis).min()) for axis in self.axes)
        largest = float(np.abs(self.table[k]).max()) * float(self.steps[k])
        if len(self.axes) == 1:  # a sum of rectified neurons, one a node, says the same
            count, extent = len(self.axes[0]), float(self.upper[0] - self.lower[0])
            slopes = np.diff(self.table[k][0]) / np.diff(self.axes[0])
            terms = (np.abs(np.diff(slopes)).sum() + 2 * np.abs(slopes).max()) * (extent + reach) * float(self.steps[k])
            largest += count * float(terms)
        return 32 * EPS * len(self.axes) * (reach + (lines + 2 ** len(self.axes)) * largest)
