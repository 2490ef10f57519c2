"""Meshes of axis-parallel boxes, and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dolfinx import mesh as dmesh
from mpi4py import MPI
from numpy.typing import ArrayLike

from hydrodl.common.errors import InputError
from hydrodl.mesh.bounding_box import CELLS, check_shape

BOX_CELLS = {1: dmesh.CellType.interval, 2: dmesh.CellType.quadrilateral, 3: dmesh.CellType.hexahedron}


_SIMPLEX_CELLS = {1: dmesh.CellType.interval, 2: dmesh.CellType.triangle, 3: dmesh.CellType.tetrahedron}


def box_mesh(
    comm: MPI.Comm,
    lower: ArrayLike,
    upper: ArrayLike,
    nodes: int | Sequence[int],
    cells: str,
    periodic: bool | Sequence[bool],
) -> tuple[dmesh.Mesh, tuple[int, ...]]:
    """The mesh of a box, and its axes without walls; arguments and errors of ``Domain.box``."""
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
    kind = (BOX_CELLS if cells == "box" else _SIMPLEX_CELLS)[low.size]
    divisions = [int(n) - 1 for n in counts]
    # Nothing here integrates over interior facets, so ghost cells would only cost memory and messages.
    ghosts = dmesh.GhostMode.none
    if low.size == 1:
        made = dmesh.create_interval(comm, divisions[0], [low[0], high[0]], ghost_mode=ghosts)
    elif low.size == 2:
        made = dmesh.create_rectangle(comm, [low, high], divisions, kind, ghost_mode=ghosts)
    else:
        made = dmesh.create_box(comm, [low, high], divisions, kind, ghost_mode=ghosts)
    return made, axes


def _periodic_axes(periodic: bool | Sequence[bool], nodes: Any) -> tuple[int, ...]:
    """The axes without walls."""
    given = np.asarray(periodic)
    if given.dtype != bool or given.shape not in ((), nodes.shape):
        raise InputError(f"periodic is {periodic}, must be True or False, or {len(nodes)} of them, one per direction")
    axes = np.flatnonzero(np.broadcast_to(given, nodes.shape))
    if len(axes) and (few := nodes[axes].min()) < 3:
        raise InputError(f"nodes is {few} along a periodic direction, must be at least 3")
    return tuple(int(a) for a in axes)
