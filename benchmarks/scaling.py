"""Run time and memory of training against the number of unknowns N (d + 2 C) M, for d = 1, 2, 3.

    python benchmarks/scaling.py [--dimensions 1 2 3] [--scheme strang] [--largest 2.1e6] [--small]

d = 1 is two Gaussians brought apart, d = 2 two moons, d = 3 two classes of two Gaussians crosswise; layers and nodes
grow together, so that the unknowns grow by two decades. Each size runs in a process of its own. Memory is the growth of
the process's peak over its size after the imports and a first small training, so that what remains is the problem's.

A Newton step takes as many CG iterations as its point asks for, each a Hessian product: a pair of linearised sweeps. An
evaluation of J and its gradient is a pair of sweeps too, with the operators and their factors. So cost is given per
step, per pair of sweeps of either kind, and per product alone. Steps and pairs are those after the first step, which
loads compiled forms, a time that does not depend on the size. A product alone is as exact as a gradient; where Krylov
methods solve (d = 3 from 16 nodes a side), those inside Newton's method are cheaper. Three exponents a are fitted for
each d, the slope of log (CPU s) over log (unknowns) by least squares: of a step, of a pair of sweeps, of a product.
Linear cost is a = 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from memory import peak_bytes

SIZES = {
    1: [(16, 251), (24, 533), (36, 1117), (53, 2385), (80, 5001)],
    2: [(8, 21), (11, 32), (16, 46), (22, 68), (32, 102)],
    3: [(4, 9), (5, 13), (6, 18), (7, 24), (9, 31), (12, 40)],  # the last with --largest 6e6
}
SCHEMES = ("strang", "residual", "euler-box", "midpoint")
SMALL = {1: [(4, 41), (6, 81)], 2: [(2, 9), (3, 13)], 3: [(2, 5), (2, 7)]}
UNKNOWNS = {1: 5, 2: 6, 3: 7}  # a layer and node: d and twice the two classes


class Moment(NamedTuple):
    """CPU time and counts at one Newton step."""

    cpu: float
    step: int
    pairs: int


def problem(dimension: int, layers: int, nodes: int, scheme: str) -> Any:
    """The training problem of one dimension on nodes^d, two classes."""
    from dataclasses import replace

    from memory import gaussians
    from moons import two_moons
    from parallel import in_space

    if dimension == 2:
        return two_moons(layers, nodes, scheme)
    made = gaussians(1, layers, nodes, 2, "box", 1) if dimension == 1 else in_space(layers, nodes)
    return replace(made, scheme=scheme)


class Pairs:
    """Counts evaluations, which sweep forward at a new velocity, and Hessian products, from when it is made."""

    def __init__(self) -> None:
        from hydrodl.solver.linearised_sweeps import Tangent
        from hydrodl.solver.sweeps import Sweeps

        self.evaluations = self.products = 0
        forward, product = Sweeps.forward, Tangent.product

        def evaluated(sweeps: Any) -> None:
            self.evaluations += 1
            forward(sweeps)

        def multiplied(tangent: Any, *arguments: Any) -> Any:
            self.products += 1
            return product(tangent, *arguments)

        Sweeps.forward, Tangent.product = evaluated, multiplied  # type: ignore[method-assign]

    @property
    def total(self) -> int:
        """Pairs of sweeps so far."""
        return self.evaluations + self.products


def product_seconds(found: Any, least: int = 3, seconds: float = 0.2) -> float:
    """CPU seconds of one Hessian product at the solution: the mean of some."""
    from hydrodl.training.reduced_functional import ReducedFunctional

    functional = ReducedFunctional(found.problem)
    functional.linearise(found.velocity)
    functional.hessian_product(found.velocity)
    start, count = process_time(), 0
    while count < least or process_time() - start < seconds:
        functional.hessian_product(found.velocity)
        count += 1
    return (process_time() - start) / count


def one(dimension: int, layers: int, nodes: int, scheme: str) -> None:
    """Train at one size and print the measurements as JSON."""
    import hydrodl as hd

    hd.train(problem(dimension, 2, 5, scheme))  # imports and compiled forms
    pairs, moments = Pairs(), []
    before, wall, cpu = peak_bytes(), perf_counter(), process_time()
    made = problem(dimension, layers, nodes, scheme)
    found = hd.train(
        made, monitor=lambda state: moments.append(Moment(process_time(), state["iteration"], pairs.total))
    )
    wall, cpu = perf_counter() - wall, process_time() - cpu
    grown, evaluations, products = peak_bytes() - before, pairs.evaluations, pairs.products
    first, last = moments[min(1, len(moments) - 1)], moments[-1]
    spent = last.cpu - first.cpu
    measured = {
        "unknowns": found.problem.unknowns,
        "wall": wall,
        "cpu": cpu,
        "converged": found.converged,
        "newton": found.iterations,
        "products": products,
        "evaluations": evaluations,
        "step": spent / max(last.step - first.step, 1),
        "pair": spent / max(last.pairs - first.pairs, 1),
        "product": product_seconds(found),
        "bytes": grown / (layers * made.domain.nodes),
    }
    print(json.dumps(measured))


def measured(dimension: int, layers: int, nodes: int, scheme: str) -> dict[str, Any]:
    """The measurements of one size, from a process of its own."""
    command = [sys.executable, __file__, "--scheme", scheme, "--one", *map(str, (dimension, layers, nodes))]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def show(dimension: int, sizes: list[tuple[int, int]], scheme: str) -> None:
    """The table of one dimension and its exponents."""
    print(f"\n### d = {dimension}, {scheme}\n")
    print(
        "| layers | nodes | unknowns | wall s | CPU s | Newton steps | Hessian products | evaluations "
        "| CPU s a step | CPU us a pair, unknown | CPU us a product, unknown | kB a layer, node |"
    )
    print("|" + "---|" * 12)
    rows = []
    for layers, nodes in sizes:
        row = measured(dimension, layers, nodes, scheme)
        rows.append(row)
        micro = " | ".join(f"{1e6 * row[name] / row['unknowns']:.3f}" for name in ("pair", "product"))
        print(
            f"| {layers} | {' x '.join([str(nodes)] * dimension)} | {row['unknowns']} | {row['wall']:.2f} "
            f"| {row['cpu']:.2f} | {row['newton']}{'' if row['converged'] else ' (not converged)'} | {row['products']} "
            f"| {row['evaluations']} | {row['step']:.3f} | {micro} | {row['bytes'] / 1e3:.2f} |",
            flush=True,
        )
    unknowns = [row["unknowns"] for row in rows]
    exponents = {name: exponent(unknowns, [row[name] for row in rows]) for name in ("step", "pair", "product")}
    print(
        f"\nd = {dimension}, {min(unknowns):.1e} to {max(unknowns):.1e} unknowns, exponent of CPU time: Newton step "
        f"{exponents['step']:.2f}, pair of sweeps {exponents['pair']:.2f}, product {exponents['product']:.2f}",
        flush=True,
    )


def exponent(unknowns: list[int], seconds: list[float]) -> float:
    """Slope of log seconds over log unknowns."""
    if len(unknowns) < 2 or min(seconds) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(unknowns), np.log(seconds), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=3, type=int, metavar=("D", "LAYERS", "NODES"), help="one size only, as JSON")
    parser.add_argument("--dimensions", nargs="+", type=int, choices=(1, 2, 3), default=[1, 2, 3])
    parser.add_argument("--scheme", default=SCHEMES[0], choices=SCHEMES)
    parser.add_argument("--largest", type=float, default=2.1e6, help="leave out sizes with more unknowns")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it works")
    given = parser.parse_args()
    if given.one:
        one(*given.one, given.scheme)
        return
    for d in given.dimensions:
        sizes = (SMALL if given.small else SIZES)[d]
        kept = [(layers, nodes) for layers, nodes in sizes if UNKNOWNS[d] * layers * nodes**d <= given.largest]
        show(d, kept, given.scheme)


if __name__ == "__main__":
    main()
