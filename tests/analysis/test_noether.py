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
from hydrodl.analysis.structure.conservation import angular_momenta, conservation
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


def test_momentum_of_a_stream_without_walls_keeps_to_second_order_in_the_mesh() -> None:
    """The mesh allows shifts by whole cells alone, so there is no such law to rounding; mass is exact."""
    drifts = []
    for cells in (21, 43):
        domain = hd.Domain.interval(0, 1, cells, periodic=True)
        x = 2 * np.pi * domain.coordinates[: domain.owned, 0]
        physics = hd.Lagrangian(1e-5, decay=0.0, smoothness=0.0, energy=hd.Focusing(1.0, 3.0), stream=[0.4])
        start = (1 + 0.1 * np.cos(x))[None], 0.02 * np.sin(x + 1)[None]
        kept = conservation(hd.evolve(domain, hd.layers(cells + 1, 0.2), physics, *start, "midpoint", force=True))
        drifts.append(drift(kept.momentum[:, 0]))
        assert kept.mass_error < 1e-14
    orders = np.log2(np.array(drifts[:-1]) / drifts[1:])
    assert drifts[-1] < 1e-3 and orders[0] > 1.85


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
