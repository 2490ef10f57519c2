"""The compressible fluid (w = 1, eps = 0, U = -R^2/2, so c = 1 at R = 1) marched: which waves grow.

On a lumped line the diffusion sees a wave exp(i k x) through kappa = (4/h^2) sin^2(k h/2), the velocity, which lives on
the same nodes as phi, through kappa_u = sin^2(k h)/h^2 = kappa (1 - sin^2(k h/2)). A step of the Euler box is

    rho' = (rho + Delta kappa_u phi) / (1 + a),   phi' = (1 + a) phi - Delta c^2 rho',   a = Delta nu kappa

with determinant 1 and trace (1 + (1 + a)^2 - Delta^2 c^2 kappa_u) / (1 + a): at most 2, neutral, where

    (Delta nu kappa)^2 <= Delta^2 c^2 kappa_u,   that is   sin^2(k h/2) <= 1 / (1 + 4 nu^2 / (c h)^2),

for any step. So waves of four cells and more are neutral where nu <= c h/2 (c = 1, nu = 0.01: 50 cells a
unit of length), and shorter ones grow; between walls, where the shortest has M - 1 half waves, every wave is neutral up
to M = 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.mesh.quadrature import moment
from hydrodl.physics.wave_growth import fastest_growth
from hydrodl.problem.flow import Flow
from hydrodl.solver.marching import evolve

NOISE = 0.01
SCHEMES = ["euler-box", "midpoint"]
GAS = hd.Lagrangian(NOISE, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)
QUIET = hd.Lagrangian(1e-10, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)


def predicted_trace(h: float, angle: float, step: float, scheme: str) -> float:
    """Trace of one step for the wave of k h = angle."""
    diffusion, pressure = NOISE * 4 / h**2 * np.sin(angle / 2) ** 2, np.sin(angle) ** 2 / h**2
    if scheme == "euler-box":
        a = step * diffusion
        return float((1 + (1 + a) ** 2 - step**2 * pressure) / (1 + a))
    b = step**2 * (diffusion**2 - pressure) / 4
    return float(2 * (1 + b) / (1 - b))


def measured_step(h: float, angle: float, step: float, scheme: str) -> tuple[float, float]:
    """Trace and determinant of one step, from a wave read in the middle of 160 cells, before walls are felt."""
    cells, size, count = 160, 1e-7, 8
    domain = hd.Domain.interval(-cells * h / 2, cells * h / 2, cells + 1)
    x = domain.coordinates[: domain.owned, 0]
    wave = size * np.cos(angle * x / h)
    flow = evolve(domain, hd.layers(count, count * step), GAS, [1 + wave], [0.3 * h * wave], scheme, force=True)
    middle = int(np.argmin(np.abs(x)))
    rho, phi = flow.density[:, 0, middle] - 1, flow.potential[:, 0, middle] + flow.layers.times  # phi = -t at rest
    z = np.array([rho, phi]) / size
    # z'' = trace z' - determinant z, for both components
    system = np.stack([z[:, 1:-1].ravel(), -z[:, :-2].ravel()], axis=1)
    trace, determinant = np.linalg.lstsq(system, z[:, 2:].ravel(), rcond=None)[0]
    return float(trace), float(determinant)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("fraction", [0.125, 0.3, 0.5, 0.75, 1.0])
def test_every_wave_has_the_predicted_multiplier(fraction: float, scheme: str) -> None:
    """From long waves to the shortest, k h = pi, which feels no pressure and grows on any mesh."""
    for cells in (40, 60):
        for step in (0.1 / cells, 0.3 / cells):
            trace, determinant = measured_step(1 / cells, fraction * np.pi, step, scheme)
            wanted = predicted_trace(1 / cells, fraction * np.pi, step, scheme)
            print("WAVE", scheme, fraction, cells, step, trace, trace - wanted, determinant - 1)
            assert trace == pytest.approx(wanted, abs=1e-6)
            assert determinant == pytest.approx(1, abs=1e-6)
            if fraction == 1.0:
                assert trace > 2.02


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_threshold_of_waves_of_four_cells_is_sharp_to_one_cell(scheme: str) -> None:
    """c = 1, nu = 0.01: neutral at 49, marginal at 50, growing at 51 cells a unit of length, at the predicted rate."""
    step, rates = 0.004, {}
    for cells in (49, 50, 51):
        trace, _ = measured_step(1 / cells, np.pi / 2, step, scheme)
        print("THRESHOLD", scheme, cells, trace - 2, predicted_trace(1 / cells, np.pi / 2, step, scheme) - 2)
        rates[cells] = trace - 2
    assert rates[49] < -1e-3 and abs(rates[50]) < 1e-7 and rates[51] > 1e-3
    growth = np.arccosh(1 + rates[51] / 2) / step
    exact = np.arccosh(predicted_trace(1 / 51, np.pi / 2, step, scheme) / 2) / step
    continuous = 51 * np.sqrt(4 * (NOISE * 51) ** 2 - 1)  # s^2 = nu^2 kappa^2 - c^2 kappa_u at k h = pi/2
    print("RATE", scheme, growth, exact, continuous)
    assert growth == pytest.approx(exact, rel=1e-4)
    assert growth == pytest.approx(continuous, rel=0.1 if scheme == "euler-box" else 1e-3)


def test_the_euler_box_needs_layers_shorter_than_a_few_cells_over_the_speed_of_sound() -> None:
    """The other end, trace >= -2: Delta c kappa_u^(1/2) <= 2 + a, here f <= 2 + 0.4 f with f = Delta c/h."""
    for factor, stable in ((3.2, True), (3.5, False)):
        h = 1 / 20
        trace, _ = measured_step(h, np.pi / 2, factor * h, "euler-box")
        print("CFL", factor, trace, predicted_trace(h, np.pi / 2, factor * h, "euler-box"))
        assert trace == pytest.approx(predicted_trace(h, np.pi / 2, factor * h, "euler-box"), abs=1e-4)
        assert (trace > -2) == stable


def between_walls(cells: int, step: float) -> np.ndarray:
    """One Euler box step of small perturbations of R = 1 between walls at 0 and 1, without the package."""
    h, n = 1 / cells, cells + 1
    mass = np.full(n, h)
    mass[[0, -1]] = h / 2
    stiffness, slope = np.zeros((n, n)), np.zeros((n, n))
    for cell in range(cells):
        ends = slice(cell, cell + 2)
        stiffness[ends, ends] += np.array([[1, -1], [-1, 1]]) / h
        slope[ends, ends] += [[-0.5, 0.5], [-0.5, 0.5]]  # vertex rule of v phi'
    diffusion = step * NOISE * stiffness / mass[:, None]
    pressure = step * np.diag(1 / mass) @ slope.T @ np.diag(1 / mass) @ slope
    implicit = np.linalg.inv(np.eye(n) + diffusion)
    rho = np.hstack([implicit, implicit @ pressure])
    phi = np.hstack([np.zeros((n, n)), np.eye(n) + diffusion]) - step * rho
    return np.vstack([rho, phi])


def random_start(cells: int, size: float) -> tuple[hd.Domain, np.ndarray, np.ndarray]:
    """Line, and a random perturbation of (1, 0) without total mass."""
    domain = hd.Domain.interval(0.0, 1.0, cells + 1)
    noise = np.random.default_rng(3).standard_normal((2, domain.owned))
    weights = np.full(domain.owned, 1.0)
    x = domain.coordinates[: domain.owned, 0]
    weights[(x < 1e-9) | (x > 1 - 1e-9)] = 0.5
    return domain, 1 + size * (noise[0] - weights @ noise[0] / weights.sum()), size * 0.1 * noise[1]


def test_the_threshold_between_walls_is_sharp_to_one_cell() -> None:
    """c = L = 1, nu = 0.01: every wave on 8 cells is neutral, the shortest on 9 grows as predicted."""
    step, depth = 0.05, 30.0
    spread = {}
    for cells in (8, 9):
        domain, rho, phi = random_start(cells, 1e-9)
        flow = evolve(domain, hd.layers(round(depth / step), depth), GAS, [rho], [phi], force=True)
        spread[cells] = np.abs(flow.density[:, 0] - 1).max(axis=1)
        multipliers = np.abs(np.linalg.eigvals(between_walls(cells, step)))
        print("WALLS", cells, spread[cells][[0, -1]], multipliers.max() - 1, fastest_growth(domain, GAS, [rho]))
        if cells == 8:
            assert multipliers.max() < 1 + 1e-6
            assert spread[cells].max() < 20 * spread[cells][0]
            continue
        late = round(20 / step)
        growth = np.log(spread[cells][-1] / spread[cells][late]) / (depth - 20)
        exact = np.log(multipliers.max()) / step
        print("WALLS", growth, exact)
        assert growth == pytest.approx(exact, rel=0.01)
        assert growth > 0.5


def test_march_refuses_beyond_the_same_cell() -> None:
    """``fastest_growth``: nothing on 8 cells, on 9 the rate of the shortest wave, up to the walls."""
    start = np.ones((1, 9))
    assert fastest_growth(hd.Domain.interval(0.0, 1.0, 9), GAS, start) == (0.0, 0.0)
    rate, number = fastest_growth(hd.Domain.interval(0.0, 1.0, 10), GAS, np.ones((1, 10)))
    S = np.sin(8 * np.pi / 18) ** 2
    assert number == pytest.approx(np.sqrt(4 * 81 * S), rel=1e-3)
    assert rate == pytest.approx(np.sqrt((NOISE * 324 * S) ** 2 - 324 * S * (1 - S)), rel=0.02)
    multiplier = np.abs(np.linalg.eigvals(between_walls(9, 0.001))).max()
    assert rate == pytest.approx(np.log(multiplier) / 0.001, rel=0.1)


@dataclass(frozen=True)
class Rest:
    """A fluid at rest, u = 0, dl/drho = V + U'(R) = const, and perturbations of it."""

    nodes: int
    uneven: float

    @property
    def domain(self) -> hd.Domain:
        return hd.Domain.interval(0.0, 1.0, self.nodes)

    def density(self, x: np.ndarray) -> np.ndarray:
        return 1 + self.uneven * np.cos(np.pi * x)

    def march(self, scheme: str, size: float, depth: float, per_cell: float) -> tuple[Flow, np.ndarray]:
        """The flow, and 1/2 int rho |u|^2 + (rho - rho_e)^2 of every slab: the energy's second variation."""
        lagrangian: dict[str, Any] = {"decay": 0.0, "smoothness": 0.0, "energy": hd.Focusing(1.0)}
        force = hd.Lagrangian(1e-10, potential=lambda x: self.density(x[:, 0]), **lagrangian)
        domain = self.domain
        x = domain.coordinates[: domain.owned, 0]
        waves = size * (np.cos(np.pi * x) + np.cos(2 * np.pi * x) - 0.7 * np.cos(3 * np.pi * x))
        count = round(depth * (self.nodes - 1) * per_cell)
        phi = 0.3 * size * np.cos(2 * np.pi * x)
        flow = evolve(domain, hd.layers(count, depth), force, [self.density(x) + waves], [phi], scheme)
        weights = np.where((x < 1e-9) | (x > 1 - 1e-9), 0.5, 1.0) / (self.nodes - 1)
        moved = flow.slab_density[:, 0] - self.density(x)
        energy = 0.5 * (flow.slab_density[:, 0] * flow.velocity[:, 0] ** 2 + moved**2) @ weights
        return flow, energy


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("uneven", [0.0, 0.3])
def test_perturbations_of_a_subsonic_equilibrium_stay_bounded(uneven: float, scheme: str) -> None:
    """20 crossing times L/c: |v_e| = 0 < c, so the energy of the perturbation bounds it for ever (Arnold)."""
    flow, energy = Rest(33, uneven).march(scheme, 1e-3, 20.0, 2.0)
    print("REST", uneven, scheme, energy[0], energy.min() / energy[0], energy.max() / energy[0])
    assert energy.max() < 1.1 * energy[0]
    assert energy.min() > 0.9 * energy[0]  # and it does not die either: nothing dissipates
    x = flow.domain.coordinates[: flow.domain.owned, 0]
    moved = np.abs(flow.density[:, 0] - Rest(33, uneven).density(x)).max()
    print("REST", moved)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_standing_wave_has_order_two_in_nodes(scheme: str) -> None:
    """rho = 1 + a cos(pi x) cos(pi t), half a period, layers so fine that the error in nodes is left."""
    errors = []
    for nodes in (9, 17, 33):
        domain = hd.Domain.interval(0.0, 1.0, nodes)
        x = domain.coordinates[: domain.owned, 0]
        steps = 2 * (nodes - 1) if scheme == "midpoint" else (nodes - 1) ** 2
        flow = evolve(domain, hd.layers(steps, 0.5), QUIET, [1 + 1e-6 * np.cos(np.pi * x)], [0 * x], scheme)
        errors.append(np.abs(flow.density[-1, 0] - 1).max() / 1e-6)
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    print("STANDING", scheme, errors, orders)
    np.testing.assert_allclose(orders[-1], 2, atol=0.2)


