"""Nodal fields of a uniform box as arrays over its grid, on one rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.parallel import gather, gather_nodes, lexicographic
from hydrodl.domain import Domain

Floats = NDArray[np.float64]


class GatheredGrid:
    """The nodes of a uniform box.

    Attributes:
        shape: nodes per direction; spacing: h_a, (d,); both the same on every rank.
        here: is this the rank that holds the arrays.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        nodes = gather_nodes(domain)
        self.here = nodes is not None
        counts = None
        if nodes is not None:
            self._order = lexicographic(nodes)
            gaps = 1e-9 * np.ptp(nodes, axis=0)
            counts = [1 + int((np.diff(np.sort(x)) > gap).sum()) for x, gap in zip(nodes.T, gaps, strict=True)]
        self.shape: tuple[int, ...] = tuple(domain.comm.bcast(counts))
        low, high = domain.bounds
        self.spacing: Floats = (high - low) / (np.array(self.shape) - 1)

    def gather(self, owned: Floats) -> Floats:
        """Fields (m, owned) -> (m, *shape) on the rank that holds the arrays, (0,) elsewhere; collective."""
        everything = gather(self._domain, owned)
        return np.empty(0) if everything is None else everything[:, self._order].reshape(-1, *self.shape)
