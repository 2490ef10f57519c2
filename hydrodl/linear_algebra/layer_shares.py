"""Which layers a rank has where operators are shared out by layers, and how fields get there and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain

SEGMENTS = 16
"""Segments of layers a rank: more keep ranks busier in a sweep, fewer need fewer messages."""


class Shares:
    """Which nodes and which layers each rank has, and stacks from one distribution to the other.

    Args:
        domain: whose nodes; count: number of layers; segments: of layers a rank, about.

    Attributes:
        owners: the rank of every layer; layers: numbers of this rank's layers, increasing; nodes: number of all
            nodes, which come in the order of their global numbers; segments: (rank, its consecutive layers), in the
            order of layers.
    """

    def __init__(self, domain: Domain, count: int, segments: int = SEGMENTS) -> None:
        self._comm = comm = domain.comm
        self.nodes, self.owned = domain.nodes, domain.owned
        parts = np.array_split(np.arange(count), min(count, segments * comm.size))
        self.segments = [(number % comm.size, part) for number, part in enumerate(parts)]
        self.owners = owner = np.concatenate([np.full(len(part), rank) for rank, part in self.segments])
        self.layers = np.flatnonzero(owner == comm.rank)
        self._order, self._layers = np.argsort(owner, kind="stable"), np.bincount(owner, minlength=comm.size)
        self._rooms: dict[tuple[str, tuple[int, ...]], Floats] = {}
        self._owned = np.array(comm.allgather(domain.owned))
        self._offsets = np.append(0, np.cumsum(self._owned))

    @property
    def rank(self) -> int:
        """This rank."""
        return int(self._comm.rank)

    @property
    def mine(self) -> int:
        """Number of this rank's layers."""
        return len(self.layers)

    def place(self, k: int) -> int:
        """Where layer k is among this rank's layers."""
        return int(np.searchsorted(self.layers, k))

    def holder(self, k: int) -> int:
        """The rank that has layer k."""
        return int(self.owners[k])

    @property
    def here(self) -> slice:
        """This rank's nodes among all."""
        return slice(*self._offsets[self._comm.rank : self._comm.rank + 2])

    def room(self, name: str, *shape: int) -> Floats:
        """Work space, kept from call to call: memory fresh from the system costs more than what is done in it."""
        key = (name, shape)
        if key not in self._rooms:
            self._rooms[key] = np.zeros(shape)
        return self._rooms[key]

    def to_layers(self, stack: Floats, widths: NDArray[np.int64] | None = None, name: str = "layers") -> Floats:
        """(count, m, owned) of every rank to (mine, m, nodes); with ``widths``, of every rank, instead of owned.

        Not to be written to: on one rank it is the stack that was given. It is valid until the next call with its
        shape and ``name``.
        """
        if self._comm.size == 1:
            return np.ascontiguousarray(stack)
        widths = self._owned if widths is None else widths
        count, m, width = stack.shape
        ends = np.append(0, np.cumsum(widths))
        sorted_stack = self.room("send", count, m, width)
        for place, k in enumerate(self._order):
            sorted_stack[place] = stack[k]
        got = self.mine * m * widths
        buffer, starts = self.room("receive", int(got.sum())), np.append(0, np.cumsum(got))
        self._comm.Alltoallv([sorted_stack, self._layers * m * width], [buffer, got])
        out = self.room(name, self.mine, m, int(ends[-1]))
        for rank, size in enumerate(widths):
            part = buffer[starts[rank] : starts[rank + 1]].reshape(self.mine, m, size)
            out[:, :, ends[rank] : ends[rank + 1]] = part
        return out

    def to_nodes(self, stack: Floats, out: Floats, widths: NDArray[np.int64] | None = None) -> None:
        """(mine, m, nodes) of every rank into (count, m, owned); with ``widths``, of every rank, instead of owned."""
        if self._comm.size == 1:
            out[...] = stack
            return
        widths = self._owned if widths is None else widths
        count, m, width = out.shape
        ends = np.append(0, np.cumsum(widths))
        sent = self.mine * m * widths
        buffer, starts = self.room("receive", int(sent.sum())), np.append(0, np.cumsum(sent))
        for rank, size in enumerate(widths):
            part = buffer[starts[rank] : starts[rank + 1]].reshape(self.mine, m, size)
            part[...] = stack[..., ends[rank] : ends[rank + 1]]
        sorted_stack = self.room("send", count, m, width)
        self._comm.Alltoallv([buffer, sent], [sorted_stack, self._layers * m * width])
        for place, k in enumerate(self._order):
            out[k] = sorted_stack[place]

    def everywhere(self, fields: Floats) -> Floats:
        """(m, owned) of every rank to (m, nodes) on every rank."""
        buffer = np.empty(len(fields) * self.nodes)
        self._comm.Allgatherv(np.ascontiguousarray(fields), [buffer, len(fields) * self._owned])
        parts = np.split(buffer, (len(fields) * self._offsets)[1:-1])
        return np.concatenate([part.reshape(len(fields), -1) for part in parts], axis=1)

    def layer(self, own: Floats, k: int) -> Floats:
        """The fields of layer k of a stack (mine, m, nodes) on every rank, from the one that has it."""
        root, found = self.holder(k), np.empty(own.shape[1:])
        if self._comm.rank == root:
            found[...] = own[self.place(k)]
        self._comm.Bcast(found, root)
        return found
