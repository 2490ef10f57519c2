"""What a Hessian product costs over the bare compiled work inside it, on two moons.

    python benchmarks/hessian_product.py [--scheme strang] [--layers 16] [--nodes 41] [--repeat 20]

For box schemes the bare work is the same triangular solves (all classes at once, forward and transposed) and the same
sparse products (the coupling block both ways, the control block once), on the same PETSc objects, with no data put in
or taken out. For layer maps it is the same pushes (a shift and the masses forward, values and forces back) and the same
tridiagonal solves (all resolvents, both ways). Both are timed in turn, in one run, in CPU time; the ratio of the least
times is what counts, which other programs on the machine disturb least.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from time import process_time

import numpy as np
from moons import two_moons

import hydrodl as hd
from hydrodl.discretisation.layer_map_transport import heat_steps
from hydrodl.discretisation.push import Splines


def bare_work(functional: hd.ReducedFunctional) -> Callable[[], None]:
    """The compiled work of one Hessian product; what it finds is thrown away."""
    return pushes(functional) if functional.problem.method.moves_points else partial(petsc, functional)


def pushes(functional: hd.ReducedFunctional) -> Callable[[], None]:
    """Pushes and tridiagonal solves."""
    problem, transport = functional.problem, functional.sweeps.transport
    nodes, scheme, shape = transport.nodes, problem.method, functional.sweeps.slab_density.shape[1:]
    splines = Splines(nodes.shape, nodes.spacing, scheme.degree)
    noise = heat_steps(nodes, float(problem.lagrangian.noise), problem.layers.steps, splines, scheme.before)
    masses, found = np.ones(shape), np.empty(shape)
    shift, force = np.ones((2, problem.domain.dimension, shape[1]))

    def work() -> None:
        for push, pair in zip(transport.pushes, noise, strict=True):
            push.carry_shift(masses, shift, found)
            push.carry(masses, found)
            push.pull(masses, found)
            push.forces(masses, masses, force)
            for resolvent in (*pair, *pair):
                if resolvent is not None:
                    resolvent.smooth(masses, found)

    return work


def petsc(functional: hd.ReducedFunctional) -> None:
    """The PETSc calls."""
    operators, tangent = functional.sweeps.transport.operators, functional.own.tangent
    for solver in operators.solvers:
        solver.matSolve(operators.right, operators.left)
    for solver in reversed(operators.solvers):
        solver.matSolveTranspose(operators.right, operators.left)
    tangent.coupling.apply(tangent.direction, tangent.source)
    tangent.coupling.transposed(tangent.source, tangent.direction, tangent.result)


def seconds(action: object, *arguments: object) -> float:
    """CPU time of one call."""
    start = process_time()
    action(*arguments)  # type: ignore[operator]
    return process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 16), ("nodes", 41), ("repeat", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--scheme", default="strang")
    given = parser.parse_args()
    functional = hd.ReducedFunctional(two_moons(given.layers, given.nodes, scheme=given.scheme))
    rng = np.random.default_rng(0)
    velocity, direction = (0.3 * rng.standard_normal(functional.shape) for _ in range(2))
    functional.linearise(velocity)
    functional.hessian_product(direction)
    bare_calls = bare_work(functional)
    bare_calls()
    whole, bare = [], []
    for _ in range(given.repeat):
        whole.append(seconds(functional.hessian_product, direction))
        bare.append(seconds(bare_calls))
    print(f"{given.layers} layers, {given.nodes} x {given.nodes} nodes, {functional.problem.domain.comm.size} rank(s)")
    print(f"Hessian product {1e3 * min(whole):.2f} ms, bare compiled work {1e3 * min(bare):.2f} ms")
    print(f"ratio {min(whole) / min(bare):.2f}")


if __name__ == "__main__":
    main()
