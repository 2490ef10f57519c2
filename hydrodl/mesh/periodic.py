"""Boxes whose opposite walls are one: the mesh stays an ordinary box, its nodes on such walls are shared.

A function space is a mesh with a map from cells to nodes, and nothing in DOLFINx asks for two nodes where a mesh has
two vertices. So the node on an upper wall is that on the lower wall, in the map and in the exchange between ranks;
cells, their geometry and the search for points know nothing of it. Forms without integrals over facets need no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from dolfinx import common, fem
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.parallel import smallest, summed
from hydrodl.mesh.node_order import renumbered

_TAG = 2207  # of the messages in which ranks find each other


def wrapped(points: Floats, low: Floats, high: Floats, axes: tuple[int, ...]) -> Floats:
    """Points (n, d) shifted by whole periods into [low, high) along periodic axes; rounding below high is low."""
    out = points.copy(order="C")
    for a in axes:
        length = high[a] - low[a]
        out[:, a] = low[a] + np.mod(points[:, a] - low[a], length)
        out[np.abs(out[:, a] - high[a]) <= 1e-12 * length, a] = low[a]
    return out


def images(points: Floats, low: Floats, high: Floats, axes: tuple[int, ...]) -> Iterator[Floats]:
    """Points (n, d), and the same one period away along periodic axes."""
    for shift in product((0, -1, 1), repeat=len(axes)):
        moved = points.copy()
        moved[:, list(axes)] += np.array(shift) * (high - low)[list(axes)]
        yield moved


@dataclass(frozen=True, eq=False)
class SharedNodes:
    """How the nodes of a mesh become those of the periodic one, on this rank.

    Attributes:
        counts: periodic nodes per direction; index_map: of them, on all ranks.
        number: the periodic node of each node of the mesh, owned and ghosts.
    """

    counts: tuple[int, ...]
    index_map: Any
    number: NDArray[np.int32]

    def space(self, given: fem.FunctionSpace) -> fem.FunctionSpace:
        """A space on the mesh over the periodic nodes instead."""
        return renumbered(given, self.number, self.index_map)


def shared_nodes(space: fem.FunctionSpace, axes: tuple[int, ...], low: Floats, high: Floats) -> SharedNodes:
    """The periodic nodes of a scalar space of degree 1 on a uniform box; collective.

    A node belongs to the rank that owns its image on the lower walls. On one rank nodes are numbered as on the grid.
    """
    given: Any = space
    mesh, old = given.mesh, given.dofmap.index_map
    d, comm, owned = mesh.geometry.dim, mesh.comm, old.size_local
    cells = mesh.geometry.dofmaps[0][: mesh.topology.index_map(mesh.topology.dim).size_local]
    edge = np.ptp(mesh.geometry.x[cells[0], :d], axis=0) if len(cells) else np.full(d, np.inf)
    edge = smallest(comm, edge)
    counts = np.rint((high - low) / edge).astype(np.int64) + 1
    steps = np.rint((given.tabulate_dof_coordinates()[:, :d] - low) / edge).astype(np.int64)
    first = np.ones(len(steps), dtype=bool)  # is it its own image on the lower walls?
    for a in axes:
        counts[a] -= 1
        first &= steps[:, a] < counts[a]
        steps[:, a] %= counts[a]
    place: Ints = np.ravel_multi_index(tuple(steps.T), tuple(counts))
    own = np.flatnonzero(first[:owned])
    if comm.size == 1:
        own = own[np.argsort(place[own])]
    sizes = np.array(comm.allgather(len(own)))
    begin = int(sizes[: comm.rank].sum())
    whole = np.zeros(int(counts.prod()), dtype=np.int64)
    whole[place[own]] = begin + np.arange(len(own))
    number = summed(comm, whole)[place]  # each node has one owner: a sum of one term
    local = (number >= begin) & (number < begin + len(own))
    ghosts, where = np.unique(number[~local], return_inverse=True)
    owners = np.searchsorted(np.cumsum(sizes), ghosts, side="right").astype(np.int32)
    index_map = common.IndexMap(comm, len(own), ghosts, owners, tag=_TAG)
    here = (number - begin).astype(np.int32)
    here[~local] = len(own) + where.ravel()
    return SharedNodes(tuple(counts.tolist()), index_map, here)
