"""Feature meshes from files: whatever meshio reads, on one rank, distributed to all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import basix.ufl
import numpy as np
import ufl
from dolfinx import mesh as dmesh
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import MeshError
from hydrodl.common.parallel import on_root

# meshio's names of the cells hydrodl can use: cell type and the permutation from meshio's vertex order to DOLFINx's
_FILE_CELLS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "line": ("interval", (0, 1), 1),
    "triangle": ("triangle", (0, 1, 2), 2),
    "quad": ("quadrilateral", (0, 1, 3, 2), 2),
    "tetra": ("tetrahedron", (0, 1, 2, 3), 3),
    "hexahedron": ("hexahedron", (0, 1, 3, 2, 4, 5, 7, 6), 3),
}


_CORNERS = {(dim, len(order)): name for name, order, dim in _FILE_CELLS.values()}  # (dimension, vertices): cell type


_THIN = 1e-14  # volume of a cell at its vertices over the cube of its extent, below which it is taken for none


def read_mesh(path: Path, comm: MPI.Comm, dimension: int | None = None) -> dmesh.Mesh:
    """The mesh in a file, its cells of the highest dimension; collective.

    Raises:
        MeshError: on every rank; a file that cannot be used, or another dimension than the one given.
    """
    return mesh_of(f"mesh {path}", lambda: _read_mesh_file(path), comm, dimension)


def mesh_of(
    name: str, read: Callable[[], tuple[Floats, Ints]], comm: MPI.Comm, dimension: int | None = None
) -> dmesh.Mesh:
    """The mesh of vertices (n, d) and cells (m, vertices of a cell, in DOLFINx's order), distributed; collective.

    Args:
        name: what to call it in messages.
        read: gives both, is called on rank 0.
        comm: the ranks that share the mesh.
        dimension: that is needed.

    Raises:
        MeshError: on every rank; a mesh that cannot be used, or another dimension than the one given.
    """
    content: list[tuple[Floats, Ints]] = []

    def summary() -> tuple[str, int]:
        points, cells = read()
        content.append((points, cells))
        return _checked(name, points, cells), points.shape[1]

    cell, dim = on_root(comm, summary)
    if dimension is not None and dim != dimension:
        raise MeshError(f"{name} has dimension {dim}, the data need dimension {dimension}")
    corners = next(count for (_, count), kind in _CORNERS.items() if kind == cell)
    points, cells = content[0] if content else (np.zeros((0, dim)), np.zeros((0, corners), np.int64))
    element = ufl.Mesh(basix.ufl.element("Lagrange", cell, 1, shape=(dim,)))
    partitioner = dmesh.create_cell_partitioner(dmesh.GhostMode.none, 2)
    return dmesh.create_mesh(comm, cells, element, points, partitioner=partitioner)


def _checked(name: str, points: Floats, cells: Ints) -> str:
    """The type of the cells."""
    cell = _CORNERS.get((points.shape[-1], cells.shape[-1])) if points.ndim == cells.ndim == 2 and cells.size else None
    if cell is None:
        raise MeshError(f"{name} has vertices and cells of shapes {points.shape} and {cells.shape}, which are no cells")
    if not np.isfinite(points).all():
        raise MeshError(f"{name} has coordinates that are not finite")
    if cells.min() < 0 or cells.max() >= len(points):
        raise MeshError(f"{name} has cells with vertices out of range; it has {len(points)} vertices")
    if (flat := _flat(points[cells])) is not None:
        raise MeshError(f"{name} has a cell without volume, or folded over: number {flat}")
    return cell


def _flat(corners: Floats) -> int | None:
    """The first cell, of shape (vertices, d), whose map from the reference cell is not one to one at its vertices."""
    count, d = corners.shape[1:]
    box = count == 2**d  # vertex k has 1 in direction i of the reference cell where bit i of k is set
    pairs = [[(k & ~(1 << i), k | 1 << i) for i in range(d)] for k in range(count)] if box else []
    edges = pairs or [[(0, i + 1) for i in range(d)]]
    columns = [np.stack([corners[:, b] - corners[:, a] for a, b in each], axis=-1) for each in edges]
    volumes = np.array([np.linalg.det(each) for each in columns])
    size = np.ptp(corners, axis=1).max(axis=1) ** d
    wrong = ~((volumes > _THIN * size).all(axis=0) | (volumes < -_THIN * size).all(axis=0))
    return int(np.argmax(wrong)) if wrong.any() else None


def _read_mesh_file(path: Path) -> tuple[Floats, Ints]:
    """Vertices (n, d) and cells in DOLFINx's vertex order."""
    content = _meshio_read(path)
    blocks = [block for block in content.cells if block.type in _FILE_CELLS and len(block.data)]
    if not blocks:
        found = sorted({block.type for block in content.cells}) or ["no cells"]
        raise MeshError(f"mesh {path} holds {', '.join(found)}; allowed are {', '.join(_FILE_CELLS)}")
    dim = max(_FILE_CELLS[block.type][2] for block in blocks)
    kinds = {block.type for block in blocks if _FILE_CELLS[block.type][2] == dim}
    if len(kinds) > 1:
        raise MeshError(f"mesh {path} mixes {' and '.join(sorted(kinds))}; one kind of cell is allowed")
    kind = kinds.pop()
    _, order, _ = _FILE_CELLS[kind]
    cells = np.concatenate([block.data for block in blocks if block.type == kind])[:, order].astype(np.int64)
    used, cells = np.unique(cells, return_inverse=True)
    points = np.asarray(content.points, dtype=float)
    if used[0] < 0 or used[-1] >= len(points):
        raise MeshError(f"mesh {path} has cells with vertices out of range; it has {len(points)} vertices")
    points = points[used]
    if points.shape[1] < dim:
        raise MeshError(f"mesh {path} has {dim}-dimensional cells, its vertices have {points.shape[1]} coordinates")
    if not np.isfinite(points).all():
        raise MeshError(f"mesh {path} has coordinates that are not finite")
    if np.ptp(points[:, dim:], axis=0).any():
        raise MeshError(f"mesh {path} is a {dim}-dimensional surface in {points.shape[1]} dimensions; it must be flat")
    return np.ascontiguousarray(points[:, :dim]), cells.reshape(-1, len(order))


def _meshio_read(path: Path) -> Any:
    """meshio's Mesh; whatever goes wrong is a MeshError."""
    import meshio

    if not os.path.isfile(path):
        raise MeshError(f"mesh {path}: no such file")
    printed = StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):  # meshio prints why, and then ends the process
            return meshio.read(path)
    except (Exception, SystemExit) as error:
        reason = printed.getvalue() if isinstance(error, SystemExit) else str(error)
        reason = " ".join(reason.split()) or type(error).__name__
        raise MeshError(f"mesh {path} cannot be read: {reason}") from None
