"""Which samples are left out of training, to test on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Ints
from hydrodl.common.errors import DataError


def held_out(labels: Ints, test_fraction: float, seed: int) -> NDArray[np.bool_]:
    """The same fraction of every class, drawn at random, shape (n,).

    Args:
        labels: class of each sample, 0, 1, ..., shape (n,).
        test_fraction: of each class that is held out, rounded to whole samples.
        seed: of the draw.

    Raises:
        DataError: test_fraction not strictly between 0 and 1, or no sample is held out.
    """
    if not 0 < test_fraction < 1:
        raise DataError(f"test_fraction is {test_fraction}, must lie between 0 and 1")
    rng = np.random.default_rng(seed)
    held = np.zeros(len(labels), dtype=bool)
    for c, count in enumerate(np.bincount(labels)):
        rows = np.flatnonzero(labels == c)
        held[rng.permutation(rows)[: round(test_fraction * int(count))]] = True
    if not held.any():
        raise DataError(
            f"test_fraction {test_fraction} of {len(labels)} samples leaves none to test on; take a larger one, or 0 "
            "in a problem file to train on all"
        )
    return held
