"""The noise of layer maps as flows of one generator: for layers of several thicknesses that are compared.

A heat step (``heat_step``) depends on Delta / h^2 otherwise than by powers, since it is positive, and so do the slabs
of several thicknesses from which the modified system of a layer map is made (``adaptivity.thick_slabs``). Noise is not
small on short waves and need not be expanded: with the symbols S' and S'' of the heat steps of layers of thickness D,
and that of the splines at rest, B = 1 - z/8 (degree 2) or 1 - z/6 (degree 3), z = 4 sin^2(x/2), slabs of thickness s
have instead, in cosines along every axis, x = pi k / (n - 1),

    before  S'^(s/D)      after  (S'' B)^(s/D) / B                                                           D > 0
    before  exp(-s nu' x^2 / h^2)   after  exp(-s (nu - nu') x^2 / h^2) / B     the heat equation's          D = 0

A slab of thickness D has its own noise, and slabs of all thicknesses, at rest, are powers of one: what they differ by
is the map's, and has a series in s. They are not positive, and no Markov chain: a means of analysis, on smooth data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.heat_step import axes_of, noise_split

LEAST = 1e-12
"""Symbols are taken for no less, so that their logarithms are numbers; waves that lose as much are not there."""


class CosineStep:
    """R of slabs of one thickness on all nodes of a box, x_1 slowest: symbols along every axis, in cosines.

    Args:
        shape: nodes per axis, (d,); spacing: h_a, (d,).
        symbols: for x = pi k / (n_a - 1), k = 0 .. n_a - 1, along every axis, (n_a,) each.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, symbols: Sequence[Floats]) -> None:
        self._shape, self._along = tuple(shape), list[Floats]()
        for n, h, symbol in zip(shape, spacing, symbols, strict=True):
            cosines, volumes = dct(np.eye(n), type=1, axis=0), np.full(n, float(h))
            volumes[[0, -1]] /= 2
            self._along.append(dct(symbol[:, None] * cosines, type=1, axis=0) / (2 * n - 2) / volumes)

    def smooth(self, duals: Floats, out: Floats | None = None) -> Floats:
        """R duals, (C, nodes); ``out`` must be contiguous and may be what was given."""
        found = duals.reshape(-1, *self._shape)
        for axis, matrix in enumerate(self._along, start=1):
            found = np.moveaxis(np.tensordot(matrix, found, (1, axis)), 0, axis)
        out = np.empty(duals.shape) if out is None else out
        out[:] = found.reshape(duals.shape)
        return out


@dataclass(frozen=True)
class HeatFlow:
    """What layers of any thickness have in place of heat steps.

    Attributes:
        thickness: D, of the layers whose noise it is; 0: that of the heat equation.
    """

    thickness: float

    def steps(
        self, shape: Sequence[int], spacing: Floats, step: float, noise: float, degree: int, before: float
    ) -> tuple[CosineStep | None, CosineStep]:
        """R' (None without noise before the map) and R'' of slabs of one thickness.

        Args:
            shape, spacing: of the nodes, (d,); step: s; noise: nu; degree: of the splines; before: nu' / nu.
        """
        waves = [np.pi * np.arange(n) / (n - 1) for n in shape]
        splines = [np.log1p(-4 * np.sin(x / 2) ** 2 / (8 if degree == 2 else 6)) for x in waves]
        first, then = self._rates(waves, spacing, noise, degree, before)
        after = [
            np.exp(step * (rate + share) - log)
            for rate, share, log in zip(then, self._own(splines), splines, strict=True)
        ]
        made = CosineStep(shape, spacing, after)
        return CosineStep(shape, spacing, [np.exp(step * rate) for rate in first]) if before else None, made

    def _own(self, splines: list[Floats]) -> list[Floats]:
        """What splines are a rate of: those of the heat equation's layers are counted in its noise."""
        return [log / self.thickness if self.thickness else np.zeros_like(log) for log in splines]

    def _rates(
        self, waves: list[Floats], spacing: Floats, noise: float, degree: int, before: float
    ) -> tuple[list[Floats], list[Floats]]:
        """Logarithms of the symbols before and after the map, over the thickness."""
        if self.thickness == 0:
            heat = [-noise * (x / float(h)) ** 2 for x, h in zip(waves, spacing, strict=True)]
            return [before * rate for rate in heat], [(1 - before) * rate for rate in heat]
        split = noise_split(noise, self.thickness, spacing, degree, before)
        first, then = (
            [
                np.log(np.maximum(np.abs(axis.symbol(x)), LEAST)) / self.thickness
                for axis, x in zip(axes_of(spacing, self.thickness, share), waves, strict=True)
            ]
            for share in (split.before, split.after)
        )
        return first, then
