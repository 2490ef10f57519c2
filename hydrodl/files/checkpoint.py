"""Checkpoints: nothing in them depends on the number of ranks that wrote them.

Rank 0 writes, every rank reads the nodes it owns. Fields travel to rank 0 one slab at a time, so that it never holds
more than one slab of the whole mesh; the file takes its name only when it is complete and on disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from hydrodl.files.plain_hdf5 import Arrays, NotPlainError, opened, set_header
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import Slabs, gather_mesh, write_on_root
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.mesh_file import mesh_of

FORMAT, VERSION = "hydrodl checkpoint", "2"


MATCH = 1e-8  # nodes closer than this fraction of the box's diagonal are the same node


LARGEST = 1e100  # nothing that was computed comes near it; products of three such numbers are still finite


_TEXT = 2**25  # bytes of the attributes


_FIELDS = ("velocity", "density", "potential", "jumps", "targets")


_NEEDED = ("nodes", "times", "attributes", "velocity")


_KINDS = {"attributes": np.uint8, "cells": np.int64}


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
            set_header(h5, {"format": FORMAT, "version": VERSION, "checksum": _checksum(h5)})

    write_on_root(path, domain, fields, write)


def load_mesh(path: str | Path, comm: MPI.Comm) -> dmesh.Mesh:
    """Collective: the mesh that a checkpoint keeps.

    Raises:
        InputError: what :func:`load_checkpoint` raises; or a checkpoint of a uniform box, which keeps no mesh.
    """
    path = Path(path)

    def read() -> tuple[Floats, Ints]:
        with _verified(path) as arrays:
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
        with _verified(path) as arrays:
            if not set(_NEEDED) <= set(arrays):
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
        with _verified(path, lambda arrays: _check_arrays(path, arrays, nodes, dimension, layers)):
            pass

    # One rank reads everything to check the sum, before the others touch the file.
    attempt(domain.comm, lambda: verify() if domain.comm.rank == 0 else None)
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
    if len(text) > _TEXT:
        raise InputError(f"a checkpoint cannot hold attributes of {len(text)} bytes, at most {_TEXT} are allowed")
    return text


def _checksum(arrays: Arrays) -> str:
    """SHA-256 of all data sets with their names, shapes and types, about 8 MB at a time."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        data = arrays[name]
        digest.update(f"{name} {data.shape} {data.dtype}".encode())
        for piece in _pieces(data):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(data: Any) -> Iterator[np.ndarray]:
    step = max(1, 2**20 // max(1, math.prod(data.shape[1:])))
    for start in range(0, len(data), step):
        yield np.ascontiguousarray(data[start : start + step])


@contextmanager
def _verified(path: Path, check: Callable[[Arrays], None] | None = None) -> Iterator[Arrays]:
    """The arrays of a file that is whole, ours and finite; ``check`` sees them before their values are read."""
    try:
        with opened(path) as (words, arrays):
            if words.get("format") != FORMAT:
                raise InputError(f"{path} is an HDF5 file of another kind, not a {FORMAT} of version {VERSION}")
            if words.get("version") != VERSION:
                raise InputError(f"checkpoint {path} has version {words.get('version')}, this hydrodl reads {VERSION}")
            if check is not None:
                check(arrays)
            if words.get("checksum") != _checksum(arrays):
                raise InputError(f"checkpoint {path} is corrupted: its checksum is wrong")
            for name in arrays:
                if not all((np.abs(piece) < LARGEST).all() for piece in _pieces(arrays[name])):
                    raise InputError(f"checkpoint {path} holds {name} that are not finite, or beyond {LARGEST:g}")
            yield arrays
    except NotPlainError as error:
        raise InputError(f"checkpoint {path} {error}") from None
    except InputError:
        raise
    except Exception:  # h5py raises nearly anything on a damaged file
        raise InputError(f"checkpoint {path} is corrupted or truncated") from None


def _check_arrays(path: Path, arrays: Arrays, nodes: int, dimension: int, layers: Layers) -> None:
    """Raise unless the arrays are those of a mesh of this size and of these layers; reads the times alone."""
    depth, classes = len(layers), arrays["density"].shape[1:2] if "density" in arrays else (None,)
    field = (*classes, nodes)
    wanted: dict[str, tuple[int | None, ...]] = {  # None: any number
        "nodes": (nodes, dimension),
        "times": (depth + 1,),
        "attributes": (None,),
        "velocity": (depth, dimension, nodes),
        "density": (depth + 1, *field),
        "potential": (depth + 1, *field),
        "jumps": (depth, *field),
        "targets": (None, *field),
        "vertices": (None, dimension),
        "cells": (None, None),
    }
    for name in (*_NEEDED, *arrays):
        if name not in arrays or name not in wanted:
            raise InputError(f"checkpoint {path} {'has no' if name in wanted else 'holds an unknown'} {name!r}")
    if arrays["nodes"].shape != wanted["nodes"]:
        found = " in dimension ".join(map(str, arrays["nodes"].shape)).replace(" ", " nodes ", 1)
        raise InputError(
            f"checkpoint {path} was written for another mesh: {found}, not {nodes} in dimension {dimension}"
        )
    _check_times(path, arrays["times"], layers)
    for name, array in arrays.items():
        found, want = array.shape, wanted[name]
        if len(found) != len(want) or any(w not in (None, f) for f, w in zip(found, want, strict=True)):
            raise InputError(f"checkpoint {path} holds {name} of shape {found}, must be {want}")
        if array.dtype != _KINDS.get(name, np.float64):
            raise InputError(f"checkpoint {path} holds {name} as {array.dtype}, must be {_KINDS.get(name, 'float64')}")
    if len(arrays["attributes"]) > _TEXT:
        raise InputError(f"checkpoint {path} holds attributes of more than {_TEXT} bytes")


def _check_times(path: Path, times: Any, layers: Layers) -> None:
    same = times.shape == layers.times.shape and times.dtype == np.float64
    if not same or not np.abs(times[:] - layers.times).max() <= 1e-12 * layers.depth:
        raise InputError(
            f"checkpoint {path} was written for other layers: {len(times) - 1} of total depth "
            f"{float(np.ravel(times[-1])[0]):g}, not {len(layers)} of total depth {layers.depth:g} at the times given"
        )


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
