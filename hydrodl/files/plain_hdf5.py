"""HDF5 of the plainest kind: named arrays that lie in one piece in the file itself.

HDF5 can do much more, and all of it can be turned against who reads a stranger's file: links to other files, values
kept elsewhere, virtual and compressed arrays larger than any memory, types that run through pointers. A file that uses
any of it is refused before a value is read, so reading never takes more than the file has bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5t

from hydrodl.common.errors import InputError

Arrays = Mapping[str, Any]
"""Arrays of an open file by name; slices are read when they are asked for."""


_SIGNATURE = b"\x89HDF\r\n\x1a\n"


_TYPES = {"f8": h5t.IEEE_F64LE, "i8": h5t.STD_I64LE, "u1": h5t.STD_U8LE}


_WORD = 100  # bytes of a word in the header


_MOST = 32  # arrays in a file


class NotPlainError(InputError):
    """The file uses what plain files do not; the message completes "FILE ..."."""


def set_header(h5: h5py.File, words: Mapping[str, str]) -> None:
    """Short words about the file."""
    for name, word in words.items():
        h5.attrs[name] = np.bytes_(word)


@contextmanager
def opened(path: Path) -> Iterator[tuple[dict[str, str], Arrays]]:
    """The words and the arrays of a plain file.

    Raises:
        InputError: no such file, or not HDF5.
        NotPlainError: HDF5 of another kind.
    """
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file")
    with path.open("rb") as raw:
        if raw.read(len(_SIGNATURE)) != _SIGNATURE:
            raise InputError(f"{path} is not an HDF5 file, so not a checkpoint")
    # The file is never changed in place, and locks fail on some network file systems.
    with h5py.File(path, "r", locking=False) as h5:
        yield _words(h5), _arrays(h5, path.stat().st_size)


def _words(h5: h5py.File) -> dict[str, str]:
    found = {}
    for name in list(h5.attrs)[:_MOST]:
        attribute = h5.attrs.get_id(name)
        kind = attribute.get_type()
        if attribute.shape != () or kind.get_class() != h5t.STRING or kind.is_variable_str() or kind.get_size() > _WORD:
            continue
        found[name] = bytes(h5.attrs[name]).decode("ascii", "replace")
    return found


def _arrays(h5: h5py.File, size: int) -> dict[str, h5py.Dataset]:
    if len(h5) > _MOST:
        raise NotPlainError(f"holds {len(h5)} arrays, at most {_MOST} are allowed")
    return {name: _array(h5, name, size) for name in h5}


def _array(h5: h5py.File, name: str, size: int) -> h5py.Dataset:
    """An array whose every byte lies in the ``size`` bytes of the file."""
    if not isinstance(h5.get(name, getlink=True), h5py.HardLink):
        raise NotPlainError(f"holds a link, {name!r}, where an array must be")
    found = h5[name]
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise NotPlainError(f"holds no array {name!r}")
    how = found.id.get_create_plist()
    if how.get_external_count() or how.get_layout() != h5d.CONTIGUOUS or how.get_nfilters():
        raise NotPlainError(f"keeps {name!r} elsewhere or in pieces")
    if not any(found.id.get_type().equal(kind) for kind in _TYPES.values()):
        raise NotPlainError(f"holds {name!r} of another type than {', '.join(_TYPES)}")
    start, length = found.id.get_offset(), math.prod(found.shape) * found.dtype.itemsize
    if start is None or found.id.get_storage_size() != length or start + length > size:
        raise NotPlainError(f"does not hold the values of {name!r}")
    return found
