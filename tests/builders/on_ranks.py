"""What tests that run on several ranks ask of them; on one rank, too, they mean what they say."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.common.parallel import on_root
from hydrodl.mesh.gathering import gather, gather_nodes, lexicographic

WORLD, SELF = MPI.COMM_WORLD, MPI.COMM_SELF
LAST = WORLD.rank == WORLD.size - 1


def agreed[T](value: T) -> T:
    """A plain value, which must be the same on every rank."""
    everyone = WORLD.allgather(value)
    assert all(other == everyone[0] for other in everyone), everyone
    return value


def alone_and_together[T](make: Callable[[MPI.Comm], T]) -> tuple[T, T]:
    """Numbers that rank 0 makes alone, and those that all ranks make together."""
    return on_root(WORLD, lambda: make(SELF)), make(WORLD)


def each_alone_and_together[T](make: Callable[[MPI.Comm], T]) -> tuple[T, T]:
    """The same for what cannot be sent: every rank makes its own."""
    return make(SELF), make(WORLD)


def cases(names: Iterable[str], on_three: Container[str]) -> list[Any]:
    """Parameters; those that three ranks run too are marked."""
    return [pytest.param(name, marks=pytest.mark.three_ranks if name in on_three else ()) for name in names]


def refusal(action: Callable[[], object]) -> str:
    """What every rank is told of bad input; empty if it was not refused."""
    said = ""
    try:
        action()
    except hd.InputError as error:
        said = str(error)
    return agreed(said)


def everywhere(domain: hd.Domain, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """On every rank: all nodes (N, d), sorted, and the values (..., N) there."""
    nodes, found = gather_nodes(domain), gather(domain, values)
    if nodes is not None and found is not None:
        order = lexicographic(nodes)
        nodes, found = nodes[order], found[..., order]
    return domain.comm.bcast((nodes, found))
