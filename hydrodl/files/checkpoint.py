"""Checkpoints: nothing in them depends on the number of ranks that wrote them.

Rank 0 writes, every rank reads the nodes it owns. Fields travel to rank 0 one slab at a time, so that it never holds
more than one slab of the whole mesh; the file takes its name only when it is complete and on disk.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from dolfinx import mesh as dmesh
from mpi4py import MPI
from scipy.spatial import cKDTree

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, everywhere, on_root, raise_together, somewhere, summed
from hydrodl.files.checkpoint_checks import FORMAT, NEEDED, TEXT, VERSION, check_arrays, checksum, verified
from hydrodl.files.plain_hdf5 import opened, set_header
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import Slabs, gather_mesh, write_on_root
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.mesh_file import mesh_of

MATCH = 1e-8  # nodes closer than this fraction of the box's diagonal are the same node


_FIELDS = ("velocity", "density", "potential", "jumps", "targets")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds, on the nodes this rank owns.

    Attributes:
        velocity: u_k on slab k, shape (N, d, owned).
        density, potential: rho and phi at t_0 .. t_N, shape (N + 1, C, owned), or None if they were not saved.
        jumps: of the potential at losses inside, shape (N, C, owned), or None: there are none.
        targets: densities that losses ask for, shape (K, C, owned), or None.
        attributes: everything else that was saved (objective, reason, history, ...), as JSON gives it back.
    """

    velocity: Floats
    density: Floats | None
    potential: Floats | None
    jumps: Floats | None
    targets: Floats | None
    attributes: dict[str, Any]


def save_checkpoint(
    path: str | Path,
    domain: Domain,
    layers: Layers,
    velocity: Floats,
    *,
    density: Floats | None = None,
    potential: Floats | None = None,
    jumps: Floats | None = None,
    targets: Floats | None = None,
    attributes: Mapping[str, Any],
) -> None:
    """Collective: write an HDF5 checkpoint that any number of ranks can read; an older one is replaced atomically.

    A mesh that is no uniform box is kept too.

    Args:
        path: the file, usually ``solution.h5``.
        velocity: shape (N, d, owned).
        density, potential: shape (N + 1, C, owned); optional.
        jumps: shape (N, C, owned); optional, left out of the file where it is zero.
        targets: shape (K, C, owned), densities that cannot be made again without the data; optional.
        attributes: whatever JSON can hold (NumPy numbers and arrays included).

    Raises:
        InputError: wrong shapes, attributes that JSON cannot hold, or the file cannot be written.
    """
    inside = jumps is not None and somewhere(domain.comm, bool(jumps.any()))
    arrays = dict(zip(_FIELDS, (velocity, density, potential, jumps if inside else None, targets), strict=True))
    fields = {name: array for name, array in arrays.items() if array is not None}
    raise_together(domain.comm, _misshapen(domain, layers, fields))
    text = _encode(attributes)
    mesh = None if domain.uniform_box or domain.periodic else gather_mesh(domain.mesh)

    def write(file: Path, nodes: Floats, slabs: Slabs) -> None:
        whole: dict[str, np.ndarray] = {
            "nodes": nodes,
            "times": layers.times,
            "attributes": np.frombuffer(text, np.uint8),
        }
        whole |= {} if mesh is None else dict(zip(("vertices", "cells"), mesh, strict=True))
        values = sum(math.prod(field.shape[:-1]) for field in fields.values())
        _reserve(file, 8 * values * domain.nodes + sum(array.nbytes for array in whole.values()) + 2**16)
        with h5py.File(file, "w") as h5:
            for name, array in whole.items():
                h5[name] = array
            for name, field in fields.items():
                h5.create_dataset(name, (*field.shape[:-1], domain.nodes), dtype="<f8")
            for name, k, slab in slabs:
                h5[name][k] = slab
            set_header(h5, {"format": FORMAT, "version": VERSION, "checksum": checksum(h5)})

    write_on_root(path, domain, fields, write)


def load_mesh(path: str | Path, comm: MPI.Comm) -> dmesh.Mesh:
    """Collective: the mesh that a checkpoint keeps.

    Raises:
        InputError: what :func:`load_checkpoint` raises; or a checkpoint of a uniform box, which keeps no mesh.
    """
    path = Path(path)

    def read() -> tuple[Floats, Ints]:
        with verified(path) as arrays:
            if not {"vertices", "cells"} <= set(arrays):
                raise InputError(f"checkpoint {path} keeps no mesh")
            return arrays["vertices"][:], arrays["cells"][:]

    return mesh_of(f"checkpoint {path}", read, comm)


