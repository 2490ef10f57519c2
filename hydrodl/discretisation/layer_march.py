"""The recursions of both sweeps where every rank has some slabs whole: states are handed on from rank to rank.

Layers are dealt out in short segments, like cards. Classes do not meet, nor do the two linearised sweeps, and so there
are several chains, which ranks take in turn: what waits in one is busy with another. A task is some classes of one
sweep through one segment; classes go together where chains are enough for all ranks without that, since a slab makes
its weights once for all fields that it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import smallest
from hydrodl.discretisation.layer_recursion import Aside, Pulls, SlabMaps
from hydrodl.linear_algebra.layer_shares import Shares

Segments = Sequence[tuple[int, NDArray[np.int64]]]
Step = Callable[[int, slice, Floats], tuple[Floats, Floats]]
"""(place of a layer, classes, states before it) -> (the slab's fields, states behind it)."""


class _Sweep(NamedTuple):
    """One recursion: segments in its order, states (C, nodes) before the first, its step, where slabs and states go."""

    segments: Segments
    start: Floats
    slab: Step
    found: Floats
    states: Floats | None


def bundles(classes: int, sweeps: int, ranks: int) -> list[slice]:
    """Which classes go together so that chains are enough for all ranks, as equal as can be.

    Example:
        >>> [len(bundles(6, sweeps, ranks)) for sweeps, ranks in ((2, 2), (1, 2), (2, 5), (1, 7))]
        [1, 2, 3, 6]
    """
    count = next((n for n in range(1, classes) if n * sweeps >= ranks and classes % n == 0), classes)
    width = classes // count
    return [slice(c, c + width) for c in range(0, classes, width)]


class LayerMarch:
    """See :class:`~hydrodl.discretisation.layer_recursion.March`, for stacks by layers.

    Args:
        slabs: of this rank's layers, on all nodes; shares: who has which; comm: the ranks; name: of a slab, for errors.
        everywhere: fields by nodes (m, owned) on all nodes in the slabs' order, collective; field: those of layer k of
            a stack by layers, by nodes, collective.
        together: can slabs take several fields at once?
    """

    def __init__(
        self,
        slabs: SlabMaps,
        shares: Shares,
        comm: MPI.Comm,
        name: str,
        *,
        everywhere: Callable[[Floats], Floats],
        field: Callable[[Floats, int], Floats],
        together: bool,
    ) -> None:
        self._slabs, self._shares, self._comm, self._name = slabs, shares, comm, name
        self._everywhere, self._field, self._together = everywhere, field, together

    def forward(
        self,
        start: Floats,
        sources: Floats | None,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        before: Aside | None = None,
    ) -> None:
        """See :class:`~hydrodl.discretisation.layer_recursion.March`."""
        states = self._room(layers, states, out)
        self._run([self._upwards(self._everywhere(start), sources, out, states)], before, None)
        self._hand_out(states, {layer - 1: field for layer, field in layers.items()})

    def backward(
        self,
        sources: Floats | None,
        pulls: Pulls,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        after: Aside | None = None,
        kicks: Floats | None = None,
    ) -> None:
        """See :class:`~hydrodl.discretisation.layer_recursion.March`."""
        states = self._room(layers, states, out)
        self._run([self._downwards(sources, pulls, out, states, kicks)], None, after)
        self._hand_out(states, layers)

    def both(
        self,
        sources: Floats,
        pulls: Pulls,
        out: Floats,
        layers: Mapping[int, Floats],
        before: Aside | None = None,
        after: Aside | None = None,
    ) -> None:
        """See :class:`~hydrodl.discretisation.layer_recursion.March`; from both ends at once."""
        classes = out.shape[1] // 2
        states, start = self._room(layers, None, out[:, classes:]), np.zeros((classes, out.shape[2]))
        up = self._upwards(start, sources[:, :classes], out[:, classes:], states)
        self._run([up, self._downwards(sources[:, classes:], pulls, out[:, :classes], None)], before, after)
        self._hand_out(states, {layer - 1: field for layer, field in layers.items()})

    def _room(self, layers: Mapping[int, Floats], states: Floats | None, out: Floats) -> Floats | None:
        return self._shares.room("states", *out.shape) if layers and states is None else states

    def _hand_out(self, states: Floats | None, slabs: Mapping[int, Floats]) -> None:
        """States behind some slabs from the ranks that have them to the nodes of all."""
        for k in sorted(slabs):
            assert states is not None
            slabs[k][...] = self._field(states, k)

    def _upwards(self, start: Floats, own: Floats | None, found: Floats, states: Floats | None) -> _Sweep:
        def slab(j: int, classes: slice, layer: Floats) -> tuple[Floats, Floats]:
            return self._slabs.forward(j, layer, None if own is None else own[j, classes])

        return _Sweep(self._shares.segments, start, slab, found, states)

    def _downwards(
        self, own: Floats | None, pulls: Pulls, found: Floats, states: Floats | None, kicks: Floats | None = None
    ) -> _Sweep:
        everywhere = {layer: self._everywhere(pulls[layer]) for layer in sorted(pulls)}

        def slab(j: int, classes: slice, dual: Floats) -> tuple[Floats, Floats]:
            above = int(self._shares.layers[j]) + 1
            if above in everywhere:
                dual = dual - everywhere[above][classes]
            if kicks is not None:
                dual = dual - kicks[j, classes]
            return self._slabs.backward(j, dual, None if own is None else own[j, classes])

        segments = [(rank, part[::-1]) for rank, part in reversed(self._shares.segments)]
        return _Sweep(segments, np.zeros(found.shape[1:]), slab, found, states)

    def _run(self, sweeps: Sequence[_Sweep], before: Aside | None, after: Aside | None) -> None:
        """All chains through all segments, handed on from rank to rank; errors reach all ranks.

        All ranks take the tasks in one order, by how far along its sweep a segment is: what a task waits for comes
        before it everywhere, and so it ends. ``before`` and ``after`` are called once a slab: by the first task that
        comes to it, before it waits for its state, and by the last one, when that has handed on its own.
        """
        shares, comm, classes = self._shares, self._comm, len(sweeps[0].start)
        chains = bundles(classes, len(sweeps) if self._together else 1, comm.size if self._together else classes)
        none, visits = len(shares.owners), np.zeros(shares.mine, dtype=int)
        failed, sent = none, []
        for number in range(len(shares.segments)):
            for which, sweep in enumerate(sweeps):
                owner, layers = sweep.segments[number]
                if owner != comm.rank:
                    continue
                places = [shares.place(k) for k in layers]
                for chain in chains:
                    state, tag = sweep.start[chain].copy(), which * classes + chain.start
                    _aside(before, places, visits == 0)
                    visits[places] += 1
                    if number > 0:
                        comm.Recv(state, sweep.segments[number - 1][0], tag)
                    for j in places:
                        try:
                            sweep.found[j, chain], state = sweep.slab(j, chain, state)
                            if sweep.states is not None:
                                sweep.states[j, chain] = state
                        except (SolverError, PETSc.Error):  # others are waiting: go on, and tell them at the end
                            failed = min(failed, int(shares.layers[j]))
                    if number + 1 < len(sweep.segments):
                        sent.append((state, comm.Isend(state, sweep.segments[number + 1][0], tag)))
                    _aside(after, places, visits == len(sweeps) * len(chains))
        for _, request in sent:
            request.Wait()
        first = smallest(comm, failed)
        if first < none:
            raise SolverError(f"{self._name} {first}: linear solve failed")


def _aside(action: Aside | None, places: Sequence[int], due: NDArray[np.bool_]) -> None:
    for j in places if action is not None else ():
        if due[j] and action is not None:
            action(j)


class HandedOut:
    """A march by layers for stacks that are by nodes: there, and back once a sweep."""

    def __init__(self, march: LayerMarch, shares: Shares) -> None:
        self._march, self._shares = march, shares

    def forward(
        self,
        start: Floats,
        sources: Floats | None,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        before: Aside | None = None,
    ) -> None:
        """See :class:`~hydrodl.discretisation.layer_recursion.March`."""
        self._each(before, out)
        own, found = self._own(sources), self._room("found", out)
        behind = None if states is None else self._room("behind", states)
        self._march.forward(start, own, found, layers, behind)
        self._back(found, out, behind, states)

    def backward(
        self,
        sources: Floats | None,
        pulls: Pulls,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        after: Aside | None = None,
        kicks: Floats | None = None,
    ) -> None:
        """See :class:`~hydrodl.discretisation.layer_recursion.March`."""
        own, found = self._own(sources), self._room("found", out)
        behind = None if states is None else self._room("behind", states)
        self._march.backward(own, pulls, found, layers, behind, kicks=self._own(kicks))
        self._back(found, out, behind, states)
        self._each(after, out)

    def both(
        self,
        sources: Floats,
        pulls: Pulls,
        out: Floats,
        layers: Mapping[int, Floats],
        before: Aside | None = None,
        after: Aside | None = None,
    ) -> None:
        """See :class:`~hydrodl.discretisation.layer_recursion.March`."""
        self._each(before, out)
        found = self._room("found", out)
        self._march.both(self._shares.to_layers(sources), pulls, found, layers)
        self._shares.to_nodes(found, out)
        self._each(after, out)

    def _each(self, action: Aside | None, out: Floats) -> None:
        _aside(action, range(len(out)), np.ones(len(out), dtype=bool))

    def _own(self, sources: Floats | None) -> Floats | None:
        return None if sources is None else self._shares.to_layers(sources)

    def _room(self, name: str, out: Floats) -> Floats:
        return self._shares.room(name, self._shares.mine, out.shape[1], self._shares.nodes)

    def _back(self, found: Floats, out: Floats, behind: Floats | None, states: Floats | None) -> None:
        self._shares.to_nodes(found, out)
        if behind is not None and states is not None:
            self._shares.to_nodes(behind, states)
