"""Checkpoints: nothing in them depends on the number of ranks that wrote them.

Rank 0 writes, every rank reads the nodes it owns. Fields travel to rank 0 one slab at a time, so that it never holds
more than one slab of the whole mesh; the file takes its name only when it is complete and on disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from mpi4py import MPI
from scipy.spatial import cKDTree

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, raise_together
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import Slabs, write_on_root
from hydrodl.mesh.layer_partition import Layers

if TYPE_CHECKING:
    from hydrodl.physics.solution import Solution


FORMAT, VERSION = "hydrodl checkpoint", 1


MATCH = 1e-8  # nodes closer than this fraction of the box's diagonal are the same node


_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


_FIELDS = ("velocity", "density", "potential", "jumps")


_FACTS = (
    "objective",
    "parts",
    "gradient_norm",
    "initial_gradient_norm",
    "converged",
    "reason",
    "iterations",
    "hessian_products",
    "timings",
    "history",
    "min_density",
    "mass_error",
    "peclet",
)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds, on the nodes this rank owns.

    Attributes:
        velocity: u_k on slab k, shape (N, d, owned).
        density, potential: rho and phi at t_0 .. t_N, shape (N + 1, C, owned), or None if they were not saved.
        jumps: of the potential at losses inside, shape (N, C, owned), or None: there are none.
        attributes: everything else that was saved (objective, reason, history, ...), as JSON gives it back.
    """

    velocity: Floats
    density: Floats | None
    potential: Floats | None
    jumps: Floats | None
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
    attributes: Mapping[str, Any],
) -> None:
    """Collective: write an HDF5 checkpoint that any number of ranks can read; an older one is replaced atomically.

    Args:
        path: the file, usually ``solution.h5``.
        velocity: shape (N, d, owned).
        density, potential: shape (N + 1, C, owned); optional.
        jumps: shape (N, C, owned); optional, left out of the file where it is zero.
        attributes: whatever JSON can hold (NumPy numbers and arrays included).

    Raises:
        InputError: wrong shapes, attributes that JSON cannot hold, or the file cannot be written.
    """
    inside = jumps is not None and domain.comm.allreduce(bool(jumps.any()), MPI.LOR)
    arrays = {"velocity": velocity, "density": density, "potential": potential, "jumps": jumps if inside else None}
    fields = {name: array for name, array in arrays.items() if array is not None}
    raise_together(domain.comm, _misshapen(domain, layers, fields))
    text = _encode(attributes)

    def write(file: Path, nodes: Floats, slabs: Slabs) -> None:
        values = sum(int(np.prod(field.shape[:-1])) for field in fields.values()) + domain.dimension
        _reserve(file, 8 * values * domain.nodes + len(text) + 2**16)
        with h5py.File(file, "w") as h5:
            h5.attrs["format"], h5.attrs["version"] = FORMAT, VERSION
            h5["nodes"], h5["times"] = nodes, layers.times
            h5["attributes"] = text  # a data set: an HDF5 attribute may hold only 64 kB
            for name, field in fields.items():
                h5.create_dataset(name, (*field.shape[:-1], domain.nodes), dtype="f8")
            for name, k, slab in slabs:
                h5[name][k] = slab
            h5.attrs["checksum"] = _checksum(h5)

    write_on_root(path, domain, fields, write)


def save_solution(path: str | Path, solution: Solution) -> None:
    """Collective: :func:`save_checkpoint` of a solution's fields, class names, numbers, timings and history."""
    facts = {name: getattr(solution, name) for name in _FACTS if hasattr(solution, name)}
    problem = solution.problem
    facts["class_names"] = list(problem.densities.class_names)
    save_checkpoint(
        path,
        problem.domain,
        problem.layers,
        solution.velocity,
        density=solution.density,
        potential=solution.potential,
        jumps=solution.jumps,
        attributes=facts,
    )


def load_checkpoint(path: str | Path, domain: Domain, layers: Layers) -> Checkpoint:
    """Collective: read a checkpoint onto this rank's nodes, which are found by their coordinates.

    Raises:
        InputError: no such file; not HDF5; corrupted or truncated; not a hydrodl checkpoint or of another version;
            written for another mesh or for other layers.
    """
    path = Path(path)
    size = float(np.linalg.norm(np.subtract(*domain.bounds)))
    shape = (domain.nodes, domain.dimension)  # all that is collective in Domain happens here, not on one rank alone
    # One rank reads everything to check the sum, before the others touch the file.
    attempt(domain.comm, lambda: _verify(path, shape, layers) if domain.comm.rank == 0 else None)
    rows, found = attempt(domain.comm, lambda: _match(path, domain, MATCH * size))
    seen = np.bincount(rows, minlength=domain.nodes)
    domain.comm.Allreduce(MPI.IN_PLACE, seen)
    if not domain.comm.allreduce(found, MPI.LAND) or (seen != 1).any():
        raise InputError(f"checkpoint {path} was written for another mesh: its nodes lie elsewhere")
    return attempt(domain.comm, lambda: _read(path, rows))


