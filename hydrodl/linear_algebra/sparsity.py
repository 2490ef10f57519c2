"""Sparsity patterns without structural zeros, and their composition into block matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError

Indices = NDArray[np.int32]


Blocks = Sequence[Sequence["Pattern | None"]]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Entries of an assembled matrix that can be nonzero: row pointers, columns, their place in the full data.

    With the vertex rule about half the entries of a Q1 matrix (more in d = 3) vanish identically.
    """

    pointers: Indices
    columns: Indices
    places: NDArray[np.int64]
    dropped: NDArray[np.int64]

    def values(self, data: Floats) -> Floats:
        """The kept entries of full data.

        Raises:
            SolverError: an entry outside the pattern is not zero.
        """
        if np.any(data[self.dropped]):
            raise SolverError("a matrix entry outside the sparsity pattern is not zero; please report this")
        return data[self.places]

    @property
    def size(self) -> int:
        """Number of kept entries."""
        return len(self.columns)

    @property
    def diagonal(self) -> bool:
        """Is every kept entry on the diagonal?"""
        rows = len(self.pointers) - 1
        return self.size == rows and bool((self.columns == np.arange(rows)).all())


def block_structure(blocks: Blocks, columns: int) -> tuple[Indices, Indices, list[list[NDArray[np.int64]]]]:
    """CSR structure of a block matrix and, for each block, where its entries go in the data.

    Args:
        blocks: rows of patterns, None for an empty block.
        columns: number of columns of one block.

    Returns:
        row pointers, column indices, and for every block the places of its entries (empty for an empty block).
    """
    start = 1
    numbered: list[list[Any]] = []
    for row in blocks:
        numbered.append([])
        for block in row:
            if block is None:
                numbered[-1].append(None)
                continue
            labels = np.arange(start, start + block.size, dtype=np.int64)
            start += block.size
            numbered[-1].append(
                sp.csr_array((labels, block.columns, block.pointers), shape=(len(block.pointers) - 1, columns))
            )
    whole = sp.block_array(numbered, format="csr")
    whole.sort_indices()
    place = np.empty(start, dtype=np.int64)
    place[whole.data] = np.arange(len(whole.data))
    begin = 1
    places: list[list[NDArray[np.int64]]] = []
    for row in blocks:
        places.append([])
        for block in row:
            size = 0 if block is None else block.size
            places[-1].append(place[begin : begin + size])
            begin += size
    return whole.indptr.astype(np.int32), whole.indices.astype(np.int32), places
