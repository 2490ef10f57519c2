"""What discrete flows conserve: multisymplectic sums, drifts, circulation, the momentum equation.

    python benchmarks/structure.py

Two Gaussians (or one) brought to two others in a wide box, U = 0.05 R^2, alpha = 0.3. Prints Markdown tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import hydrodl as hd
from hydrodl.analysis.structure.circulation import circulation
from hydrodl.analysis.structure.conservation import conservation
from hydrodl.analysis.structure.euler_poincare import euler_poincare
from hydrodl.analysis.structure.multisymplectic_law import patch_sum, random_data, random_patches, two_form
from hydrodl.analysis.structure.space_time_action import SpaceTime
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.problem.flow import Flow

MEANS = np.array([[-0.4, 0.3], [0.4, 0.0]])
TARGETS = np.array([[0.1, 0.5], [-0.2, -0.3]])
SCHEMES = ("euler-box", "midpoint")
PATCHES = 8


def trained(d: int, nodes: int, layers: int, scheme: str, classes: int = 2, **physics: Any) -> Flow:
    """The flow of the problem that all tables share."""
    domain = hd.Domain.box([-2.0] * d, [2.0] * d, nodes)

    def gaussians(means: np.ndarray) -> hd.Densities:
        return hd.mixture([hd.Gaussian(m[:d], 0.5, label=c) for c, m in enumerate(means[:classes])], domain)

    lagrangian = hd.Lagrangian(**{"noise": 0.1, "smoothness": 0.3, "energy": hd.Power(0.1)} | physics)
    loss = hd.Density(2.0, gaussians(TARGETS), divergence="l2")
    problem = hd.Problem(domain, hd.layers(layers), gaussians(MEANS), lagrangian, loss, scheme)
    return hd.train(problem, options={"tao_gatol": 1e-10}).flow


def table(head: str, rows: Iterator[list[str]]) -> None:
    """A Markdown table, a line at a time."""
    if rank() == 0:
        print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for row in rows:
        if rank() == 0:
            print("| " + " | ".join(row) + " |", flush=True)


def rank() -> int:
    """The rank of this process."""
    from mpi4py import MPI  # after hydrodl

    return int(MPI.COMM_WORLD.rank)


def others(flow: Flow) -> list[Flow]:
    """The flow itself and with one term of its scheme perturbed."""
    physics = flow.lagrangian
    return [
        flow,
        replace(flow, lagrangian=replace(physics, noise=1.001 * physics.noise)),
        replace(flow, lagrangian=replace(physics, smoothness=1.01 * physics.smoothness)),
        replace(flow, lagrangian=replace(physics, fitted=False)),
        replace(flow, scheme=BoxScheme("wrong", flow.theta - 0.01 if flow.theta == 1 else flow.theta + 0.01)),
    ]


def sums() -> Iterator[list[str]]:
    """Largest residual over random patches, for tangents of the scheme and of perturbed ones; drift of the two-form."""
    for d, nodes in ((1, 41), (2, 13)):
        for classes in (1, 2):
            for scheme in SCHEMES:
                flow = trained(d, nodes, 6, scheme, classes)
                system, data = SpaceTime(flow), [random_data(flow, 0), random_data(flow, 1)]
                patches, found = random_patches(flow, PATCHES, 0), []
                for other in others(flow):
                    V, W = SpaceTime(other).tangents(data)
                    found.append(max(patch_sum(system, V, W, patch).residual for patch in patches))
                values, size = two_form(system, *system.tangents(data))
                drift = np.ptp(values) / size.max()
                yield [str(d), str(classes), scheme, *(f"{x:.1e}" for x in (drift, *found))]


def drifts() -> Iterator[list[str]]:
    """Drift of H, local energy source and momentum equation under refinement in layers and features together."""
    for scheme in SCHEMES:
        for nodes, layers in ((25, 8), (49, 16), (97, 32), (193, 64)):
            flow = trained(1, nodes, layers, scheme)
            found, fluid = conservation(flow), euler_poincare(flow).relative
            numbers = (found.energy_drift, found.energy_source.mean(), fluid, found.mass_error, found.duality_residual)
            yield [scheme, str(layers), str(nodes), *(f"{x:.1e}" if x < 1e-8 else f"{x:.2e}" for x in numbers)]


def loops() -> Iterator[list[str]]:
    """Circulation at the first and last layer, d = 2."""
    apart = [lambda x: 0.3 * x[:, 0] ** 2, lambda x: 0.3 * x[:, 1]]
    for classes, noise, potential in (
        (1, 0.1, None),
        (2, 0.1, None),
        (2, 0.03, None),
        (2, 0.01, None),
        (2, 0.01, apart),
    ):
        flow = trained(2, 33, 8, "midpoint", classes, noise=noise, potential=potential, fitted=False)
        values = circulation(flow)
        state = "one a class" if potential else "none"
        yield [str(classes), f"{noise}", state, f"{values[0]:.5f}", f"{values[-1]:.5f}", f"{np.ptp(values):.1e}"]


if __name__ == "__main__":
    table(
        "d | classes | scheme | two-form drift | patches | noise +0.1 % | alpha +1 % | not fitted | theta 0.01", sums()
    )
    table("scheme | layers | nodes | drift of H | energy source | momentum equation | mass error | duality", drifts())
    table("classes | noise | potential | first | last | change", loops())
