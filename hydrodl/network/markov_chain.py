"""The discrete network as a Markov chain on the nodes of the mesh, sampled exactly.

One layer of the forward sweep moves probability from node to node; its scheme says how to draw where a path goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.parameters import COUNT
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import NodeOrder
from hydrodl.mesh.interpolation import checked_points, into
from hydrodl.mesh.point_location import locate
from hydrodl.network.network import Network


@dataclass(frozen=True, eq=False)
class NodePaths:
    """Where the paths of the chain are at the last layer.

    Attributes:
        nodes: all nodes of the mesh, sorted by coordinates, shape (nodes, d).
        counts: how many paths from each starting point ended at each node, shape (n, nodes).
    """

    nodes: Floats
    counts: Ints

    def mean(self, function: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
        """Average of a function over the paths from each point, and its standard error.

        Args:
            function: points (nodes, d) -> values (nodes, m), such as ``readout.probabilities``.

        Returns:
            two arrays of shape (n, m).
        """
        values = np.asarray(function(self.nodes), dtype=float)
        share = self.counts / self.counts.sum(axis=1, keepdims=True)
        mean = share @ values
        variance = np.maximum(share @ values**2 - mean**2, 0.0)
        return mean, np.sqrt(variance / self.counts.sum(axis=1, keepdims=True))


def sample_chain(network: Network, points: ArrayLike, paths: int, seed: int = 0) -> NodePaths:
    """Independent paths of the discrete network: random walks on the nodes with the transition matrices P of training.

    A path from a point that is no node starts at a node of its cell, drawn by the hat functions there. Paths are
    counted, not stored: the cost grows with points times nodes times jumps, and hardly with ``paths``. Collective,
    the same on all ranks, each of which holds every operator in turn.

    Args:
        network: the trained network.
        points: mesh coordinates, shape (n, d).
        paths: number of paths from each point.
        seed: of the random numbers.

    Raises:
        InputError: points of another dimension or not finite, paths < 1, a mesh whose operators are no Markov chains
            (all but the robust family), layers of the midpoint scheme so long that P has negative entries.

    Example:
        >>> walks = hd.sample_chain(network, samples.points[:2], paths=10)
        >>> walks.counts.sum(axis=1)
        array([10, 10])
    """
    COUNT.check("paths", paths)
    problem = network.solution.problem
    domain, rng = problem.domain, np.random.default_rng(seed)
    walk = problem.method.walk(domain, problem.lagrangian)
    x = into(domain, checked_points(points, domain.dimension))
    order = NodeOrder(domain)
    counts = _starts(domain, order, x, paths, rng)
    for k, (velocity, step) in enumerate(zip(network.solution.velocity, problem.layers.steps, strict=True)):
        counts = walk(k, velocity, float(step), counts, rng)
    return NodePaths(order.nodes, counts)


def _starts(domain: Domain, order: NodeOrder, points: Floats, paths: int, rng: np.random.Generator) -> Ints:
    found = locate(domain, points)
    table = domain.V.element.basix_element.tabulate(0, found.reference)[0, :, :, 0]
    here = found.rows, order.of(domain.V.dofmap.list[found.cells]), np.clip(table, 0.0, 1.0)
    share = np.zeros((len(points), len(order.nodes)))
    for rows, places, weights in domain.comm.allgather(here):
        share[rows[:, None], places] = weights
    return rng.multinomial(paths, share / share.sum(axis=1, keepdims=True))
