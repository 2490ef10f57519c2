"""Both families of schemes against what is known from outside, side by side on the same nodes: errors, relative.

    python benchmarks/references.py [--dimensions 1 2] [--nodes 21 41 81] [--small]

"quadratic": N(-1, 1/4) to a loss 2.5 (x - 1)^2 at noise 0.05 on [-4, 4]; "with entropy": the same and 0.1 int R log R
along the way. Both stay Gaussian: J from ordinary differential equations for mean, variance and slope of the velocity.
"bridge": N(-0.5, 0.6^2) to N(0.5, 0.8^2) on [-4, 4] at three noises, least work, variance at half depth, and mean there
(absolute) in closed form. "mixtures": between mixtures of two Gaussians in d = 1 and 2, the work and the L1 distance of
the density at half depth from Sinkhorn's (log domain, one axis after the other, on nodes of its own; a test compares it
with POT's).

The layers follow from the nodes by one rule: as many as leave the splines half of the noise, N h^2 <= 4 nu, but at
least 4 and at most 16; "nu_B / nu" is what the splines bring, of which a half or less keeps the order. Decay is 1e-6,
smoothness 0; bridges meet their ends to 2e-5. The last column is the error of euler-box over that of strang.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import hydrodl as hd

# isort: split
import numpy as np
from scipy.integrate import solve_bvp
from scipy.special import logsumexp

from hydrodl.mesh.quadrature import moment

SCHEMES = ("euler-box", "strang")
NOISES = (0.1, 0.02, 0.005)
DECAY, TOLERANCE = 1e-6, 2e-5
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
TRUTH = {1: 321, 2: 97}  # nodes per direction that Sinkhorn gets; sums over Gaussians are exact far below the errors
LIMIT, OVER = 5000, 1.7  # rounds of Sinkhorn's algorithm, and how far beyond its step each goes, which takes fewer

Lines = list[np.ndarray]


class Row(NamedTuple):
    """One line of the table: numbers of both schemes and the error that each makes; bridges whose ends are off."""

    name: str
    domain: hd.Domain
    noise: float
    truth: dict[str, float]
    found: dict[str, dict[str, float]]
    missed: Mapping[str, float] = MappingProxyType({})


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
    """Least work and the densities at these times at the points ``at`` (n, d), which are those of a grid."""
    d, e = at.shape[1], 2 * noise
    domain = hd.Domain.box([-half] * d, [half] * d, TRUTH[d])
    lines, place = grid(domain.coordinates[: domain.owned])
    mass, *densities = (
        on_grid(values, place)
        for values in (moment(domain), *(hd.mixture(parts, domain).values.sum(axis=0) for parts in ends))
    )
    a, b = (mass * density / (mass * density).sum() for density in densities)
    u, v = potentials(a, b, lines, e)
    work = e * (np.sum(a * (u - np.log(a))) + np.sum(b * (v - np.log(mass))) + d / 2 * np.log(2 * np.pi * e))
    goals, place = grid(at)
    found = []
    for t in times:
        ways = ((u, t), (v, 1 - t))
        logs = [through(w, goals, lines, e * s) - d / 2 * np.log(2 * np.pi * e * s) for w, s in ways]
        found.append(((2 * np.pi * e) ** (d / 2) * np.exp(sum(logs)))[place])
    return float(work), found


def potentials(a: np.ndarray, b: np.ndarray, lines: Lines, e: float) -> tuple[np.ndarray, np.ndarray]:
    """log u and log v of the plan u_i exp(-|x_i - x_j|^2 / 2e) v_j between masses a and b on one grid (Sinkhorn)."""
    u, v = np.zeros_like(a), np.zeros_like(b)
    for number in range(LIMIT):
        u += OVER * (np.log(a) - through(v, lines, lines, e) - u)
        seen = through(u, lines, lines, e)
        if number % 10 == 9 and np.abs(np.exp(seen + v) - b).sum() < 1e-9:
            return u, v
        v += OVER * (np.log(b) - seen - v)
    raise RuntimeError(f"Sinkhorn did not converge in {LIMIT} rounds")


def through(logs: np.ndarray, goals: Lines, lines: Lines, e: float) -> np.ndarray:
    """log sum_j exp(logs_j) k(y, x_j) for y on another grid: one axis after the other, as the kernel allows.

    k is exp(-|y - x|^2 / 2e) and its images at the walls, where lines end: noise is reflected there.
    """
    for axis, (y, x) in enumerate(zip(goals, lines, strict=True)):
        images = [x, 2 * x[0] - x, 2 * x[-1] - x]
        kernel = logsumexp([-((y[:, None] - image) ** 2) / (2 * e) for image in images], axis=0)
        terms = np.moveaxis(logs, axis, -1)[..., None, :] + kernel
        logs = np.moveaxis(logsumexp(terms, axis=-1), -1, axis)
    return logs


def grid(points: np.ndarray) -> tuple[Lines, tuple[np.ndarray, ...]]:
    """Coordinates along the axes of the points of a grid, and where each point is in it."""
    lines, place = zip(*(np.unique(column.round(9), return_inverse=True) for column in points.T), strict=True)
    return list(lines), place


def on_grid(values: np.ndarray, place: tuple[np.ndarray, ...]) -> np.ndarray:
    """Values at the points of a grid as an array of its shape."""
    out = np.empty([axis.max() + 1 for axis in place])
    out[place] = values
    return out


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
    found, missed, physics = {}, {}, hd.Lagrangian(noise, DECAY, 0.0)
    for scheme in SCHEMES:
        made = hd.bridge(start, end, hd.layers(layers), physics, scheme=scheme, tolerance=TOLERANCE)
        if not made.converged:
            missed[scheme] = made.distance
        rho = made.solution.density[layers // 2].sum(axis=0)
        if name == "bridge":
            mean = mass @ (rho * x[:, 0])
            spread = mass @ (rho * (x[:, 0] - mean) ** 2)
            found[scheme] = {"work": made.cost, "variance": spread, "mean": mean}
        else:
            found[scheme] = {"work": made.cost, "L1": mass @ np.abs(rho - density)}
    truth = {"work": work, "variance": variance, "mean": 0.0} if name == "bridge" else {"work": work, "L1": 0.0}
    return Row(name, domain, noise, truth, found, missed)


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
        told = [f" (ends off by {row.missed[scheme]:.1e})" if scheme in row.missed else "" for scheme in SCHEMES]
        print(
            f"| {name} | {row.noise:g} | {nodes} | {layers} | {splines:.2g} | {key} | {truth:.6g} "
            f"| {errors[0]:.1e}{told[0]} | {errors[1]:.1e}{told[1]} | {errors[0] / errors[1]:.1f} |",
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
