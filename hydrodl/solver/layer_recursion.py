"""The recursions of both sweeps through the layers, on operators distributed by nodes or by layers.

    forward   A_k r_k = M R_k - s_k                  R_{k+1} = (r_k - (1 - theta) R_k) / theta
    backward  A_k^T q_k = D_{k+1} - P_{k+1} - s_k    D_k = (M q_k - (1 - theta) (D_{k+1} - P_{k+1})) / theta,  D_N = 0

Classes share the operators and do not meet. D is M times a potential, P a pull: dG at a layer where a loss acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.solver.layered_family import LayeredFamily
from hydrodl.solver.mass_matrix import Mass
from hydrodl.solver.operator_family import OperatorFamily

Pulls = Mapping[int, Floats]


Segments = Sequence[tuple[int, NDArray[np.int64]]]


Step = Callable[[int, int, Floats], tuple[Floats, Floats]]
"""(place of a layer, class, state below it) -> (the slab's field, state above it)."""


class March(Protocol):
    """Both recursions for stacks (N, C, owned); ``theta`` as in the scheme."""

    def forward(self, start: Floats, sources: Floats | None, out: Floats) -> None:
        """r of every slab into ``out`` from R_0 (C, owned) and s."""

    def backward(self, sources: Floats, pulls: Pulls, out: Floats) -> None:
        """q of every slab into ``out`` from s and P by layer, each (C, owned)."""

    def both(self, sources: Floats, pulls: Pulls, out: Floats) -> None:
        """Two sweeps that do not need each other, stacks (N, 2 C, owned).

        r of every slab into the last C fields of ``out`` from R_0 = 0 and s = the first C sources; q into the first C
        from s = the last C sources and P.
        """


def march(family: OperatorFamily | LayeredFamily, mass: Mass, theta: float) -> March:
    """The recursions on a family of slab operators."""
    return LayerMarch(family, mass, theta) if isinstance(family, LayeredFamily) else NodeMarch(family, mass, theta)


class NodeMarch:
    """All ranks solve every slab together, all classes at once."""

    def __init__(self, family: OperatorFamily, mass: Mass, theta: float) -> None:
        self._family, self._mass, self._theta = family, mass, theta

    def forward(self, start: Floats, sources: Floats | None, out: Floats) -> None:
        """See :class:`March`."""
        theta, layer = self._theta, start
        for k in range(len(out)):
            rhs = self._mass.apply(layer)
            slab = self._family.solve(k, rhs if sources is None else rhs - sources[k])
            out[k] = slab
            layer = slab.copy() if theta == 1.0 else (slab - (1 - theta) * layer) / theta

    def backward(self, sources: Floats, pulls: Pulls, out: Floats) -> None:
        """See :class:`March`."""
        theta, dual = self._theta, np.zeros_like(out[0])
        for k in reversed(range(len(out))):
            if k + 1 in pulls:
                dual = dual - pulls[k + 1]
            slab = self._family.solve(k, dual - sources[k], transpose=True)
            out[k] = slab
            dual = (self._mass.apply(slab) - (1 - theta) * dual) / theta

    def both(self, sources: Floats, pulls: Pulls, out: Floats) -> None:
        """See :class:`March`."""
        classes = out.shape[1] // 2
        self.forward(np.zeros_like(out[0, :classes]), sources[:, :classes], out[:, classes:])
        self.backward(sources[:, classes:], pulls, out[:, :classes])


class _Sweep(NamedTuple):
    """One recursion: segments in its order, states (C, nodes) before the first, its step, where slabs go."""

    segments: Segments
    start: Floats
    slab: Step
    found: Floats


class LayerMarch:
    """Every rank solves its own layers and hands one class after another on to the next rank."""

    def __init__(self, family: LayeredFamily, mass: Mass, theta: float) -> None:
        self._family, self._shares, self._theta = family, family.shares, theta
        self._comm = mass.domain.comm
        self._mass = self._whole(mass)

    def _whole(self, mass: Mass) -> Callable[[Floats], Floats]:
        """M times a field on all nodes."""
        if mass.diagonal is not None:
            diagonal = self._shares.everywhere(mass.diagonal[None])[0]
            return lambda field: field * diagonal
        matrix = sp.vstack(self._comm.allgather(mass.rows), format="csr")
        return lambda field: matrix @ field

    def forward(self, start: Floats, sources: Floats | None, out: Floats) -> None:
        """See :class:`March`."""
        own, found = None if sources is None else self._shares.to_layers(sources), self._room(out)
        self._run([self._upwards(self._shares.everywhere(start), own, found)], len(out))
        self._shares.to_nodes(found, out)

    def backward(self, sources: Floats, pulls: Pulls, out: Floats) -> None:
        """See :class:`March`."""
        own, found = self._shares.to_layers(sources), self._room(out)
        self._run([self._downwards(own, pulls, found)], len(out))
        self._shares.to_nodes(found, out)

    def both(self, sources: Floats, pulls: Pulls, out: Floats) -> None:
        """See :class:`March`; from both ends at once: a rank that would wait for one sweep works for the other."""
        own, found, classes = self._shares.to_layers(sources), self._room(out), out.shape[1] // 2
        start = np.zeros((classes, self._shares.nodes))
        up = self._upwards(start, own[:, :classes], found[:, classes:])
        down = self._downwards(own[:, classes:], pulls, found[:, :classes])
        self._run([up, down], len(out))
        self._shares.to_nodes(found, out)

    def _room(self, out: Floats) -> Floats:
        return self._shares.room("found", self._shares.mine, out.shape[1], self._shares.nodes)

    def _upwards(self, start: Floats, own: Floats | None, found: Floats) -> _Sweep:
        theta = self._theta

        def slab(j: int, c: int, layer: Floats) -> tuple[Floats, Floats]:
            rhs = self._mass(layer)
            density = self._family.own.solve(j, (rhs if own is None else rhs - own[j, c])[None])[0]
            return density, density.copy() if theta == 1.0 else (density - (1 - theta) * layer) / theta

        return _Sweep(self._shares.segments, start, slab, found)

    def _downwards(self, own: Floats, pulls: Pulls, found: Floats) -> _Sweep:
        theta = self._theta
        everywhere = {layer: self._shares.everywhere(pulls[layer]) for layer in sorted(pulls)}

        def slab(j: int, c: int, dual: Floats) -> tuple[Floats, Floats]:
            above = int(self._shares.layers[j]) + 1
            if above in everywhere:
                dual = dual - everywhere[above][c]
            potential = self._family.own.solve(j, (dual - own[j, c])[None], transpose=True)[0]
            return potential, (self._mass(potential) - (1 - theta) * dual) / theta

        start = np.zeros((own.shape[1], self._shares.nodes))
        return _Sweep([(rank, part[::-1]) for rank, part in reversed(self._shares.segments)], start, slab, found)

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
                        except (SolverError, PETSc.Error):  # others are waiting: go on, and tell them at the end
                            failed = min(failed, int(k))
                    if number + 1 < len(sweep.segments):
                        sent.append((state, self._comm.Isend(state, sweep.segments[number + 1][0], tag)))
        for _, request in sent:
            request.Wait()
        first = self._comm.allreduce(failed, MPI.MIN)
        if first < none:
            raise SolverError(f"{self._family.name} {first}: linear solve failed")
