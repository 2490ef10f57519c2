"""Newton and CG counts of two moons as layers and nodes are doubled twice; they must not grow.

    python benchmarks/iterations.py [--scheme midpoint]

Prints a Markdown table, and the ratio of the CG count on the finest grid to that on the coarsest.
"""

from __future__ import annotations

import argparse

import hydrodl as hd


def run(layers: int, nodes: int, scheme: str) -> hd.Solution:
    samples = hd.load_dataset("two_moons", n=400, seed=0)
    domain = hd.Domain.around(samples, nodes=nodes)
    rho = hd.densities(samples, domain, bandwidth=0.2)
    physics = hd.Lagrangian(noise=0.02, decay=0.02, smoothness=0.1)
    return hd.train(hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(10.0), scheme))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheme", default="euler-box", choices=["euler-box", "midpoint"])
    scheme = parser.parse_args().scheme
    print("| layers | nodes | unknowns | Newton steps | Hessian products | J | gradient norm |")
    print("|---|---|---|---|---|---|---|")
    counts = []
    for layers, nodes in [(8, 41), (16, 41), (32, 41), (16, 81), (16, 161), (32, 161)]:
        found = run(layers, nodes, scheme)
        counts.append(found.hessian_products)
        print(
            f"| {layers} | {nodes} x {nodes} | {found.problem.unknowns} | {found.iterations} | {found.hessian_products} "
            f"| {found.objective:.6f} | {found.gradient_norm:.1e} |",
            flush=True,
        )
    print(f"Hessian products, last over first: {counts[-1] / counts[0]:.2f}")


if __name__ == "__main__":
    main()
