"""Sparsity patterns without structural zeros, and stacks of sparse blocks applied in one PETSc product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from petsc4py import PETSc

from hydrodl.common.errors import SolverError

Floats = NDArray[np.float64]
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


class BlockOperator:
    """A block-diagonal stack of block matrices over local nodes, applied to whole stacks.

    The diagonal blocks share one sparsity structure in memory, and so take 8 bytes an entry instead of 12.

    Args:
        local: number of local nodes.
        count: number of diagonal blocks (slabs).
        blocks: patterns of one diagonal block, a list of rows of ``Pattern`` or None.
    """

    def __init__(self, local: int, count: int, blocks: Blocks) -> None:
        self._blocks = [list(row) for row in blocks]
        pointers, columns, self._places = block_structure(self._blocks, local)
        sizes = (len(self._blocks) * local, len(self._blocks[0]) * local)
        self.data = np.zeros((count, len(columns)))
        self._matrices = [
            PETSc.Mat().createAIJWithArrays(sizes, (pointers, columns, row), comm=PETSc.COMM_SELF) for row in self.data
        ]

    def put(self, k: int, row: int, column: int, values: Floats) -> None:
        """Set one block of diagonal block k from entries in the order of its pattern."""
        self.data[k, self._places[row][column]] = values

    def fill(self, k: int, row: int, column: int, data: Floats) -> None:
        """Set one block of diagonal block k from full matrix data."""
        self.data[k, self._places[row][column]] = self._kept(row, column, data)

    def add(self, k: int, row: int, column: int, data: Floats) -> None:
        """Add full matrix data to one block of diagonal block k."""
        self.data[k, self._places[row][column]] += self._kept(row, column, data)

    def _kept(self, row: int, column: int, data: Floats) -> Floats:
        pattern = self._blocks[row][column]
        if pattern is None:
            raise ValueError(f"block ({row}, {column}) is empty")
        return pattern.values(data)

    def assembled(self) -> None:
        """Tell PETSc that values changed."""
        for matrix in self._matrices:
            matrix.assemble()

    def apply(self, x: Floats, y: Floats, *, transpose: bool = False) -> None:
        """y = A x, or A^T x; x and y are whole stacks, contiguous."""
        given, found = x.reshape(len(self.data), -1), y.reshape(len(self.data), -1)
        # one pair of vectors that looks at slab after slab
        a, b = (PETSc.Vec().createWithArray(stack[0], comm=PETSc.COMM_SELF) for stack in (given, found))
        for k, matrix in enumerate(self._matrices):
            a.placeArray(given[k])
            b.placeArray(found[k])
            if transpose:
                matrix.multTranspose(a, b)
            else:
                matrix.mult(a, b)
            b.resetArray()
            a.resetArray()
        a.destroy()
        b.destroy()
