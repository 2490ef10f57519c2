"""What the pieces of an evaluation and of a Hessian product take on one core, and on ranks that share nodes.

Used by benchmarks/ranks.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hydrodl as hd
from hydrodl.discretisation.box_transport import Generator
from hydrodl.linear_algebra.operator_family import OperatorFamily
from hydrodl.linear_algebra.solver_choice import EXACT, TIGHT, factor_defaults

Floats = NDArray[np.float64]

LOOSE = 1e-5
"""Relative residual of solves inside Newton's CG: a thousandth of what CG is asked for, 0.1 to 1e-4."""

BLOCKS, STRIDES = (1, 2, 4, 8, 16), (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Machine:
    """What is assumed of the network: seconds a message, bytes a second and rank."""

    latency: float = 2e-6
    bandwidth: float = 1e10

    def message(self, size: float) -> float:
        """Seconds for so many bytes."""
        return self.latency + size / self.bandwidth

    def allreduce(self, ranks: int) -> float:
        """Seconds for the sum of one number: a message for every doubling of the ranks."""
        return math.ceil(math.log2(ranks)) * self.latency

    def halo(self, dimension: int, nodes: float, fields: int) -> float:
        """An exchange over the 2 d faces of a rank's cube of so many nodes."""
        return 2 * dimension * self.message(8 * fields * nodes ** (1 - 1 / dimension))


@dataclass(frozen=True)
class Case:
    """Sizes of a problem: dimension d, classes C, layers N, nodes a direction."""

    dimension: int
    classes: int
    layers: int
    side: float

    @property
    def nodes(self) -> float:
        """Number of all nodes."""
        return self.side**self.dimension


@dataclass(frozen=True)
class Solver:
    """Seconds of one core with a slab operator, measured on ``side`` nodes a direction; no iterations: direct.

    set_up is per node; each per node, right-hand side and iteration; iterations for ``BLOCKS``, by relative residual;
    coarser the factor on iterations for ``STRIDES`` times Delta.
    """

    side: int
    set_up: float
    each: float
    iterations: dict[float, list[float]] | None = None
    coarser: tuple[float, ...] = ()

    def factoring(self, case: Case, ranks: int) -> float:
        """One operator; complete factors in d = 2 cost n^(3/2) (nested dissection)."""
        return self.set_up * case.nodes / ranks * (1.0 if self.iterations else case.side / self.side)

    def solving(self, case: Case, ranks: int, machine: Machine, accuracy: float, stride: int = 1) -> float:
        """One right-hand side, nodes shared by so many ranks; triangular solves in d = 2 cost n log n."""
        own, d, work = case.nodes / ranks, case.dimension, self.each * case.nodes / ranks
        if self.iterations is None:
            return work * math.log(case.side) / math.log(self.side)
        cuts = max(2.0, self.side * d / own ** (1 / d)) if ranks > 1 else 1.0  # slices with a cube's surface per node
        count = np.interp(math.log(cuts), np.log(BLOCKS), self.iterations[accuracy])
        count *= np.interp(math.log(stride), np.log(STRIDES), self.coarser)
        wait = 2 * machine.allreduce(ranks) + machine.halo(d, own, 1) if ranks > 1 else 0.0
        return float(count) * (work + wait)


@dataclass(frozen=True)
class Units:
    """Seconds of one core per layer and node: L(u), the rest of an evaluation, a product without its solves."""

    assembly: float
    evaluation: float
    product: float
    row: float  # entries of an operator's row
    direct: Solver | None
    krylov: Solver
    whole: tuple[float, float] = (0.0, 0.0)  # evaluation and product with the package's own solver

    def solver(self, direct: bool) -> Solver:
        """Complete factors, in d = 2, or GMRES."""
        return self.direct if direct and self.direct else self.krylov


def cpu(action: Callable[[], Any], repeat: int = 3) -> float:
    """Least CPU seconds of a call."""
    taken = []
    for _ in range(repeat):
        start = process_time()
        action()
        taken.append(process_time() - start)
    return min(taken)


def waves(problem: hd.Problem, speed: float) -> Floats:
    """A velocity of at most this speed, with no symmetry to profit from."""
    x, d = problem.domain.coordinates, problem.domain.dimension
    phases = np.arange(len(problem.layers))[:, None, None] + np.array([x[:, 0] + x[:, (i + 1) % d] for i in range(d)])
    return speed / math.sqrt(d) * np.sin(phases)


def measured(problem: hd.Problem, speed: float) -> Units:
    """Everything but set-up and solves, from a functional whose operators give back what they get; then the solvers."""
    functional, velocity = hd.ReducedFunctional(problem), waves(problem, speed)
    functional.linearise(velocity)
    sweeps, each = functional.sweeps, 1 / (len(problem.layers) * problem.domain.nodes)

    def evaluate() -> None:
        sweeps.set_velocity(velocity)
        sweeps.forward()
        sweeps.objective()
        sweeps.backward()

    with functional.own.inexact(LOOSE):
        product = each * cpu(lambda: functional.hessian_product(velocity))
    whole = each * cpu(evaluate), product
    sweeps.transport.operators.set = lambda k, values: None
    sweeps.transport.operators.solve = lambda k, rhs, transpose=False: rhs
    assembly = each * cpu(lambda: sweeps.set_velocity(velocity))
    rest = each * cpu(evaluate) - assembly
    product = each * cpu(lambda: functional.hessian_product(velocity))
    generator = Generator(problem.domain, problem.lagrangian)
    direct = solver(problem, generator, velocity, None) if problem.domain.dimension == 2 else None
    krylov = solver(problem, generator, velocity, BLOCKS)
    row = generator.pattern.size / problem.domain.nodes
    return Units(assembly, rest, product, row, direct, krylov, whole)


def solver(problem: hd.Problem, generator: Generator, velocity: Floats, blocks: tuple[int, ...] | None) -> Solver:
    """Times with the operators of all slabs, complete factors or GMRES with incomplete ones in so many blocks."""
    domain, delta, rhs = problem.domain, problem.layers.steps[0], generator.mass.apply(problem.densities.values)
    entries, mass, slabs = [generator.values(u) for u in velocity], generator.mass_values, range(len(velocity))
    points, side = len(slabs) * domain.nodes, round(domain.nodes ** (1 / domain.dimension))

    def set_all(found: OperatorFamily, stride: int = 1) -> OperatorFamily:
        for k in slabs:
            found.set(k, mass - stride * delta * entries[k])
        return found

    def family(options: dict[str, Any], stride: int = 1) -> OperatorFamily:
        own = {"options": options, "name": "measured", "adjustable": True}
        return set_all(
            OperatorFamily(domain, generator.pattern, generator.columns, len(slabs), len(rhs), **own), stride
        )

    def times(found: OperatorFamily) -> tuple[float, float]:
        both = cpu(lambda: [found.solve(k, rhs, transpose=turned) for turned in (False, True) for k in slabs])
        return cpu(lambda: set_all(found)) / points, both / (2 * len(rhs) * points)

    def count(found: OperatorFamily, accuracy: float) -> float:
        found.solve_to(accuracy)
        for k in slabs:
            found.solve(k, rhs)
        return float(np.mean([one.getIterationNumber() for one in found.solvers]))

    if blocks is None:
        return Solver(side, *times(family(factor_defaults(domain.comm))))
    cut = [{"pc_type": "bjacobi", "pc_bjacobi_blocks": b, "sub_pc_type": "ilu", "ksp_type": "gmres"} for b in blocks]
    iterations = {accuracy: [count(family(TIGHT | own), accuracy) for own in cut] for accuracy in (EXACT, LOOSE)}
    counts = [count(family(TIGHT | cut[0], stride), EXACT) for stride in STRIDES]
    set_up, each = times(family(TIGHT | cut[0]))
    return Solver(side, set_up, each / counts[0], iterations, tuple(k / counts[0] for k in counts))
