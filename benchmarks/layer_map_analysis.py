"""The layer-map schemes under analysis: exact laws, modified energies and equations, what the layers add to J.

    python benchmarks/layer_map_analysis.py

Prints the Markdown tables of docs/analysis (half a minute of CPU).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import hydrodl as hd
from hydrodl.analysis.backward_error.modified_system import layer_residuals, modified_energy
from hydrodl.analysis.backward_error.objective_error import objective_error
from hydrodl.analysis.structure.conservation import conservation
from hydrodl.analysis.structure.euler_poincare import euler_poincare
from hydrodl.analysis.structure.map_law import MapLaw, random_parts
from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.multisymplectic_law import random_data, two_form
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.problem.flow import Flow

MEANS = np.array([[-0.4, 0.3], [0.4, 0.0]])
TARGETS = np.array([[0.1, 0.5], [-0.2, -0.3]])
SCHEMES = ("residual", "strang")
CAUSES = ("velocity", "order of the noise", "fourth cumulant")  # there is no potential and no internal energy here


def table(head: str, rows: Iterator[list[str]]) -> None:
    """A Markdown table, a line at a time."""
    print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def gaussians(domain: hd.Domain, means: np.ndarray, spread: float = 0.5) -> hd.Densities:
    """Densities of one Gaussian a class, mean by mean."""
    found = [hd.Gaussian(m[: domain.dimension], spread, label=c) for c, m in enumerate(means)]
    return hd.mixture(found, domain)


def trained(d: int, nodes: int, layers: int, scheme: str, classes: int) -> Flow:
    """The problem of benchmarks/structure.py."""
    domain = hd.Domain.box([-2.0] * d, [2.0] * d, nodes)
    physics = hd.Lagrangian(noise=0.1, smoothness=0.3, energy=hd.Power(0.1))
    loss = hd.Density(2.0, gaussians(domain, TARGETS[:classes]), divergence="l2")
    start = gaussians(domain, MEANS[:classes])
    problem = hd.Problem(domain, hd.layers(layers), start, physics, loss, scheme)
    return hd.train(problem, options={"tao_gatol": 1e-10}).flow


def others(flow: Flow, scheme: LayerMapScheme) -> list[Flow]:
    """The flow itself and with one term of its scheme perturbed."""
    physics = flow.lagrangian
    return [
        flow,
        replace(flow, lagrangian=replace(physics, noise=1.001 * physics.noise)),
        replace(flow, lagrangian=replace(physics, smoothness=1.01 * physics.smoothness)),
        replace(flow, scheme=replace(scheme, degree=3)),
        replace(flow, scheme=replace(scheme, before=0.25)),
    ]


def laws() -> Iterator[list[str]]:
    """Drift of the two-form and largest residual over patches, for tangents of the scheme and of perturbed ones."""
    for d, nodes in ((1, 41), (2, 21)):
        for classes in (1, 2):
            for name in SCHEMES:
                flow = trained(d, nodes, 6, name, classes)
                assert isinstance(flow.scheme, LayerMapScheme)
                system, data = MapTangents(flow), [random_data(flow, 0), random_data(flow, 1)]
                law = MapLaw(system, flow.scheme)
                patches = random_parts(law.elements, 8, 0)
                found = []
                for other in others(flow, flow.scheme):
                    V, W = MapTangents(other).tangents(data)
                    found.append(max(patch.residual for patch in law.sums(V, W, patches)))
                values, size = two_form(system, *system.tangents(data))
                yield [str(d), str(classes), name, *(f"{x:.1e}" for x in (np.ptp(values) / size.max(), *found))]


def drifts() -> Iterator[list[str]]:
    """Drift of H, momentum equation, exact laws, in layers."""
    for name in SCHEMES:
        for layers in (8, 16, 32, 64):
            flow = trained(1, 129, layers, name, 2)
            found, fluid = conservation(flow), euler_poincare(flow).relative
            numbers = (found.energy_drift, fluid, found.mass_error, found.duality_residual)
            yield [name, str(layers), *(f"{x:.1e}" if x < 1e-8 else f"{x:.2e}" for x in numbers)]


def exchanged(nodes: int, layers: int, scheme: str) -> Flow:
    """The problem of benchmarks/modified_orders.py, d = 1."""
    domain = hd.Domain.interval(0.0, 1.0, nodes)
    waves = [lambda x, s=s: 1 + s * 0.4 * np.cos(np.pi * x[:, 0]) for s in (1, -1)]
    start, target = (hd.densities_from_function(w, domain) for w in (waves, waves[::-1]))
    loss = hd.Density(2.0, target, divergence="l2")
    problem = hd.Problem(domain, hd.layers(layers), start, hd.Lagrangian(0.05, 0.5, 0.1), loss, scheme)
    return hd.train(problem, options={"tao_gatol": 1e-13, "tao_max_it": 30}).flow


def order(values: list[float], counts: list[int]) -> str:
    """Observed between the last two, "" for a first one."""
    if len(values) < 2:
        return ""
    return f"{np.log(values[-2] / values[-1]) / np.log(counts[-1] / counts[-2]):.2f}"


def energies() -> Iterator[list[str]]:
    """Drifts over the central 0.8 of depth."""
    for name in SCHEMES:
        plain, modified, counts = [], [], []
        for layers in (16, 32, 64, 128):
            found = modified_energy(exchanged(41, layers, name), window=0.8)
            plain.append(found.drift)
            modified.append(found.modified_drift)
            counts.append(layers)
            numbers = [f"{plain[-1]:.2e}", order(plain, counts), f"{modified[-1]:.2e}", order(modified, counts)]
            yield [name, str(layers), *numbers]


def residuals() -> Iterator[list[str]]:
    """Residuals in layers and their orders."""
    counts = [36, 48, 64]
    for name in SCHEMES:
        found = [layer_residuals(exchanged(101, n, name)) for n in counts]
        for equation in found[0].equation_residual:
            for i, layers in enumerate(counts):
                row = [name, equation, str(layers)]
                for level in range(3):
                    values = [one.levels[level][equation] for one in found[: i + 1]]
                    row += [f"{values[-1]:.2e}", order(values, counts[: i + 1])]
                yield row


def problems(layers: int, scheme: str) -> Iterator[tuple[str, hd.Problem]]:
    """Linear-quadratic; one class to a narrower Gaussian; two classes, smooth layers."""
    cut = hd.layers(layers)
    line = hd.Domain.interval(-4.0, 4.0, 161)
    plain: Any = hd.Lagrangian(0.05, 1e-7, 0.0)
    start = hd.mixture([hd.Gaussian([-1.0], 0.5, label="a")], line)
    yield "linear-quadratic", hd.Problem(line, cut, start, plain, hd.Position(5.0, [[1.0]]), scheme)
    start, target = (hd.mixture([hd.Gaussian([m], s, label="a")], line) for m, s in ((-0.5, 0.4), (0.8, 0.3)))
    plain = hd.Lagrangian(0.1, 1e-4, 0.05)
    yield "one class, L2", hd.Problem(line, cut, start, plain, hd.Density(5.0, target, divergence="l2"), scheme)
    line = hd.Domain.interval(-3.0, 3.0, 241)
    start = hd.mixture([hd.Gaussian([m], 0.4, label=m) for m in (-0.6, 0.6)], line)
    smooth = hd.Lagrangian(0.1, 0.02, 0.2)
    yield "two classes", hd.Problem(line, cut, start, smooth, hd.Classification(4.0), scheme)


def objectives() -> Iterator[list[str]]:
    """J, what the layers make of it, by cause, and what is left without."""
    for number in range(3):
        for name in SCHEMES:
            for layers in (8, 16, 32):
                what, problem = list(problems(layers, name))[number]
                solution = hd.train(problem, options={"tao_gatol": 1e-9})
                assert solution.converged
                found = objective_error(solution)
                parts = [f"{found.parts[name].sum():+.1e}" for name in CAUSES]
                deep = f"{solution.objective - found.layers:.6f}"
                yield [what, name, str(layers), f"{solution.objective:.6f}", f"{found.layers:+.1e}", *parts, deep]


if __name__ == "__main__":
    table("d | classes | scheme | two-form drift | patches | noise +0.1 % | alpha +1 % | degree 3 | before 1/4", laws())
    table("scheme | layers | drift of H | momentum equation | mass error | duality", drifts())
    table("scheme | layers | drift of H | order | drift of the modified energy | order", energies())
    table("scheme | equation | layers | original | order | first terms | order | second terms | order", residuals())
    table(f"problem | scheme | layers | J | by layers | {' | '.join(CAUSES)} | J without", objectives())