def _misshapen(domain: Domain, layers: Layers, fields: Mapping[str, Floats]) -> InputError | None:
    """The error of the first field whose shape is wrong on this rank."""
    for name, field in fields.items():
        length = len(layers) + (name in ("density", "potential"))
        width = domain.dimension if name == "velocity" else "C"
        want = (length, field.shape[1] if field.ndim == 3 and width == "C" else width, domain.owned)
        if field.shape != want:
            return InputError(f"{name} has shape {field.shape}, must be ({length}, {width}, {domain.owned})")
    return None


def _reserve(file: Path, size: int) -> None:
    """Raise OSError if the disk has no room: HDF5 does not, it crashes when a write fails."""
    with file.open("wb") as raw:
        try:
            os.posix_fallocate(raw.fileno(), 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise  # anything else: a file system that cannot reserve


def _encode(attributes: Mapping[str, Any]) -> str:
    """JSON text, NumPy numbers and arrays included."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise InputError(f"a checkpoint cannot hold a {type(value).__name__} among its attributes")

    return json.dumps(dict(attributes), default=plain)


def _checksum(h5: h5py.File) -> str:
    """SHA-256 of all data sets with their names, shapes and types, about 8 MB at a time."""
    digest = hashlib.sha256()
    for name in sorted(h5):
        data = h5[name]
        digest.update(f"{name} {data.shape} {data.dtype}".encode())
        if data.shape == ():
            digest.update(data[()])
            continue
        step = max(1, 2**20 // max(1, int(np.prod(data.shape[1:]))))
        for start in range(0, len(data), step):
            digest.update(np.ascontiguousarray(data[start : start + step]))
    return digest.hexdigest()


def _verify(path: Path, shape: tuple[int, int], layers: Layers) -> None:
    """Raise unless the file is whole, ours, and of this mesh size and these layers."""
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file")
    with path.open("rb") as raw:
        if raw.read(len(_HDF5_SIGNATURE)) != _HDF5_SIGNATURE:
            raise InputError(f"{path} is not an HDF5 file, so not a checkpoint")
    try:
        found, times = _verified(path)
    except InputError:
        raise
    except Exception:  # h5py raises nearly anything on a damaged file
        raise InputError(f"checkpoint {path} is corrupted or truncated") from None
    if found != shape:
        raise InputError(
            f"checkpoint {path} was written for another mesh: {found[0]} nodes in dimension {found[1]}, "
            f"not {shape[0]} in dimension {shape[1]}"
        )
    if times.shape != layers.times.shape or np.abs(times - layers.times).max() > 1e-12 * layers.depth:
        raise InputError(
            f"checkpoint {path} was written for other layers: {len(times) - 1} of total depth {times[-1]:g}, "
            f"not {len(layers)} of total depth {layers.depth:g} at the times given"
        )


def _verified(path: Path) -> tuple[tuple[int, int], Floats]:
    """Shape of the nodes and the layer times of a file whose format and checksum are right."""
    with _open(path) as h5:
        if h5.attrs.get("format") != FORMAT:
            raise InputError(f"{path} is an HDF5 file of another kind, not a {FORMAT}")
        if h5.attrs.get("version") != VERSION:
            raise InputError(f"checkpoint {path} has version {h5.attrs.get('version')}, this hydrodl reads {VERSION}")
        if h5.attrs["checksum"] != _checksum(h5):
            raise InputError(f"checkpoint {path} is corrupted: its checksum is wrong")
        return h5["nodes"].shape, h5["times"][:]


def _open(path: Path) -> h5py.File:
    # The file is never changed in place, and locks fail on some network file systems.
    return h5py.File(path, "r", locking=False)


def _match(path: Path, domain: Domain, tolerance: float) -> tuple[np.ndarray, bool]:
    """For every owned node the nearest node of the file, and whether all of them are near enough."""
    with _open(path) as h5:
        distances, rows = cKDTree(h5["nodes"][:]).query(domain.coordinates[: domain.owned])
    return np.asarray(rows, dtype=np.int64), bool((distances <= tolerance).all())


def _read(path: Path, rows: np.ndarray) -> Checkpoint:
    """This rank's nodes of every field, slab by slab."""
    with _open(path) as h5:
        fields = {name: np.stack([slab[:, rows] for slab in h5[name]]) for name in _FIELDS if name in h5}
        attributes = json.loads(h5["attributes"][()])
    return Checkpoint(**{name: fields.get(name) for name in _FIELDS}, attributes=attributes)  # type: ignore[arg-type]
