"""A mesh as vertices and cells, before anything is built on it: mended where that is plain, else refused.

All of it is NumPy on one rank, of a cost that grows little faster than the mesh.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import MeshError

_THIN = 1e-14  # volume of a cell at its vertices over the cube of its extent, below which it is taken for none


_SAME = 1e-6  # of the shortest edge: vertices that are nearer are one


_INSIDE = {False: 1e-6, True: 1e-3}  # barycentric coordinates of a point inside; more in hexahedra: they may be warped


_PAIRS = 1_000_000  # of points and cells that are looked at together


_LARGEST = 1e100  # coordinates whose volumes still are numbers


def checked_mesh(name: str, points: Floats, cells: Ints) -> tuple[Floats, Ints, int]:
    """The mesh with vertices at one place made one and cells listed twice listed once; how many vertices that made one.

    Args:
        name: what to call it in messages.
        points: vertices, shape (n, d).
        cells: simplices (m, d + 1), or boxes (m, 2^d) in DOLFINx's order: vertex k has 1 in direction i where bit i is.

    Cells are numbered from 0 in messages.

    Raises:
        MeshError: a coordinate that is not finite or too large; a cell without volume, folded over or with a vertex
            twice; cells that overlap; a vertex that lies on a side of a cell whose corner it is not; several pieces
            that share no side.
    """
    if not np.isfinite(points).all():
        raise MeshError(f"{name} has coordinates that are not finite")
    if np.abs(points).max() > _LARGEST:
        raise MeshError(f"{name} has coordinates up to {np.abs(points).max():.3g}, at most {_LARGEST:g} are allowed")
    extent = np.ptp(points, axis=0)
    unit = (points - points.min(axis=0)) / np.where(extent > 0, extent, 1.0)  # what is asked of cells is so anyway
    mesh = _Mesh(name, points, unit, cells)
    mesh.check_volumes(cells)
    first, merged = _one_vertex_a_place(unit, _shortest_edge(unit, cells))
    cells = _each_once(first[cells])
    mesh = _Mesh(name, points, unit, cells)
    mesh.check_volumes(cells)
    sides = mesh.sides()
    mesh.check_sides(*sides)
    mesh.check_pieces(*sides)
    mesh.check_overlap(*sides)
    used, cells = np.unique(cells, return_inverse=True)
    return points[used], cells.reshape(-1, mesh.corners), merged


def _shortest_edge(points: Floats, cells: Ints) -> float:
    """Shortest distance between two vertices of a cell."""
    pairs = itertools.combinations(range(cells.shape[1]), 2)
    return float(min(np.linalg.norm(points[cells[:, a]] - points[cells[:, b]], axis=1).min() for a, b in pairs))


def _one_vertex_a_place(points: Floats, edge: float) -> tuple[Ints, int]:
    """For every vertex the first one at its place, and how many that makes one."""
    close = cKDTree(points).query_pairs(_SAME * edge, output_type="ndarray")
    if not len(close):
        return np.arange(len(points)), 0
    graph = coo_array((np.ones(len(close)), close.T), shape=(len(points), len(points)))
    count, place = connected_components(graph, directed=False)
    first = np.full(count, len(points))
    np.minimum.at(first, place, np.arange(len(points)))
    return first[place], len(points) - count


def _each_once(cells: Ints) -> Ints:
    """Cells that do not repeat the vertices of an earlier one."""
    _, first = _alike(cells)
    return cells[np.sort(first)]


def _alike(rows: Ints) -> tuple[Ints, Ints]:
    """For every row of vertices the number of those with the same ones in any order; the first of each kind."""
    ordered = np.sort(rows, axis=1)
    order = np.lexsort(ordered.T)
    new = np.concatenate([[True], (np.diff(ordered[order], axis=0) != 0).any(axis=1)])
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    first = np.full(number.max() + 1, len(rows))
    np.minimum.at(first, number, np.arange(len(rows)))
    return number, first


class _Mesh:
    """Vertices, in units of the mesh's extent, and cells, under a name."""

    def __init__(self, name: str, points: Floats, unit: Floats, cells: Ints) -> None:
        self.name, self.given, self.points, self.cells = name, points, unit, cells
        self.dimension, self.corners = points.shape[1], cells.shape[1]
        self.box = self.corners == 2**self.dimension and self.dimension > 1

    def place(self, vertex: int) -> str:
        """Where a vertex is, for a person."""
        return f"({', '.join(f'{x:.6g}' for x in self.given[vertex])})"

    def middle(self, cell: int) -> str:
        """Where a cell is, for a person."""
        return f"({', '.join(f'{x:.6g}' for x in self.given[self.cells[cell]].mean(axis=0))})"

    def check_volumes(self, cells: Ints) -> None:
        """Raise MeshError if the map from the reference cell is not one to one at the vertices of some cell."""
        corners, d = self.points[cells], self.dimension
        pairs = [[(k & ~(1 << i), k | 1 << i) for i in range(d)] for k in range(2**d)] if self.box else []
        edges = pairs or [[(0, i + 1) for i in range(d)]]
        columns = [np.stack([corners[:, b] - corners[:, a] for a, b in each], axis=-1) for each in edges]
        size = np.ptp(corners, axis=1).max(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            volumes = np.array([np.linalg.det(each / size[:, None, None]) for each in columns])
        wrong = ~((volumes > _THIN).all(axis=0) | (volumes < -_THIN).all(axis=0))
        if wrong.any():
            cell = int(np.argmax(wrong))
            raise MeshError(
                f"{self.name} has cells without volume, or folded over: {wrong.sum()}, the first one number {cell} "
                f"near {self.middle(cell)}"
            )

    def sides(self) -> tuple[Ints, Ints, Ints]:
        """Vertices of every side of every cell, its cell, and the number of the side that it is."""
        d = self.dimension
        if self.box:
            local = [[k for k in range(2**d) if (k >> i & 1) == end] for i in range(d) for end in (0, 1)]
        else:
            local = [[k for k in range(d + 1) if k != left] for left in range(d + 1)]
        vertices = self.cells[:, local].reshape(-1, len(local[0]))
        return vertices, np.repeat(np.arange(len(self.cells)), len(local)), _alike(vertices)[0]

    def check_sides(self, vertices: Ints, owner: Ints, number: Ints) -> None:
        """Raise MeshError if a side has more than two cells, or two on the same side of it."""
        order = np.argsort(number, kind="stable")
        counts = np.bincount(number)
        if counts.max() > 2:
            cells = owner[number == int(np.argmax(counts))]
            raise MeshError(
                f"{self.name} has cells that overlap: {counts.max()} cells share one side, the first ones number "
                f"{cells[0]} and {cells[1]} near {self.middle(int(cells[0]))}"
            )
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])[counts == 2]
        one, two = order[first], order[first + 1]
        middles = self.points[self.cells].mean(axis=1)
        towards = [self._height(vertices[one], middles[owner[side]]) for side in (one, two)]
        if (wrong := towards[0] * towards[1] >= 0).any():
            self._overlap(int(owner[one[np.argmax(wrong)]]), int(owner[two[np.argmax(wrong)]]))

    def _height(self, sides: Ints, points: Floats) -> Floats:
        """Signed volume between sides (m, vertices) and points (m, d)."""
        origin = self.points[sides[:, 0]]
        spans = [self.points[sides[:, i + 1]] - origin for i in range(self.dimension - 1)]
        return np.linalg.det(np.stack([*spans, points - origin], axis=-1))  # type: ignore[no-any-return]

    def _overlap(self, one: int, two: int) -> None:
        raise MeshError(
            f"{self.name} has cells that overlap: number {one} near {self.middle(one)}, {two} near {self.middle(two)}"
        )

    def check_pieces(self, vertices: Ints, owner: Ints, number: Ints) -> None:
        """Raise MeshError unless every cell can be reached from every other one through sides."""
        count = len(self.cells)
        graph = coo_array((np.ones(len(owner)), (owner, count + number)), shape=(count + number.max() + 1,) * 2)
        pieces, piece = connected_components(graph, directed=False)
        if pieces > 1:
            self.check_overlap(vertices, owner, number)
            sizes = np.bincount(piece[:count])
            alone = int(np.argmax(piece[:count] == int(np.argmin(sizes))))
            raise MeshError(
                f"{self.name} has {pieces} pieces that share no side, of {sizes.min()} to {sizes.max()} cells, one of "
                f"them near {self.middle(alone)}; no mass can pass between them: join them, or use one"
            )

    def check_overlap(self, vertices: Ints, owner: Ints, number: Ints) -> None:
        """Raise MeshError if a point of the boundary lies in a cell, or on a side, that it does not belong to.

        Cells that pairwise lie on different sides of what they share can only overlap where the boundary crosses a
        cell; so the boundary is all that is looked at: its vertices, middles of its sides, and half-way between.
        """
        outer = np.bincount(number)[number] == 1
        corner = np.unique(vertices[outer])
        ends = self.points[vertices[outer]]
        middle = ends.mean(axis=1, keepdims=True)
        within = np.concatenate([middle, (middle + ends) / 2], axis=1).reshape(-1, self.dimension)
        place = np.concatenate([self.points[corner], within])
        vertex = np.concatenate([corner, np.full(len(within), -1)])
        cell = np.concatenate([np.full(len(corner), -1), np.repeat(owner[outer], 1 + ends.shape[1])])
        whole = self.points[self.cells]
        centre = whole.mean(axis=1)
        radius = np.linalg.norm(whole - centre[:, None], axis=2).max(axis=1)
        tree = cKDTree(place)
        counts = np.cumsum(tree.query_ball_point(centre, radius, return_length=True))
        for part in np.split(np.arange(len(centre)), np.searchsorted(counts, np.arange(_PAIRS, counts[-1], _PAIRS))):
            near = tree.query_ball_point(centre[part], radius[part])
            against = np.repeat(part, [len(found) for found in near])
            tested = np.fromiter(itertools.chain.from_iterable(near), dtype=np.int64, count=len(against))
            foreign = (self.cells[against] != vertex[tested, None]).all(axis=1) & (cell[tested] != against)
            against, tested = against[foreign], tested[foreign]
            self._check_outside(against, place[tested], vertex[tested], cell[tested])

    def _check_outside(self, against: Ints, place: Floats, vertex: Ints, cell: Ints) -> None:
        """Raise MeshError unless points, each a vertex or (-1) on a side of a cell, lie outside cells."""
        depth = self._depth(against, place)
        if (inside := depth > _INSIDE[self.corners == 8]).any():
            at = int(np.argmax(inside))
            other = int(cell[at]) if vertex[at] < 0 else int(np.argmax((self.cells == vertex[at]).any(axis=1)))
            self._overlap(int(against[at]), other)
        if (on := (depth > -1e-9) & (vertex >= 0)).any():
            at = int(np.argmax(on))
            raise MeshError(
                f"{self.name} has a vertex on a side of a cell whose corner it is not: {self.place(vertex[at])} "
                f"at cell {against[at]}; cells must share whole sides"
            )

    def _depth(self, cells: Ints, points: Floats) -> Floats:
        """How deep points lie in cells: the least barycentric coordinate in that simplex of a cell where it is most."""
        deepest = np.full(len(points), -np.inf)
        for simplex in self._simplices():
            corners = self.points[self.cells[cells][:, simplex]]
            spans = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
            some = np.linalg.det(spans) != 0  # a simplex of a warped box may be flat
            rest = np.linalg.solve(spans[some], (points - corners[:, 0])[some, :, None])[..., 0]
            deepest[some] = np.maximum(deepest[some], np.minimum(rest.min(axis=1), 1 - rest.sum(axis=1)))
        return deepest

    def _simplices(self) -> list[list[int]]:
        """Simplices that make up a cell, by its vertices: of a box, the ways from its first corner to its last."""
        if not self.box:
            return [list(range(self.dimension + 1))]
        steps = range(self.dimension + 1)
        return [[sum(1 << i for i in way[:k]) for k in steps] for way in itertools.permutations(range(self.dimension))]
