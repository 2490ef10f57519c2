"""The partition of depth: layers are time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, plural
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Number

LAYERS, DEPTH = Number(16, least=1, whole=True), Number(1.0, above=0, smallest=1e-6, most=1e6)


THINNEST = 1e-9
"""Of a layer, relative to the depth: thinner ones do nothing but spoil the scale of what is solved."""


TOO_THIN = f"layer times must not be closer than {THINNEST:g} of the last one"


@dataclass(frozen=True, eq=False, repr=False)
class Layers(Card):
    """The partition 0 = t_0 < ... < t_N = T of depth.

    Attributes:
        times: t_0 .. t_N, shape (N + 1,), strictly increasing from 0.

    Raises:
        InputError: fewer than one layer, a first time other than 0, or times that do not increase.

    Example:
        >>> hd.Layers([0.0, 0.25, 1.0]).steps
        array([0.25, 0.75])
    """

    times: Floats

    def __post_init__(self) -> None:
        times = np.asarray(self.times, dtype=float)
        object.__setattr__(self, "times", times)
        if times.ndim != 1 or times.size < 2:
            raise InputError("layers: at least 1 is needed")
        if times[0] != 0 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise InputError("layer times must start at 0 and increase strictly")
        if np.diff(times).min() < THINNEST * times[-1]:
            raise InputError(TOO_THIN)

    def __str__(self) -> str:
        return f"{plural(len(self), 'layer')} of total depth {self.depth:g}"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        return {
            "layers": len(self),
            "depth": f"{self.depth:g}",
            "thickness": f"{self.steps.min():.3g} to {self.steps.max():.3g}",
        }

    def __len__(self) -> int:
        return self.times.size - 1

    @property
    def steps(self) -> Floats:
        """Delta_k = t_{k+1} - t_k, shape (N,)."""
        return np.diff(self.times)

    @property
    def weights(self) -> Floats:
        """Those of layers in the trapezoidal rule, half of the slabs on either side, shape (N + 1,)."""
        return 0.5 * (np.append(0.0, self.steps) + np.append(self.steps, 0.0))

    @property
    def depth(self) -> float:
        """T."""
        return float(self.times[-1])


def layers(partition: int | ArrayLike = LAYERS.default, depth: float = DEPTH.default) -> Layers:
    """N equal layers of total depth T, or the layers with the given times t_0 = 0 < ... < t_N.

    Raises:
        InputError: fewer than one layer, depth not positive, or times that do not increase from 0.

    Example:
        >>> hd.layers(4, depth=2.0).times
        array([0. , 0.5, 1. , 1.5, 2. ])
    """
    if np.ndim(partition) == 0:
        LAYERS.check("layers", partition)
        DEPTH.check("depth", depth)
        return Layers(np.linspace(0.0, depth, int(np.asarray(partition)) + 1))
    return Layers(np.asarray(partition, dtype=float))
