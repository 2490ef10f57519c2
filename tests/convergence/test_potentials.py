"""V and U in layers: a Gaussian in a quadratic potential with 0.1 int R log R stays one, and its optimum is known.

With u = b - a x the variance v has v' = -2 a v + 2 nu, int R log R = -1/2 log(2 pi e v), and a = 2 p with its costate
p' = 2 p^2 - c/2 + w/(2 v), p(T) = k/2; the mean has a costate of its own, m' = -q, q' = -c m, q(T) = k (m(T) - b).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.integrate import solve_bvp

import hydrodl as hd

NOISE, PULL, TARGET, MEAN, VARIANCE = 0.05, 5.0, 1.0, -1.0, 0.25
ENTROPY, STIFFNESS = 0.1, 1.5


@cache
def exact(stiffness: float, entropy: float) -> float:
    """J of infinitely many layers."""

    def rates(t: np.ndarray, y: np.ndarray) -> np.ndarray:
        log_v, p, m, q, _ = y
        v, a = np.exp(log_v), 2 * p
        cost = (a * a * v + q * q + stiffness * (v + m * m) - entropy * (np.log(2 * np.pi * np.e) + log_v)) / 2
        slope = 2 * p * p - stiffness / 2 + entropy / (2 * v)
        return np.array([-2 * a + 2 * NOISE / v, slope, -q, -stiffness * m, cost])

    def ends(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        start = [low[0] - np.log(VARIANCE), low[2] - MEAN, low[4]]
        return np.array([*start, high[1] - PULL / 2, high[3] - PULL * (high[2] - TARGET)])

    guess = np.repeat([[np.log(VARIANCE)], [1.0], [0.0], [-1.0], [1.0]], 41, axis=1)
    found = solve_bvp(rates, ends, np.linspace(0, 1, 41), guess, tol=1e-9, max_nodes=100000)
    assert found.success
    log_v, _, m, _, cost = found.y[:, -1]
    return float(cost + PULL / 2 * (np.exp(log_v) + (m - TARGET) ** 2))


def trained(layers: int, scheme: str, stiffness: float, entropy: float) -> float:
    domain = hd.Domain.interval(-4.0, 4.0, 121)
    rho = hd.mixture([hd.Gaussian(MEAN, np.sqrt(VARIANCE))], domain)
    energy = hd.Entropy(entropy) if entropy else None
    physics = hd.Lagrangian(NOISE, 1e-6, 0.0, energy=energy, potential=lambda x: stiffness / 2 * x[:, 0] ** 2)
    loss = hd.Position(PULL, [[TARGET]])
    return hd.train(hd.Problem(domain, hd.layers(layers), rho, physics, loss, scheme)).objective


def test_the_reference_is_that_of_riccati() -> None:
    """Without U the value is S x^2/2 + s x + r: 1.8604213 without V too, and 2.1291938 with it, from S' = S^2 - c."""
    assert exact(0.0, 0.0) == pytest.approx(1.8604213068, abs=1e-7)
    assert exact(STIFFNESS, 0.0) == pytest.approx(2.1291938005, abs=1e-7)


def test_strang_is_of_second_order_with_potentials() -> None:
    """V alone, and with U; `residual` has them below every slab and is of first order."""
    for entropy in (0.0, ENTROPY):
        errors = np.abs([trained(n, "strang", STIFFNESS, entropy) - exact(STIFFNESS, entropy) for n in (4, 8, 16)])
        assert np.log2(errors[:-1] / errors[1:]).min() > 1.95
        assert errors[-1] < 1e-3 * exact(STIFFNESS, entropy)
    rough = trained(16, "residual", STIFFNESS, 0.0) - exact(STIFFNESS, 0.0)
    assert rough > 10 * errors[-1]
