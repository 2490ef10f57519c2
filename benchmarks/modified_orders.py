"""Which system does the scheme solve? Residuals of the original and the modified systems, and the modified energies.

    python benchmarks/modified_orders.py [--dimension 1]

Two classes between reflecting walls, cosine densities (so that the walls are smooth mirrors), kinetic energy, decay
and noise, brought towards exchanged densities by an L2 loss. Prints Markdown tables with observed orders.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np

import hydrodl as hd
from hydrodl.analysis.backward_error.modified_system import layer_residuals, modified_energy, space_residuals
from hydrodl.analysis.backward_error.residual_sums import ModifiedResiduals
from hydrodl.problem.flow import Flow

OPTIONS = {"tao_gatol": 1e-13, "tao_max_it": 30}
SCHEMES = ("midpoint", "euler-box")
SLOPES = np.array([1.0, 0.5])
POINTS = 13  # of the differences in layers: of order 12, below the last residual


def mirrored(sign: float) -> object:
    """1 + sum_a s_a cos(pi x_a), whose normal derivative vanishes at the walls of the unit box."""

    def density(x: np.ndarray) -> np.ndarray:
        return 1 + sign * 0.4 * np.cos(np.pi * x) @ SLOPES[: x.shape[1]]

    return density


def problem(layers: int, nodes: int, scheme: str, dimension: int = 1, depth: float = 1.0) -> hd.Problem:
    """The problem that all tables share."""
    domain = hd.Domain.box([0.0] * dimension, [1.0] * dimension, nodes)
    start, target = (hd.densities_from_function([mirrored(s), mirrored(-s)], domain) for s in (1.0, -1.0))
    physics = hd.Lagrangian(noise=0.05, decay=0.5, smoothness=0.1, kinetic=1.0)
    loss = hd.Density(2.0, target, divergence="l2")
    return hd.Problem(domain, hd.layers(layers, depth), start, physics, loss, scheme)


def trained(layers: int, nodes: int, scheme: str, dimension: int = 1) -> Flow:
    """Its flow."""
    return hd.train(problem(layers, nodes, scheme, dimension), options=OPTIONS).flow


def orders(values: list[float], steps: list[float]) -> list[float]:
    """Observed orders of values at falling steps, nan first."""
    fall = np.log(np.array(values[:-1]) / values[1:]) / np.log(np.array(steps[:-1]) / steps[1:])
    return [float("nan"), *fall]


def table(found: list[ModifiedResiduals], counts: list[int], what: str) -> None:
    """Residuals by equation and set of terms, with orders."""
    print(f"| equation | {what} | original | order | first terms | order | second terms | order |")
    print("|---|---|---|---|---|---|---|---|")
    steps = [one.step for one in found]
    for name in found[0].equation_residual:
        if what == "layers" and name == "velocity":  # no series: the optimiser's error
            continue
        values = [[one.levels[level][name] for one in found] for level in range(3)]
        seen = [orders(column, steps) for column in values]
        for i, count in enumerate(counts):
            cells = " | ".join(f"{values[j][i]:.2e} | {seen[j][i]:.2f}" for j in range(3)).replace("nan", "")
            print(f"| {name} | {count} | {cells} |", flush=True)
    if what == "layers":
        print(f"\nMomentum map: {max(one.equation_residual['velocity'] for one in found):.0e} at most.")


def energy_table(flows: Mapping[int, Flow], window: float) -> None:
    """Drifts of H and of the modified energy."""
    found = [modified_energy(flow, window=window) for flow in flows.values()]
    steps = [1 / count for count in flows]
    plain, modified = [e.drift for e in found], [e.modified_drift for e in found]
    print("| layers | drift of H | order | drift of the modified energy | order | ratio |\n|---|---|---|---|---|---|")
    for row in zip(flows, plain, orders(plain, steps), modified, orders(modified, steps), strict=True):
        line = f"| {row[0]} | {row[1]:.2e} | {row[2]:.2f} | {row[3]:.2e} | {row[4]:.2f} | {row[1] / row[3]:.0f} |"
        print(line.replace("nan", ""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, default=1, choices=(1, 2))
    dimension = parser.parse_args().dimension
    layers, deep = ([24, 32, 48, 64, 96], [16, 32, 64, 128, 256]) if dimension == 1 else ([24, 32], [16, 32])
    few = 9
    nodes, shallow = ([17, 33, 65, 97], 8) if dimension == 1 else ([17, 25, 33, 49], 4)
    for scheme in SCHEMES:
        print(f"\n### {scheme}, d = {dimension}: in layers, {few} nodes a side\n")
        table([layer_residuals(trained(n, few, scheme, dimension), points=POINTS) for n in layers], layers, "layers")
        flows = {n: trained(n, few, scheme, dimension) for n in deep}
        for window, part in ((1.0, "the whole depth"), (0.8, "the central 0.8 of depth")):
            print(f"\n### {scheme}, d = {dimension}: energy over {part}, {few} nodes a side\n")
            energy_table(flows, window)
        print(f"\n### {scheme}, d = {dimension}: in space, {shallow} layers\n")
        table([space_residuals(trained(shallow, n, scheme, dimension)) for n in nodes], nodes, "nodes")


if __name__ == "__main__":
    main()
