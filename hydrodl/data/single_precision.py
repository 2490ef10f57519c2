"""How far float32 moves features in feature space, and whether that is too far."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.data.preprocessing import Preprocessing, input_map, raw_map

ROUNDING = 5e-7
"""Of the box's extent: if float32 moves features by more, a file takes double."""


SPREADS = 5.0
"""Features that mesh coordinates do not fix lie within so many of their scales around their means."""


def rounding(preprocessing: Preprocessing, bounds: tuple[Floats, Floats]) -> Floats:
    """How far float32 moves a point of the box in mesh coordinates, as the root of the squares over features; (d,).

    A feature f loses at most |f| 2^-24, or 2^-150 where it is tiny; one beyond the range of float32 is lost.
    """
    mean, scale, matrix = input_map(preprocessing.to_dict())
    reach = np.abs(bounds).max(axis=0)
    largest = np.abs(mean) + np.abs(raw_map(preprocessing, len(reach))) @ reach
    if preprocessing.components is not None:
        largest = np.maximum(largest, np.abs(mean) + SPREADS * scale)
    lost = np.maximum(largest * 2.0**-24, 2.0**-150)
    lost[largest > np.finfo(np.float32).max] = np.inf
    with np.errstate(invalid="ignore"):  # inf of a feature that does not count
        moved = np.where(matrix == 0, 0.0, (lost / scale)[:, None] * np.abs(matrix))
    return np.sqrt((moved**2).sum(axis=0))


def needs_double(preprocessing: Preprocessing, bounds: tuple[Floats, Floats]) -> bool:
    """Would features in single precision be moved by more than ``ROUNDING`` of the box?"""
    lower, upper = bounds
    return bool((rounding(preprocessing, bounds) > ROUNDING * (upper - lower)).any())
