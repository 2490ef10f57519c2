"""Sweeps through layers on many workers: who waits for whom, and how fast multigrid in depth converges.

A worker is a rank, or a group of ranks that share nodes. Used by benchmarks/ranks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

import hydrodl as hd
from hydrodl.discretisation.box_transport import Generator
from hydrodl.linear_algebra.layer_shares import Shares

Floats = NDArray[np.float64]
Steps = Sequence[Callable[[Floats], Floats]]


class Timeline:
    """Workers that do one thing after another, in the order in which they are told."""

    def __init__(self, workers: int) -> None:
        self.free, self.busy = [0.0] * workers, 0.0

    def run(self, worker: int, seconds: float, after: float = 0.0) -> float:
        """When it ends, if it cannot begin before ``after``."""
        self.free[worker] = max(self.free[worker], after) + seconds
        self.busy += seconds
        return self.free[worker]


@cache
def dealt(layers: int, workers: int) -> list[tuple[int, int]]:
    """(worker, length) of the segments, in the order of layers, as the package deals them out."""
    comm = SimpleNamespace(size=workers, rank=0, allgather=lambda owned: [owned] * workers)
    segments = Shares(SimpleNamespace(comm=comm, nodes=1, owned=1), layers).segments  # type: ignore[arg-type]
    return [(worker, len(part)) for worker, part in segments]


def pipeline(segments: Sequence[tuple[int, int]], classes: int, solve: float, message: float) -> float:
    """Seconds of a sweep as ``LayerMarch`` does it: every class through all segments, handed on."""
    line = Timeline(1 + max(worker for worker, _ in segments))
    ready = [-message] * classes
    for worker, length in segments:
        for c in range(classes):
            ready[c] = line.run(worker, length * solve, max(ready[c] + message, 0.0))
    return max(line.free)


@dataclass(frozen=True)
class Plan:
    """Multigrid in depth.

    Attributes:
        factor: by which every level has fewer layers; levels: with the finest; two levels and F make parareal.
        relax: 1 for F (layers between coarse points), 2 for FCF (once more from where F ended).
        cycles: (forward, backward) by relative error; errors: of both after every cycle, see ``errors``.
    """

    factor: int
    levels: int
    relax: int
    cycles: dict[float, tuple[int, int]]
    errors: Sequence[Sequence[float]] = ()

    def __str__(self) -> str:
        return f"m = {self.factor}, {self.levels} levels, {'F' if self.relax == 1 else 'FCF'}"

    @property
    def coarse(self) -> float:
        """Operators of the coarse levels, as a share of the finest one's."""
        return sum(self.factor**-level for level in range(1, self.levels))


