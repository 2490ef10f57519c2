"""Which cell of the mesh holds a point, and where in the reference cell: vectorised over points, shared by ranks."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import basix
import numpy as np
from dolfinx import geometry
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import smallest
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.periodic import wrapped

# How far outside a cell, in units of the cell, rounding may put a point that belongs to it.
_ROUNDING = 1e-10


class Located(NamedTuple):
    """Where points lie.

    Attributes:
        rows: the points this rank is responsible for, shape (k,); each point inside the mesh has one such rank.
        cells: the local cell that holds each of them, shape (k,).
        reference: their coordinates in the reference cell, shape (k, d).
        outside: the points that no rank found in the mesh, the same on all ranks.
    """

    rows: NDArray[np.int64]
    cells: NDArray[np.int32]
    reference: Floats
    outside: NDArray[np.int64]


def locate(domain: Domain, points: Floats) -> Located:
    """Cells and reference coordinates of points (n, d), the same on all ranks; collective.

    A point on the border of several ranks goes to one of them. Cost: O(n log cells) on each rank; on a uniform box
    O(n), by arithmetic.

    Raises:
        InputError: points of another dimension than the mesh.
    """
    if points.ndim != 2 or points.shape[1] != domain.dimension:
        raise InputError(f"points have shape {points.shape}, must be (n, {domain.dimension})")
    points = wrapped(points, *domain.bounds, domain.periodic)
    owned = _KNOWN.get(domain) or _KNOWN.setdefault(domain, _Cells(domain))
    if domain.uniform_box:
        return owned.on_box(points)
    rows, cells, reference = owned.locate(points)
    keeper = np.full(len(points), domain.comm.size, dtype=np.int64)
    keeper[rows] = domain.comm.rank
    keeper = smallest(domain.comm, keeper)
    mine = keeper[rows] == domain.comm.rank
    return Located(rows[mine], cells[mine], reference[mine], np.flatnonzero(keeper == domain.comm.size))


class _Cells:
    """The cells that this rank owns, ready to be searched."""

    def __init__(self, domain: Domain) -> None:
        mesh, d = domain.mesh, domain.dimension
        self._bounds = domain.bounds
        kind, coordinates = mesh.topology.cell_type, mesh.geometry.cmaps[0]
        owned = np.arange(mesh.topology.index_map(d).size_local, dtype=np.int32)
        self._shape = geometry_element(kind, coordinates)
        simplex = kind.name in ("interval", "triangle", "tetrahedron")
        self._box = not simplex or d == 1
        corners = mesh.geometry.x[mesh.geometry.dofmaps[0][owned]][:, :, :d]
        self._affine = domain.uniform_box or (simplex and coordinates.degree == 1)
        self._corners = corners[:, :1].copy() if self._affine else corners
        if self._affine:  # X = (x - corner) A^-1, the rows of A the edges from the first corner
            ends = np.arange(1, d + 1) if simplex else 2 ** np.arange(d)
            self._inverse = np.linalg.inv(corners[:, ends] - corners[:, :1])
        if domain.uniform_box:
            self._number(corners)
            return
        padding = _ROUNDING * float(np.ptp(mesh.geometry.x, axis=0).max())
        self._tree = geometry.bb_tree(mesh, d, padding=padding, entities=owned) if len(owned) else None

    def _number(self, corners: Floats) -> None:
        """Number the cells of a uniform box by their places in it, by the same arithmetic on all ranks."""
        low, high = self._bounds
        edges = np.ptp(corners[0], axis=0) if len(corners) else high - low  # a rank without cells needs no numbers
        self._counts = np.rint((high - low) / edges).astype(np.int64)
        numbers = self._numbers(corners.mean(axis=1))
        self._order = np.argsort(numbers)
        self._sorted = numbers[self._order]

    def _numbers(self, points: Floats) -> NDArray[np.int64]:
        low, high = self._bounds
        steps = np.floor((points - low) / ((high - low) / self._counts)).astype(np.int64)
        return np.ravel_multi_index(tuple(np.clip(steps, 0, self._counts - 1).T), tuple(self._counts))

    def on_box(self, points: Floats) -> Located:
        """Points on a uniform box: the cell follows from the coordinates, the rank from the cell."""
        low, high = self._bounds
        inside = ((points >= low - _ROUNDING * (high - low)) & (points <= high + _ROUNDING * (high - low))).all(axis=1)
        rows = np.flatnonzero(inside)
        if not len(self._sorted):
            return Located(rows[:0], rows[:0].astype(np.int32), points[:0], np.flatnonzero(~inside))
        numbers = self._numbers(points[rows])
        found = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        mine = self._sorted[found] == numbers
        rows, cells = rows[mine], self._order[found[mine]].astype(np.int32)
        return Located(rows, cells, self._pull_back(cells, points[rows])[0], np.flatnonzero(~inside))

    def locate(self, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
        """Points in these cells: their rows, cells and reference coordinates."""
        rows, cells = self._candidates(points)
        reference, excess = self._pull_back(cells, points[rows])
        # Of the candidates of a point the cell it is deepest in; bounding boxes overlap, cells only share faces.
        order = np.lexsort([excess, rows])
        order = order[excess[order] <= _ROUNDING]
        unique, first = np.unique(rows[order], return_index=True)
        chosen = order[first]
        return unique, cells[chosen], reference[chosen]

    def _candidates(self, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Pairs (point, cell) such that the bounding box of the cell holds the point."""
        if self._tree is None or not len(points):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
        space = np.zeros((len(points), 3))
        space[:, : points.shape[1]] = points
        pairs = geometry.compute_collisions_points(self._tree, space)
        return np.repeat(np.arange(len(points)), np.diff(pairs.offsets)), np.asarray(pairs.array, dtype=np.int32)

    def _pull_back(self, cells: NDArray[np.int32], points: Floats) -> tuple[Floats, Floats]:
        """Reference coordinates (k, d) of point k in cell k, and how far outside the cell it is (k,)."""
        if self._affine:
            reference = np.einsum("kj,kji->ki", points - self._corners[cells, 0], self._inverse[cells])
            residual = np.zeros(len(points))
        else:
            reference, residual = self._newton(self._corners[cells], points)
        inside = _nearest_inside(reference, self._box)
        excess = np.abs(reference - inside).max(axis=1, initial=0.0)
        return inside, np.where(residual <= _ROUNDING, excess, np.inf)

    def _newton(self, corners: Floats, points: Floats) -> tuple[Floats, Floats]:
        """Reference coordinates of points in cells with these corners, and the last steps, infinite where lost."""
        d = points.shape[1]
        reference = np.full(points.shape, 0.5 if self._box else 1 / (d + 1))
        residual = np.full(len(points), np.inf)
        for _ in range(12):
            table = self._shape.tabulate(1, reference)[:, :, :, 0]
            miss = points - np.einsum("ki,kij->kj", table[0], corners)
            jacobian = np.einsum("gki,kij->kjg", table[1:], corners)
            # Outside its cell a bilinear map may fold; such a pair is no hit whatever the step.
            folded = ~(np.abs(np.linalg.det(jacobian)) > 0)
            jacobian[folded] = np.eye(d)
            step = np.linalg.solve(jacobian, miss[:, :, None])[:, :, 0]
            reference = np.clip(reference + step, -2.0, 3.0)
            residual = np.where(folded, np.inf, np.abs(step).max(axis=1, initial=0.0))
            if (residual <= 1e-13).all():
                break
        return reference, residual


_KNOWN: WeakKeyDictionary[Domain, _Cells] = WeakKeyDictionary()
"""The cells of domains that were searched before."""


def _nearest_inside(reference: Floats, box: bool) -> Floats:
    """Reference coordinates moved into the reference cell, so that hat functions are not negative."""
    if box:
        return np.clip(reference, 0.0, 1.0)
    positive = np.maximum(reference, 0.0)
    return positive / np.maximum(1.0, positive.sum(axis=1, keepdims=True))


def geometry_element(kind: Any, coordinates: Any) -> Any:
    """The basix element of a mesh's geometry."""
    cell = getattr(basix.CellType, kind.name)
    return basix.create_element(
        basix.ElementFamily.P, cell, coordinates.degree, basix.LagrangeVariant(int(coordinates.variant))
    )
