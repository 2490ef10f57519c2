"""What a Hessian product costs over the bare PETSc work inside it, on two moons.

    python benchmarks/hessian_product.py [--layers 16] [--nodes 41] [--repeat 20]

The bare work is the same triangular solves (all classes at once, forward and transposed) and the same sparse products
(the coupling block both ways, the control block once), on the same PETSc objects, with no data put in or taken out.
Both are timed in turn, in one run; the ratio of the medians is what counts.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter

import numpy as np
from moons import two_moons

import hydrodl as hd


def bare_work(functional: hd.ReducedFunctional) -> None:
    """The PETSc calls of one Hessian product."""
    operators, tangent = functional.sweeps.transport.operators, functional.tangent
    for solver in operators.solvers:
        solver.matSolve(operators.right, operators.left)
    for solver in reversed(operators.solvers):
        solver.matSolveTranspose(operators.right, operators.left)
    tangent.coupling.apply(tangent.direction, tangent.source)
    tangent.coupling.transposed(tangent.source, tangent.direction, tangent.result)


def seconds(action: object, *arguments: object) -> float:
    """Wall time of one call."""
    start = perf_counter()
    action(*arguments)  # type: ignore[operator]
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 16), ("nodes", 41), ("repeat", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    functional = hd.ReducedFunctional(two_moons(given.layers, given.nodes))
    rng = np.random.default_rng(0)
    velocity, direction = (0.3 * rng.standard_normal(functional.shape) for _ in range(2))
    functional.linearise(velocity)
    functional.hessian_product(direction)
    bare_work(functional)
    whole, bare = [], []
    for _ in range(given.repeat):
        whole.append(seconds(functional.hessian_product, direction))
        bare.append(seconds(bare_work, functional))
    print(f"{given.layers} layers, {given.nodes} x {given.nodes} nodes, {functional.problem.domain.comm.size} rank(s)")
    print(f"Hessian product {1e3 * median(whole):.2f} ms, bare PETSc work {1e3 * median(bare):.2f} ms")
    print(f"ratio {median(whole) / median(bare):.2f}")


if __name__ == "__main__":
    main()
