"""Edges of cells as UFL expressions: what a flux along them needs of the fields at a point of the cell.

On intervals, quadrilaterals and hexahedra an edge stands for a direction of the reference cell, and the vertex rule
visits it from both of its ends. On simplices every point sees all edges of its cell, by fields that are linear there,
with the weights w_e = - grad lambda_i . grad lambda_j of the barycentric coordinates at its ends, since

    grad f . grad g = sum_e w_e (f_j - f_i)(g_j - g_i),      v . grad g = sum_e w_e (v . t_e)(g_j - g_i).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import basix
import numpy as np
import ufl
from dolfinx import cpp, fem
from dolfinx import mesh as dmesh
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats

Axes = tuple[int, ...] | None


SIMPLICES = (dmesh.CellType.triangle, dmesh.CellType.tetrahedron)


class Edge(Protocol):
    """An edge from i to j, at the fields of one point."""

    @property
    def weight(self) -> Any:
        """w_e, per unit of volume."""

    def flow(self, u: Any) -> Any:
        """u . t_e, with the mean of u over both ends."""

    def value(self, f: Any) -> Any:
        """(f_i + f_j) / 2, be it after summing over both ends."""

    def difference(self, f: Any) -> Any:
        """f_j - f_i."""


class Edges(Protocol):
    """The edges of a cell."""

    def __iter__(self) -> Iterator[Edge]: ...

    def remainder(self, f: Any, g: Any) -> Any:
        """grad f . grad g - sum_e w_e (f_j - f_i)(g_j - g_i): zero but on cells with slanting corners."""


@dataclass(frozen=True, eq=False)
class GradientEdge:
    """An edge seen by values and gradients at a point.

    Attributes:
        weight: w_e; tangent: t_e, from end to end; along: what u is multiplied with, t_e but on slanting corners.
        axis: from the point to the middle of the edge, on boxes of the line through the point along the edge.
        both_ends: does the vertex rule visit the edge from both of its ends?
    """

    weight: Any
    tangent: Any
    along: Any
    axis: Any
    both_ends: bool

    def flow(self, u: Any) -> Any:
        """u . t_e in the middle."""
        return ufl.dot(u + ufl.dot(ufl.grad(u), self.axis), self.along)

    def value(self, f: Any) -> Any:
        """f where the vertex rule visits both ends, else f in the middle."""
        return f if self.both_ends else f + ufl.dot(ufl.grad(f), self.axis)

    def difference(self, f: Any) -> Any:
        """grad f . t_e."""
        return ufl.dot(ufl.grad(f), self.tangent)


@dataclass(frozen=True, eq=False)
class GradientEdges:
    """The edges of the cells of a mesh, seen by values and gradients at a point.

    Attributes:
        edges: one a direction on boxes, all of them on simplices.
        slanting: may the corners of cells be other than right, so that there is a remainder?
    """

    edges: tuple[GradientEdge, ...]
    slanting: bool

    def __iter__(self) -> Iterator[GradientEdge]:
        return iter(self.edges)

    def remainder(self, f: Any, g: Any) -> Any:
        """See ``Edges``."""
        if not self.slanting:
            return ufl.zero()
        seen = sum(e.weight * e.difference(f) * e.difference(g) for e in self.edges)
        return ufl.dot(ufl.grad(f), ufl.grad(g)) - seen


def reference_edges(mesh: dmesh.Mesh) -> list[tuple[int, int]]:
    """The two corners of every edge of the reference cell, in the order of the mesh's connectivity."""
    cell = mesh.basix_cell()
    return [tuple(pair) for pair in basix.topology(cell)[1]] if mesh.topology.dim > 1 else [(0, 1)]


def gradient_edges(mesh: dmesh.Mesh, slanting: bool, axes: Axes) -> GradientEdges:
    """The edges of the cells of a mesh.

    Args:
        slanting: see :class:`GradientEdges`; axes: see :func:`jacobian`.
    """
    corners, J = basix.geometry(mesh.basix_cell()), jacobian(mesh, axes)
    K, X, d = ufl.JacobianInverse(mesh), _reference_point(mesh, corners), mesh.topology.dim
    made = []
    if mesh.topology.cell_type not in SIMPLICES:
        for a in range(d):
            unit, normal = np.eye(d)[a], ufl.as_vector([K[a, i] for i in range(d)])
            tangent = pushed(J, unit)
            weight = ufl.dot(normal, normal) if axes is None else 1 / J[axes[a]][a] ** 2
            along = normal / weight if slanting else tangent
            made.append(GradientEdge(weight, tangent, along, (0.5 - X[a]) * tangent, True))
        return GradientEdges(tuple(made), slanting)
    slopes = [-sum(K[r, :] for r in range(d)), *(K[r, :] for r in range(d))]
    for i, j in reference_edges(mesh):
        tangent, middle = pushed(J, corners[j] - corners[i]), pushed(J, (corners[i] + corners[j]) / 2)
        weight = -ufl.dot(slopes[i], slopes[j])
        made.append(GradientEdge(weight, tangent, tangent, middle - ufl.dot(ufl.Jacobian(mesh), X), False))
    return GradientEdges(tuple(made), False)


def jacobian(mesh: dmesh.Mesh, axes: Axes) -> list[list[Any]]:
    """The Jacobian of the cells' maps; direction r of the reference cell lies along axis axes[r], if that is known."""
    J, d = ufl.Jacobian(mesh), range(mesh.topology.dim)
    return [[J[i, r] if axes is None or i == axes[r] else ufl.zero() for r in d] for i in d]


def pushed(J: list[list[Any]], vector: Floats) -> Any:
    """J times constants, without the products with zero."""
    return ufl.as_vector([sum((row[r] * float(v) for r, v in enumerate(vector) if v), ufl.zero()) for row in J])


def _reference_point(mesh: dmesh.Mesh, corners: NDArray[np.float64]) -> fem.Function:
    """Coordinates in the reference cell, as a field that is linear (multilinear) on every cell."""
    function = fem.Function(fem.functionspace(mesh, ("DG", 1, (mesh.topology.dim,))))
    function.x.array.reshape(-1, *corners.shape)[:] = fem.functionspace(mesh, ("DG", 1)).element.basix_element.points
    return function


def longest_edges(mesh: dmesh.Mesh) -> fem.Function:
    """The length of the longest edge of each cell, a cell-wise constant."""
    tdim = mesh.topology.dim
    mesh.topology.create_connectivity(tdim, 1)
    cells = mesh.topology.index_map(tdim)
    count = cells.size_local + cells.num_ghosts
    h = fem.Function(fem.functionspace(mesh, ("DG", 0)), name="h")
    if tdim == 1:
        h.x.array[:] = mesh.h(1, np.arange(count, dtype=np.int32))
        return h
    mesh.topology.create_entities(1)
    mesh.topology.create_connectivity(1, tdim)
    edges = mesh.topology.index_map(1)
    edges_per_cell = cpp.mesh.cell_num_entities(mesh.topology.cell_type, 1)
    lengths = mesh.h(1, np.arange(edges.size_local + edges.num_ghosts, dtype=np.int32))
    cell_edges = mesh.topology.connectivity(tdim, 1).array.reshape(count, edges_per_cell)
    h.x.array[:] = lengths[cell_edges].max(axis=1)
    return h
