"""What the forms of a network for other programs have in common: all of its velocity, its walls and its input map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats


def input_map(preprocessing: Mapping[str, Any]) -> tuple[Floats, Floats, Floats]:
    """(mean (p,), scale (p,), matrix (p, d)) of a preprocessing's ``to_dict``: x = ((f - mean) / scale) matrix.

    The matrix holds the rescaled principal components, or is the identity, and has a zero column for every coordinate
    that lifting adds.
    """
    mean, scale = (np.asarray(preprocessing[name], dtype=float) for name in ("mean", "scale"))
    matrix = np.eye(mean.size)
    if preprocessing.get("components") is not None and preprocessing.get("component_scale") is not None:
        matrix = np.asarray(preprocessing["components"], dtype=float) / np.asarray(preprocessing["component_scale"])
    return mean, scale, np.hstack([matrix, np.zeros((mean.size, int(preprocessing.get("lift") or 0)))])
