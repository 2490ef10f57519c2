"""Fokker-Planck with a given velocity against exact solutions, with and without flow through the reflecting walls.

- Constant drift b between walls: e^{b x / 2 nu} (cos k pi x + b / (2 nu k pi) sin k pi x) decays at rate
  nu (k pi)^2 + b^2 / (4 nu) and carries no flux; e^{b x / nu} is stationary. Products over directions in d = 2.
- Gradient drift u = nu grad log p keeps p.
- Ornstein-Uhlenbeck u = -a x keeps Gaussians Gaussian: mean m0 e^{-a t}, variance nu/a + (s0 - nu/a) e^{-2 a t}.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

import hydrodl as hd

NOISE, DEPTH = 0.3, 0.5
DRIFT, SHARE = (0.9, -0.5), 0.3
SCHEMES = {"euler-box": 1, "midpoint": 2}
# family: dimension, cells, degree, nodes per direction
FAMILIES = {
    "interval-Q1": (1, "box", 1, (17, 33, 65)),
    "interval-P1": (1, "simplex", 1, (17, 33, 65)),
    "interval-P2": (1, "simplex", 2, (5, 9, 17)),
    "square-Q1": (2, "box", 1, (9, 17, 33)),
    "square-P1": (2, "simplex", 1, (9, 17, 33)),
    "square-P2": (2, "simplex", 2, (5, 9, 17)),
}


def box(family: str, nodes: int) -> hd.Domain:
    d, cells, degree = FAMILIES[family][:3]
    return hd.Domain.box([0.0] * d, [1.0] * d, nodes, cells=cells, degree=degree, lumped=cells == "box")


def carried(domain: hd.Domain, rho0: np.ndarray, u: np.ndarray, layers: int, scheme: str, noise: float) -> np.ndarray:
    """Densities (N + 1, nodes) of one class with the nodal values rho0, carried by u (d, nodes) in every slab."""
    problem = hd.Problem(
        domain,
        hd.layers(layers, DEPTH),
        hd.Densities(domain, rho0[None], ("one",)),
        hd.Lagrangian(noise, smoothness=0.0),
        hd.Position(1.0, [[0.0] * domain.dimension]),
        scheme,
    )
    functional = hd.ReducedFunctional(problem)
    functional.evaluate(np.tile(u, (layers, 1, 1)))
    return functional.sweeps.density[:, 0, : domain.owned].copy()


def orders(errors: list[float]) -> np.ndarray:
    """Observed orders of errors under doubling."""
    values = np.abs(errors)
    return np.log2(values[:-1] / values[1:])


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def between_walls(x: np.ndarray, b: float, t: float) -> np.ndarray:
    """Stationary density plus a share of the slowest mode, in one direction."""
    tilt, rate = b / (2 * NOISE), NOISE * np.pi**2 + b**2 / (4 * NOISE)
    shape = np.exp(tilt * x) * (np.cos(np.pi * x) + tilt / np.pi * np.sin(np.pi * x))
    return np.exp(2 * tilt * x) * 2 * tilt / np.expm1(2 * tilt) + SHARE * np.exp(-rate * t) * shape


def drifting(x: np.ndarray, t: float) -> np.ndarray:
    """The product of the one-dimensional solutions at points (n, d)."""
    return np.prod([between_walls(x[:, a], DRIFT[a], t) for a in range(x.shape[1])], axis=0)


def drifted(domain: hd.Domain, layers: int, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """Density at the last layer, computed and exact."""
    x = domain.coordinates[: domain.owned]
    u = np.repeat(np.array(DRIFT[: domain.dimension])[:, None], len(x), axis=1)
    return carried(domain, drifting(x, 0.0), u, layers, scheme, NOISE)[-1], drifting(x, DEPTH)


def test_the_solution_between_walls_is_one() -> None:
    """The closed form satisfies equation and no-flux condition (central differences), so it can serve as reference."""
    x, t, h = np.linspace(0, 1, 11), 0.2, 1e-3
    for b in DRIFT:
        f = lambda y, s, b=b: between_walls(y, b, s)  # noqa: E731
        slope = (f(x + h, t) - f(x - h, t)) / (2 * h)
        curvature = (f(x + h, t) - 2 * f(x, t) + f(x - h, t)) / h**2
        np.testing.assert_allclose((f(x, t + h) - f(x, t - h)) / (2 * h), NOISE * curvature - b * slope, atol=1e-4)
        np.testing.assert_allclose((b * f(x, t) - NOISE * slope)[[0, -1]], 0.0, atol=1e-4)
        assert f(np.linspace(0, 1, 99), 0.0).min() > 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_drift_between_walls_order_in_layers(family: str, scheme: str) -> None:
    domain = box(family, FAMILIES[family][3][1])
    last = [drifted(domain, n, scheme)[0] for n in (16, 32, 64, 128)]
    found = orders([rms(a - b) for a, b in pairwise(last)])
    assert found[-1] == pytest.approx(SCHEMES[scheme], abs=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_drift_between_walls_order_in_nodes(family: str, scheme: str) -> None:
    """Layers are refined along, twice or four times at a doubling of nodes: the whole error is of order 2."""
    sizes, start = FAMILIES[family][3], 16
    errors = []
    for i, nodes in enumerate(sizes):
        layers = start * (4 if scheme == "euler-box" else 2) ** i
        computed, exact = drifted(box(family, nodes), layers, scheme)
        errors.append(rms(computed - exact) / rms(exact))
    assert errors[-1] < 5e-3  # on boxes this is what fitting adds: b^2 h^2 / (2 nu^2) of the noise, 0.6 % at 33 nodes
    assert orders(errors)[-1] > 1.9


def still(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p = prod_a (1 + 0.4 sin(2 x_a)) and grad log p: no closed walls, p does not vanish there."""
    factors = 1.0 + 0.4 * np.sin(2 * x)
    return factors.prod(axis=1), (0.8 * np.cos(2 * x) / factors).T


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_drift_keeps_its_density(family: str, scheme: str) -> None:
    errors = []
    for nodes in FAMILIES[family][3]:
        domain = box(family, nodes)
        p, slope = still(domain.coordinates[: domain.owned])
        rho = carried(domain, p, NOISE * slope, 4, scheme, NOISE)
        errors.append(rms(rho[-1] - p))
    assert errors[-1] < 1e-3
    assert orders(errors)[-1] > 1.8


