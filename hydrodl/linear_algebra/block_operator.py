"""Sparsity patterns without structural zeros, and stacks of sparse blocks applied in one PETSc product."""

from __future__ import annotations

import numpy as np
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.linear_algebra.sparsity import Blocks, block_structure


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
        pattern = self._blocks[row][column]
        if pattern is None:
            raise ValueError(f"block ({row}, {column}) is empty")
        self.put(k, row, column, pattern.values(data))

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
