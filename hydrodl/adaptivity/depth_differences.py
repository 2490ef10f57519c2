"""Values and derivatives in depth of fields on layers or slabs, by polynomials through the nearest of them."""

from __future__ import annotations

import math

import numpy as np

from hydrodl.common.arrays import Floats

POINTS = 8
"""Samples in a difference, where there are as many."""


def derivative(samples: Floats, at: Floats, places: Floats, order: int, points: int = POINTS) -> Floats:
    """d_t^order of samples (n, ...) given at ``at`` (n,), at each of the places, from the samples nearest to it."""
    count = min(points, len(at))
    out = np.empty((len(places), *samples.shape[1:]))
    for row, place in enumerate(places):
        first = int(np.clip(np.searchsorted(at, place) - count // 2, 0, len(at) - count))
        near = slice(first, first + count)
        scale = at[first + count - 1] - at[first] or 1.0
        powers = np.vander((at[near] - place) / scale, increasing=True).T
        target = np.zeros(count)
        target[order] = math.factorial(order) / scale**order
        out[row] = np.tensordot(np.linalg.solve(powers, target), samples[near], axes=1)
    return out
