"""What weight decay costs: error of J or of the work, Newton steps, Hessian products, CPU time and accuracy against it.

    python benchmarks/decay.py [--decay 2e-2 1e-3 1e-4 1e-5 1e-7] [--small]

"quadratic": N(-1, 1/4) to a loss 2.5 (x - 1)^2 at noise 0.05 on [-4, 4], 16 layers, 121 nodes, without smoothness and
with 0.1. "moons": the README's problem, 400 samples, 16 layers, 61 x 61 nodes, and its accuracy on 2000 other samples;
"noisy moons": the same with noise 0.3 in the data. "bridge": N(-1, 1/4) to N(1, 1/4) at noise 0.05, 16 layers, 121
nodes, smoothness 0: the work, and the steps of all rounds. "/ last - 1" is against the last of the decays, on the same
nodes; times are relative to the first row of a problem.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import process_time
from typing import NamedTuple

from moons import two_moons

import hydrodl as hd

NOISE = 0.05


class Run(NamedTuple):
    """What one decay gives."""

    value: float
    steps: int
    products: int
    accuracy: float | None


def quadratic(smoothness: float, small: bool) -> Callable[[float], Run]:
    """One class on a line, without obstacles."""
    line = hd.Domain.interval(-4.0, 4.0, 21 if small else 121)
    start = hd.mixture([hd.Gaussian(-1.0, std=0.5)], line)

    def run(decay: float) -> Run:
        physics = hd.Lagrangian(NOISE, decay, smoothness)
        loss = hd.Position(5.0, [[1.0]])
        return of(hd.train(hd.Problem(line, hd.layers(2 if small else 16), start, physics, loss)))

    return run


def moons(noise: float, small: bool) -> Callable[[float], Run]:
    """Two moons."""
    layers, nodes = (2, 11) if small else (16, 61)
    given = two_moons(layers, nodes, "strang")
    samples = hd.load_dataset("two_moons", n=400, seed=0, noise=noise)
    domain = hd.Domain.around(samples, nodes=nodes)
    rho = hd.densities(samples, domain, bandwidth=0.2)
    test = hd.load_dataset("two_moons", n=2000, seed=7, noise=noise)

    def run(decay: float) -> Run:
        physics = replace(given.lagrangian, decay=decay)
        found = hd.train(replace(given, domain=domain, densities=rho, lagrangian=physics))
        return of(found)._replace(accuracy=hd.Network(found).accuracy(test))

    return run


def bridge(small: bool) -> Callable[[float], Run]:
    """One Gaussian to another."""
    line = hd.Domain.interval(-4.0, 4.0, 21 if small else 121)
    ends = [hd.mixture([hd.Gaussian(mean, std=0.5)], line) for mean in (-1.0, 1.0)]

    def run(decay: float) -> Run:
        physics = hd.Lagrangian(NOISE, decay, 0.0)
        found = hd.bridge(*ends, hd.layers(4 if small else 16), physics, max_rounds=2 if small else 20)
        counts = [sum(round_[key] for round_ in found.history) for key in ("iterations", "hessian_products")]
        return Run(found.cost, *counts, None)

    return run


def of(solution: hd.Solution) -> Run:
    assert solution.converged, solution.reason
    return Run(solution.objective, solution.iterations, solution.hessian_products, None)


def problems(small: bool) -> Iterator[tuple[str, Callable[[float], Run]]]:
    for smoothness in (0.0, 0.1):
        yield f"quadratic, smoothness {smoothness:g}", quadratic(smoothness, small)
    yield "moons", moons(0.1, small)
    yield "noisy moons", moons(0.3, small)
    yield "bridge", bridge(small)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decay", type=float, nargs="+", default=[2e-2, 1e-3, 1e-4, 1e-5, 1e-7])
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # of noise and rounds: the tiny sizes
    print("| problem | decay | J or work | / last - 1 | test accuracy | steps | products | CPU, ratio |")
    print("|---" * 8 + "|")
    for name, run in problems(given.small):
        run(given.decay[0])  # compile first
        rows, first = [], 0.0
        for decay in given.decay:
            begin = process_time()
            rows.append((decay, run(decay), process_time() - begin))
        first = rows[0][2]
        for decay, found, spent in rows:
            accuracy = "" if found.accuracy is None else f"{found.accuracy:.4f}"
            print(
                f"| {name} | {decay:.0e} | {found.value:.6f} | {found.value / rows[-1][1].value - 1:.1e} | {accuracy} "
                f"| {found.steps} | {found.products} | {spent / first:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
