"""Nodal fields of any mesh resampled to a regular grid of pixels, for pictures only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.tri import Triangulation
from scipy.spatial import Delaunay

from hydrodl.common.arrays import Floats, lattice
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather_nodes, lexicographic
from hydrodl.mesh.point_location import locate

PIXELS = {1: 401, 2: 241, 3: 41}  # grid points along each direction of a picture, where they are not the nodes


# The local dofs of a Lagrange cell in d = 2 (vertices first) as triangles, by cell corners and degree; any other degree
# is drawn from its vertices alone.
_TRIANGLES = {
    (3, 2): ((0, 5, 4), (1, 3, 5), (2, 4, 3), (3, 4, 5)),
    (3, 0): ((0, 1, 2),),
    (4, 0): ((0, 1, 2), (1, 3, 2)),
}


@dataclass(frozen=True, eq=False)
class Raster:
    """A linear map from nodal values to a regular grid.

    Attributes:
        axes: grid coordinates along each direction.
        corners, weights: for each grid point the nodes of the simplex around it and its barycentric coordinates, shape
            (points, d + 1); the weights of a point outside the mesh are NaN.
    """

    axes: tuple[Floats, ...]
    corners: np.ndarray
    weights: Floats

    def __call__(self, values: Floats) -> Floats:
        """Nodal values (..., nodes) -> (..., m_1, ..., m_d), NaN outside the mesh."""
        sampled = np.einsum("...pv,pv->...p", values[..., self.corners], self.weights)
        return sampled.reshape(*values.shape[:-1], *(len(axis) for axis in self.axes))


def rasterise(domain: Domain, size: int) -> Raster | None:
    """Collective: the raster of about ``size`` points along each direction on rank 0, None on the others.

    Nodes are in the order of ``gather``. In d = 2 and 3 the grid points of a uniform box are its nodes. Elsewhere the
    mesh's own cells are used in d = 2, so that holes stay holes, and a Delaunay mesh interpolates in d = 3.
    """
    nodes = gather_nodes(domain)
    own = domain.uniform_box and domain.dimension > 1
    triangles = gather_triangles(domain) if domain.dimension == 2 and not own else None
    (low, high) = domain.bounds
    if nodes is None:
        return None
    # Just inside the walls: a point on the wall may be outside by rounding.
    inset = 1e-9 * (high - low)
    axes = tuple(np.linspace(a, b, size) for a, b in zip(low + inset, high - inset, strict=True))
    if domain.dimension == 1:
        return _interval(nodes[:, 0], axes)
    if own:
        return _own_nodes(nodes)
    if triangles is not None:
        return _plane(nodes, triangles, axes)
    return _space(nodes, axes)


def gather_triangles(domain: Domain) -> np.ndarray | None:
    """Collective, d = 2: the mesh as triangles of nodes (in gathered order), shape (triangles, 3), on rank 0."""
    dofmap, cells = domain.V.dofmap, domain.mesh.topology.index_map(2).size_local
    corners = 3 if domain.mesh.topology.cell_name() == "triangle" else 4
    local = _TRIANGLES.get((corners, domain.degree), _TRIANGLES[corners, 0])
    dofs = dofmap.list[:cells][:, np.asarray(local)].reshape(-1).astype(np.int32)
    pieces = domain.comm.gather(dofmap.index_map.local_to_global(dofs).reshape(-1, 3))
    return None if pieces is None else np.concatenate(pieces)


def _interval(nodes: Floats, axes: tuple[Floats, ...]) -> Raster:
    order = np.argsort(nodes)
    right = np.clip(np.searchsorted(nodes[order], axes[0]), 1, len(nodes) - 1)
    corners = np.stack([order[right - 1], order[right]], axis=1)
    share = (axes[0] - nodes[corners[:, 0]]) / (nodes[corners[:, 1]] - nodes[corners[:, 0]])
    return Raster(axes, corners, np.stack([1 - share, share], axis=1))


def _plane(nodes: Floats, triangles: np.ndarray, axes: tuple[Floats, ...]) -> Raster:
    mesh = Triangulation(nodes[:, 0], nodes[:, 1], triangles)
    points = lattice(axes)
    found = np.asarray(mesh.get_trifinder()(points[:, 0], points[:, 1]))
    corners = mesh.triangles[found]
    origin, first, second = (nodes[corners[:, i]] for i in range(3))
    shares = np.linalg.solve(np.stack([first - origin, second - origin], axis=-1), (points - origin)[..., None])[..., 0]
    return Raster(axes, corners, _with_rest(shares, found))


def _space(nodes: Floats, axes: tuple[Floats, ...]) -> Raster:
    mesh = Delaunay(nodes)
    points = lattice(axes)
    found = mesh.find_simplex(points)
    affine = mesh.transform[found]
    shares = np.einsum("pij,pj->pi", affine[:, :3], points - affine[:, 3])
    weights = _with_rest(shares, found)
    return Raster(axes, mesh.simplices[found], np.roll(weights, -1, axis=1))


def _with_rest(shares: Floats, found: np.ndarray) -> Floats:
    """Barycentric coordinates with the dependent one first; NaN where no simplex was found."""
    weights = np.column_stack([1 - shares.sum(axis=1), shares])
    weights[found < 0] = np.nan
    return weights


def _own_nodes(nodes: Floats) -> Raster:
    order = lexicographic(nodes)
    axes = []
    for column in nodes.T:
        ordered = np.sort(column)
        axes.append(ordered[np.concatenate([[True], np.diff(ordered) > 1e-9 * np.ptp(ordered)])])
    return Raster(tuple(axes), order[:, None], np.ones((len(order), 1)))


class Pixels:
    """Points of a regular picture of feature space, or of a plane through it, the same on all ranks; collective.

    Attributes:
        axes: of the picture; points: those in the mesh, (n, d); inside: which of all of them these are.
    """

    def __init__(self, domain: Domain, size: int, plane: float | None = None) -> None:
        low, high = domain.bounds
        inset = 1e-9 * (high - low)  # a point on the wall may be outside by rounding
        lines = [np.linspace(a, b, size) for a, b in zip(low + inset, high - inset, strict=True)]
        self.axes = tuple(lines[:2])
        if plane is not None:
            lines[2] = np.array([plane])
        points = lattice(lines)
        self.inside = np.ones(len(points), dtype=bool)
        self.inside[locate(domain, points).outside] = False
        self.points = points[self.inside]

    def image(self, values: Floats) -> Floats:
        """Values (n, C) at the points as (C, pixels along each axis), NaN outside the mesh."""
        whole = np.full((len(self.inside), values.shape[1]), np.nan)
        whole[self.inside] = values
        return whole.T.reshape(-1, *(len(axis) for axis in self.axes))
