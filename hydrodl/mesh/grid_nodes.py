"""The nodes of a uniform box on its grid: their order, their spacing, their lumped mass."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.uniform_grid import Grid


class GridNodes:
    """The nodes of a uniform box on the grid, x_1 slowest, and fields from one order to the other; collective.

    "Whole" fields stand in the order of global node numbers, as sweeps hand them on.

    Attributes:
        shape: nodes per direction; spacing: h_a, (d,); mass: the lumped mass at each node of the grid; sorted: both
            orders are one, as on a single rank.
    """

    def __init__(self, domain: Domain) -> None:
        grid, order = Grid.of(domain)
        self.shape, self.spacing = tuple(int(n) for n in grid.counts), grid.spacing
        self._place = np.concatenate(domain.comm.allgather(order))
        self._number = np.argsort(self._place)
        self.sorted = bool((np.diff(self._place) > 0).all())
        self.mass = np.ones(1)
        for n, h in zip(self.shape, self.spacing, strict=True):
            line = np.full(n, h)
            line[[0, -1]] *= 0.5
            self.mass = np.multiply.outer(self.mass, line).reshape(-1)

    def to_grid(self, whole: Floats) -> Floats:
        """Fields (..., nodes) in the order of the grid; those given themselves, where they are so already."""
        return whole if self.sorted else np.take(whole, self._number, axis=-1)

    def to_whole(self, on_grid: Floats) -> Floats:
        """Fields (..., nodes) in the order of global numbers; perhaps those given themselves."""
        return on_grid if self.sorted else np.take(on_grid, self._place, axis=-1)
