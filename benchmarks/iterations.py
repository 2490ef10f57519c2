"""Newton and CG counts of two moons as layers and nodes are doubled twice; they must not grow.

    python benchmarks/iterations.py [--scheme midpoint]

Prints a Markdown table, and the ratio of the CG count on the finest grid to that on the coarsest.
"""

from __future__ import annotations

import argparse

from moons import two_moons

import hydrodl as hd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheme", default="euler-box", choices=["euler-box", "midpoint"])
    scheme = parser.parse_args().scheme
    print("| layers | nodes | unknowns | Newton steps | Hessian products | J | gradient norm |")
    print("|---|---|---|---|---|---|---|")
    counts = []
    for layers, nodes in [(8, 41), (16, 41), (32, 41), (16, 81), (16, 161), (32, 161)]:
        found = hd.train(two_moons(layers, nodes, scheme))
        counts.append(found.hessian_products)
        print(
            f"| {layers} | {nodes} x {nodes} | {found.problem.unknowns} | {found.iterations} "
            f"| {found.hessian_products} | {found.objective:.6f} | {found.gradient_norm:.1e} |",
            flush=True,
        )
    print(f"Hessian products, last over first: {counts[-1] / counts[0]:.2f}")


if __name__ == "__main__":
    main()
