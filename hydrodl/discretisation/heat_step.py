"""The noise of the layer-map schemes: heat steps along every axis of a uniform box.

Along an axis L_k is the lumped second difference over k nodes, times (k h)^2, walls reflecting, and L = L_1. A step for
the time t = Delta s / h^2 is

    S = (I - b L)^-1 (I + a L_k) (I + L_{k/2} / 4) ... (I + L_2 / 4) (I + L_1 / 4),    k a power of 2,

with a and b so that its variance is 2 Delta s, exactly, away from the walls, and its fourth cumulant nothing, as the
heat kernel has it: S is exp(t h^2 d^2) up to a term of order 6, so of second order in the thickness of layers and of
fourth in h. For t up to 5/6, k = 1, it is Crandall's compact step, a = t/2 + 1/12. All factors are stochastic matrices
while 0 <= a <= 1/2 and b >= 0, and k is the least with which they are, between t^(1/2) and twice that: a step costs a
solve and log_2 k + 1 means of neighbours, which take away what alternates from node to node, as a long step of
neighbours far apart alone would not.

For t < 1/6 no kernel on the nodes has so small a fourth cumulant, and b would be 0 for the least that there is:
t (1/12 - t/2). There, and between the ranges of two k, b is t/32 instead, so that densities are positive at every node,
as far as numbers reach, and internal energies whose U'' is infinite at R = 0 can be minimised.

S^T brings masses to masses, and R = S M^-1, M the lumped mass, masses to densities; R is symmetric, since functions of
L are so in the inner product of M. R of the box is the product over its axes.
Related: Crandall, Quart. Appl. Math. 13 (1955).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.discretisation.heat_kernels import heat_lines

LEAST = 1 / 32
"""b is this part of t at least."""

EQUAL = 1 + 1e-9
"""Layers that are as thick but for rounding have the same k."""


@dataclass(frozen=True, eq=False)
class NoiseSplit:
    """How a layer shares out the noise nu, per axis, each (d,).

    Attributes:
        before, after: noise of the heat steps before and after the map.
        effective: the noise that the layer has in all: nu, or that of the splines where it is larger.
    """

    before: Floats
    after: Floats
    effective: Floats


def noise_split(noise: float, step: float, spacing: Floats, degree: int, before: float) -> NoiseSplit:
    """The splines bring the noise nu_B = (p + 1) h_a^2 / (24 Delta), the heat steps the rest of nu.

    Args:
        noise: nu.
        step: Delta, the thickness of the slab.
        spacing: h_a, (d,).
        degree: p of the splines.
        before: the share of nu that the heat step before the map brings, if the splines leave as much: 0 for the scheme
            "residual", 1/2 for "strang".
    """
    splines = (degree + 1) * np.asarray(spacing, dtype=float) ** 2 / (24 * step)
    rest = np.maximum(noise - splines, 0.0)
    first = np.minimum(before * noise, rest)
    return NoiseSplit(first, rest - first, np.maximum(noise, splines))


@dataclass(frozen=True)
class AxisHeat:
    """S along an axis.

    Attributes:
        explicit: (stride, a) of the explicit factors, the longest stride last; with no stride S is the identity.
        implicit: b.
    """

    explicit: tuple[tuple[int, float], ...]
    implicit: float

    @classmethod
    def of(cls, time: float) -> AxisHeat:
        """The step for the time t = Delta s / h^2, not negative."""
        if time == 0:
            return cls((), 0.0)
        k = 1
        while (amount := _amount(time, k)) > k**2 / 2 * EQUAL:
            k *= 2
        rest = time - (k**2 - 1) / 12
        amount, halves = (
            min(amount, k**2 / 2, rest - LEAST * time),
            tuple((2**j, 0.25) for j in range(k.bit_length() - 1)),
        )
        return cls((*halves, (k, amount / k**2)), rest - amount)

    @property
    def time(self) -> float:
        """t."""
        return sum(a * k**2 for k, a in self.explicit) + self.implicit

    def cumulants(self) -> tuple[float, float]:
        """c_4, c_6 of log S = -t x^2 + c_4 x^4 + c_6 x^6 + ..., x the wave number times h; c_4 is 0 for most t."""
        b = self.implicit
        parts = [(b / 12 + b**2 / 2, -b / 360 - b**2 / 12 - b**3 / 3)]
        for k, share in self.explicit:
            a = share * k**2
            parts.append((a * k**2 / 12 - a**2 / 2, -a * k**4 / 360 + a**2 * k**2 / 12 - a**3 / 3))
        fourth, sixth = np.sum(parts, axis=0)
        return float(fourth), float(sixth)

    def symbol(self, waves: Floats) -> Floats:
        """S of cosines, for wave numbers times h."""
        found = 1 / (1 + 4 * self.implicit * np.sin(waves / 2) ** 2)
        for k, share in self.explicit:
            found = found * (1 - 4 * share * np.sin(k * waves / 2) ** 2)
        return found

    def neighbours(self, nodes: int) -> tuple[Ints, Ints]:
        """Where the nodes at each stride's distance are, (factors, nodes) each, folded at the walls."""
        strides = np.array([k for k, _ in self.explicit], dtype=np.int64)[:, None]
        low, high = (np.abs(np.arange(nodes) + shift) % (2 * nodes - 2) for shift in (-strides, strides))
        return np.minimum(low, 2 * nodes - 2 - low), np.minimum(high, 2 * nodes - 2 - high)

    def solve(self, nodes: int) -> Floats:
        """The tridiagonal solve for ``heat_lines``: L, U and the inverse pivots, (3, nodes)."""
        b = self.implicit
        pivots, upper = np.empty((2, nodes))
        lower, beyond = np.full(nodes, b), np.full(nodes, b)
        lower[-1] = beyond[0] = 2 * b
        for i in range(nodes):
            pivots[i] = 1 / (1 + 2 * b - (lower[i] * upper[i - 1] if i else 0.0))
            upper[i] = beyond[i] * pivots[i]
        return np.array([lower * pivots, upper, pivots])


