"""Bridges between far mixtures, and dynamic optimal transport as the noise vanishes with h^2, against what is known.

    python benchmarks/far_bridges.py [--nodes 41 81 121] [--plane 21 41 81] [--small]

"far": from two Gaussians on the left to two on the right, d = 1, noise 0.02: the L1 distance of the densities at
t = 1/4, 1/2 and 3/4 from Sinkhorn's (POT), as parts of the whole, 2 at most. Layers as many as leave the splines half
of the noise, a multiple of 4.

"vanishing": 8 layers and the noise nu = N h^2 / 4, the least that keeps the order of the scheme. "W2" is the error of
sqrt(2 work), relative to the distance W_2 of the ends, "half way" the W_2 between the density at t = 1/2 and the
middle of McCann's interpolation, over W_2 of the ends. d = 1 by quantiles; d = 2 by the optimal plan (POT, on 41 nodes
or fewer per direction) and, half way, sqrt(2) times the sliced W_2. Orders in h from row to row. The default scheme;
decay 1e-6, smoothness 0 (d = 2: 0.01), ends met to 2e-4.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence

import hydrodl as hd

# isort: split
import numpy as np
import ot
from references import DECAY, sinkhorn

from hydrodl.mesh.quadrature import moment

FAR = (
    [hd.Gaussian(-2.2, 0.4, weight=0.6), hd.Gaussian(-0.8, 0.3, weight=0.4)],
    [hd.Gaussian(0.6, 0.5, weight=0.3), hd.Gaussian(2.2, 0.4, weight=0.7)],
)
NOISE, HALF, TIMES = 0.02, 4.0, (0.25, 0.5, 0.75)
PLANE = (
    [hd.Gaussian([-1.2, 0.0], 0.4, weight=0.6), hd.Gaussian([-0.8, 1.0], 0.4, weight=0.4)],
    [hd.Gaussian([1.0, -0.8], 0.5), hd.Gaussian([1.0, 0.9], 0.4)],
)
PLANE_HALF, COARSE = 2.8, 41
TOLERANCE = 2e-4  # of the bridges' ends
SMOOTHNESS = {1: 0.0, 2: 0.01}  # without any, 81 x 81 nodes far from the mass stall Newton's method
LAYERS = 8


def made(
    ends: Sequence[Sequence[hd.Gaussian]], half: float, nodes: int, layers: int, noise: float
) -> tuple[hd.Bridge, np.ndarray, np.ndarray]:
    """A bridge, the nodes' places and their masses."""
    d = len(ends[0][0].center)
    domain = hd.Domain.box([-half] * d, [half] * d, nodes)
    start, end = (hd.mixture(parts, domain) for parts in ends)
    physics = hd.Lagrangian(noise, DECAY, SMOOTHNESS[d])
    found = hd.bridge(start, end, hd.layers(layers), physics, tolerance=TOLERANCE)
    return found, domain.coordinates[: domain.owned], moment(domain)


def far(nodes: int) -> None:
    """A row of the first table."""
    layers = 4 * int(np.clip(4 * NOISE / (2 * HALF / (nodes - 1)) ** 2 + 1e-9, 4, 16) / 4)
    found, x, mass = made(FAR, HALF, nodes, layers, NOISE)
    work, truths = sinkhorn(FAR, HALF, NOISE, x, TIMES)
    densities = found.solution.density.sum(axis=1)
    misses = [mass @ np.abs(densities[round(t * layers)] - truth) for t, truth in zip(TIMES, truths, strict=True)]
    noise = max(found.solution.effective_noise) / NOISE
    words = " | ".join(f"{miss:.1e}" for miss in misses)
    print(f"| {nodes} | {layers} | {noise:.2f} | {found.cost / work - 1:.1e} | {words} | {found.rounds} |", flush=True)


