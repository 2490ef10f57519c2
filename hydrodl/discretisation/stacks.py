"""Where the fields of all slabs are: a scheme says which rank has what of a stack, and sweeps keep it there.

By nodes, every rank has its own nodes of all slabs, and ghosts. By layers it has some slabs whole, on the grid of a
uniform box, and no ghosts: what a slab does to a field then takes no message, and stacks stay where they are through
sweeps, inner products and the vectors of the optimiser. By rows it has some rows of that grid of all slabs, without
ghosts too: what a slab does fetches the rows that it reaches. Fields of a single layer, such as data, losses and their
derivatives, are by nodes in all cases.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.linear_algebra.row_shares import RowShares
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.grid_nodes import GridNodes

SEGMENTS = 4
"""Segments of layers a rank: a state that is handed on takes a third of the time of a step, and one a segment is."""


class Stacks(Protocol):
    """Stacks (slabs here, m, local nodes), of whose nodes the first ``owned`` are this rank's; methods are collective.

    Attributes:
        layers: numbers of the slabs here; owned, local: nodes of a field here, without and with ghosts.
    """

    layers: Ints
    owned: int
    local: int

    def stack(self, fields: int) -> Floats:
        """Zeros (slabs here, fields, local)."""

    def update(self, stack: Floats) -> None:
        """Ghost values := values on the owning rank."""

    def accumulate(self, stack: Floats) -> None:
        """Owned values += ghost contributions of other ranks; the ghost entries are left undefined."""

    def spread(self, stack: Floats) -> Floats:
        """From all slabs by nodes, (N, m, owned nodes), to (slabs here, m, owned); perhaps what was given."""

    def collect(self, own: Floats) -> Floats:
        """Back from (slabs here, m, owned) to all slabs by nodes; perhaps what was given."""

    def everywhere(self, fields: Floats) -> Floats:
        """Fields by nodes (m, owned nodes) where every slab has its own, (m, owned)."""

    def field(self, own: Floats, k: int) -> Floats:
        """The fields of slab k of a stack (slabs here, m, owned) by nodes, (m, owned nodes)."""


class NodeStacks:
    """See :class:`Stacks`: every rank's nodes of all ``count`` slabs."""

    def __init__(self, halo: Halo, count: int) -> None:
        self._halo, self.layers = halo, np.arange(count)
        self.owned, self.local = halo.owned, halo.local

    def stack(self, fields: int) -> Floats:
        """See :class:`Stacks`."""
        return self._halo.stack(len(self.layers), fields)

    def update(self, stack: Floats) -> None:
        """See :class:`Stacks`; one exchange for all slabs."""
        self._halo.update(stack)

    def accumulate(self, stack: Floats) -> None:
        """See :class:`Stacks`; one exchange for all slabs."""
        self._halo.accumulate(stack)

    def spread(self, stack: Floats) -> Floats:
        """As it is."""
        return stack

    def collect(self, own: Floats) -> Floats:
        """As it is."""
        return own

    def everywhere(self, fields: Floats) -> Floats:
        """As they are."""
        return fields

    def field(self, own: Floats, k: int) -> Floats:
        """Row k."""
        return own[k]


class LayerStacks:
    """See :class:`Stacks`: whole slabs on the grid of a uniform box, no ghosts.

    Attributes:
        nodes: the grid; shares: which slabs a rank has.
    """

    def __init__(self, domain: Domain, count: int) -> None:
        self.nodes, self.shares = GridNodes(domain), Shares(domain, count, SEGMENTS)
        self._comm, self._count = domain.comm, count
        self.layers, self.owned, self.local = self.shares.layers, domain.nodes, domain.nodes

    def stack(self, fields: int) -> Floats:
        """See :class:`Stacks`."""
        return np.zeros((self.shares.mine, fields, self.local))

    def update(self, stack: Floats) -> None:
        """Nothing: there are no ghosts."""

    def accumulate(self, stack: Floats) -> None:
        """Nothing: there are no ghosts."""

    def spread(self, stack: Floats) -> Floats:
        """See :class:`Stacks`; an exchange of the whole stack, on several ranks a new array."""
        whole = self.shares.to_layers(stack)
        found = self.nodes.to_grid(whole)
        return found.copy() if found is whole and self._comm.size > 1 else found

    def collect(self, own: Floats) -> Floats:
        """See :class:`Stacks`; an exchange of the whole stack, on several ranks a new array."""
        whole = self.nodes.to_whole(own)
        if self._comm.size == 1:
            return whole
        out = np.empty((self._count, own.shape[1], self.shares.owned))
        self.shares.to_nodes(whole, out)
        return out

    def everywhere(self, fields: Floats) -> Floats:
        """See :class:`Stacks`; a new array."""
        return self.nodes.to_grid(self.shares.everywhere(fields))

    def field(self, own: Floats, k: int) -> Floats:
        """See :class:`Stacks`; from the rank that has it to all."""
        return np.ascontiguousarray(self.nodes.to_whole(self.shares.layer(own, k))[:, self.shares.here])


class RowStacks:
    """See :class:`Stacks`: rows of the grid of a uniform box, of all ``count`` slabs, no ghosts.

    Attributes:
        nodes: the grid; shares: which rows a rank has.
    """

    def __init__(self, domain: Domain, count: int) -> None:
        self.nodes, self.shares = GridNodes(domain), RowShares(domain)
        self.layers, self.owned, self.local = np.arange(count), self.shares.width, self.shares.width

    def stack(self, fields: int) -> Floats:
        """See :class:`Stacks`."""
        return np.zeros((len(self.layers), fields, self.local))

    def update(self, stack: Floats) -> None:
        """Nothing: there are no ghosts."""

    def accumulate(self, stack: Floats) -> None:
        """Nothing: there are no ghosts."""

    def spread(self, stack: Floats) -> Floats:
        """See :class:`Stacks`; an exchange of the whole stack, a new array."""
        return self.shares.to_rows(stack)

    def collect(self, own: Floats) -> Floats:
        """See :class:`Stacks`; an exchange of the whole stack, a new array."""
        return self.shares.to_nodes(own)

    def everywhere(self, fields: Floats) -> Floats:
        """See :class:`Stacks`; a new array."""
        return self.shares.to_rows(fields)

    def field(self, own: Floats, k: int) -> Floats:
        """See :class:`Stacks`; a new array."""
        return self.shares.to_nodes(own[k])


def placed(stacks: Stacks, stack: Floats) -> Floats:
    """A stack by nodes (N, m, owned nodes) where the scheme has it, ghosts valid, a new array; collective."""
    out = stacks.stack(stack.shape[1])
    out[..., : stacks.owned] = stacks.spread(stack)
    stacks.update(out)
    return out


def gathered(stacks: Stacks, own: Floats) -> Floats:
    """Dual vectors (slabs here, m, local), what ghosts got added up, by nodes (N, m, owned nodes); collective."""
    stacks.accumulate(own)
    return stacks.collect(own[..., : stacks.owned])
