"""Nodal fields at points: values, gradients, and the nearest point of feature space."""

from __future__ import annotations

from typing import Any

import numpy as np
from dolfinx import geometry
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.point_location import geometry_element, locate


def fills_box(domain: Domain) -> bool:
    """Is feature space all of its bounding box, so that its nearest point to one outside is that of a box? Collective.

    In d = 1: is it one interval?
    """
    box = float(np.prod(np.subtract(*domain.bounds[::-1])))
    return abs(domain.volume - box) <= 1e-9 * box


def field_gradients(domain: Domain, fields: Floats, points: Floats) -> Floats:
    """Gradients of nodal fields (m, local nodes) at points (n, d) of the mesh, shape (n, m, d), each in the cell that
    ``locate`` finds; collective."""
    found = locate(domain, points)
    values = np.zeros((len(points), len(fields), domain.dimension))
    if len(found.rows):
        slopes = domain.V.element.basix_element.tabulate(1, found.reference)[1:, :, :, 0]
        nodes = domain.V.dofmap.list[found.cells]
        local = np.einsum("gki,mki->kmg", slopes, fields[:, nodes])
        # d/dx = d/dX J^-1, J = dx/dX
        values[found.rows] = local @ np.linalg.inv(_jacobians(domain, found.cells, found.reference))
    return summed(domain.comm, values)


def _jacobians(domain: Domain, cells: NDArray[np.int32], reference: Floats) -> Floats:
    """dx/dX at reference coordinates (k, d) of local cells (k,), shape (k, d, d)."""
    mesh = domain.mesh
    shape = geometry_element(mesh.topology.cell_type, mesh.geometry.cmaps[0])
    corners = mesh.geometry.x[mesh.geometry.dofmaps[0][cells]][:, :, : domain.dimension]
    return np.einsum("gki,kij->kjg", shape.tabulate(1, reference)[1:, :, :, 0], corners)


def checked_points(points: ArrayLike, dimension: int) -> Floats:
    """Points as an array (n, d).

    Raises:
        InputError: another dimension, or not finite.
    """
    try:
        x = np.atleast_2d(np.asarray(points, dtype=float))
    except (TypeError, ValueError):
        raise InputError("points are not a table of numbers") from None
    if x.ndim != 2 or x.shape[1] != dimension or not np.isfinite(x).all():
        raise InputError(f"points have shape {x.shape}, must be finite and (n, {dimension})")
    return x


def interpolate(domain: Domain, fields: Floats, points: Floats) -> Floats:
    """Values of nodal fields (m, local nodes) at points (n, d) of the mesh, shape (n, m); collective.

    Raises:
        InputError: a point outside the mesh.
    """
    found = locate(domain, points)
    if len(found.outside):
        row = int(found.outside[0])
        raise InputError(f"point {points[row].tolist()} (row {row + 1}) lies outside feature space")
    values = np.zeros((len(points), len(fields)))
    if len(found.rows):
        table = domain.V.element.basix_element.tabulate(0, found.reference)[0, :, :, 0]
        nodes = domain.V.dofmap.list[found.cells]
        values[found.rows] = np.einsum("ki,mki->km", table, fields[:, nodes])
    return summed(domain.comm, values)


def into(domain: Domain, points: Floats) -> Floats:
    """Points (n, d), those outside feature space moved to its nearest point; along periodic axes all are inside.

    Collective.
    """
    if domain.periodic:
        low, high = (corner.copy() for corner in domain.bounds)
        low[list(domain.periodic)], high[list(domain.periodic)] = -np.inf, np.inf
        return np.clip(points, low, high)
    if domain.uniform_box or fills_box(domain):
        return np.clip(points, *domain.bounds)
    inside = points.copy()
    outside = locate(domain, inside).outside
    if len(outside):
        inside[outside] = _nearest(domain, inside[outside])
    return inside


def _nearest(domain: Domain, points: Floats) -> Floats:
    """The points of the mesh nearest to points outside it, moved inwards by rounding."""
    mesh = domain.mesh
    tdim = mesh.topology.dim
    count = mesh.topology.index_map(tdim).size_local
    space = np.zeros((len(points), 3))
    space[:, : domain.dimension] = points
    best, gap = space.copy(), np.full(len(points), np.inf)
    if count:
        owned = np.arange(count, dtype=np.int32)
        tree, middle = geometry.bb_tree(mesh, tdim, entities=owned), geometry.create_midpoint_tree(mesh, tdim, owned)
        cells = geometry.compute_closest_entity(tree, middle, mesh, space)
        for i, cell in enumerate(cells):
            corners = mesh.geometry.x[mesh.geometry.dofmaps[0][cell]]
            shift = np.asarray(geometry.compute_distance_gjk(corners, space[i : i + 1])).reshape(-1)
            gap[i] = np.linalg.norm(shift)
            centre = corners.mean(axis=0)
            best[i] = space[i] + _towards(shift, space[i], centre)
    owners: Any = domain.comm.allgather(gap)
    winner = np.argmin(np.array(owners), axis=0)
    best[winner != domain.comm.rank] = 0.0
    return summed(domain.comm, best[:, : domain.dimension])


def _towards(shift: Floats, point: Floats, centre: Floats) -> Floats:
    """The shift onto a cell, and a little (1e-9 of the way) on towards its centre, so that rounding cannot miss it."""
    return shift + 1e-9 * (centre - point - shift)
