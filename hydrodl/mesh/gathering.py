"""Nodal fields from all ranks together: on rank 0, in files, or whole on every rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from dolfinx.mesh import Mesh
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, replacing
from hydrodl.mesh.domain import Domain


def whole(domain: Domain, velocity: Floats) -> tuple[Floats, Floats]:
    """Collective: nodes (n, d) and fields (..., owned) -> (..., n), both sorted by x_1, x_2, x_3, on every rank.

    The order, and so whatever is made of it, does not depend on the number of ranks.
    """
    nodes, values = gather_nodes(domain), gather(domain, velocity)
    if nodes is not None and values is not None:
        order = lexicographic(nodes)
        nodes, values = nodes[order], np.ascontiguousarray(values[..., order])
    else:
        nodes, values = np.empty((domain.nodes, domain.dimension)), np.empty((*velocity.shape[:-1], domain.nodes))
    domain.comm.Bcast(nodes)
    domain.comm.Bcast(values)
    return nodes, values


Slabs = Iterator[tuple[str, int, Floats | None]]


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


def gather_mesh(mesh: Mesh) -> tuple[Floats, Ints] | None:
    """Collective: vertices (n, d) and cells (m, vertices of a cell) of a mesh with straight edges, on rank 0.

    Of a curved mesh nothing: None, as on the other ranks.
    """
    if mesh.geometry.cmaps[0].degree > 1:
        return None
    places, corners = mesh.geometry.index_map(), mesh.geometry.dofmaps[0]
    owned = mesh.topology.index_map(mesh.topology.dim).size_local
    cells = places.local_to_global(corners[:owned].ravel()).reshape(owned, corners.shape[1])
    points = mesh.comm.gather(mesh.geometry.x[: places.size_local, : mesh.geometry.dim])
    numbers = mesh.comm.gather(cells)
    return None if points is None or numbers is None else (np.concatenate(points), np.concatenate(numbers))


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


class NodeOrder:
    """All nodes sorted by coordinates, the same on any number of ranks; collective.

    Attributes:
        nodes: (n, d), on every rank; place: of each global node number among them.
    """

    def __init__(self, domain: Domain) -> None:
        nodes, found = gather_nodes(domain), None
        if nodes is not None:
            sorting = lexicographic(nodes)
            found = nodes[sorting], np.argsort(sorting)
        self.nodes, self.place = domain.comm.bcast(found)
        self._map = domain.V.dofmap.index_map

    def of(self, local: NDArray[np.int32]) -> Ints:
        """Places of this rank's local nodes, in the same shape."""
        numbers = self._map.local_to_global(np.ascontiguousarray(local.reshape(-1)))
        return self.place[numbers].reshape(local.shape)
