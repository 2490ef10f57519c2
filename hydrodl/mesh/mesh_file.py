"""Feature meshes from files: whatever meshio reads, on one rank, distributed to all."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import basix.ufl
import numpy as np
import ufl
from dolfinx import mesh as dmesh
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import MeshError
from hydrodl.common.parallel import on_root
from hydrodl.common.text import shown
from hydrodl.mesh.mesh_checks import checked_mesh

# meshio's names of the cells hydrodl can use: cell type and the permutation from meshio's vertex order to DOLFINx's
_FILE_CELLS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "line": ("interval", (0, 1), 1),
    "triangle": ("triangle", (0, 1, 2), 2),
    "quad": ("quadrilateral", (0, 1, 3, 2), 2),
    "tetra": ("tetrahedron", (0, 1, 2, 3), 3),
    "hexahedron": ("hexahedron", (0, 1, 3, 2, 4, 5, 7, 6), 3),
}


_CORNERS = {(dim, len(order)): name for name, order, dim in _FILE_CELLS.values()}  # (dimension, vertices): cell type


_FLAT = 1e-9  # of its extent: how far a mesh may leave its plane or line


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
        MeshError: on every rank; a mesh that cannot be used, see :func:`checked_mesh`, or another dimension than the
            one given.
    """
    content: list[tuple[Floats, Ints]] = []

    def summary() -> tuple[str, int]:
        cell, points, cells = _checked(name, *read())
        content.append((points, cells))
        return cell, points.shape[1]

    cell, dim = on_root(comm, summary)
    if dimension is not None and dim != dimension:
        raise MeshError(f"{name} has dimension {dim}, the data need dimension {dimension}")
    corners = next(count for (_, count), kind in _CORNERS.items() if kind == cell)
    points, cells = content[0] if content else (np.zeros((0, dim)), np.zeros((0, corners), np.int64))
    element = ufl.Mesh(basix.ufl.element("Lagrange", cell, 1, shape=(dim,)))
    partitioner = dmesh.create_cell_partitioner(dmesh.GhostMode.none, 2)
    return dmesh.create_mesh(comm, cells, element, points, partitioner=partitioner)


def _checked(name: str, points: Floats, cells: Ints) -> tuple[str, Floats, Ints]:
    """The type of the cells; vertices and cells, mended where that is plain."""
    cell = _CORNERS.get((points.shape[-1], cells.shape[-1])) if points.ndim == cells.ndim == 2 and cells.size else None
    if cell is None:
        raise MeshError(f"{name} has vertices and cells of shapes {points.shape} and {cells.shape}, which are no cells")
    if cells.min() < 0 or cells.max() >= len(points):
        raise MeshError(f"{name} has cells with vertices out of range; it has {len(points)} vertices")
    points, cells, merged = checked_mesh(name, points, cells)
    if merged:
        warnings.warn(f"{name}: {merged} vertices at the place of others are taken for these", RuntimeWarning, 2)
    return cell, points, cells


def _read_mesh_file(path: Path) -> tuple[Floats, Ints]:
    """Vertices (n, d) and cells in DOLFINx's vertex order."""
    content = _meshio_read(path)
    try:
        return _vertices_and_cells(path, content)
    except (ArithmeticError, TypeError, ValueError) as error:  # meshio checks no numbers
        raise MeshError(f"mesh {path} cannot be read: {error}") from None