def checkpoint_sizes(path: str | Path, comm: MPI.Comm) -> tuple[int, int]:
    """Collective: numbers of layers and nodes of a checkpoint.

    Raises:
        InputError: what :func:`load_checkpoint` raises.
    """
    path = Path(path)

    def read() -> tuple[int, int]:
        with verified(path) as arrays:
            if not set(NEEDED) <= set(arrays):
                raise InputError(f"checkpoint {path} is not complete")
            return len(arrays["times"]) - 1, len(arrays["nodes"])

    return on_root(comm, read)


def load_checkpoint(path: str | Path, domain: Domain, layers: Layers) -> Checkpoint:
    """Collective: read a checkpoint onto this rank's nodes, which are found by their coordinates.

    Raises:
        InputError: no such file; not HDF5; corrupted or truncated; not a hydrodl checkpoint or of another version;
            HDF5 that keeps its values elsewhere; written for another mesh or for other layers; values that are not
            finite.
    """
    path = Path(path)
    size = float(np.linalg.norm(np.subtract(*domain.bounds)))
    nodes, dimension = domain.nodes, domain.dimension  # what is collective in Domain, not on one rank alone

    def verify() -> None:
        with verified(path, lambda arrays: check_arrays(path, arrays, nodes, dimension, layers)):
            pass

    # One rank reads everything to check the sum, before the others touch the file.
    on_root(domain.comm, verify)
    rows, found = attempt(domain.comm, lambda: _match(path, domain, MATCH * size))
    seen = np.bincount(rows, minlength=domain.nodes)
    seen = summed(domain.comm, seen)
    if not everywhere(domain.comm, found) or (seen != 1).any():
        raise InputError(f"checkpoint {path} was written for another mesh: its nodes lie elsewhere")
    return attempt(domain.comm, lambda: _read(path, rows))


def _misshapen(domain: Domain, layers: Layers, fields: Mapping[str, Floats]) -> InputError | None:
    """The error of the first field whose shape is wrong on this rank."""
    lengths = _lengths(layers)
    for name, field in fields.items():
        length = lengths.get(name, "K")
        width = domain.dimension if name == "velocity" else "C"
        want = (
            field.shape[0] if length == "K" else length,
            field.shape[1] if field.ndim == 3 and width == "C" else width,
            domain.owned,
        )
        if field.shape != want:
            return InputError(f"{name} has shape {field.shape}, must be ({length}, {width}, {domain.owned})")
    return None


def _lengths(layers: Layers) -> dict[str, int]:
    """How many slabs or layers the fields have."""
    n = len(layers)
    return {"velocity": n, "density": n + 1, "potential": n + 1, "jumps": n}


def _reserve(file: Path, size: int) -> None:
    """Raise OSError if the disk has no room: HDF5 does not, it crashes when a write fails."""
    with file.open("wb") as raw:
        try:
            os.posix_fallocate(raw.fileno(), 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise  # anything else: a file system that cannot reserve


def _encode(attributes: Mapping[str, Any]) -> bytes:
    """JSON text, NumPy numbers and arrays included."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise InputError(f"a checkpoint cannot hold a {type(value).__name__} among its attributes")

    text = json.dumps(dict(attributes), default=plain).encode()
    if len(text) > TEXT:
        raise InputError(f"a checkpoint cannot hold attributes of {len(text)} bytes, at most {TEXT} are allowed")
    return text


def _match(path: Path, domain: Domain, tolerance: float) -> tuple[np.ndarray, bool]:
    """For every owned node the nearest node of the file, and whether all of them are near enough."""
    with opened(path) as (_, arrays):
        distances, rows = cKDTree(arrays["nodes"][:]).query(domain.coordinates[: domain.owned])
    return np.asarray(rows, dtype=np.int64), bool((distances <= tolerance).all())


def _read(path: Path, rows: np.ndarray) -> Checkpoint:
    """This rank's nodes of every field, slab by slab."""
    with opened(path) as (_, arrays):
        fields = {name: np.stack([slab[:, rows] for slab in arrays[name]]) for name in _FIELDS if name in arrays}
        text = arrays["attributes"][:].tobytes()
    try:
        attributes = json.loads(text)
    except (ValueError, RecursionError):
        attributes = None
    if not isinstance(attributes, dict):
        raise InputError(f"checkpoint {path} is corrupted: its attributes are not a table")
    return Checkpoint(**{name: fields.get(name) for name in _FIELDS}, attributes=attributes)  # type: ignore[arg-type]
