"""Both families of schemes against what is known from outside, side by side on the same nodes: errors, relative.

    python benchmarks/references.py [--dimensions 1 2] [--nodes 21 41 81] [--small]

"quadratic": N(-1, 1/4) to a loss 2.5 (x - 1)^2 at noise 0.05 on [-4, 4]; "with entropy": the same and 0.1 int R log R
along the way. Both stay Gaussian: J from ordinary differential equations for mean, variance and slope of the velocity.
"bridge": N(-0.5, 0.6^2) to N(0.5, 0.8^2) on [-4, 4] at three noises, least work, variance at half depth, and mean there
(absolute) in closed form. "mixtures": between mixtures of two Gaussians in d = 1 and 2, the work and the L1 distance of
the density at half depth from Sinkhorn's (POT, log domain, on nodes of its own).

The layers follow from the nodes by one rule: as many as leave the splines half of the noise, N h^2 <= 4 nu, but at
least 4 and at most 16; "nu_B / nu" is what the splines bring, of which a half or less keeps the order. Decay is 1e-6,
smoothness 0; bridges meet their ends to 2e-4. The last column is the error of euler-box over that of strang.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import hydrodl as hd

# isort: split
import numpy as np
import ot
from scipy.integrate import solve_bvp

from hydrodl.mesh.quadrature import moment

SCHEMES = ("euler-box", "strang")
NOISES = (0.1, 0.02, 0.005)
DECAY, TOLERANCE = 1e-6, 2e-4
ENTROPY, PULL, NOISE = 0.1, 5.0, 0.05
SINGLE = ((-0.5, 0.6), (0.5, 0.8))  # mean and deviation of both ends
MIXTURES = {
    1: (
        [hd.Gaussian(-1.0, 0.5, weight=0.7), hd.Gaussian(0.8, 0.6, weight=0.3)],
        [hd.Gaussian(-0.4, 0.7), hd.Gaussian(1.2, 0.5)],
    ),
    2: (
        [hd.Gaussian([-0.5, 0.0], 0.6, weight=0.6), hd.Gaussian([0.5, 0.3], 0.6, weight=0.4)],
        [hd.Gaussian([0.0, -0.5], 0.7), hd.Gaussian([0.2, 0.6], 0.8)],
    ),
}
HALF = {1: 4.0, 2: 3.4}
TRUTH = {1: 321, 2: 49}  # nodes per direction that Sinkhorn gets; sums over Gaussians are exact far below the errors


class Row(NamedTuple):
    """One line of the table: numbers of both schemes and the error that each makes."""

    name: str
    domain: hd.Domain
    noise: float
    truth: dict[str, float]
    found: dict[str, dict[str, float]]


def depth(domain: hd.Domain, nodes: int, noise: float) -> int:
    """As many layers as leave the splines half of the noise, 4 to 16, an even number."""
    low, high = domain.bounds
    spacing = float((high - low).max()) / (nodes - 1)
    return 2 * int(np.clip(4 * noise / spacing**2, 4, 16) / 2)


def quadratic(weight: float) -> float:
    """J of the linear-quadratic problem with weight int R log R: mean and slope (b - a m) of u = b - a x are its own.

    v' = 2 nu - 2 a v and a' = a^2 + weight / v, a(1) = 5; the mean moves at a constant speed, 5 (1 - m(1)).
    """
    t = np.linspace(0, 1, 201)

    def slopes(_: np.ndarray, y: np.ndarray) -> np.ndarray:
        a, v = y
        return np.array([a**2 + weight / v, 2 * NOISE - 2 * a * v])

    guess = np.array([PULL / (1 + PULL * (1 - t)), np.full_like(t, 0.25)])
    found = solve_bvp(slopes, lambda p, q: np.array([p[1] - 0.25, q[0] - PULL]), t, guess, tol=1e-10, max_nodes=100000)
    assert found.success
    x, w = np.polynomial.legendre.leggauss(60)
    a, v = found.sol((x + 1) / 2)
    speed = PULL * 2 / (1 + PULL)
    running = speed**2 / 2 + w / 2 @ (a**2 * v / 2 - weight * np.log(2 * np.pi * np.e * v) / 2)
    miss = 1 - (-1 + speed)
    return float(running + PULL / 2 * (miss**2 + found.sol(1.0)[1]))


def single(noise: float) -> tuple[float, float]:
    """Least work between the Gaussians of SINGLE, and the variance at half depth."""
    (m, s), (n, q) = ((mean, deviation**2) for mean, deviation in SINGLE)
    e = 2 * noise
    c = np.sqrt(s * q + e**2 / 4) - e / 2
    given = q - c**2 / s
    work = noise * (np.log(e / given) - 1 + ((n - m) ** 2 + s + q - 2 * c) / e)
    return float(work), float((s + q + 2 * c) / 4 + e / 4)


def sinkhorn(
    ends: Sequence[Sequence[hd.Gaussian]], half: float, noise: float, at: np.ndarray, times: Sequence[float] = (0.5,)
) -> tuple[float, list[np.ndarray]]:
    """Least work and the densities at these times at points ``at`` (n, d), from POT's potentials."""
    d, e = at.shape[1], 2 * noise
    domain = hd.Domain.box([-half] * d, [half] * d, TRUTH[d])
    first, last = (hd.mixture(parts, domain).values.sum(axis=0) for parts in ends)
    x, mass = domain.coordinates[: domain.owned], moment(domain)
    a, b, cost = mass * first, mass * last, ot.dist(x, x) / 2
    plan, log = ot.bregman.sinkhorn_log(a / a.sum(), b / b.sum(), cost, e, numItermax=20000, stopThr=1e-9, log=True)
    relative = np.where(plan > 0, np.log(np.maximum(plan, 1e-300)) - np.log(a)[:, None] - np.log(mass)[None], 0.0)
    work = (plan * cost).sum() + e * ((plan * relative).sum() + d / 2 * np.log(2 * np.pi * e))
    square, densities = ot.dist(at, x), []
    for t in times:
        ways = zip((t, 1 - t), ("log_u", "log_v"), strict=True)
        forward, backward = (
            np.exp(-square / (2 * e * s)) / (2 * np.pi * e * s) ** (d / 2) @ np.exp(log[key].ravel()) for s, key in ways
        )
        densities.append((2 * np.pi * e) ** (d / 2) * forward * backward)
    return float(work), densities


