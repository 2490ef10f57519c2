"""The discrete network as a Markov chain on the nodes of the mesh, sampled exactly.

With the vertex rule Q_ij = L_ji / M_i is the generator of a chain: an i that jumps to j at the rate Q_ij. One layer of
the forward sweep moves probability from node to node by

    P = (I - theta Delta Q)^-1 (I + (1 - theta) Delta Q).

The first factor is the mean of exp(s Q) over an exponentially distributed time s of mean theta Delta: the chain runs
until a clock of rate 1 / (theta Delta) rings. The second factor is one jump of probability (1 - theta) Delta |Q_ii|.
So paths need the entries of L alone, no linear solve, and are an independent test of the posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.checks import whole_number
from hydrodl.common.errors import InputError
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather_nodes, lexicographic
from hydrodl.mesh.interpolation import checked_points, into
from hydrodl.mesh.point_location import locate
from hydrodl.network.network import Network
from hydrodl.solver.transport_operator import Generator


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
    whole_number("paths", paths, least=1)
    problem = network.solution.problem
    domain, theta, rng = problem.domain, problem.theta, np.random.default_rng(seed)
    if domain.degree > 1 or not domain.lumped:
        raise InputError("a Markov chain on the nodes needs box cells of degree 1 and the vertex rule (lumped = True)")
    x = into(domain, checked_points(points, domain.dimension))
    generator, order = Generator(problem), _Order(domain)
    counts = _starts(domain, order, x, paths, rng)
    for k, (velocity, step) in enumerate(zip(network.solution.velocity, problem.layers.steps, strict=True)):
        walk = _Walk(_rates(generator, order, velocity), k)
        if theta < 1.0:
            counts = walk.jump(counts, (1 - theta) * step, rng)
        counts = walk.run(counts, theta * step, rng)
    return NodePaths(order.nodes, counts)


class _Order:
    """All nodes sorted by coordinates, the same on any number of ranks."""

    def __init__(self, domain: Domain) -> None:
        nodes, found = gather_nodes(domain), None
        if nodes is not None:
            sorting = lexicographic(nodes)
            found = nodes[sorting], np.argsort(sorting)
        self.nodes, self.place = domain.comm.bcast(found)  # place: of each global node number
        self._map = domain.V.dofmap.index_map

    def of(self, local: NDArray[np.int32]) -> Ints:
        """Places of this rank's local nodes, in the same shape."""
        numbers = self._map.local_to_global(np.ascontiguousarray(local.reshape(-1)))
        return self.place[numbers].reshape(local.shape)


def _starts(domain: Domain, order: _Order, points: Floats, paths: int, rng: np.random.Generator) -> Ints:
    found = locate(domain, points)
    table = domain.V.element.basix_element.tabulate(0, found.reference)[0, :, :, 0]
    here = found.rows, order.of(domain.V.dofmap.list[found.cells]), np.clip(table, 0.0, 1.0)
    share = np.zeros((len(points), len(order.nodes)))
    for rows, places, weights in domain.comm.allgather(here):
        share[rows[:, None], places] = weights
    return rng.multinomial(paths, share / share.sum(axis=1, keepdims=True))


def _rates(generator: Generator, order: _Order, velocity: Floats) -> sp.csr_array:
    """Q of one slab, rows and columns in order, on every rank."""
    pattern, size = generator.pattern, len(order.nodes)
    rows = np.repeat(np.arange(len(pattern.pointers) - 1, dtype=np.int32), np.diff(pattern.pointers))
    mass = generator.mass.diagonal
    assert mass is not None  # the vertex rule
    entries = generator.values(velocity)
    here = order.of(rows), order.place[generator.columns[pattern.columns]], entries
    weights = order.of(np.arange(len(mass), dtype=np.int32)), mass
    pieces: Any = generator.problem.domain.comm.allgather((here, weights))
    masses = np.empty(size)
    for _, (places, values) in pieces:
        masses[places] = values
    to, start, values = (np.concatenate([piece[0][i] for piece in pieces]) for i in range(3))
    return sp.csr_array(sp.coo_array((values / masses[start], (start, to)), shape=(size, size)))


class _Walk:
    """Random walks of one slab, for counts of paths (n, nodes)."""

    def __init__(self, rates: sp.csr_array, slab: int) -> None:
        leaving = -rates.diagonal()
        jumps = sp.csr_array(rates + sp.diags_array(leaving))
        jumps.eliminate_zeros()
        jumps.sort_indices()
        self._slab, self._leaving = slab, leaving
        widest = int(np.diff(jumps.indptr).max())
        self._targets = np.zeros((len(leaving), widest), dtype=np.int64)
        self._chances = np.zeros((len(leaving), widest))
        column = np.arange(jumps.nnz) - np.repeat(jumps.indptr[:-1], np.diff(jumps.indptr))
        row = np.repeat(np.arange(len(leaving)), np.diff(jumps.indptr))
        self._targets[row, column], self._chances[row, column] = jumps.indices, jumps.data
        if self._chances.min() < -1e-12 * leaving.max():
            raise InputError(f"slab {slab} is no Markov chain: a rate is negative; use box cells and fitted noise")
        self._chances = np.maximum(self._chances, 0.0)
        self._chances /= np.maximum(self._chances.sum(axis=1, keepdims=True), 1e-300)

    def run(self, counts: Ints, mean: float, rng: np.random.Generator) -> Ints:
        """Walk for exponentially distributed times of a given mean."""
        done, moving = np.zeros_like(counts), counts
        ring = 1 / (1 + mean * self._leaving)  # that the clock rings before the next jump
        while moving.any():
            stopped = rng.binomial(moving, ring)
            done += stopped
            moving = self._moved(moving - stopped, rng)
        return done

    def jump(self, counts: Ints, time: float, rng: np.random.Generator) -> Ints:
        """At most one jump, of probability time * rate."""
        chance = time * self._leaving
        if chance.max() > 1:
            raise InputError(
                f"slab {self._slab}: the midpoint scheme moves {chance.max():.3g} of a node's mass at once, which is "
                "no probability; use more layers or the euler-box scheme"
            )
        leaving = rng.binomial(counts, chance)
        return counts - leaving + self._moved(leaving, rng)

    def _moved(self, counts: Ints, rng: np.random.Generator) -> Ints:
        """Each of the paths counted jumps once."""
        start, node = np.nonzero(counts)
        went = rng.multinomial(counts[start, node], self._chances[node])
        out = np.zeros_like(counts)
        np.add.at(out, (start[:, None], self._targets[node]), went)
        return out
