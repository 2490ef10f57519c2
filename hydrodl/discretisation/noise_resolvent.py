"""The noise of the layer-map schemes: implicit heat steps along every axis of a uniform box.

With the lumped mass M_a and the stiffness K_a of linear elements along axis a, walls reflecting,

    R(s) = (M_1 + Delta s_1 K_1)^-1 x ... x (M_d + Delta s_d K_d)^-1

brings masses to densities. It is symmetric, so the same object brings dual vectors back. S = M R is not negative, keeps
the mass and has the variance 2 Delta s_a along axis a, exactly, away from the walls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.linalg.lapack import dpttrf

from hydrodl.common.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class NoiseSplit:
    """How a layer shares out the noise nu, per axis, each (d,).

    Attributes:
        before, after: noise of the resolvents before and after the map.
        effective: the noise that the layer has in all: nu, or that of the splines where it is larger.
    """

    before: Floats
    after: Floats
    effective: Floats


def noise_split(noise: float, step: float, spacing: Floats, degree: int, before: float) -> NoiseSplit:
    """The splines bring the noise nu_B = (p + 1) h_a^2 / (24 Delta), the resolvents the rest of nu.

    Args:
        noise: nu.
        step: Delta, the thickness of the slab.
        spacing: h_a, (d,).
        degree: p of the splines.
        before: the share of nu that the resolvent before the map brings, if the splines leave as much: 0 for the scheme
            "residual", 1/2 for "strang".
    """
    splines = (degree + 1) * np.asarray(spacing, dtype=float) ** 2 / (24 * step)
    rest = np.maximum(noise - splines, 0.0)
    first = np.minimum(before * noise, rest)
    return NoiseSplit(first, rest - first, np.maximum(noise, splines))


class NoiseResolvent:
    """R of slabs of one thickness on all nodes of a box, x_1 slowest.

    Args:
        shape: nodes per axis, (d,).
        spacing: h_a, (d,).
        step: Delta.
        noise: s_a, (d,), not negative; where it is 0 the axis has its inverse mass.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, step: float, noise: Floats) -> None:
        self._shape, self._jumps = tuple(shape), 2 * step * np.asarray(noise) / np.asarray(spacing) ** 2
        self._axes = [
            (int(np.prod(shape[a + 1 :])), *_factors(n, h, step * s))
            for a, (n, h, s) in enumerate(zip(shape, spacing, noise, strict=True))
        ]

    def smooth(self, duals: Floats, out: Floats | None = None) -> Floats:
        """R duals, (C, nodes); ``out`` must be contiguous and may be what was given."""
        out = np.empty(duals.shape) if out is None else out
        if out is not duals:
            out[:] = duals
        for inner, ratios, inverses in self._axes:
            _solve(out.reshape(-1, len(inverses), inner), ratios, inverses)
        return out

    def walk(self, counts: Ints, rng: np.random.Generator) -> Ints:
        """Where paths go that are counted at the nodes, (n, nodes): exact draws from S, without a linear solve.

        S along an axis is the mean of the heat flow over an exponentially distributed time: steps to either neighbour,
        inwards at the walls, until a clock rings, which after each step it does not with the chance j / (1 + j),
        j = 2 Delta s / h^2.
        """
        for a, jumps in enumerate(self._jumps):
            after = int(np.prod(self._shape[a + 1 :]))
            moving = counts.reshape(-1, self._shape[a], after)
            upwards = np.full((self._shape[a], 1), 0.5)
            upwards[0], upwards[-1] = 1.0, 0.0
            done = np.zeros_like(moving)
            while moving.any():
                stopped = rng.binomial(moving, 1 / (1 + jumps))
                done += stopped
                left = moving - stopped
                up = rng.binomial(left, upwards)
                moving = np.zeros_like(left)
                moving[:, 1:] += up[:, :-1]
                moving[:, :-1] += (left - up)[:, 1:]
            counts = done.reshape(counts.shape)
        return counts


def _factors(n: int, h: float, variance: float) -> tuple[Floats, Floats]:
    """L D L^T of mass + variance * stiffness along an axis: the negative of what is below L's diagonal, and D^-1."""
    ends = np.ones(n)
    ends[[0, -1]] = 0.5
    pivots, lower, failed = dpttrf(ends * (h + 2 * variance / h), np.full(n - 1, -variance / h))
    assert failed == 0  # a positive mass and a stiffness that is not negative
    return -lower, 1.0 / pivots


@njit(cache=True, error_model="numpy")
def _solve(x: Floats, ratios: Floats, inverses: Floats) -> None:
    """x <- (L D L^T)^-1 x along the second of three axes; sums of what is not negative stay so."""
    outer, n, inner = x.shape
    if inner == 1:
        _solve_lines(x.reshape(outer, n), ratios, inverses)
        return
    for o in range(outer):
        rows = x[o]
        for i in range(1, n):
            for j in range(inner):
                rows[i, j] += ratios[i - 1] * rows[i - 1, j]
        for j in range(inner):
            rows[n - 1, j] *= inverses[n - 1]
        for i in range(n - 2, -1, -1):
            for j in range(inner):
                rows[i, j] = rows[i, j] * inverses[i] + ratios[i] * rows[i + 1, j]


@njit(cache=True, error_model="numpy")
def _solve_lines(x: Floats, ratios: Floats, inverses: Floats) -> None:
    """The same along the last axis: eight lines at a time, since the steps along one wait for each other."""
    n = x.shape[1]
    block = np.empty((n, 8))
    for start in range(0, len(x), 8):
        count = min(8, len(x) - start)
        for i in range(n):
            for j in range(count):
                block[i, j] = x[start + j, i]
        for i in range(1, n):
            for j in range(8):
                block[i, j] += ratios[i - 1] * block[i - 1, j]
        for j in range(8):
            block[n - 1, j] *= inverses[n - 1]
        for i in range(n - 2, -1, -1):
            for j in range(8):
                block[i, j] = block[i, j] * inverses[i] + ratios[i] * block[i + 1, j]
        for i in range(n):
            for j in range(count):
                x[start + j, i] = block[i, j]
