"""Which rows of a uniform box a rank has where nodes are shared out by rows, and how fields get there and back.

A row is all nodes with one x_1. In the order of the grid, x_1 slowest, the rows of a rank are one block, and so are
those that its nodes reach: a window of rows, some of which other ranks have.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.uniform_grid import Grid


class RowShares:
    """Consecutive rows for every rank, as equal in number as can be.

    Args:
        domain: a uniform box with at least one row a rank; collective.

    Attributes:
        comm: the ranks; bounds: rank r has the rows bounds[r] .. bounds[r + 1] - 1; inner: nodes of a row; first, rows,
            width: this rank's first row, number of rows and of nodes in them; widths: the last of every rank; owned:
            its nodes where fields are by nodes.
    """

    def __init__(self, domain: Domain) -> None:
        self.comm = comm = domain.comm
        grid, number = Grid.of(domain)
        self.bounds = _dealt(int(grid.counts[0]), comm.size)
        self.inner, self.owned = grid.size // int(grid.counts[0]), domain.owned
        self.widths = np.diff(self.bounds) * self.inner
        cuts = self.bounds * self.inner
        first, end = cuts[comm.rank : comm.rank + 2]
        self.first, self.rows, self.width = int(first) // self.inner, int(end - first) // self.inner, int(end - first)
        self._order = np.argsort(number)
        self._sent = np.diff(np.searchsorted(number[self._order], cuts))
        # numbers on the grid of what comes from every rank, in the order in which it comes
        theirs = [np.sort(found[(found >= first) & (found < end)]) for found in comm.allgather(number)]
        self._got, self._place = np.array([len(found) for found in theirs]), np.concatenate(theirs) - first

    def to_rows(self, stack: Floats) -> Floats:
        """(..., owned) of every rank to (..., width), a new array."""
        count = int(np.prod(stack.shape[:-1]))
        out, got = np.empty((count, self.width)), np.empty((self.width, count))
        sorted_nodes = stack.reshape(count, self.owned).T[self._order]
        self.comm.Alltoallv([sorted_nodes, self._sent * count], [got, self._got * count])
        out[:, self._place] = got.T
        return out.reshape(*stack.shape[:-1], self.width)

    def to_nodes(self, stack: Floats) -> Floats:
        """(..., width) of every rank to (..., owned), a new array."""
        count = int(np.prod(stack.shape[:-1]))
        out, got = np.empty((count, self.owned)), np.empty((self.owned, count))
        sorted_nodes = stack.reshape(count, self.width).T[self._place]
        self.comm.Alltoallv([sorted_nodes, self._got * count], [got, self._sent * count])
        out[:, self._order] = got.T
        return out.reshape(*stack.shape[:-1], self.owned)


class RowWindow:
    """The rows that a rank's nodes reach, of which other ranks have some; every rank has a window of its own.

    Args:
        shares: who has which rows; windows: first row and the one after the last, of every rank, (ranks, 2).

    Attributes:
        rows: number of rows of the window.
    """

    def __init__(self, shares: RowShares, windows: Ints) -> None:
        self._shares, rank = shares, shares.comm.rank
        self.rows = int(np.diff(windows[rank])[0])
        owned = np.column_stack([shares.bounds[:-1], shares.bounds[1:]])
        self._sent = _common(owned[rank], windows, shares.first)
        self._got = _common(windows[rank], owned, int(windows[rank, 0]))

    def fetch(self, fields: Floats) -> Floats:
        """Fields (m, width) on all nodes of the window, (m, nodes there); collective."""
        given = fields.reshape(len(fields), self._shares.rows, self._shares.inner)
        out = np.empty((len(fields), self.rows, self._shares.inner))
        for rows, part in self._exchanged(given, self._sent, self._got):
            out[:, rows] = part
        return out.reshape(len(fields), -1)

    def join(self, fields: Floats, out: Floats) -> None:
        """What all windows got, (m, nodes there), added up where the nodes are, into (m, width); collective."""
        given = fields.reshape(len(fields), self.rows, self._shares.inner)
        found = out.reshape(len(fields), self._shares.rows, self._shares.inner)
        found[...] = 0.0
        for rows, part in self._exchanged(given, self._got, self._sent):
            found[:, rows] += part

    def _exchanged(self, given: Floats, sent: _Parts, got: _Parts) -> list[tuple[slice, Floats]]:
        """Rows to every rank that shares some; those that come, in the order of ranks."""
        comm, shape = self._shares.comm, (len(given), self._shares.inner)
        here = {rank: np.ascontiguousarray(given[:, rows]) for rank, rows in sent}
        found = [
            (rank, rows, here[rank] if rank == comm.rank else np.empty((shape[0], rows.stop - rows.start, shape[1])))
            for rank, rows in got
        ]
        requests = [comm.Irecv(part, rank) for rank, _, part in found if rank != comm.rank]
        requests += [comm.Isend(part, rank) for rank, part in here.items() if rank != comm.rank]
        MPI.Request.Waitall(requests)
        return [(rows, part) for _, rows, part in found]


def _dealt(count: int, ranks: int) -> Ints:
    """Where the parts of so many ranks begin and end, (ranks + 1,)."""
    return np.arange(ranks + 1) * count // ranks


_Parts = list[tuple[int, slice]]


def _common(own: Ints, others: Ints, first: int) -> _Parts:
    """Ranks whose rows (ranks, 2) meet one's own, and the rows in common, counted from one's first."""
    low, high = np.maximum(own[0], others[:, 0]), np.minimum(own[1], others[:, 1])
    return [(int(r), slice(int(low[r]) - first, int(high[r]) - first)) for r in np.flatnonzero(low < high)]
