"""What several ranks do together: gather nodal values, fail together, let rank 0 write one file.

Whatever fails on one rank is raised on all of them, so that nobody waits for a rank that has given up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.domain import Domain

Slabs = Iterator[tuple[str, int, Floats | None]]


def raise_together(comm: MPI.Comm, error: Exception | None) -> None:
    """Collective: if any rank brings an error, every rank raises that of the lowest such rank."""
    for found in comm.allgather(error):
        if found is not None:
            raise found


def gather(domain: Domain, values: Floats) -> Floats | None:
    """Collective: owned nodal values (..., owned) -> all of them (..., nodes) on rank 0, None on the others.

    The order of nodes is that of ``gather(domain, domain.coordinates[: domain.owned].T)``; it depends on the ranks.
    """
    front = values.shape[:-1]
    width = int(np.prod(front))
    send = np.ascontiguousarray(np.moveaxis(values, -1, 0), dtype=np.float64)
    counts = domain.comm.gather(send.size)
    if domain.comm.rank != 0:
        domain.comm.Gatherv(send, None)
        return None
    received = np.empty((domain.nodes, width))
    domain.comm.Gatherv(send, (received, counts))
    return np.ascontiguousarray(received.T).reshape(*front, domain.nodes)


def gather_nodes(domain: Domain) -> Floats | None:
    """Collective: coordinates (nodes, d) in the order of :func:`gather` on rank 0, None on the others."""
    nodes = gather(domain, domain.coordinates[: domain.owned].T)
    return None if nodes is None else np.ascontiguousarray(nodes.T)


def lexicographic(nodes: Floats) -> np.ndarray:
    """The order that sorts nodes (n, d) by x_1, then x_2, then x_3, blind to rounding in the coordinates.

    Sorted values of a uniform box reshape to (n_1, ..., n_d).
    """
    tolerance = 1e-10 * np.ptp(nodes, axis=0).max()
    ranks = []
    for column in nodes.T:
        order = np.argsort(column, kind="stable")
        rank = np.empty(len(column), dtype=np.int64)
        rank[order] = np.concatenate([[0], np.cumsum(np.diff(column[order]) > tolerance)])
        ranks.append(rank)
    return np.lexsort(ranks[::-1])


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


def _slabs(domain: Domain, fields: Mapping[str, Floats]) -> Slabs:
    """Collective: every slab of every field in turn, whole on rank 0 and None on the others."""
    for name, field in fields.items():
        for k, values in enumerate(field):
            yield name, k, gather(domain, values)


def write_on_root(
    path: str | Path, domain: Domain, fields: Mapping[str, Floats], write: Callable[[Path, Floats, Slabs], None]
) -> None:
    """Collective: rank 0 calls write(temporary file, nodes, slabs), the others send; then the file takes its name."""
    nodes, slabs = gather_nodes(domain), _slabs(domain, fields)

    def act() -> None:
        try:
            if nodes is not None:
                with replacing(Path(path)) as file:
                    write(file, nodes, slabs)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
        finally:
            for _ in slabs:  # after a failure too: the others are still sending
                pass

    attempt(domain.comm, act)


def partial(path: Path) -> Path:
    """The name of a file while it is being written; a process that was killed may leave it behind."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the same folder that becomes ``path`` at the end, or goes away if anything fails."""
    temporary = partial(path)
    try:
        temporary.touch()  # a folder that cannot be written to is best refused by the system itself
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
    """What ``make`` returns or raises on rank 0, on every rank."""
    outcome: Any = None
    if comm.rank == 0:
        try:
            outcome = (make(), None)
        except Exception as error:  # whatever it is, the other ranks must not wait for ever
            outcome = (None, error)
    result, failure = comm.bcast(outcome, root=0)
    if failure is not None:
        raise failure
    return result  # type: ignore[no-any-return]
