"""Newton and CG counts as layers and nodes are doubled; they must not grow.

    python benchmarks/iterations.py [--dimensions 1 2 3] [--scheme strang] [--small]

The problems of scaling.py: two Gaussians, two moons, and two classes crosswise in space. In d = 2 layers and nodes grow
together as the default scheme asks for, N h^2 <= 8 nu, then the nodes alone. Prints a Markdown table for each d, and
the ratio of the number of Hessian products at the largest size to that at the smallest.
"""

from __future__ import annotations

import argparse

from scaling import SCHEMES, SMALL, problem

import hydrodl as hd

SIZES = {
    1: [(16, 251), (32, 251), (64, 251), (16, 501), (16, 1001), (64, 1001)],
    2: [(8, 43), (16, 61), (32, 87), (16, 87), (16, 121)],
    3: [(4, 9), (8, 9), (16, 9), (4, 17), (8, 17)],
}


def show(dimension: int, sizes: list[tuple[int, int]], scheme: str) -> None:
    """The table of one dimension."""
    print(f"\n### d = {dimension}, {scheme}\n")
    print("| layers | nodes | unknowns | Newton steps | Hessian products | J | gradient norm |")
    print("|---|---|---|---|---|---|---|")
    counts = []
    for layers, nodes in sizes:
        found = hd.train(problem(dimension, layers, nodes, scheme))
        counts.append(found.hessian_products)
        print(
            f"| {layers} | {' x '.join([str(nodes)] * dimension)} | {found.problem.unknowns} | {found.iterations} "
            f"| {found.hessian_products} | {found.objective:.6f} | {found.gradient_norm:.1e} |",
            flush=True,
        )
    print(f"\nd = {dimension}: Hessian products, last over first: {counts[-1] / counts[0]:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", nargs="+", type=int, choices=(1, 2, 3), default=[1, 2, 3])
    parser.add_argument("--scheme", default=SCHEMES[0], choices=SCHEMES)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it works")
    given = parser.parse_args()
    for d in given.dimensions:
        show(d, (SMALL if given.small else SIZES)[d], given.scheme)


if __name__ == "__main__":
    main()
