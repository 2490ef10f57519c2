"""The slabs of the box schemes as a Markov chain on the nodes of the mesh.

With the vertex rule Q_ij = L_ji / M_i is the generator of a chain: an i that jumps to j at the rate Q_ij. One layer of
the forward sweep moves probability from node to node by

    P = (I - theta Delta Q)^-1 (I + (1 - theta) Delta Q).

The first factor is the mean of exp(s Q) over an exponentially distributed time s of mean theta Delta: the chain runs
until a clock of rate 1 / (theta Delta) rings. The second factor is one jump of probability (1 - theta) Delta |Q_ii|.
So paths need the entries of L alone, no linear solve, and are an independent test of the posterior.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.discretisation.box_transport import Generator
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import NodeOrder
from hydrodl.physics.lagrangian import Lagrangian


class BoxWalk:
    """See ``Walk`` in :mod:`hydrodl.discretisation.scheme`; every rank holds every operator in turn.

    Raises:
        InputError: no vertex rule, without which no operator is a Markov chain.
    """

    def __init__(self, domain: Domain, lagrangian: Lagrangian, theta: float) -> None:
        if domain.degree > 1 or not domain.lumped:
            raise InputError(
                "a Markov chain on the nodes needs box cells of degree 1 and the vertex rule (lumped = True)"
            )
        self._generator, self._order, self._theta = Generator(domain, lagrangian), NodeOrder(domain), theta

    def __call__(self, k: int, velocity: Floats, step: float, counts: Ints, rng: np.random.Generator) -> Ints:
        """Counts of paths (n, nodes) above slab k; collective.

        Raises:
            InputError: layers of the midpoint scheme so long that P has negative entries.
        """
        jumps = _Jumps(_rates(self._generator, self._order, velocity), k)
        if self._theta < 1.0:
            counts = jumps.jump(counts, (1 - self._theta) * step, rng)
        return jumps.run(counts, self._theta * step, rng)


def _rates(generator: Generator, order: NodeOrder, velocity: Floats) -> sp.csr_array:
    """Q of one slab, rows and columns in order, on every rank."""
    pattern, size = generator.pattern, len(order.nodes)
    rows = np.repeat(np.arange(len(pattern.pointers) - 1, dtype=np.int32), np.diff(pattern.pointers))
    mass = generator.mass.diagonal
    assert mass is not None  # the vertex rule
    entries = generator.values(velocity)
    here = order.of(rows), order.place[generator.columns[pattern.columns]], entries
    weights = order.of(np.arange(len(mass), dtype=np.int32)), mass
    pieces: Any = generator.domain.comm.allgather((here, weights))
    masses = np.empty(size)
    for _, (places, values) in pieces:
        masses[places] = values
    to, start, values = (np.concatenate([piece[0][i] for piece in pieces]) for i in range(3))
    return sp.csr_array(sp.coo_array((values / masses[start], (start, to)), shape=(size, size)))


class _Jumps:
    """Random walks with the rates of one slab, for counts of paths (n, nodes)."""

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
            raise InputError(
                f"slab {slab} is no Markov chain: a rate is negative; use fitted noise, box cells or Delaunay triangles"
            )
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
