"""The recursions of both sweeps through the layers, on slabs distributed by nodes or by layers.

A scheme says what a slab does to the density below it and to the potential above it (:class:`SlabMaps`); classes do
not meet. Here is the order in which slabs are asked, and by which rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import smallest
from hydrodl.linear_algebra.layer_shares import Shares

Pulls = Mapping[int, Floats]
"""dG at layers 1 .. N where losses act, dual vectors (C, owned)."""

Segments = Sequence[tuple[int, NDArray[np.int64]]]
Step = Callable[[int, int, Floats], tuple[Floats, Floats]]
"""(place of a layer, class, state before it) -> (the slab's field, state behind it)."""


class SlabMaps(Protocol):
    """The slabs of a scheme as steps of both recursions, for fields (m, nodes)."""

    def forward(self, k: int, layer: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(r_k, R_{k+1}) of R_k and what joins it on the way."""

    def backward(self, k: int, dual: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(q_k, M phi_k) of M phi_{k+1} with the pulls of losses in it, and what joins it on the way."""


class March(Protocol):
    """Both recursions for stacks (N, C, owned)."""

    def forward(self, start: Floats, sources: Floats | None, out: Floats, layers: Mapping[int, Floats]) -> None:
        """r of every slab into ``out`` from R_0 (C, owned) and the slabs' sources; R_j into ``layers``, as asked."""

    def backward(self, sources: Floats | None, pulls: Pulls, out: Floats, layers: Mapping[int, Floats]) -> None:
        """q of every slab into ``out`` from the slabs' sources and dG by layer; M phi_j into ``layers``, as asked."""

    def both(self, sources: Floats, pulls: Pulls, out: Floats, layers: Mapping[int, Floats]) -> None:
        """Two sweeps that do not need each other, stacks (N, 2 C, owned).

        r of every slab into the last C fields of ``out`` from R_0 = 0 and the first C sources, R_j into ``layers``; q
        into the first C from the last C sources and dG.
        """


class Marched:
    """Both sweeps of a :class:`~hydrodl.discretisation.scheme.Transport` by a march, with weighted sources.

    Attributes:
        march: the recursions; weights: with which sources enter, (N, 1, 1).
    """

    march: March
    weights: Floats

    def forward(self, start: Floats, sources: Floats | None, slabs: Floats, layers: Mapping[int, Floats]) -> None:
        """r_k into ``slabs`` and R_j into ``layers``."""
        self.march.forward(start, None if sources is None else self.weights * sources, slabs, layers)

    def backward(self, sources: Floats | None, pulls: Pulls, slabs: Floats, layers: Mapping[int, Floats]) -> None:
        """q_k into ``slabs`` and M phi_j into ``layers``."""
        self.march.backward(None if sources is None else self.weights * sources, pulls, slabs, layers)

    def both(self, sources: Floats, pulls: Pulls, slabs: Floats, layers: Mapping[int, Floats]) -> None:
        """Both at once: q_k and r_k into ``slabs``, R_j into ``layers``."""
        self.march.both(self.weights * sources, pulls, slabs, layers)


class NodeMarch:
    """All ranks take every slab together, all classes at once."""

    def __init__(self, slabs: SlabMaps) -> None:
        self._slabs = slabs

    def forward(self, start: Floats, sources: Floats | None, out: Floats, layers: Mapping[int, Floats]) -> None:
        """See :class:`March`."""
        layer = start
        for k in range(len(out)):
            out[k], layer = self._slabs.forward(k, layer, None if sources is None else sources[k])
            if k + 1 in layers:
                layers[k + 1][...] = layer

    def backward(self, sources: Floats | None, pulls: Pulls, out: Floats, layers: Mapping[int, Floats]) -> None:
        """See :class:`March`."""
        dual = np.zeros_like(out[0])
        for k in reversed(range(len(out))):
            if k + 1 in pulls:
                dual = dual - pulls[k + 1]
            out[k], dual = self._slabs.backward(k, dual, None if sources is None else sources[k])
            if k in layers:
                layers[k][...] = dual

    def both(self, sources: Floats, pulls: Pulls, out: Floats, layers: Mapping[int, Floats]) -> None:
        """See :class:`March`."""
        classes = out.shape[1] // 2
        self.forward(np.zeros_like(out[0, :classes]), sources[:, :classes], out[:, classes:], layers)
        self.backward(sources[:, classes:], pulls, out[:, :classes], {})


class _Sweep(NamedTuple):
    """One recursion: segments in its order, states (C, nodes) before the first, its step, where slabs and states go."""

    segments: Segments
    start: Floats
    slab: Step
    found: Floats
    states: Floats | None


class LayerMarch:
    """Every rank takes its own layers and hands one class after another on to the next rank.

    Args:
        slabs: of this rank's layers, on all nodes; shares: who has which; comm: the ranks; name: of a slab, for errors.
    """

    def __init__(self, slabs: SlabMaps, shares: Shares, comm: MPI.Comm, name: str) -> None:
        self._slabs, self._shares, self._comm, self._name = slabs, shares, comm, name

    def forward(self, start: Floats, sources: Floats | None, out: Floats, layers: Mapping[int, Floats]) -> None:
        """See :class:`March`."""
        own, found = None if sources is None else self._shares.to_layers(sources), self._room("found", out)
        states = self._room("states", out) if layers else None
        self._run([self._upwards(self._shares.everywhere(start), own, found, states)], len(out))
        self._shares.to_nodes(found, out)
        self._hand_out(states, out, {layer - 1: field for layer, field in layers.items()})

    def backward(self, sources: Floats | None, pulls: Pulls, out: Floats, layers: Mapping[int, Floats]) -> None:
        """See :class:`March`."""
        own, found = None if sources is None else self._shares.to_layers(sources), self._room("found", out)
        states = self._room("states", out) if layers else None
        self._run([self._downwards(out.shape[1], own, pulls, found, states)], len(out))
        self._shares.to_nodes(found, out)
        self._hand_out(states, out, layers)

    def both(self, sources: Floats, pulls: Pulls, out: Floats, layers: Mapping[int, Floats]) -> None:
        """See :class:`March`; from both ends at once: a rank that would wait for one sweep works for the other."""
        own, found, classes = self._shares.to_layers(sources), self._room("found", out), out.shape[1] // 2
        states = self._room("states", out[:, :classes]) if layers else None
        start = np.zeros((classes, self._shares.nodes))
        up = self._upwards(start, own[:, :classes], found[:, classes:], states)
        down = self._downwards(classes, own[:, classes:], pulls, found[:, :classes], None)
        self._run([up, down], len(out))
        self._shares.to_nodes(found, out)
        self._hand_out(states, out[:, :classes], {layer - 1: field for layer, field in layers.items()})

    def _room(self, name: str, out: Floats) -> Floats:
        return self._shares.room(name, self._shares.mine, out.shape[1], self._shares.nodes)

    def _hand_out(self, states: Floats | None, like: Floats, slabs: Mapping[int, Floats]) -> None:
        """States behind some slabs from the ranks that have them to the nodes of all."""
        if states is None:
            return
        if 2 * len(slabs) > len(like):  # most of them: one exchange of all
            every = np.empty(like.shape)
            self._shares.to_nodes(states, every)
            for k, field in slabs.items():
                field[...] = every[k]
            return
        for k in sorted(slabs):
            root, state = self._shares.holder(k), np.empty(states.shape[1:])
            if self._comm.rank == root:
                state[...] = states[self._shares.place(k)]
            self._comm.Bcast(state, root)
            slabs[k][...] = state[:, self._shares.here]

    def _upwards(self, start: Floats, own: Floats | None, found: Floats, states: Floats | None) -> _Sweep:
        def slab(j: int, c: int, layer: Floats) -> tuple[Floats, Floats]:
            density, above = self._slabs.forward(j, layer[None], None if own is None else own[j, c : c + 1])
            return density[0], above[0]

        return _Sweep(self._shares.segments, start, slab, found, states)

    def _downwards(
        self, classes: int, own: Floats | None, pulls: Pulls, found: Floats, states: Floats | None
    ) -> _Sweep:
        everywhere = {layer: self._shares.everywhere(pulls[layer]) for layer in sorted(pulls)}

        def slab(j: int, c: int, dual: Floats) -> tuple[Floats, Floats]:
            above = int(self._shares.layers[j]) + 1
            if above in everywhere:
                dual = dual - everywhere[above][c]
            potential, below = self._slabs.backward(j, dual[None], None if own is None else own[j, c : c + 1])
            return potential[0], below[0]

        start = np.zeros((classes, self._shares.nodes))
        segments = [(rank, part[::-1]) for rank, part in reversed(self._shares.segments)]
        return _Sweep(segments, start, slab, found, states)

    def _run(self, sweeps: Sequence[_Sweep], none: int) -> None:
        """Every class through all segments, handed on from rank to rank; errors reach all ranks.

        All ranks take the tasks in one order, by how far along its sweep a segment is: what a task waits for comes
        before it everywhere, and so it ends.
        """
        shares, rank = self._shares, self._comm.rank
        failed, sent = none, []
        for number in range(len(shares.segments)):
            for which, sweep in enumerate(sweeps):
                owner, layers = sweep.segments[number]
                for c in range(len(sweep.start)) if owner == rank else ():
                    state, tag = sweep.start[c].copy(), which * len(sweep.start) + c
                    if number > 0:
                        self._comm.Recv(state, sweep.segments[number - 1][0], tag)
                    for k in layers:
                        j = shares.place(k)
                        try:
                            sweep.found[j, c], state = sweep.slab(j, c, state)
                            if sweep.states is not None:
                                sweep.states[j, c] = state
                        except (SolverError, PETSc.Error):  # others are waiting: go on, and tell them at the end
                            failed = min(failed, int(k))
                    if number + 1 < len(sweep.segments):
                        sent.append((state, self._comm.Isend(state, sweep.segments[number + 1][0], tag)))
        for _, request in sent:
            request.Wait()
        first = smallest(self._comm, failed)
        if first < none:
            raise SolverError(f"{self._name} {first}: linear solve failed")
