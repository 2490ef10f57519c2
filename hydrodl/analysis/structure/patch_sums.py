"""What a conservation law on a patch of elements of the action is: a sum over the patch's border, and its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    @property
    def residual(self) -> float:
        """|value| / size; 0 for an empty patch."""
        return abs(self.value) / self.size if self.size > 0 else 0.0
