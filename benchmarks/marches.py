"""Marches about a uniform gas: which are certified from their first state, and whether any of those gets away.

    python benchmarks/marches.py [MARCHES]

A gas of density 1, e = rho^2/2, so c = 1, in a unit box between walls or, as a stream, without; waves in density and
velocity. Tables: random marches by Mach number; streams just below and above the speed of sound; the most nodes with
which the criterion holds, against the most with which a march does not grow; drift of the momentum of a stream.
Prints Markdown tables.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from math import pi

import numpy as np

import hydrodl as hd
from hydrodl.analysis.stability.march_estimate import MarchEstimate, march_estimate
from hydrodl.analysis.structure.momenta import momenta

GAS = hd.Lagrangian(1e-6, decay=0.0, smoothness=0.0, energy=hd.Focusing(1.0))
BANDS = {"at rest, walls": (-1.0, -1.0), "0 to 0.5": (0.0, 0.5), "0.5 to 1": (0.5, 1.0), "1 to 2": (1.0, 2.0)}
GROWN = 100.0
"""Of N: a march that is said to grow."""


@dataclass(frozen=True)
class Case:
    """One march; a Mach number of None is rest between walls."""

    scheme: str
    cells: int
    layers: int
    depth: float
    size: float
    noise: float
    mach: float | None
    dimension: int = 1
    seed: int = 0

    def start(self) -> tuple[hd.Domain, hd.Lagrangian, np.ndarray, np.ndarray]:
        """Domain, physics, density and potential; waves of random phases, or with a seed below 0 noise at the nodes."""
        walls, d = self.mach is None, self.dimension
        domain = hd.Domain.box([0.0] * d, [1.0] * d, self.cells + walls, periodic=not walls)
        x, random = domain.coordinates[: domain.owned], np.random.default_rng(abs(self.seed))
        fields: np.ndarray = random.uniform(-1, 1, (2, domain.owned)) / [[1], [self.cells]]
        if self.seed >= 0:
            turns = pi * random.integers(0, 4, (2, 3, d)) * (1 if walls else 2)
            phases = np.zeros((2, 3, 1)) if walls else random.uniform(0, 2 * pi, (2, 3, 1))
            fields = np.cos(turns @ x.T + phases).sum(axis=1) / [[3], [6 * pi]]
        fields[0] -= fields[0].mean() if not walls else 0.0
        stream = None if walls else [self.mach, *[0.0] * (d - 1)]
        physics = replace(GAS, noise=self.noise, stream=stream)
        return domain, physics, 1 + self.size * fields[:1], self.size * fields[1:]

    def march(self) -> hd.Flow:
        """The flow."""
        domain, physics, density, potential = self.start()
        layers = hd.layers(self.layers, self.depth)
        return hd.evolve(domain, layers, physics, density, potential, self.scheme, force=True)


def drawn(random: np.random.Generator, seed: int) -> Case:
    """A case at random."""
    d = int(random.choice([1, 1, 1, 2]))
    return Case(
        scheme=str(random.choice(["midpoint", "euler-box"])),
        cells=2 * int(random.integers(*((3, 21) if d == 1 else (2, 5)))) + 1,
        layers=int(random.integers(10, 100)),
        depth=float(random.uniform(0.2, 3)),
        size=float(10 ** random.uniform(-5, -2)),
        noise=float(10 ** random.uniform(-6, -1.7)),
        mach=None if random.random() < 0.2 else float(random.uniform(0, 2)),
        dimension=d,
        seed=seed,
    )


def left(flow: hd.Flow, found: MarchEstimate) -> bool:
    """Is share N/2 or E above the limit, or a density outside the margin, by more than rounding?"""
    over = max(found.ratio, float((found.functional / found.limit).max()), strays(flow) / found.margin)
    return over > 1 + 1e-9


def strays(flow: hd.Flow) -> float:
    """How far densities are from 1."""
    return float(np.abs(flow.density - 1).max())


def random_marches(count: int) -> None:
    """The first table."""
    random, rows = np.random.default_rng(7), {name: [0, 0, 0, 0, 0.0, 0.0] for name in BANDS}
    for seed in range(count):
        case = drawn(random, seed)
        mach = -1.0 if case.mach is None else case.mach
        row = rows[next(name for name, (low, high) in BANDS.items() if low <= mach <= high)]
        row[0] += 1
        try:
            flow = case.march()
        except hd.SolverError:
            row[3] += 1
            continue
        found = march_estimate(flow)
        if found.holds:
            row[1] += 1
            row[2] += left(flow, found)
            row[4], row[5] = max(row[4], found.ratio), max(row[5], strays(flow) / found.margin)
    print("| Mach | marches | certified | of these left | certified: most of the limit, of the margin | no solution |")
    print("|---|---|---|---|---|---|")
    for name, (marches, certified, away, lost, most, stray) in rows.items():
        shown = f"{most:.3f}, {stray:.3f}" if certified else ""
        print(f"| {name} | {marches} | {certified} | {away} | {shown} | {lost} |", flush=True)


def near_the_speed_of_sound() -> None:
    """The second table."""
    print("\n| Mach | scheme | certified | limit/E(0) | density strays by | share N/2, most of the limit |")
    print("|---|---|---|---|---|---|")
    for mach in (0.9, 0.95, 1.05, 1.1):
        for scheme, layers in (("midpoint", 200), ("euler-box", 500)):
            case = Case(scheme, 17, layers, 5.0, 1e-5, 1e-6, mach)
            flow = case.march()
            found = march_estimate(flow)
            growth, far = found.limit[-1] / found.limit[0], strays(flow)
            shown = f"{growth:.3f} | {far:.2e} | {found.ratio:.3f}" if found.holds else f"| {far:.2e} |"
            print(f"| {mach} | {scheme} | {'yes' if found.holds else 'no'} | {shown} |", flush=True)


def grows(cells: int, noise: float, mach: float | None) -> bool:
    """Does a march from noise at the nodes grow in 20 crossing times, or get lost?"""
    case = Case("midpoint", cells, 8 * cells, 20.0, 1e-7, noise, mach, seed=-1)
    try:
        norms = march_estimate(case.march(), 0.01).norms
    except hd.SolverError:
        return True
    return bool(norms.max() > GROWN * norms[0])


def thresholds() -> None:
    """The third table."""
    print("\n| box | Mach | noise | nodes, criterion | nodes, observed | ratio |\n|---|---|---|---|---|---|")
    for mach in (None, 0.0, 0.5, 0.7):
        for noise in (0.03, 0.01, 0.003):
            few = Case("midpoint", 3, 2, 0.1, 1e-7, noise, mach)
            said = march_estimate(few.march()).bounds[0].most_nodes or 2
            step = 1 if mach is None else 2
            cells = said - 1 if mach is None else said
            down = grows(cells, noise, mach)
            while grows(cells, noise, mach) is down:
                cells += -step if down else step
            seen = cells - (0 if down else step) + (mach is None)
            name = "walls" if mach is None else "periodic"
            print(f"| {name} | {mach or 0} | {noise} | {said} | {seen} | {seen / said:.2f} |", flush=True)


def differences(flow: hd.Flow) -> np.ndarray:
    """The momentum by the differences of the mesh, d = 1."""
    order = np.argsort(flow.domain.coordinates[: flow.domain.owned, 0])
    rho, phi = (field[:, 0, order] for field in (flow.density, flow.potential))
    found: np.ndarray = (rho * (np.roll(phi, -1, axis=1) - np.roll(phi, 1, axis=1))).sum(axis=1) / 2
    return found


def momentum() -> None:
    """The fourth table."""
    print("\n| scheme | cells | drift of the momentum, relative | by the mesh's differences | order |")
    print("|---|---|---|---|---|")
    for scheme in ("midpoint", "euler-box"):
        before, coarse = 0.0, 1
        for cells in (7, 11, 21, 43, 87):
            domain = hd.Domain.interval(0, 1, cells, periodic=True)
            x = 2 * pi * domain.coordinates[: domain.owned, 0]
            physics = replace(GAS, noise=1e-5, energy=hd.Focusing(1.0, 3.0), stream=[0.4])
            start = [1 + 0.1 * np.cos(x)], [0.02 * np.sin(x + 1)]
            flow = hd.evolve(domain, hd.layers(cells + 1, 0.2), physics, *start, scheme, force=True)
            drifts = [float(np.ptp(found) / np.abs(found).max()) for found in (momenta(flow)[:, 0], differences(flow))]
            order = f"{np.log(before / drifts[1]) / np.log(cells / coarse):.2f}" if before else ""
            print(f"| {scheme} | {cells} | {drifts[0]:.1e} | {drifts[1]:.2e} | {order} |", flush=True)
            before, coarse = drifts[1], cells


if __name__ == "__main__":
    random_marches(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    near_the_speed_of_sound()
    thresholds()
    momentum()
