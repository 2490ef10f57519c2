"""Noether's laws where symmetries hold but for the mesh: momentum without walls, angular momentum on a disc; and what
noise and potentials add to the circulation."""

from __future__ import annotations

from typing import Any

import hydrodl as hd

# isort: split
import basix.ufl
import numpy as np
import pytest
from dolfinx.mesh import create_mesh
from mpi4py import MPI
from scipy.spatial import Delaunay

from hydrodl.analysis.structure.circulation import circulation, circulation_sources
from hydrodl.analysis.structure.conservation import conservation
from hydrodl.analysis.structure.momenta import angular_momenta
from hydrodl.problem.flow import Flow


def disc(rings: int) -> hd.Domain:
    """The unit disc, 6 i nodes on the ring of radius i / rings."""
    radius = np.repeat(np.arange(rings + 1), [1, *(6 * i for i in range(1, rings + 1))])
    number = np.arange(len(radius)) - np.searchsorted(radius, radius)
    angle = 2 * np.pi * number / np.maximum(6 * radius, 1)
    points = (radius / rings)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    element = basix.ufl.element("Lagrange", "triangle", 1, shape=(2,))
    cells = Delaunay(points).simplices.astype(np.int64)
    return hd.Domain(create_mesh(MPI.COMM_SELF, cells, element, points), lumped=True)


def trained(domain: hd.Domain, layers: int, potential: Any, noise: float = 0.1, spread: float = 0.25) -> Flow:
    """Two classes that turn around each other a little."""

    def at(centres: Any) -> hd.Densities:
        return hd.mixture([hd.Gaussian(m, spread, label=c) for c, m in enumerate(centres)], domain)

    start, end = at([[-0.25, 0.1], [0.3, -0.05]]), at([[-0.05, -0.25], [0.1, 0.25]])
    physics = hd.Lagrangian(noise, decay=0.01, smoothness=0.2, energy=hd.Power(0.1), potential=potential, fitted=False)
    problem = hd.Problem(domain, hd.layers(layers, 0.5), start, physics, hd.Density(2.0, end), "midpoint")
    return hd.train(problem, options={"tao_gatol": 1e-9}).flow


def drift(values: np.ndarray) -> float:
    return float(np.ptp(values) / np.abs(values).max())


def stream(cells: int, scheme: str) -> Flow:
    domain = hd.Domain.interval(0, 1, cells, periodic=True)
    x = 2 * np.pi * domain.coordinates[: domain.owned, 0]
    physics = hd.Lagrangian(1e-5, decay=0.0, smoothness=0.0, energy=hd.Focusing(1.0, 3.0), stream=[0.4])
    start = (1 + 0.1 * np.cos(x))[None], 0.02 * np.sin(x + 1)[None]
    return hd.evolve(domain, hd.layers(cells + 1, 0.2), physics, *start, scheme, force=True)


@pytest.mark.parametrize("scheme", ["midpoint", "euler-box"])
def test_momentum_without_walls_keeps_to_rounding_where_the_mesh_resolves_the_fields(scheme: str) -> None:
    """Trigonometric shifts are symmetries but for aliasing; the mesh's own differences keep it to order 2."""
    aliased, resolved = (conservation(stream(cells, scheme)) for cells in (7, 21))
    assert resolved.mass_error < 1e-14
    assert drift(resolved.momentum[:, 0]) < 1e-13 < 1e-8 < drift(aliased.momentum[:, 0])
    by_differences = [drift(with_differences(stream(cells, scheme))) for cells in (21, 43)]
    assert by_differences[1] > 1e-4 and np.log2(by_differences[0] / by_differences[1]) > 1.85


def with_differences(flow: Flow) -> np.ndarray:
    """int rho d phi with the differences of the mesh, d = 1."""
    order = np.argsort(flow.domain.coordinates[: flow.domain.owned, 0])
    rho, phi = (f[:, 0, order] for f in (flow.density, flow.potential))
    return (rho * (np.roll(phi, -1, axis=1) - np.roll(phi, 1, axis=1))).sum(axis=1) / 2


def test_momentum_of_a_trained_flow_keeps_along_the_direction_without_walls() -> None:
    """Two classes in a strip, the fitted scheme; across, between walls, it does not keep."""
    domain = hd.Domain.box([0, 0], [1, 1], [17, 6], periodic=[True, False])
    x = domain.coordinates[: domain.owned]

    def waves(shift: float) -> Any:
        density = [1 + 0.2 * np.cos(2 * np.pi * (x[:, 0] - c / 3 - shift) + c) + 0.3 * shift * x[:, 1] for c in (0, 1)]
        return hd.Densities(domain, np.array(density), ("a", "b"))

    problem = hd.Problem(
        domain, hd.layers(3), waves(0.0), hd.Lagrangian(0.05, smoothness=0.1), hd.Density(3.0, waves(0.2)), "euler-box"
    )
    along, across = conservation(hd.train(problem, options={"tao_gatol": 1e-12}).flow).momentum.T
    assert drift(along) < 1e-7 and drift(across) > 1e-3


@pytest.mark.slow
def test_angular_momentum_on_a_disc_keeps_to_the_order_of_the_mesh() -> None:
    drifts = [drift(angular_momenta(trained(disc(rings), layers, None))) for rings, layers in ((8, 4), (16, 8))]
    assert drifts[1] < 0.03 and np.log2(drifts[0] / drifts[1]) > 1.5
    pulled = angular_momenta(trained(disc(8), 4, lambda x: 2 * x[:, 0]))
    assert drift(pulled) > 5 * drifts[0]
    with pytest.raises(hd.InputError, match="in d = 2"):
        angular_momenta(hd.evolve(hd.Domain.interval(0, 1, 5), hd.layers(1), hd.Lagrangian(1e-6), *np.ones((2, 1, 5))))


@pytest.mark.slow
def test_circulation_changes_by_what_noise_and_potentials_add() -> None:
    domain = hd.Domain.box([-1, -1], [1, 1], 33)
    for potential, noise in ((None, 0.1), ([lambda x: 0.5 * x[:, 0], lambda x: 0.5 * x[:, 1]], 0.03)):
        flow = trained(domain, 8, potential, noise, spread=0.4)
        found, (spread, pulled) = circulation(flow), circulation_sources(flow)
        changes = np.diff(found)
        assert np.abs(changes - spread - pulled).max() < 0.1 * np.abs(changes).max()
        larger, less = (spread, pulled) if potential is None else (pulled, spread)
        assert np.abs(larger).max() > np.abs(less).max()
