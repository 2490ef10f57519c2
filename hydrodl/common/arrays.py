"""The two kinds of arrays that the package passes around, and a few rows of many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def evenly(count: int, most: int) -> Ints:
    """At most so many of the numbers 0 .. count - 1, spread evenly over them, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
