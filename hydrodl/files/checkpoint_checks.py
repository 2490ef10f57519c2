"""What a checkpoint must be to be read: whole, one of ours, finite, and of the mesh and the layers at hand."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hydrodl.common.errors import InputError
from hydrodl.files.plain_hdf5 import Arrays, NotPlainError, opened
from hydrodl.mesh.layer_partition import Layers

FORMAT, VERSION = "hydrodl checkpoint", "2"


LARGEST = 1e100  # nothing that was computed comes near it; products of three such numbers are still finite


TEXT = 2**25  # bytes of the attributes


NEEDED = ("nodes", "times", "attributes", "velocity")


_KINDS = {"attributes": np.uint8, "cells": np.int64}


def checksum(arrays: Arrays) -> str:
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
def verified(path: Path, check: Callable[[Arrays], None] | None = None) -> Iterator[Arrays]:
    """The arrays of a file that is whole, ours and finite; ``check`` sees them before their values are read."""
    try:
        with opened(path) as (words, arrays):
            if words.get("format") != FORMAT:
                raise InputError(f"{path} is an HDF5 file of another kind, not a {FORMAT} of version {VERSION}")
            if words.get("version") != VERSION:
                raise InputError(f"checkpoint {path} has version {words.get('version')}, this hydrodl reads {VERSION}")
            if check is not None:
                check(arrays)
            if words.get("checksum") != checksum(arrays):
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


def check_arrays(path: Path, arrays: Arrays, nodes: int, dimension: int, layers: Layers) -> None:
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
    for name in (*NEEDED, *arrays):
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
    if len(arrays["attributes"]) > TEXT:
        raise InputError(f"checkpoint {path} holds attributes of more than {TEXT} bytes")


def _check_times(path: Path, times: Any, layers: Layers) -> None:
    same = times.shape == layers.times.shape and times.dtype == np.float64
    if not same or not np.abs(times[:] - layers.times).max() <= 1e-12 * layers.depth:
        raise InputError(
            f"checkpoint {path} was written for other layers: {len(times) - 1} of total depth "
            f"{float(np.ravel(times[-1])[0]):g}, not {len(layers)} of total depth {layers.depth:g} at the times given"
        )
