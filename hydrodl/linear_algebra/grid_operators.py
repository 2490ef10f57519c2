"""Operators s + c K on the nodes of a uniform box, one a slab: products, multigrid cycles and solves, all at once.

s is a positive number at every node, K the stiffness of linear elements with the vertex rule. One symmetric multigrid
cycle is a fixed positive definite operator near the inverse, and costs a few products; conjugate gradients on it give
the inverse to any accuracy. On an interval a cycle is exact: a solve along the line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import SolverError
from hydrodl.linear_algebra import multigrid_kernels as kernels
from hydrodl.linear_algebra.grid_levels import GridLevels

_MOST = 300  # cycles of a solve; a digit in three is usual, in five where s is next to nothing


class GridStiffness:
    """c K on all nodes in the order of the grid, without a matrix.

    Args:
        shape: nodes per axis; spacing: h_a, (d,); stiffness: c >= 0.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, stiffness: float) -> None:
        levels = GridLevels.of(shape, spacing)
        self._arrays = levels.places[0], levels.mass, stiffness * levels.edge
        nodes = int(np.prod(shape))
        self._diagonal = np.empty((1, nodes))
        kernels.diagonal(np.zeros(nodes), *self._arrays, self._diagonal[0])

    def product(self, fields: Floats) -> Floats:
        """c K times each of the fields (..., nodes)."""
        given = np.ascontiguousarray(fields).reshape(1, -1, fields.shape[-1])
        out = np.empty(given.shape)
        kernels.products(np.zeros(1, dtype=np.int64), given, self._diagonal, *self._arrays, out)
        return out.reshape(fields.shape)


class GridOperators:
    """A_k = s_k + c K for slabs k, on all nodes in the order of the grid.

    Args:
        shape: nodes per axis; spacing: h_a, (d,); stiffness: c >= 0; count: number of slabs.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, stiffness: float, count: int) -> None:
        self.levels = levels = GridLevels.of(shape, spacing)
        self._edge, self._nodes = stiffness * levels.edge, int(np.prod(shape))
        start = levels.places[0, kernels.EDGE][-1]
        self._line = self._edge[start : start + shape[-1] + 1] if len(shape) == 1 else None
        size = self._nodes if len(shape) == 1 else levels.size
        few = 0 if len(shape) == 1 else levels.size - levels.coarsest.start
        self._diagonals, self._inverses = np.ones((count, size)), np.ones((count, size))
        self._last = np.zeros((count, few, few))
        self._all: Ints = np.arange(count)

    def set(self, shares: Floats) -> None:
        """Give all operators their s > 0, (count, nodes)."""
        shares, levels = np.ascontiguousarray(shares), self.levels
        if self._line is not None:
            kernels.factor_lines(shares, self._line, self._diagonals, self._inverses)
            return
        arrays = levels.places, levels.mass, self._edge, levels.lower, levels.share
        kernels.prepare(shares, self._diagonals, *arrays)
        np.divide(1.0, self._diagonals, out=self._inverses)
        place, units = levels.places[-1].copy(), np.eye(self._last.shape[1])
        place[kernels.NODES] = 0
        coarse = np.ascontiguousarray(self._diagonals[:, levels.coarsest])
        dense = np.empty_like(self._last)
        fields = np.broadcast_to(units, dense.shape).copy()
        kernels.products(self._all, fields, coarse, place, levels.mass, self._edge, dense)
        self._last = np.linalg.inv(dense)

    def product(self, fields: Floats, which: Ints | None = None) -> Floats:
        """A_k times each of its fields (slabs, m, nodes), of all slabs or some."""
        fields, levels = np.ascontiguousarray(fields), self.levels
        which, out = self._all if which is None else which, np.empty(fields.shape)
        kernels.products(which, fields, self._diagonals, levels.places[0], levels.mass, self._edge, out)
        return out

    def cycle(self, duals: Floats, which: Ints | None = None) -> Floats:
        """One cycle for each of the right-hand sides (slabs, m, nodes), of all slabs or some."""
        given, levels = np.ascontiguousarray(duals), self.levels
        which, out = self._all if which is None else which, np.empty(given.shape)
        if self._line is not None:
            kernels.solve_lines(which, given, self._line, self._inverses, out)
            return out
        arrays = levels.places, levels.mass, self._edge, levels.lower, levels.share
        kernels.cycles(which, given, out, self._diagonals, self._inverses, self._last, *arrays)
        return out

    def rough_square(self, duals: Floats) -> float:
        """The sum of (b, A_k^-1 b) over the right-hand sides (count, m, nodes), to a percent: by two cycles."""
        x = self.cycle(duals)
        if self._line is not None:
            return float((x * duals).sum())
        image, found = self.product(x), np.einsum("kmn,kmn->k", x, duals)
        bent = np.einsum("kmn,kmn->k", x, image)
        length = np.divide(found, bent, out=np.zeros_like(found), where=bent > 0)
        rest = duals - length[:, None, None] * image
        return float(length @ found + np.vdot(self.cycle(rest), rest))

    def solve(self, duals: Floats, accuracy: float) -> Floats:
        """A_k^-1 of the right-hand sides (count, m, nodes), relative to them to ``accuracy`` in the norm of A_k^-1.

        Raises:
            SolverError: it takes too many cycles.
        """
        if self._line is not None or not len(duals):  # there are ranks without slabs where these are fewer
            return self.cycle(duals)
        out = np.zeros(duals.shape)
        which, x, residual = self._all, np.zeros(duals.shape), duals.copy()
        direction, old, scale = np.zeros(duals.shape), np.ones(len(x)), np.full(len(x), np.nan)
        for number in range(_MOST):
            step = self.cycle(residual, which)
            new = np.einsum("kmn,kmn->k", step, residual)
            scale = new if number == 0 else scale
            left = np.flatnonzero(~(new <= accuracy**2 * scale))  # a slab stops by itself, whoever has the others
            if len(left) < len(which):
                out[which] = x
                which, x, residual, scale = which[left], x[left], residual[left], scale[left]
                step, direction, old, new = step[left], direction[left], old[left], new[left]
                if not len(left):
                    return out
            direction = step + (new / old)[:, None, None] * direction
            image = self.product(direction, which)
            length = (new / np.einsum("kmn,kmn->k", direction, image))[:, None, None]
            x += length * direction
            residual -= length * image
            old = new
        raise SolverError(f"control inner product: not solved to {accuracy:g} by {_MOST} multigrid cycles")
