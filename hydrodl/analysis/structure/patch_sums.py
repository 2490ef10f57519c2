"""What a conservation law on a patch of elements of the action is: a sum over the patch's border, and its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed

Patch = NDArray[np.bool_]
"""Pairs (slab, cell) of a patch: shape (N, owned cells)."""


@dataclass(frozen=True)
class PatchSum:
    """The conservation law on one patch.

    Attributes:
        value: the sum over the border; size: the sum of its terms' absolute values.
        border, interior: number of unknowns on the border and inside; without interior ones the law says nothing.
        pairs: number of (slab, cell) pairs.
    """

    value: float
    size: float
    border: int
    interior: int
    pairs: int

    @classmethod
    def of(cls, comm: MPI.Comm, local: Floats) -> PatchSum:
        """From the five numbers of every rank; collective."""
        value, size, *counts = summed(comm, local)
        return cls(float(value), float(size), *map(int, counts))

    @property
    def residual(self) -> float:
        """|value| / size; 0 for an empty patch."""
        return abs(self.value) / self.size if self.size > 0 else 0.0


def add_pairs(local: Floats, first: Floats, second: Floats, touched: Any, inside: Any, *, counted: bool = True) -> None:
    """Products of fields (.., nodes) with rows of the other, at nodes that a patch touches, into a sum's numbers.

    The masks ``touched`` and ``inside``, wholly in the patch, are of the fields' shape, or spread to it.
    """
    border = np.broadcast_to(touched & ~inside, first.shape)
    local[0] += ((first - second) * border).sum()
    local[1] += ((np.abs(first) + np.abs(second)) * border).sum()
    if counted:
        local[2] += border.sum()
        local[3] += np.broadcast_to(touched & inside, first.shape).sum()
