"""The recursions of both sweeps through the layers.

A scheme says what a slab does to the density below it and to the potential above it (:class:`SlabMaps`); classes do
not meet. Here is the order in which slabs are asked; by which rank, where a rank has whole slabs, says ``layer_march``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats

Pulls = Mapping[int, Floats]
"""dG at layers 1 .. N where losses act, dual vectors (C, owned)."""

Move = Callable[[Floats], Floats]

Aside = Callable[[int], None]
"""What is done with a slab beside its step, by its place among the slabs here."""


class SlabMaps(Protocol):
    """The slabs of a scheme as steps of both recursions, for fields (m, nodes) and sources as derivatives of H_h."""

    def forward(self, k: int, layer: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(r_k, R_{k+1}) of R_k and what joins it on the way."""

    def backward(self, k: int, dual: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(q_k, M phi_k) of M phi_{k+1} with the pulls of losses in it, and what joins it on the way."""


class March(Protocol):
    """Both recursions for stacks (slabs here, C, nodes here).

    Start, pulls and fields at layers are by nodes, (C, owned). ``states`` is a stack that takes what a sweep hands on
    behind every slab, if it is given; ``kicks`` is one of dual vectors, what V and U at layers take from M phi_{k+1}
    above every slab. ``before`` is called for every slab before its source is read, as late as can be, and ``after``
    once its fields are there, when nobody waits for it: what is done there keeps ranks busy.
    """

    def forward(
        self,
        start: Floats,
        sources: Floats | None,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        before: Aside | None = None,
    ) -> None:
        """r of every slab into ``out`` from R_0 and the slabs' sources; R_j into ``layers``, as asked; R_{k+1}."""

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
        """q of every slab into ``out`` from the slabs' sources and dG by layer; M phi_j into ``layers``, as asked;
        M phi_k."""

    def both(
        self,
        sources: Floats,
        pulls: Pulls,
        out: Floats,
        layers: Mapping[int, Floats],
        before: Aside | None = None,
        after: Aside | None = None,
    ) -> None:
        """Two sweeps that do not need each other, stacks (slabs here, 2 C, nodes here).

        r of every slab into the last C fields of ``out`` from R_0 = 0 and the first C sources, R_j into ``layers``; q
        into the first C from the last C sources and dG.
        """


def _here(fields: Floats) -> Floats:
    return fields


class NodeMarch:
    """All ranks take every slab together, all classes at once.

    Args:
        slabs: of all layers; there, back: fields by nodes (C, owned) to where slabs have theirs, and back, collective.
    """

    def __init__(self, slabs: SlabMaps, there: Move = _here, back: Move = _here) -> None:
        self._slabs, self._there, self._back = slabs, there, back

    def forward(
        self,
        start: Floats,
        sources: Floats | None,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        before: Aside | None = None,
    ) -> None:
        """See :class:`March`."""
        self._forward(self._there(start), sources, out, layers, states, before)

    def _forward(
        self,
        layer: Floats,
        sources: Floats | None,
        out: Floats,
        layers: Mapping[int, Floats],
        states: Floats | None = None,
        before: Aside | None = None,
    ) -> None:
        for k in range(len(out)):
            if before is not None:
                before(k)
            out[k], layer = self._slabs.forward(k, layer, None if sources is None else sources[k])
            if k + 1 in layers:
                layers[k + 1][...] = self._back(layer)
            if states is not None:
                states[k] = layer

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
        """See :class:`March`."""
        dual = np.zeros_like(out[0])
        for k in reversed(range(len(out))):
            if k + 1 in pulls:
                dual = dual - self._there(pulls[k + 1])
            if kicks is not None:
                dual = dual - kicks[k]
            out[k], dual = self._slabs.backward(k, dual, None if sources is None else sources[k])
            if k in layers:
                layers[k][...] = self._back(dual)
            if states is not None:
                states[k] = dual
            if after is not None:
                after(k)

    def both(
        self,
        sources: Floats,
        pulls: Pulls,
        out: Floats,
        layers: Mapping[int, Floats],
        before: Aside | None = None,
        after: Aside | None = None,
    ) -> None:
        """See :class:`March`."""
        classes = out.shape[1] // 2
        self._forward(np.zeros_like(out[0, :classes]), sources[:, :classes], out[:, classes:], layers, before=before)
        self.backward(sources[:, classes:], pulls, out[:, :classes], {}, after=after)