def pulled(weight: float, nodes: int) -> Row:
    """The linear-quadratic problem, with or without entropy."""
    domain = hd.Domain.interval(-4.0, 4.0, nodes)
    rho = hd.mixture([hd.Gaussian([-1.0], 0.5)], domain)
    energy = hd.Entropy(weight) if weight else None
    physics = hd.Lagrangian(NOISE, decay=DECAY, smoothness=0.0, energy=energy)
    layers, loss = hd.layers(depth(domain, nodes, NOISE)), hd.Position(PULL, [[1.0]])
    found = {s: {"J": hd.train(hd.Problem(domain, layers, rho, physics, loss, s)).objective} for s in SCHEMES}
    return Row("with entropy" if weight else "quadratic", domain, NOISE, {"J": quadratic(weight)}, found)


def bridged(name: str, ends: Sequence[Sequence[hd.Gaussian]], half: float, nodes: int, noise: float) -> Row:
    """A bridge by both schemes."""
    d = len(ends[0][0].center)
    domain = hd.Domain.box([-half] * d, [half] * d, nodes)
    start, end = (hd.mixture(parts, domain) for parts in ends)
    x, mass, layers = domain.coordinates[: domain.owned], moment(domain), depth(domain, nodes, noise)
    work, variance = single(noise) if name == "bridge" else (0.0, 0.0)
    density = np.zeros(len(x))
    if name == "mixtures":
        work, (density,) = sinkhorn(ends, half, noise, x)
    found, physics = {}, hd.Lagrangian(noise, DECAY, 0.0)
    for scheme in SCHEMES:
        made = hd.bridge(start, end, hd.layers(layers), physics, scheme=scheme, tolerance=TOLERANCE)
        rho = made.solution.density[layers // 2].sum(axis=0)
        if name == "bridge":
            mean = mass @ (rho * x[:, 0])
            spread = mass @ (rho * (x[:, 0] - mean) ** 2)
            found[scheme] = {"work": made.cost, "variance": spread, "mean": mean}
        else:
            found[scheme] = {"work": made.cost, "L1": mass @ np.abs(rho - density)}
    truth = {"work": work, "variance": variance, "mean": 0.0} if name == "bridge" else {"work": work, "L1": 0.0}
    return Row(name, domain, noise, truth, found)


def rows(dimensions: Sequence[int], nodes: Sequence[int], noises: Sequence[float]) -> Iterator[Row]:
    """Every row."""
    if 1 in dimensions:
        for weight in (0.0, ENTROPY):
            yield from (pulled(weight, n) for n in nodes)
        ends = [[hd.Gaussian([mean], deviation)] for mean, deviation in SINGLE]
        yield from (bridged("bridge", ends, HALF[1], n, noise) for noise in noises for n in nodes)
    for d in dimensions:
        yield from (bridged("mixtures", MIXTURES[d], HALF[d], n, noise) for noise in noises for n in nodes)


def show(row: Row) -> None:
    """A line for each number of the row."""
    low, high = row.domain.bounds
    nodes = round(row.domain.nodes ** (1 / row.domain.dimension))
    layers = depth(row.domain, nodes, row.noise)
    splines = layers * (float((high - low).max()) / (nodes - 1)) ** 2 / 8 / row.noise
    for key, truth in row.truth.items():
        errors = [abs(row.found[scheme][key] - truth) / (abs(truth) or 1.0) for scheme in SCHEMES]
        name = f"{row.name}, d = {row.domain.dimension}"
        print(
            f"| {name} | {row.noise:g} | {nodes} | {layers} | {splines:.2g} | {key} | {truth:.6g} "
            f"| {errors[0]:.1e} | {errors[1]:.1e} | {errors[0] / errors[1]:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, nargs="+", choices=(1, 2), default=[1, 2])
    parser.add_argument("--nodes", type=int, nargs="+", default=[21, 41, 81])
    parser.add_argument("--noises", type=float, nargs="+", default=NOISES)
    parser.add_argument("--small", action="store_true", help="for trying it out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # the table tells the noise
    print("| problem | noise | nodes | layers | nu_B / nu | of | truth | error, euler-box | error, strang | ratio |")
    print("|---" * 10 + "|")
    dimensions, nodes, noises = ([1], [21], [0.1]) if given.small else (given.dimensions, given.nodes, given.noises)
    for row in rows(dimensions, nodes, noises):
        show(row)


if __name__ == "__main__":
    main()