def _vertices_and_cells(path: Path, content: Any) -> tuple[Floats, Ints]:
    blocks = [(kind, block.data) for block in content.cells if (kind := _kind(block.type)) and len(block.data)]
    if not blocks:
        found = sorted({block.type for block in content.cells}) or ["no cells"]
        raise MeshError(f"mesh {path} holds {', '.join(found)}; allowed are {', '.join(_FILE_CELLS)}")
    dim = max(_FILE_CELLS[kind][2] for kind, _ in blocks)
    kinds = {kind for kind, _ in blocks if _FILE_CELLS[kind][2] == dim}
    if len(kinds) > 1:
        raise MeshError(f"mesh {path} mixes {' and '.join(sorted(kinds))}; one kind of cell is allowed")
    kind = kinds.pop()
    _, order, _ = _FILE_CELLS[kind]
    # corners come first in cells of any order
    cells = np.concatenate([data[:, order] for found, data in blocks if found == kind]).astype(np.int64)
    used, cells = np.unique(cells, return_inverse=True)
    points = np.asarray(content.points, dtype=float)
    if used[0] < 0 or used[-1] >= len(points):
        raise MeshError(f"mesh {path} has cells with vertices out of range; it has {len(points)} vertices")
    points = points[used]
    if points.shape[1] < dim:
        raise MeshError(f"mesh {path} has {dim}-dimensional cells, its vertices have {points.shape[1]} coordinates")
    if not np.isfinite(points).all():
        raise MeshError(f"mesh {path} has coordinates that are not finite")
    return _in_its_plane(path, points, dim), cells.reshape(-1, len(order))


def _kind(name: str) -> str | None:
    """meshio's name of the linear cell with the same corners, if it is one of those that can be used."""
    found = re.fullmatch(r"([a-z]+)\d*", name)
    return found[1] if found and found[1] in _FILE_CELLS else None


def _in_its_plane(path: Path, points: Floats, dim: int) -> Floats:
    """The ``dim`` coordinates in which the mesh extends, where it is flat in the others."""
    extent = np.ptp(points, axis=0)
    wide = np.flatnonzero(extent > _FLAT * extent.max())
    if len(wide) <= dim:  # a mesh without extent is refused for its cells
        kept = wide if len(wide) == dim else np.arange(dim)
        return np.ascontiguousarray(points[:, kept])
    unit = (points - points.mean(axis=0)) / extent.max()
    heights = np.linalg.svd(unit, full_matrices=False, compute_uv=False)[dim:] / np.sqrt(len(points))
    if (heights > _FLAT).any():
        raise MeshError(f"mesh {path} is a {dim}-dimensional surface in {points.shape[1]} dimensions; it must be flat")
    raise MeshError(
        f"mesh {path} is flat, but turned in {points.shape[1]} dimensions, so that its coordinates are no features; "
        f"turn it so that only {dim} of them vary"
    )


def _check_alone(path: Path) -> None:
    """Raise MeshError if an Abaqus file includes another one: that may be a device, or a file of another folder."""
    if path.suffix.lower() != ".inp":
        return
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.partition(",")[0].strip().replace("*", "").upper() == "INCLUDE":  # as meshio sees it
                raise MeshError(f"mesh {path} includes another file ({shown(line.strip())}); write them as one")


def _check_beside(path: Path) -> None:
    """Raise MeshError if an XDMF file takes its numbers from anywhere but files beside it: a device, another folder."""
    if path.suffix.lower() not in (".xdmf", ".xmf"):
        return
    home = path.resolve().parent
    for item in ElementTree.parse(path).iter("DataItem"):
        if item.get("Format") not in ("HDF", "Binary"):
            continue
        named = (item.text or "").strip()
        named = named.rpartition(":")[0] if item.get("Format") == "HDF" else named
        found = (home / named).resolve()
        if found.parent != home or not found.is_file():
            raise MeshError(f"mesh {path} takes numbers from {shown(named)}, which must be a file beside it")


def _meshio_read(path: Path) -> Any:
    """meshio's Mesh; whatever goes wrong is a MeshError."""
    import meshio

    if not os.path.isfile(path):
        raise MeshError(f"mesh {path}: no such file")
    printed = StringIO()
    try:
        _check_alone(path)
        _check_beside(path)
        with redirect_stdout(printed), redirect_stderr(printed):  # meshio prints why, and then ends the process
            return meshio.read(path)
    except MeshError:
        raise
    except (Exception, SystemExit) as error:
        reason = printed.getvalue() if isinstance(error, SystemExit) else str(error)
        reason = " ".join(reason.split()) or type(error).__name__
        raise MeshError(f"mesh {path} cannot be read: {reason}") from None
