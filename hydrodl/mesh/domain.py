"""The (layer, feature) domain: a mesh of feature space and a partition of depth.

Two families of elements live here: those of degree 1 carry the vertex rule (lumped mass), the family with a maximum
principle (on simplices where they are Delaunay, see ``monotone``); those of higher degree carry consistent quadrature.
The choice is one flag, ``lumped``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import summed
from hydrodl.mesh.bounding_box import CELLS, DEGREE, MARGIN, box_around, corners
from hydrodl.mesh.box_mesh import BOX_CELLS, box_mesh
from hydrodl.mesh.cell_edges import GradientEdges, gradient_edges, longest_edges
from hydrodl.mesh.edge_weights import EdgeWeights, edge_weights
from hydrodl.mesh.form_compiler import check_compiler
from hydrodl.mesh.mesh_file import read_mesh
from hydrodl.mesh.node_order import grid_ranks, renumbered
from hydrodl.mesh.periodic import SharedNodes, shared_nodes, wrapped


@dataclass(frozen=True, eq=False, repr=False)
class Domain(Card):
    """Feature space: a mesh with Lagrange elements of one degree, d = 1, 2 or 3.

    Attributes:
        mesh: the DOLFINx mesh, distributed over ``mesh.comm``.
        degree: polynomial degree of densities, potentials and velocity components.
        lumped: integrate products with the vertex rule (mass lumping); degree 1 only, where it is the default: so
            densities stay non-negative where ``monotone``.
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
    lumped: bool = None  # type: ignore[assignment]  # settled at once
    uniform_box: bool = False
    periodic: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        DEGREE.check("element degree", self.degree)
        if self.lumped is None:
            object.__setattr__(self, "lumped", self.degree == 1)
        for thing, wanted in (("the vertex rule", self.lumped), ("a periodic box", self.periodic)):
            if wanted and self.degree > 1:
                raise InputError(f"{thing} needs elements of degree 1, got degree {self.degree}")
        check_compiler()
        _ = self.bounds, self.V  # collective, so never left to whoever asks first, who might be one rank alone

    def __str__(self) -> str:
        kind = "uniform box" if self.uniform_box else "mesh"
        return f"{kind} in d = {self.dimension}, {self.nodes} nodes"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        walls = zip(*self.bounds, strict=True)
        return {
            "dimension": self.dimension,
            "nodes": self.nodes,
            "box": " x ".join(f"[{low:.4g}, {high:.4g}]" for low, high in walls),
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
            degree, lumped: of the elements, see :class:`Domain`.
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
        made, axes = box_mesh(comm, lower, upper, nodes, cells, periodic)
        whole = cells == "box" and not axes
        return cls(made, degree, lumped, whole, axes)  # type: ignore[arg-type]

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
                dimensions. One number gives lifted directions (``Preprocessing.lift``) nodes at the others' spacing.
            spacing: in place of nodes: the most between two of them, in the units of the points; see
                :func:`hydrodl.spacing_for`.
            margin: distance from the outermost points to the walls, nonnegative, one number or d of them.

        Raises:
            InputError: no points, a negative margin, nodes and a spacing, or what :meth:`box` raises.
        """
        low, high, counts = box_around(samples, nodes, spacing, margin)
        return cls.box(low, high, counts, cells=cells, degree=degree, comm=comm)

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
            degree, lumped, comm: as in :meth:`box`.
            dimension: the feature dimension that is needed, checked when given.

        Raises:
            MeshError: missing or unreadable file, no usable or mixed cells, the wrong dimension; cells without volume,
                that overlap or do not share whole sides; several pieces; a surface that is not flat, or turned.
        """
        return cls(read_mesh(Path(path), comm, dimension), degree, lumped)  # type: ignore[arg-type]

    @cached_property
    def V(self) -> fem.FunctionSpace:
        """The scalar space of densities, potentials and each velocity component."""
        return self.space()

    def space(self, size: int | None = None) -> fem.FunctionSpace:
        """Functions with ``size`` components (None: scalar) at the nodes, which are numbered alike in all of them.

        Where one rank has all of a uniform box of degree 1, they are numbered as on the grid, x_1 slowest.
        """
        made = fem.functionspace(self.mesh, ("Lagrange", self.degree, () if size is None else (size,)))
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
        return self.uniform_box or bool(self.periodic and self.mesh.topology.cell_type in BOX_CELLS.values())

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
        return wrapped(self.V.tabulate_dof_coordinates()[:, : self.dimension], *self.bounds, self.periodic)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper corner of the bounding box of the whole mesh, each of shape (d,)."""
        return corners(self.mesh)

    @cached_property
    def volume(self) -> float:
        """Volume of feature space (length in d = 1, area in d = 2)."""
        return float(summed(self.comm, fem.assemble_scalar(fem.form(fem.Constant(self.mesh, 1.0) * self.dx))))

    @cached_property
    def edge_weights(self) -> EdgeWeights:
        """Weights of the edges, and how many rule out a maximum principle; collective at first use."""
        return edge_weights(self.mesh)

    @cached_property
    def edges(self) -> GradientEdges:
        """The edges of the cells, for fluxes along them in UFL; collective at first use."""
        found = self.edge_weights
        return gradient_edges(self.mesh, not found.simplices and found.wrong > 0, found.axes)

    @property
    def monotone(self) -> bool:
        """Do edge-averaged fluxes keep densities non-negative here, for any velocity? Collective at first use.

        So it is with the vertex rule on intervals, boxes of right angles, Delaunay triangles, and tetrahedra whose
        dihedral angles at an edge are on the whole not obtuse; ``edge_weights`` counts the exceptions.

        Example:
            >>> hd.Domain.box([0, 0], [1, 1], 5, cells="simplex").monotone
            True
        """
        return self.lumped and self.edge_weights.wrong == 0

    @cached_property
    def edge_length(self) -> fem.Function:
        """h: the largest edge of each cell, a cell-wise constant."""
        return longest_edges(self.mesh)