def quantiles(values: np.ndarray, x: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Of a density that is linear between equally spaced nodes."""
    fine = np.linspace(x[0], x[-1], 40 * (len(x) - 1) + 1)
    sums = np.concatenate([[0.0], np.cumsum(np.interp(fine, x, values)[:-1] + np.interp(fine, x, values)[1:])])
    return np.interp(levels, sums / sums[-1], fine)


def on_line(found: hd.Bridge, x: np.ndarray, mass: np.ndarray) -> tuple[float, float]:
    """W_2 of the ends and the error half way, by quantiles."""
    order, levels = np.argsort(x[:, 0]), (np.arange(20000) + 0.5) / 20000
    rho = found.solution.density[:, 0][:, order]
    first, half, last = (quantiles(rho[k], x[order, 0], levels) for k in (0, len(rho) // 2, -1))
    return float(np.sqrt(np.mean((last - first) ** 2))), float(np.sqrt(np.mean((half - (first + last) / 2) ** 2)))


def in_plane(found: hd.Bridge, x: np.ndarray, mass: np.ndarray) -> tuple[float, float]:
    """W_2 of the ends by the plan on every so many nodes, and the error half way, sliced: in many directions."""
    side = round(len(x) ** 0.5)
    every = max((side - 1) // (COARSE - 1), 1)
    places = np.rint((x + PLANE_HALF) / (2 * PLANE_HALF) * (side - 1)).astype(int)
    kept = (places % every == 0).all(axis=1)
    first, half, last = found.solution.density[[0, LAYERS // 2, LAYERS], 0]
    (p, a), (q, b) = (weighted(x[kept], rho[kept]) for rho in (first, last))
    cost = ot.dist(p, q)
    plan = ot.emd(a, b, cost, numItermax=10**7)
    i, j = np.nonzero(plan)
    middle, goal, share = (p[i] + q[j]) / 2, plan[i, j], mass * half / (mass @ half)
    levels, squares = (np.arange(4000) + 0.5) / 4000, []
    for angle in (np.arange(12) + 0.37) * np.pi / 12:
        along = np.array([np.cos(angle), np.sin(angle)])
        ours, theirs = (spread(y @ along, w, levels) for y, w in ((x, share), (middle, goal)))
        squares.append(np.mean((ours - theirs) ** 2))
    return float(np.sqrt((plan * cost).sum())), float(np.sqrt(2 * np.mean(squares)))


def weighted(points: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a density is, as points and weights."""
    some = rho > 1e-7 * rho.max()
    return points[some], rho[some] / rho[some].sum()


def spread(places: np.ndarray, weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles of weighted points on a line, half of its weight on either side of each."""
    order = np.argsort(places)
    sums = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(levels, sums, places[order])


def vanishing(d: int, nodes: Sequence[int]) -> None:
    """The rows of a dimension."""
    ends, half, measure = (FAR, HALF, on_line) if d == 1 else (PLANE, PLANE_HALF, in_plane)
    last: tuple[int, float, float] | None = None
    for n in nodes:
        noise = LAYERS * (2 * half / (n - 1)) ** 2 / 4
        found, x, mass = made(ends, half, n, LAYERS, noise)
        whole, miss = measure(found, x, mass)
        errors = (abs(np.sqrt(2 * found.cost) / whole - 1), miss / whole)
        orders = ["", ""]
        if last:
            orders = [
                f"{np.log(b / a) / np.log((n - 1) / (last[0] - 1)):.1f}" for a, b in zip(errors, last[1:], strict=True)
            ]
        last = (n, *errors)
        print(
            f"| {d} | {n} | {noise:.2g} | {whole:.4f} | {errors[0]:.1e} | {orders[0]} | {errors[1]:.1e} | {orders[1]} "
            f"| {found.distance:.1e}{'' if found.converged else ', ' + found.reason} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[41, 81, 121])
    parser.add_argument("--plane", type=int, nargs="+", default=[21, 41, 81])
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # the tables tell the noise
    line, plane = ([21], [11]) if given.small else (given.nodes, given.plane)
    print("## Far mixtures\n")
    print("| nodes | layers | noise / nu | work | t = 1/4 | t = 1/2 | t = 3/4 | rounds |")
    print("|---" * 8 + "|")
    for n in line:
        far(n)
    print("\n## Vanishing noise\n")
    print("| d | nodes | noise | W2 of the ends | W2 | order | half way | order | distance |")
    print("|---" * 9 + "|")
    vanishing(1, line)
    vanishing(2, plane)


if __name__ == "__main__":
    main()
