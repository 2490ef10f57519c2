"""J with an error bar against four times the layers and nodes, and the network's output against 32 times the layers.

    python benchmarks/error_bar.py [--dimension 1] [--schemes strang euler-box] [--small]
    python benchmarks/error_bar.py --output

Two classes told apart: Gaussians of width 0.5 at -0.6 and 0.6, noise 0.1, smoothness 0.2, weight 4, on a box of side 6.
Each cell: J less J trained in 4 N layers on 4 M cells a side, and the bar, which must hold it and be no more than 5
times as wide; the cost is CPU time of the bars over that of the trainings. Output: distances in feature units, weighted
by mass, measured in 2 N and 4 N layers, and in 32 N layers of the same velocity.
"""

from __future__ import annotations

import argparse
import warnings
from time import process_time
from typing import NamedTuple

import numpy as np

import hydrodl as hd
from hydrodl.adaptivity.output_error import pushed
from hydrodl.adaptivity.refined_problem import finer_layers, velocity_on
from hydrodl.analysis.stability.training_bounds import depth_convergence

SIZES = {1: ((4, 8, 16, 32), (21, 41, 81, 161)), 2: ((2, 4, 8, 12), (13, 17, 21, 29))}


def problem(d: int, layers: int, nodes: int, scheme: str) -> hd.Problem:
    """Two overlapping classes."""
    domain = hd.Domain.box([-3.0] * d, [3.0] * d, nodes)
    rho = hd.mixture([hd.Gaussian([m] + [0.2 * m] * (d - 1), 0.5, label=str(m)) for m in (-0.6, 0.6)], domain)
    physics = hd.Lagrangian(noise=0.1, decay=0.02, smoothness=0.2)
    return hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(4.0), scheme)


class Cell(NamedTuple):
    """J less J of four times the layers and nodes, the bar, and CPU seconds of training and bar."""

    error: float
    bar: float
    training: float
    measuring: float


def cell(d: int, layers: int, nodes: int, scheme: str, far: dict[tuple[int, int], float]) -> Cell:
    """One cell of the table."""
    start = process_time()
    solution = hd.train(problem(d, layers, nodes, scheme))
    trained = process_time()
    bar = hd.error_bar(solution)
    done = process_time()
    key = 4 * layers, 4 * nodes - 3
    if key not in far:
        fine = problem(d, *key, scheme)
        start_fine = velocity_on(solution.flow, fine.layers, fine.domain)
        far[key] = hd.train(fine, options={"tao_gatol": 1e-6}, initial=start_fine).objective
    return Cell(solution.objective - far[key], bar.total, trained - start, done - trained)


def output_row(layers: int, scheme: str) -> str:
    """The network's output on 41 nodes."""
    solution = hd.train(problem(1, layers, 41, scheme))
    found = hd.output_error(solution)
    flow = solution.flow
    deep = flow.layers
    for _ in range(5):
        deep = finer_layers(deep)
    ends = [pushed(flow.domain, velocity_on(flow, n, flow.domain), n, found.points) for n in (flow.layers, deep)]
    gaps = np.linalg.norm(ends[1] - ends[0], axis=1)
    mean, bound = float(found.weights @ gaps), depth_convergence(flow, 0.1, by_layer=True).value
    means, largest = f"{mean:.2e} | {found.mean:.2e}", f"{gaps.max():.2e} | {found.largest:.2e}"
    return f"{scheme} | {layers} | {means} | {found.doubt:.0e} | {largest} | {bound:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, choices=(1, 2), default=1)
    parser.add_argument("--schemes", nargs="+", default=["strang", "residual", "euler-box", "midpoint"])
    parser.add_argument("--output", action="store_true", help="the network's output instead")
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # the table tells the noise
    layers, nodes = ((4,), (21,)) if given.small else SIZES[given.dimension]
    if given.output:
        head = "scheme | layers | mean in 32 N | measured | doubt | largest in 32 N | measured | proven bound"
        print(f"| {head} |\n|{'---|' * 8}")
        for scheme in given.schemes:
            for n in (2, 4, 8, 16):
                print(f"| {output_row(n, scheme)} |", flush=True)
        return
    for scheme in given.schemes:
        print(f"\n{scheme}, d = {given.dimension}\n\n| layers | {' | '.join(f'{m} nodes' for m in nodes)} |")
        print(f"|{'---|' * (1 + len(nodes))}")
        far: dict[tuple[int, int], float] = {}
        found: list[Cell] = []
        for n in layers:
            found += [cell(given.dimension, n, m, scheme, far) for m in nodes]
            row = [f"{c.error:+.1e} of {c.bar:.1e}" for c in found[-len(nodes) :]]
            print(f"| {n} | {' | '.join(row)} |", flush=True)
        ratios = [c.bar / abs(c.error) for c in found]
        cost = sum(c.measuring for c in found) / sum(c.training for c in found)
        print(f"\nBar over error {min(ratios):.2f} to {max(ratios):.2f}; cost {cost:.1f} trainings.")


if __name__ == "__main__":
    main()
