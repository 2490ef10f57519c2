"""Layers and nodes recommended, against those that networks much larger show to be needed.

    python benchmarks/recommendation.py [--tolerances 0.1 0.02] [--layers 48] [--nodes 121] [--small]

Two moons of the README (200 samples with --small). For each tolerance: what ``recommend`` finds from 8 layers on 41 x
41 nodes, the distance it expects, the distance found (root mean square over the data, feature units, to the network of
--layers layers on --nodes^2 nodes), and the fewest layers on that mesh that keep the tolerance and are one to one. CPU
time over that of the training it begins with. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import warnings
from time import process_time

import numpy as np

import hydrodl as hd
from hydrodl.adaptivity.output_error import data_points, pushed
from hydrodl.adaptivity.size_effects import size
from hydrodl.analysis.stability.training_bounds import layer_invertibility


def moons(layers: int, nodes: int, samples: int) -> hd.Problem:
    """The problem at one size."""
    data = hd.load_dataset("two_moons", n=samples, seed=0)
    domain = hd.Domain.around(data, nodes=nodes)
    rho = hd.densities(data, domain, bandwidth=0.2)
    return hd.Problem(domain, hd.layers(layers), rho, hd.Lagrangian(0.02, smoothness=0.1), hd.Classification(10.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tolerances", nargs="+", type=float, default=[0.1, 0.02])
    parser.add_argument("--layers", type=int, default=48)
    parser.add_argument("--nodes", type=int, default=121)
    parser.add_argument("--small", action="store_true", help="one tolerance, a small reference")
    given = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # too few nodes is what is looked for
    samples, begin = (200, (4, 21)) if given.small else (400, (8, 41))
    if given.small:
        given.tolerances, given.layers, given.nodes = [0.1], 8, 41
    reference = hd.train(moons(given.layers, given.nodes, samples))
    points, weights = data_points(reference.flow)

    def end(solution: hd.Solution) -> np.ndarray:
        return pushed(solution.problem.domain, solution.velocity, solution.problem.layers, points)

    there = end(reference)

    def enough(layers: int, tolerance: float) -> bool:
        found = hd.train(moons(layers, given.nodes, samples))
        return size(end(found) - there, weights) <= tolerance and layer_invertibility(found.flow).holds

    print("| tolerance | layers | nodes | binding | expected | found | fewest layers that do | CPU ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for tolerance in given.tolerances:
        clock = [process_time()]
        start = hd.train(moons(*begin, samples))
        clock.append(process_time())
        advice = hd.recommend(start, tolerance)
        clock.append(process_time())
        found = size(end(hd.train(moons(advice.layers, advice.nodes, samples))) - there, weights)
        fewest = next(n for n in range(1, given.layers + 1) if enough(n, tolerance))
        ratio = (clock[2] - clock[1]) / (clock[1] - clock[0])
        size_found = f"{advice.layers} | {advice.nodes} | {advice.binding}"
        distances = f"{advice.error or 0:.4f} | {found:.4f}"
        print(f"| {tolerance:g} | {size_found} | {distances} | {fewest} | {ratio:.0f} |", flush=True)


if __name__ == "__main__":
    main()
