"""The (layer, feature) domain: a mesh of feature space and a partition of depth.

Two families of elements live here. Boxes of intervals, quadrilaterals or hexahedra, and mesh files, carry elements of
degree 1 with the vertex rule (lumped mass), the family with a maximum principle (on simplices where they are Delaunay,
see ``monotone``); boxes of simplices and elements of higher degree carry consistent quadrature. The choice is one flag,
``lumped``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import ufl
from dolfinx import cpp as _cpp
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest, smallest, summed
from hydrodl.common.parameters import POSITIVE
from hydrodl.mesh.bounding_box import CELLS, DEGREE, MARGIN, around, box_nodes, check_shape, nodes_at
from hydrodl.mesh.cell_edges import GradientEdges, gradient_edges
from hydrodl.mesh.edge_weights import EdgeWeights, edge_weights
from hydrodl.mesh.form_compiler import check_compiler
from hydrodl.mesh.mesh_file import read_mesh
from hydrodl.mesh.node_order import grid_ranks, renumbered
from hydrodl.mesh.periodic import SharedNodes, shared_nodes, wrapped

_BOX_CELLS = {1: dmesh.CellType.interval, 2: dmesh.CellType.quadrilateral, 3: dmesh.CellType.hexahedron}


_SIMPLEX_CELLS = {1: dmesh.CellType.interval, 2: dmesh.CellType.triangle, 3: dmesh.CellType.tetrahedron}


@dataclass(frozen=True, eq=False, repr=False)
class Domain(Card):
    """Feature space: a mesh with Lagrange elements of one degree, d = 1, 2 or 3.

    Attributes:
        mesh: the DOLFINx mesh, distributed over ``mesh.comm``.
        degree: polynomial degree of densities, potentials and velocity components.
        lumped: integrate products with the vertex rule (mass lumping); degree 1 only.
        uniform_box: the mesh is an axis-parallel box of equal axis-parallel cells, between walls.
        periodic: axes along which the mesh, a box of equal cells, has no walls; opposite sides are one.

    Raises:
        InputError: a degree out of range, or lumping, or periodic axes, asked for at degree > 1.

    Example:
        >>> square = hd.Domain.box([0, 0], [1, 2], nodes=[5, 9])
        >>> square.dimension, square.nodes, square.volume
        (2, 45, 2.0)
    """

    mesh: dmesh.Mesh
    degree: int = DEGREE.default
    lumped: bool = False
    uniform_box: bool = False
    periodic: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        DEGREE.check("element degree", self.degree)
        if self.lumped and self.degree > 1:
            raise InputError(f"the vertex rule needs elements of degree 1, got degree {self.degree}")
        if self.periodic and self.degree > 1:
            raise InputError(f"a periodic box needs elements of degree 1, got degree {self.degree}")
        check_compiler()
        # collective, so never left to whoever asks first, who might be one rank alone
        _ = self.bounds, self.V

    def __str__(self) -> str:
        kind = "uniform box" if self.uniform_box else "mesh"
        return f"{kind} in d = {self.dimension}, {self.nodes} nodes"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        corners = zip(*self.bounds, strict=True)
        return {
            "dimension": self.dimension,
            "nodes": self.nodes,
            "box": " x ".join(f"[{low:.4g}, {high:.4g}]" for low, high in corners),
            "cells": f"{self.mesh.topology.index_map(self.dimension).size_global} {self.mesh.topology.cell_type.name}",
            "elements": f"degree {self.degree}, {'vertex rule' if self.lumped else 'consistent mass'}",
            "ranks": self.comm.size,
        }

    @classmethod
    def interval(
        cls,
        lower: float,
        upper: float,
        nodes: int,
        *,
        degree: int = DEGREE.default,
        lumped: bool | None = None,
        periodic: bool = False,
        comm: MPI.Comm = MPI.COMM_WORLD,
    ) -> Domain:
        """Uniform mesh of [lower, upper] with ``nodes`` vertices; see :meth:`box`."""
        return cls.box([lower], [upper], nodes, degree=degree, lumped=lumped, periodic=periodic, comm=comm)

    @classmethod
    def box(
        cls,
        lower: ArrayLike,
        upper: ArrayLike,
        nodes: int | Sequence[int],
        *,
        cells: str = CELLS.default,
        degree: int = DEGREE.default,
        lumped: bool | None = None,
        periodic: bool | Sequence[bool] = False,
        comm: MPI.Comm = MPI.COMM_WORLD,
    ) -> Domain:
        """Uniform mesh of an axis-parallel box.

        Args:
            lower, upper: opposite corners, shape (d,).
            nodes: nodes per direction, one number or d of them, each at least 2; without walls there are as many cells
                as nodes, and at least 3.
            cells: "box" (intervals, quadrilaterals, hexahedra) or "simplex".
            degree: Lagrange degree.
            lumped: vertex rule; default True for box cells of degree 1, else False.
            periodic: whether opposite walls are one, for all directions or each; for the box schemes.
            comm: the MPI communicator that shares the mesh.

        Raises:
            InputError: corners of different or wrong length, lower >= upper, too few nodes, unknown cells,
                cells too flat, or too small beside their coordinates, for double precision.

        Example:
            >>> torus = hd.Domain.box([0, 0], [1, 1], nodes=[5, 9], periodic=True)
            >>> torus.nodes, torus.volume
            (45, 1.0)
        """
        low, high = (np.atleast_1d(np.asarray(corner, dtype=float)) for corner in (lower, upper))
        if low.shape != high.shape or low.ndim != 1 or low.size not in (1, 2, 3):
            given = f"got {low.tolist()} and {high.tolist()}"
            raise InputError(f"corners of a box need d = 1, 2 or 3 numbers each, {given}")
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
            raise InputError(f"the box needs lower < upper in every direction, got {low.tolist()} and {high.tolist()}")
        counts = np.asarray(nodes)
        if counts.dtype.kind not in "iu" or (counts < 2).any():
            raise InputError(f"nodes is {nodes}, must be whole numbers of at least 2 per feature direction")
        if counts.shape not in ((), low.shape):
            raise InputError(f"nodes is {nodes}, must be one number or {low.size}, one per feature direction")
        CELLS.check("cells", cells)
        axes = _periodic_axes(periodic, np.broadcast_to(counts, low.shape))
        counts = np.broadcast_to(counts, low.shape) + np.isin(np.arange(low.size), axes)  # vertices
        check_shape(low, high, counts)
        robust = cells == "box" and degree == 1
        kind = (_BOX_CELLS if cells == "box" else _SIMPLEX_CELLS)[low.size]
        divisions = [int(n) - 1 for n in counts]
        # Nothing here integrates over interior facets, so ghost cells would only cost memory and messages.
        ghosts = dmesh.GhostMode.none
        if low.size == 1:
            made = dmesh.create_interval(comm, divisions[0], [low[0], high[0]], ghost_mode=ghosts)
        elif low.size == 2:
            made = dmesh.create_rectangle(comm, [low, high], divisions, kind, ghost_mode=ghosts)
        else:
            made = dmesh.create_box(comm, [low, high], divisions, kind, ghost_mode=ghosts)
        whole = cells == "box" and not axes
        return cls(made, degree, robust if lumped is None else lumped, uniform_box=whole, periodic=axes)

    @classmethod
    def around(
        cls,
        samples: Any,
        nodes: int | Sequence[int] | None = None,
        *,
        spacing: float | None = None,
        margin: float | Sequence[float] = MARGIN.default,
        degree: int = DEGREE.default,
        cells: str = CELLS.default,
        comm: MPI.Comm = MPI.COMM_WORLD,
    ) -> Domain:
        """The box that holds all sample points and ``margin`` (standardised units) around them.

        Args:
            samples: a ``Samples`` (its standardised ``points`` are used) or an array of shape (n, d).
            nodes, degree, cells, comm: as in :meth:`box`; None: 121, 41 or 17 per direction of the data in 1, 2 or 3
                dimensions. One number gives lifted directions, see
                ``Preprocessing.lift``, as many nodes as the others' spacing takes there.
            spacing: in place of nodes: the most between two of them, in the units of the points; see
                :func:`hydrodl.spacing_for`.
            margin: distance from the outermost points to the walls, nonnegative, one number or d of them.

        Raises:
            InputError: no points, a negative margin, nodes and a spacing, or what :meth:`box` raises.
        """
        points = np.atleast_2d(np.asarray(getattr(samples, "points", samples), dtype=float))
        if points.size == 0:
            raise InputError("a domain around no sample points: at least one is needed")
        low, high = around(points, margin)
        lift = getattr(getattr(samples, "preprocessing", None), "lift", 0)
        if spacing is not None:
            POSITIVE.check("spacing", spacing)
            if nodes is not None:
                raise InputError(f"nodes is {nodes} and spacing {spacing}: give one of them")
            nodes = nodes_at(spacing, low, high, lift)
        return cls.box(low, high, box_nodes(nodes, low, high, lift), cells=cells, degree=degree, comm=comm)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        degree: int = DEGREE.default,
        lumped: bool | None = None,
        dimension: int | None = None,
        comm: MPI.Comm = MPI.COMM_WORLD,
    ) -> Domain:
        """Any mesh file that meshio reads (gmsh .msh, XDMF, VTU, ...); cells of the highest dimension are used.

        Cells of higher order are read by their corners; cells listed twice count once; vertices at one place are one,
        with a warning. A flat mesh in more coordinates keeps those in which it extends.

        Args:
            path: the file; read on one rank, then distributed.
            degree, comm: as in :meth:`box`.
            lumped: vertex rule; default True for degree 1, so that densities stay non-negative where ``monotone``.
            dimension: the feature dimension that is needed, checked when given.

        Raises:
            MeshError: missing or unreadable file, no usable or mixed cells, the wrong dimension; cells without volume,
                that overlap or do not share whole sides; several pieces; a surface that is not flat, or turned.
        """
        made = read_mesh(Path(path), comm, dimension)
        return cls(made, degree, degree == 1 if lumped is None else lumped)

    @cached_property
    def V(self) -> fem.FunctionSpace:
        """The scalar space of densities, potentials and each velocity component."""
        return self.space()

    def space(self, size: int | None = None) -> fem.FunctionSpace:
        """Functions with ``size`` components (None: scalar) at the nodes, which are numbered alike in all of them.

        Where one rank has all of a uniform box of degree 1, they are numbered as on the grid, x_1 slowest.
        """
        shape = () if size is None else (size,)
        made = fem.functionspace(self.mesh, ("Lagrange", self.degree, shape))
        if self.periodic:
            return self.shared.space(made)
        if not self.uniform_box or self.degree > 1 or self.comm.size > 1:
            return made
        return renumbered(made, grid_ranks(made.tabulate_dof_coordinates()[:, : self.dimension]))

    @cached_property
    def shared(self) -> SharedNodes:
        """Where the nodes of the mesh are among those of a periodic box; collective at first use."""
        return shared_nodes(fem.functionspace(self.mesh, ("Lagrange", 1)), self.periodic, *self.bounds)

    @cached_property
    def dx(self) -> ufl.Measure:
        """The quadrature rule (.,.)_h in which the whole action is written."""
        if self.lumped:
            rule = {"quadrature_rule": "vertex", "quadrature_degree": 1}
        else:  # exact for rho u . grad phi on affine cells
            rule = {"quadrature_degree": 3 * self.degree}
        return ufl.Measure("dx", domain=self.mesh, metadata=rule)

    @property
    def regular(self) -> bool:
        """A box of equal axis-parallel box cells, with walls or without."""
        return self.uniform_box or bool(self.periodic and self.mesh.topology.cell_type in _BOX_CELLS.values())

    @property
    def robust(self) -> bool:
        """A uniform box of degree 1 with the vertex rule: what the layer-map schemes are for."""
        return self.uniform_box and self.lumped and self.degree == 1

    @property
    def comm(self) -> MPI.Comm:
        """The MPI communicator of the mesh."""
        return self.mesh.comm

    @property
    def dimension(self) -> int:
        """Number d of feature directions."""
        return int(self.mesh.geometry.dim)

    @property
    def nodes(self) -> int:
        """Global number of nodes (degrees of freedom of one scalar field)."""
        return int(self.V.dofmap.index_map.size_global)

    @property
    def owned(self) -> int:
        """Number of nodes this rank owns."""
        return int(self.V.dofmap.index_map.size_local)

    @cached_property
    def coordinates(self) -> Floats:
        """Coordinates of this rank's nodes, owned first, then ghosts; shape (local nodes, d)."""
        points = np.ascontiguousarray(self.V.tabulate_dof_coordinates()[:, : self.dimension])
        return wrapped(points, *self.bounds, self.periodic)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper corner of the bounding box of the whole mesh, each of shape (d,)."""
        x = self.mesh.geometry.x[:, : self.dimension]
        low = x.min(axis=0) if len(x) else np.full(self.dimension, np.inf)
        high = x.max(axis=0) if len(x) else np.full(self.dimension, -np.inf)
        return smallest(self.comm, low), largest(self.comm, high)

    @cached_property
    def volume(self) -> float:
        """Volume of feature space (length in d = 1, area in d = 2)."""
        local = fem.assemble_scalar(fem.form(fem.Constant(self.mesh, 1.0) * self.dx))
        return float(summed(self.comm, local))

    @cached_property
    def edge_weights(self) -> EdgeWeights:
        """Weights of the edges, and how many rule out a maximum principle; collective at first use."""
        return edge_weights(self.mesh)

    @cached_property
    def edges(self) -> GradientEdges:
        """The edges of the cells, for fluxes along them in UFL; collective at first use."""
        weights = self.edge_weights
        return gradient_edges(self.mesh, not weights.simplices and weights.wrong > 0, weights.axes)

    @property
    def monotone(self) -> bool:
        """Do edge-averaged fluxes keep densities non-negative here, for any velocity? Collective at first use.

        So it is with the vertex rule on intervals, boxes of right angles, Delaunay triangles, and tetrahedra whose
        dihedral angles at an edge are on the whole not obtuse; ``edge_weights`` counts the exceptions.

        Example:
            >>> hd.Domain.box([0, 0], [1, 1], 5, cells="simplex", lumped=True).monotone
            True
        """
        return self.lumped and self.edge_weights.wrong == 0

    @cached_property
    def edge_length(self) -> fem.Function:
        """h: the largest edge of each cell, a cell-wise constant."""
        tdim = self.mesh.topology.dim
        self.mesh.topology.create_connectivity(tdim, 1)
        cells = self.mesh.topology.index_map(tdim)
        count = cells.size_local + cells.num_ghosts
        h = fem.Function(fem.functionspace(self.mesh, ("DG", 0)), name="h")
        if tdim == 1:
            h.x.array[:] = self.mesh.h(1, np.arange(count, dtype=np.int32))
            return h
        self.mesh.topology.create_entities(1)
        self.mesh.topology.create_connectivity(1, tdim)
        edges = self.mesh.topology.index_map(1)
        edges_per_cell = _cpp.mesh.cell_num_entities(self.mesh.topology.cell_type, 1)
        lengths = self.mesh.h(1, np.arange(edges.size_local + edges.num_ghosts, dtype=np.int32))
        cell_edges = self.mesh.topology.connectivity(tdim, 1).array.reshape(count, edges_per_cell)
        h.x.array[:] = lengths[cell_edges].max(axis=1)
        return h


def _periodic_axes(periodic: bool | Sequence[bool], nodes: Any) -> tuple[int, ...]:
    """The axes without walls."""
    given = np.asarray(periodic)
    if given.dtype != bool or given.shape not in ((), nodes.shape):
        raise InputError(f"periodic is {periodic}, must be True or False, or {len(nodes)} of them, one per direction")
    axes = np.flatnonzero(np.broadcast_to(given, nodes.shape))
    if len(axes) and (few := nodes[axes].min()) < 3:
        raise InputError(f"nodes is {few} along a periodic direction, must be at least 3")
    return tuple(int(a) for a in axes)