class Depth:
    """The waiting in multigrid cycles. The layers lie in blocks on the workers; ``solves`` is seconds by level."""

    def __init__(
        self, plan: Plan, layers: int, workers: int, classes: int, solves: Sequence[float], message: float
    ) -> None:
        self.plan, self.layers, self.line = plan, layers, Timeline(workers)
        self.classes, self.solves, self.message = classes, solves, message

    def _worker(self, level: int, place: int) -> int:
        return place * self.plan.factor**level * len(self.line.free) // self.layers

    def _handed(self, level: int, ends: Floats) -> Floats:
        """When every step of a level has what the step before it ended with."""
        workers = [self._worker(level, i) for i in range(ends.shape[1])]
        begins = np.zeros_like(ends)
        begins[:, 1:] = ends[:, :-1] + self.message * np.diff(workers).astype(bool)
        return begins

    def _relaxed(self, level: int, begins: Floats) -> Floats:
        """When every interval is through its steps, one after another."""
        ends, span = np.empty_like(begins), self.plan.factor * self.solves[level]
        for i in range(begins.shape[1]):
            for c in range(self.classes):
                ends[c, i] = self.line.run(self._worker(level + 1, i), span, begins[c, i])
        return ends

    def _marched(self, level: int, ready: Floats) -> Floats:
        """The same for all steps of the coarsest level, from when their right-hand sides are known."""
        ends = np.zeros_like(ready)
        for i in range(ready.shape[1]):
            begins = self._handed(level, ends[:, : i + 1])[:, i]
            for c in range(self.classes):
                ends[c, i] = self.line.run(self._worker(level, i), self.solves[level], max(begins[c], ready[c, i]))
        return ends

    def _solved(self, level: int, ready: Floats) -> Floats:
        """When the corrections of a level are known, (classes, steps), from when their right-hand sides are."""
        if level == self.plan.levels - 1:
            return self._marched(level, ready)
        begins = self._corrected(level, ready.reshape(self.classes, -1, self.plan.factor).max(axis=2))
        return np.repeat(self._relaxed(level, begins), self.plan.factor, axis=1)

    def _corrected(self, level: int, begins: Floats) -> Floats:
        """When every interval has its corrected beginning, from when it had one."""
        for _ in range(self.plan.relax):
            ends = self._relaxed(level, begins)
            begins = self._handed(level + 1, ends)
        return self._handed(level + 1, self._solved(level + 1, ends))

    def run(self, cycles: int) -> float:
        """Seconds of so many cycles, and of the layers between the coarse points at the end."""
        begins = np.zeros((self.classes, self.layers // self.plan.factor))
        for _ in range(cycles):
            begins = self._corrected(0, begins)
        return float(self._relaxed(0, begins).max())


def cycle(levels: Sequence[Steps], states: Floats, given: Floats, relax: int) -> None:
    """One cycle for states[i + 1] = step_i(states[i]) + given[i + 1]; ``levels`` are steps, finest first."""
    steps = levels[0]
    factor = len(steps) // len(levels[1]) if len(levels) > 1 else len(steps) + 1
    ends = _relax(steps, states, given, factor)
    if len(levels) == 1:
        return
    for _ in range(relax - 1):
        states[factor::factor] = ends
        ends = _relax(steps, states, given, factor)
    right = np.zeros_like(states[::factor])
    right[1:] = ends - states[factor::factor]
    change = np.zeros_like(right)
    cycle(levels[1:], change, right, relax)
    states[factor::factor] += change[1:]
    _relax(steps, states, given, factor)


def _relax(steps: Steps, states: Floats, given: Floats, factor: int) -> Floats:
    """March from every coarse point up to the next one, and return what belongs there."""
    ends = []
    for i, step in enumerate(steps):
        found = step(states[i]) + given[i + 1]
        if (i + 1) % factor:
            states[i + 1] = found
        else:
            ends.append(found)
    return np.array(ends)


def errors(levels: Sequence[Steps], start: Floats, relax: int, cycles: int) -> list[float]:
    """Largest error of a layer after 1, 2, .. cycles from nothing, relative to the serial sweep, in l1."""
    exact, states = (np.zeros((len(levels[0]) + 1, *start.shape)) for _ in range(2))
    exact[0] = states[0] = start
    none = np.zeros_like(states)
    cycle(levels[:1], exact, none, 1)
    found = []
    for _ in range(cycles):
        cycle(levels, states, none, relax)
        found.append(max(abs(a - b).sum() / abs(b).sum() for a, b in zip(states, exact, strict=True)))
    return found


class SlabSteps:
    """Steps of a solution's own sweeps, and of coarser ones: Euler box, velocities averaged over layers, vertex rule.

    forward  R -> A^-1 M R        backward  D -> M A^-T D,  D = M phi        A = M - Delta L(u)
    """

    def __init__(self, solution: hd.Solution) -> None:
        self.solution, self.generator = solution, Generator(solution.problem.domain, solution.problem.lagrangian)
        self.mass = self.generator.mass.diagonal
        if self.mass is None or solution.problem.method.theta != 1.0:
            raise SystemExit("multigrid in depth is measured with the Euler box and the vertex rule")
        self.start = (solution.problem.densities.values.T, (self.mass * solution.potential[-1]).T)

    def levels(self, factor: int, count: int) -> tuple[list[Steps], list[Steps]]:
        """Steps forward, and steps backward in the order in which they are taken, of so many levels."""
        forward = [[self._pair(k, factor**level) for k in self._places(factor**level)] for level in range(count)]
        return [[pair[0] for pair in pairs] for pairs in forward], [
            [pair[1] for pair in pairs[::-1]] for pairs in forward
        ]

    def _places(self, stride: int) -> range:
        return range(0, len(self.solution.velocity), stride)

    def _pair(self, k: int, stride: int) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
        generator, mass = self.generator, self.mass[:, None]
        velocity = self.solution.velocity[k : k + stride].mean(axis=0)
        delta = self.solution.problem.layers.steps[k : k + stride].sum()
        values = generator.mass_values - delta * generator.values(velocity)
        csr = (values, generator.columns[generator.pattern.columns], generator.pattern.pointers)
        factors = splu(sp.csr_matrix(csr, shape=(len(mass),) * 2).tocsc())
        return lambda R: factors.solve(mass * R), lambda D: mass * factors.solve(D, trans="T")
