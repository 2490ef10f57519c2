"""Ever coarser grids of a box, for multigrid: axes lose every second node while their spacing is among the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats, Ints

_FEW = 4
"""An axis of so few nodes is coarse enough; with three of them the coarsest grid has 64 nodes at most."""

_LIKE = 1.5
"""An axis is made coarser if its spacing is at most this many times the least: points relax only what is alike."""


@dataclass(frozen=True, eq=False)
class GridLevels:
    """The levels as the kernels read them, see :mod:`hydrodl.linear_algebra.multigrid_kernels`.

    Attributes:
        places: a row a level; mass, edge: along the axes; lower, share: where the nodes of an axis lie on the next
            level; size: nodes of all levels together.
    """

    places: Ints
    mass: Floats
    edge: Floats
    lower: Ints
    share: Floats
    size: int

    @classmethod
    def of(cls, shape: Sequence[int], spacing: Floats) -> GridLevels:
        """The levels of a uniform grid, axes that it does not have first."""
        missing = [np.zeros(1)] * (3 - len(shape))
        axes = missing + [h * np.arange(n) for n, h in zip(shape, spacing, strict=True)]
        rows, mass, edge, lower, share = [], [], [], [], []
        start = masses = edges = 0
        while True:
            coarser = _coarser(axes)
            ends = np.cumsum([0, *(len(x) for x in axes)])
            rows.append([start, *map(len, axes), *(masses + ends[:3]), *(edges + ends[:3] + np.arange(3))])
            for x, chosen in zip(axes, coarser, strict=True):
                gaps = np.diff(x)
                mass.append(0.5 * (np.append(gaps, 0) + np.append(0, gaps)) if len(x) > 1 else np.ones(1))
                edge.append(np.r_[0.0, 1.0 / gaps, 0.0])
                below = np.searchsorted(chosen, x + 1e-9 * x[-1], side="right") - 1
                lower.append(below)
                gap = np.append(np.diff(chosen), 1.0)[below]
                part = (x - chosen[below]) / gap
                share.append(np.where(part < 1e-9, 0.0, part))
            start += int(np.prod([len(x) for x in axes]))
            masses, edges = masses + ends[-1], edges + ends[-1] + 3
            if all(len(x) == len(y) for x, y in zip(axes, coarser, strict=True)):
                break
            axes = coarser
        mass_, edge_, lower_, share_ = (np.concatenate(parts) for parts in (mass, edge, lower, share))
        return cls(np.array(rows, dtype=np.int64), mass_, edge_, lower_, share_, start)

    @property
    def coarsest(self) -> slice:
        """Where the last level is."""
        return slice(int(self.places[-1, 0]), self.size)


def _coarser(axes: Sequence[Floats]) -> list[Floats]:
    """The axes of the next level; where their number of cells is odd, the last three become one."""
    least = min((x[1] - x[0] for x in axes if len(x) > _FEW), default=np.inf)
    out = []
    for x in axes:
        if len(x) <= _FEW or x[1] - x[0] > _LIKE * least:
            out.append(x)
        elif len(x) % 2:
            out.append(x[::2])
        else:
            out.append(np.append(x[:-3:2], x[-1]))
    return out
