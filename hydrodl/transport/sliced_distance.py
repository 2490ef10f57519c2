"""How far one sample is from another, by sorting: no library, no mesh, and the same in any dimension.

    D(x, y) = mean over directions e of  W_1(e.x, e.y) / mean |e.y - median(e.y)|,   W_1 = int_0^1 |F_x^-1 - F_y^-1| ds

In d = 1 that is the Wasserstein distance W_1 in units of y's mean deviation; in more, its mean over directions (sliced
Wasserstein distance; Bonneel, Rabin, Peyre, Pfister, "Sliced and Radon Wasserstein barycenters of measures", Journal of
Mathematical Imaging and Vision 51, 2015). Two samples of n and m points of one distribution are about
sqrt(1/n + 1/m) apart.
"""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats

DIRECTIONS = 64
"""Directions, evenly spread in the plane, drawn once and for all in space."""


def sliced_distance(x: Floats, y: Floats) -> float:
    """D(x, y) of points (n, d) and (m, d), see the module; not symmetric. Local: the same on all ranks.

    A direction in which y is a single point counts by the distance itself.
    """
    found = []
    for direction in _directions(x.shape[1]):
        a, b = np.sort(x @ direction), np.sort(y @ direction)
        deviation = float(np.abs(b - np.median(b)).mean())
        found.append(_between(a, b) / (deviation if deviation > 0 else 1.0))
    return float(np.mean(found))


def by_chance(n: int, m: int) -> float:
    """What the distance of two samples of one distribution is about."""
    return float(np.sqrt(1 / n + 1 / m))


def _between(a: Floats, b: Floats) -> float:
    """W_1 of two sorted samples: the area between their quantile functions."""
    ends = np.union1d(np.arange(1, len(a) + 1) / len(a), np.arange(1, len(b) + 1) / len(b))
    middles = ends - np.diff(ends, prepend=0.0) / 2
    gaps = np.abs(a[(middles * len(a)).astype(int)] - b[(middles * len(b)).astype(int)])
    return float(gaps @ np.diff(ends, prepend=0.0))


def _directions(d: int) -> Floats:
    if d == 1:
        return np.ones((1, 1))
    if d == 2:
        angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        return np.column_stack([np.cos(angles), np.sin(angles)])
    drawn = np.random.default_rng(0).standard_normal((DIRECTIONS, d))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
