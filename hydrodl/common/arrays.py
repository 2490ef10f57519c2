"""The two kinds of arrays that the package passes around, and what is made of axes and of row numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def lattice(axes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """All points with coordinates from d axes, the last one changing fastest, shape (product of lengths, d)."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def evenly(count: int, most: int) -> Ints:
    """At most so many of the numbers 0 .. count - 1, spread evenly over them, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
