"""What several ranks do together: add up, compare, fail together, let rank 0 write one file.

Sums and extremes are collective and the same on every rank: a number for a number, a new array for an array.
Whatever fails on one rank is raised on all of them, so that nobody waits for a rank that has given up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.errors import InputError


def summed[T](comm: MPI.Comm, values: T) -> T:
    """Collective: the sum over all ranks."""
    return _reduced(comm, values, MPI.SUM)


def smallest[T](comm: MPI.Comm, values: T) -> T:
    """Collective: the smallest on any rank, entry by entry."""
    return _reduced(comm, values, MPI.MIN)


def largest[T](comm: MPI.Comm, values: T) -> T:
    """Collective: the largest on any rank, entry by entry."""
    return _reduced(comm, values, MPI.MAX)


def everywhere(comm: MPI.Comm, true: bool) -> bool:
    """Collective: whether it is true on all ranks."""
    return bool(comm.allreduce(bool(true), MPI.LAND))


def somewhere(comm: MPI.Comm, true: bool) -> bool:
    """Collective: whether it is true on any rank."""
    return bool(comm.allreduce(bool(true), MPI.LOR))


def _reduced(comm: MPI.Comm, values: Any, operation: MPI.Op) -> Any:
    if not isinstance(values, np.ndarray):
        return comm.allreduce(values.item() if isinstance(values, np.generic) else values, operation)
    result = values.copy(order="C")
    numbers = result.view(np.uint8) if result.dtype == bool else result  # MPI has no order of truths
    comm.Allreduce(MPI.IN_PLACE, numbers, operation)
    return result


def raise_together(comm: MPI.Comm, error: Exception | None) -> None:
    """Collective: if any rank brings an error, every rank raises that of the lowest such rank."""
    for found in comm.allgather(error):
        if found is not None:
            found.on_all_ranks = True
            raise found


def on_all_ranks(error: Exception, comm: MPI.Comm) -> bool:
    """Whether every rank has met this error, so that they can go on together."""
    return comm.size == 1 or getattr(error, "on_all_ranks", False)


def attempt[T](comm: MPI.Comm, action: Callable[[], T]) -> T:
    """Collective: do something on each rank; its result, or on every rank the error that some rank met.

    Raises:
        InputError: in place of an OSError, naming the file.
    """
    error: Exception | None = None
    result: list[T] = []
    try:
        result.append(action())
    except OSError as caught:
        error = InputError(_explain(caught))
    except Exception as caught:  # whatever it is, the other ranks must hear of it
        error = caught
    raise_together(comm, error)
    return result[0]


def _explain(error: OSError) -> str:
    """One line: the file and what the system said of it."""
    reason = error.strerror or str(error).splitlines()[0]
    return f"{error.filename}: {reason}" if error.filename else reason


def partial(path: Path) -> Path:
    """The name of a file while it is being written; a process that was killed may leave it behind."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the same folder that becomes ``path`` at the end, or goes away if anything fails."""
    temporary = partial(path)
    try:
        temporary.unlink(missing_ok=True)  # in a stranger's folder it may be a link to another file
        temporary.touch(exist_ok=False)  # a folder that cannot be written to is best refused by the system itself
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        with suppress(OSError):  # not every file system can sync a folder
            _sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def on_root[T](comm: MPI.Comm, make: Callable[[], T]) -> T:
    """Collective: what ``make`` returns on rank 0, on every rank; it raises as in :func:`attempt`."""
    return comm.bcast(attempt(comm, lambda: make() if comm.rank == 0 else None))  # type: ignore[no-any-return]
