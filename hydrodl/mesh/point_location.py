"""Which cell of the mesh holds a point, and where in the reference cell: vectorised over points, shared by ranks."""

from __future__ import annotations

from typing import Any, NamedTuple

import basix
import numpy as np
from dolfinx import geometry
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import smallest
from hydrodl.mesh.domain import Domain

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

    A point on the border of several ranks goes to the lowest of them. Cost: O(n log cells) on each rank.

    Raises:
        InputError: points of another dimension than the mesh.
    """
    if points.ndim != 2 or points.shape[1] != domain.dimension:
        raise InputError(f"points have shape {points.shape}, must be (n, {domain.dimension})")
    rows, cells, reference = _locate_here(domain, points)
    keeper = np.full(len(points), domain.comm.size, dtype=np.int64)
    keeper[rows] = domain.comm.rank
    keeper = smallest(domain.comm, keeper)
    mine = keeper[rows] == domain.comm.rank
    return Located(rows[mine], cells[mine], reference[mine], np.flatnonzero(keeper == domain.comm.size))


def _locate_here(domain: Domain, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
    """Points in cells that this rank owns."""
    rows, cells = _candidates(domain, points)
    reference, excess = _pull_back(domain, cells, points[rows])
    # Of the candidates of a point the cell it is deepest in; bounding boxes overlap, cells only share faces.
    order = np.lexsort([excess, rows])
    order = order[excess[order] <= _ROUNDING]
    unique, first = np.unique(rows[order], return_index=True)
    chosen = order[first]
    return unique, cells[chosen], reference[chosen]


def _candidates(domain: Domain, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Pairs (point, owned cell) such that the bounding box of the cell holds the point."""
    mesh = domain.mesh
    owned = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
    if not len(owned) or not len(points):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    padding = _ROUNDING * float(np.ptp(mesh.geometry.x, axis=0).max())
    tree = geometry.bb_tree(mesh, mesh.topology.dim, padding=padding, entities=owned)
    space = np.zeros((len(points), 3))
    space[:, : domain.dimension] = points
    pairs = geometry.compute_collisions_points(tree, space)
    return np.repeat(np.arange(len(points)), np.diff(pairs.offsets)), np.asarray(pairs.array, dtype=np.int32)


def _pull_back(domain: Domain, cells: NDArray[np.int32], points: Floats) -> tuple[Floats, Floats]:
    """Reference coordinates (k, d) of point k in cell k by Newton's method, and how far outside the cell it is (k,)."""
    mesh = domain.mesh
    kind = mesh.topology.cell_type
    shape = geometry_element(kind, mesh.geometry.cmaps[0])
    corners = mesh.geometry.x[mesh.geometry.dofmaps[0][cells]][:, :, : domain.dimension]
    box = basix.geometry(shape.cell_type)[-1].sum() > 1.5 or domain.dimension == 1
    reference = np.full(points.shape, 0.5 if box else 1 / (domain.dimension + 1))
    residual = np.full(len(points), np.inf)
    for _ in range(12):  # exact after one step on affine cells
        table = shape.tabulate(1, reference)[:, :, :, 0]
        miss = points - np.einsum("ki,kij->kj", table[0], corners)
        jacobian = np.einsum("gki,kij->kjg", table[1:], corners)
        # Outside its cell a bilinear map may fold; such a pair is no hit whatever the step.
        folded = ~(np.abs(np.linalg.det(jacobian)) > 0)
        jacobian[folded] = np.eye(domain.dimension)
        step = np.linalg.solve(jacobian, miss[:, :, None])[:, :, 0]
        reference = np.clip(reference + step, -2.0, 3.0)
        residual = np.where(folded, np.inf, np.abs(step).max(axis=1, initial=0.0))
        if (residual <= 1e-13).all():
            break
    inside = _nearest_inside(reference, box)
    excess = np.abs(reference - inside).max(axis=1, initial=0.0)
    return inside, np.where(residual <= _ROUNDING, excess, np.inf)


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