PULL, SPRING_NOISE, MEAN, VARIANCE = 1.0, 0.25, (0.6, -0.4), 0.15


def spring(domain: hd.Domain, layers: int, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """Densities of the Ornstein-Uhlenbeck flow at the last layer, computed and exact."""
    x = domain.coordinates[: domain.owned]
    mean, limit = np.array(MEAN[: domain.dimension]), SPRING_NOISE / PULL

    def gaussian(t: float) -> np.ndarray:
        std = np.sqrt(limit + (VARIANCE - limit) * np.exp(-2 * PULL * t))
        return hd.Gaussian(mean * np.exp(-PULL * t), std).density(x)

    rho = carried(domain, gaussian(0.0), -PULL * x.T, layers, scheme, SPRING_NOISE)
    return rho[-1], gaussian(DEPTH)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2])
def test_ornstein_uhlenbeck(d: int, scheme: str) -> None:
    """Orders in layers at fixed nodes, then of the whole error; the box is wide, |u| h / (2 nu) < 1 where mass is."""
    solve: Callable = lambda nodes, n: spring(hd.Domain.box([-3.0] * d, [3.0] * d, nodes), n, scheme)  # noqa: E731
    last = [solve(21, n)[0] for n in (16, 32, 64, 128)]
    found = orders([rms(a - b) for a, b in pairwise(last)])
    errors = []
    for i, nodes in enumerate((25, 49, 97)):
        computed, exact = solve(nodes, 8 * (4 if scheme == "euler-box" else 2) ** i)
        errors.append(rms(computed - exact) / rms(exact))
    assert found[-1] == pytest.approx(SCHEMES[scheme], abs=0.1)
    assert errors[-1] < 0.015
    assert orders(errors)[-1] > 1.85


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ornstein_uhlenbeck_moments_without_fitting(scheme: str) -> None:
    """With nu_h = nu the mean obeys the scheme's recursion exactly: x is resolved, (rho, u . grad x) = -a (rho, x)."""
    layers, step = 5, DEPTH / 5
    domain = hd.Domain.interval(-4.0, 4.0, 81, lumped=True)
    x = domain.coordinates[: domain.owned, 0]
    problem = hd.Problem(
        domain,
        hd.layers(layers, DEPTH),
        hd.mixture([hd.Gaussian(0.6, 0.4)], domain),
        hd.Lagrangian(SPRING_NOISE, fitted=False, smoothness=0.0),
        hd.Position(1.0, [[0.0]]),
        scheme,
    )
    functional = hd.ReducedFunctional(problem)
    functional.evaluate(np.tile(-PULL * x[None], (layers, 1, 1)))
    rho = functional.sweeps.density[:, 0, : domain.owned]
    means = rho @ x / rho.sum(axis=1)
    z = PULL * step
    factor = 1 / (1 + z) if scheme == "euler-box" else (1 - z / 2) / (1 + z / 2)
    np.testing.assert_allclose(means, 0.6 * factor ** np.arange(layers + 1), atol=1e-9)