def _amount(time: float, k: int) -> float:
    """a k^2 with which the fourth cumulant is nothing; inf where the shorter factors alone are too much for that.

    With the factors of k/2, ..., 1, which have t_0 = (k^2 - 1)/12 and c_4 = -(k^4 - 1)/1440, the last one and the
    implicit one have a k^2 + b = t - t_0 and (a k^4 + b)/12 + (b^2 - a^2 k^4)/2 = (k^4 - 1)/1440.
    """
    short = (k**2 - 1) / 12
    rest = time - short
    if rest <= short:
        return np.inf
    return (rest**2 / 2 + rest / 12 - (k**4 - 1) / 1440) / (rest - short)


def axes_of(spacing: Floats, step: float, noise: Floats) -> list[AxisHeat]:
    """S along each axis, for h_a and s_a, (d,) each, and Delta."""
    return [AxisHeat.of(step * float(s) / float(h) ** 2) for h, s in zip(spacing, noise, strict=True)]


class HeatStep:
    """R of slabs of one thickness on all nodes of a box, x_1 slowest.

    Args:
        shape: nodes per axis, (d,).
        spacing: h_a, (d,).
        axes: S along each axis; where it is the identity the axis has its inverse mass.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, axes: Sequence[AxisHeat]) -> None:
        self._axes, self._lines = axes, list[tuple[Any, ...]]()
        for a, (n, h, axis) in enumerate(zip(shape, spacing, axes, strict=True)):
            volumes = np.full(n, 1 / float(h))
            volumes[[0, -1]] *= 2
            inner, beside = int(np.prod(shape[a + 1 :])), np.array([share for _, share in axis.explicit])
            self._lines.append((inner, volumes, *axis.neighbours(n), beside, *axis.solve(n)))

    @classmethod
    def of(cls, shape: Sequence[int], spacing: Floats, step: float, noise: Floats) -> HeatStep:
        """For the thickness Delta of slabs and the noise s_a, (d,), not negative."""
        return cls(shape, spacing, axes_of(spacing, step, noise))

    def smooth(self, duals: Floats, out: Floats | None = None) -> Floats:
        """R duals, (C, nodes); ``out`` must be contiguous and may be what was given."""
        out = np.empty(duals.shape) if out is None else out
        if out is not duals:
            out[:] = duals
        for axis, (inner, volumes, *parts) in zip(self._axes, self._lines, strict=True):
            lines = out.reshape(-1, len(volumes), inner)
            if axis.explicit:
                heat_lines(lines, volumes, *parts)
            else:
                lines *= volumes[:, None]
        return out

    def walk(self, counts: Ints, rng: np.random.Generator) -> Ints:
        """Where paths go that are counted at the nodes, (n, nodes): exact draws from S, without a linear solve.

        Along an axis a path goes to either neighbour of every explicit factor with the chance a, and then, for the
        implicit one, which is the mean of the heat flow over an exponentially distributed time, to either next node
        until a clock rings, which after each step it does not with the chance j / (1 + j), j = 2 b; at the walls steps
        are reflected.
        """
        for axis, (inner, volumes, low, high, *_) in zip(self._axes, self._lines, strict=True):
            paths = counts.reshape(-1, len(volumes), inner)
            for (_, share), down, up in zip(axis.explicit, low, high, strict=True):
                paths = _explicit_walk(paths, share, down, up, rng)
            counts = _implicit_walk(paths, 2 * axis.implicit, rng).reshape(counts.shape)
        return counts


def _explicit_walk(counts: Ints, share: float, low: Ints, high: Ints, rng: np.random.Generator) -> Ints:
    moving = rng.binomial(counts, 2 * share)
    up, out = rng.binomial(moving, 0.5), counts - moving
    by_place = out.swapaxes(0, 1)
    np.add.at(by_place, high, up.swapaxes(0, 1))
    np.add.at(by_place, low, (moving - up).swapaxes(0, 1))
    return out


def _implicit_walk(moving: Ints, jumps: float, rng: np.random.Generator) -> Ints:
    upwards = np.full((moving.shape[1], 1), 0.5)
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
    return done
