"""Layer-map schemes against the box schemes in one run: the error of J where it is known, and CPU time at equal size.

    python benchmarks/layer_map.py                    two tables, about three minutes on one core
    python benchmarks/layer_map.py --layers 32 --nodes 128

First table: the linear-quadratic problem with N(-1, 1/4), noise 0.05, loss 2.5 (x - 1)^2 on [-4, 4], whose optimum in
depth and features is J = 1.8604213; errors of J relative to it. The residual network of N layers has an optimum of its
own, which ``residual`` is compared with too. Second table: two moons, CPU seconds of training, their ratio, and J.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from time import process_time

from moons import two_moons

import hydrodl as hd

LIMIT, NOISE, PULL = 1.8604213, 0.05, 5.0
CASES = ((8, 81), (16, 81), (16, 121), (32, 161))


def recursion(layers: int) -> float:
    """The optimum of the noisy residual network of so many layers."""
    step, slopes = 1 / layers, [PULL]
    for _ in range(layers):
        slopes.append(slopes[-1] / (1 + slopes[-1] * step))
    return slopes[-1] * (4 + 0.25) / 2 + NOISE * step * sum(slopes[:-1])


def linear_quadratic(scheme: str, layers: int, nodes: int) -> hd.Solution:
    """The optimum of the first table's problem."""
    domain = hd.Domain.interval(-4.0, 4.0, nodes)
    rho = hd.mixture([hd.Gaussian([-1.0], 0.5)], domain)
    physics = hd.Lagrangian(NOISE, decay=1e-7, smoothness=0.0)
    return hd.train(hd.Problem(domain, hd.layers(layers), rho, physics, hd.Position(PULL, [[1.0]]), scheme))


def errors(cases: Sequence[tuple[int, int]] = CASES) -> None:
    """The first table."""
    print(
        "| layers | nodes | euler-box | strang | residual | residual against its own network | effective noise / nu |"
    )
    print("|---" * 7 + "|")
    for layers, nodes in cases:
        found = {scheme: linear_quadratic(scheme, layers, nodes) for scheme in ("euler-box", "strang", "residual")}
        off = [f"{found[scheme].objective / LIMIT - 1:.2e}" for scheme in found]
        own = found["residual"].objective / recursion(layers) - 1
        noise = ", ".join(f"{found[scheme].effective_noise[0] / NOISE:.3g}" for scheme in found)
        print(f"| {layers} | {nodes} | {' | '.join(off)} | {own:.2e} | {noise} |", flush=True)


def times(layers: int, nodes: int) -> None:
    """The second table."""
    print(f"\n| two moons, {layers} layers, {nodes} x {nodes} nodes | CPU s | over euler-box | steps | products | J |")
    print("|---" * 6 + "|")
    base = None
    for scheme in ("euler-box", "strang", "residual"):
        start = process_time()
        found = hd.train(two_moons(layers, nodes, scheme=scheme))
        spent = process_time() - start
        base = base or spent
        work = f"{found.iterations} | {found.hessian_products}"
        print(f"| {scheme} | {spent:.1f} | {spent / base:.2f} | {work} | {found.objective:.6f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--nodes", type=int, default=61)
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # the tables tell the noise
    if given.small:
        errors(((2, 17),))
        times(2, 11)
        return
    for scheme in ("euler-box", "strang"):  # compile first
        hd.train(two_moons(2, 9, scheme=scheme), monitor=lambda entry: True)
        linear_quadratic(scheme, 2, 9)
    errors()
    times(given.layers, given.nodes)


if __name__ == "__main__":
    main()
