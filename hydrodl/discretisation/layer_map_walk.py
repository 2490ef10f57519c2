"""The slabs of the layer-map schemes as a Markov chain: the walk of R', a node of a row of W, the walk of R''."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.discretisation.layer_map_transport import heat_steps
from hydrodl.discretisation.push import Push, Splines
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import whole
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.physics.lagrangian import Lagrangian


class LayerMapWalk:
    """See ``Walk`` in :mod:`hydrodl.discretisation.scheme`; every rank draws the same."""

    def __init__(self, domain: Domain, lagrangian: Lagrangian, before: float, degree: int) -> None:
        self._domain, self._noise, self._before = domain, float(lagrangian.noise), before
        self._nodes = GridNodes(domain)
        self._splines = Splines(self._nodes.shape, self._nodes.spacing, degree)

    def __call__(self, k: int, velocity: Floats, step: float, counts: Ints, rng: np.random.Generator) -> Ints:
        """Counts of paths (n, nodes) above slab k; collective."""
        field = whole(self._domain, velocity[None])[1][0]
        push = Push(self._splines, step * field)
        ((first, then),) = heat_steps(self._nodes, self._noise, np.array([step]), self._splines, self._before)
        if first is not None:
            counts = first.walk(counts, rng)
        return then.walk(push.walk(counts, rng), rng)