@pytest.mark.parametrize(
    ("choices", "largest"),
    [
        ({}, 0.01),
        ({"cells": "simplex"}, 0.015),  # waves on triangles are slower with the vertex rule
        ({"cells": "simplex", "lumped": False}, 0.01),
        ({"cells": "simplex", "degree": 2}, 0.01),
    ],
    ids=str,
)
def test_a_standing_wave_on_a_square_has_order_two_in_every_element_family(
    choices: dict[str, Any], largest: float
) -> None:
    """rho = 1 + a cos(pi x) cos(pi y) cos(2^(1/2) pi t), a quarter period."""
    degree, errors = choices.get("degree", 1), []
    for cells in (8 // degree, 16 // degree):
        domain = hd.Domain.box([0.0, 0.0], [1.0, 1.0], cells + 1, **choices)
        x = domain.coordinates[: domain.owned]
        wave = np.cos(np.pi * x[:, 0]) * np.cos(np.pi * x[:, 1])
        layers = hd.layers(4 * cells * degree, 8**-0.5)
        flow = evolve(domain, layers, QUIET, [1 + 1e-6 * wave], [0 * wave], "midpoint")
        left = (flow.density[-1, 0] - 1) / 1e-6
        errors.append(float(np.sqrt(moment(domain) @ left**2)))
    order = np.log2(errors[0] / errors[1])
    print("SQUARE", choices, errors, order)
    assert 1.6 < order < 2.4 and errors[1] < largest
