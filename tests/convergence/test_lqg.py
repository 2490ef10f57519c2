"""Linear-quadratic Gaussian training: one class, U = V = 0, loss (c/2) |x - b|^2, a box so wide that walls are far.

In depth and features continuous, the value function is quadratic and the optimum is closed form:

    u = -a(t) (x - b),  a = c / (1 + c (T - t)),  k = (1 + c (T - t)) / (1 + c T),
    mean b + (m0 - b) k,   variance k^2 [s0 + (2 nu (1 + c T)^2 / c) (1 / (1 + c (T - t)) - 1 / (1 + c T))],
    J = a(0)/2 (|m0 - b|^2 + d s0) + nu d log(1 + c T).

Quadratics also survive the layers: with q_k = -Q_k/2 |x - b|^2 + const as the slab's potential, phi_k likewise with
A_k, and u_k = -Q_k (x - b), the scheme is the scalar recursion

    A_{k+1} = Q_k + theta Delta Q_k^2,   A_k = Q_k - (1 - theta) Delta Q_k^2,   A_N = c.
 Comparing with it leaves the error in nodes alone. Without fitting the vertex rule differentiates
quadratics exactly, and only the walls are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.mesh.quadrature import moment

NOISE, START, TARGET, VARIANCE = 0.8, -0.5, 0.5, 1.0
PULL, HALF, DEPTH = {1: 0.5, 2: 0.25}, {1: 7.0, 2: 6.0}, {1: 1.0, 2: 0.5}
SCHEMES = {"euler-box": 1, "midpoint": 2}


@dataclass(frozen=True)
class Answer:
    """Objective, velocity slopes (N,) in the slabs, means and variances (N + 1,) of one direction at the layers."""

    objective: float
    slope: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def errors(self, other: Answer) -> np.ndarray:
        """Of objective, slope in the first slab, mean and variance at the last layer."""
        return np.array(
            [
                self.objective - other.objective,
                self.slope[0] - other.slope[0],
                self.mean[-1] - other.mean[-1],
                self.variance[-1] - other.variance[-1],
            ]
        )


def exact(d: int, layers: int, scheme: str) -> Answer:
    """The continuous optimum, its velocity where the scheme's slab stands: t_k (euler-box) or the middle (midpoint)."""
    c = PULL[d]
    t = np.linspace(0, DEPTH[d], layers + 1)
    left = 1 + c * (DEPTH[d] - t)
    k = left / left[0]
    at = t[:-1] + (0 if scheme == "euler-box" else 0.5 * DEPTH[d] / layers)
    objective = c / left[0] / 2 * d * ((START - TARGET) ** 2 + VARIANCE) + NOISE * d * np.log(left[0])
    spread = k**2 * (VARIANCE + 2 * NOISE * left[0] ** 2 / c * (1 / left - 1 / left[0]))
    return Answer(objective, -c / (1 + c * (DEPTH[d] - at)), TARGET + (START - TARGET) * k, spread)


def layered(d: int, layers: int, scheme: str) -> Answer:
    """The optimum of the scheme in layers, continuous in features: the recursion of the module's docstring."""
    theta, step = (1.0 if scheme == "euler-box" else 0.5), DEPTH[d] / layers
    top, constant, slopes = PULL[d], 0.0, []
    for _ in range(layers):
        q = (np.sqrt(1 + 4 * theta * step * top) - 1) / (2 * theta * step)
        constant += step * NOISE * d * q
        top = q if theta == 1 else 2 * q - top
        slopes.append(q)
    slopes.reverse()
    gap, second = [START - TARGET], [VARIANCE + (START - TARGET) ** 2]
    for q in slopes:
        first = gap[-1] / (1 + theta * step * q)
        power = (second[-1] + theta * 2 * NOISE * step) / (1 + theta * 2 * step * q)
        gap.append((first - (1 - theta) * gap[-1]) / theta)
        second.append((power - (1 - theta) * second[-1]) / theta)
    mean = np.array(gap)
    return Answer(top / 2 * d * second[0] + constant, -np.array(slopes), TARGET + mean, np.array(second) - mean**2)


@cache
def trained(d: int, nodes: int, layers: int, scheme: str, fitted: bool = True) -> Answer:
    """What training finds; the slope is the density-weighted regression of u_0 on x_0."""
    domain = hd.Domain.box([-HALF[d]] * d, [HALF[d]] * d, nodes)
    problem = hd.Problem(
        domain,
        hd.layers(layers, DEPTH[d]),
        hd.mixture([hd.Gaussian([START] * d, VARIANCE**0.5)], domain),
        hd.Lagrangian(NOISE, decay=0.0, fitted=fitted, smoothness=0.0),
        hd.Position(PULL[d], [[TARGET] * d]),
        scheme,
    )
    # fitted, near the answer to begin with: without decay nothing keeps u small where there is no mass
    start = layered(d, layers, scheme).slope[:, None, None] * (domain.coordinates[: domain.owned].T - TARGET)
    solution = hd.train(problem, initial=start if fitted else None, options={"tao_gatol": 1e-9})
    assert solution.converged, solution.reason
    assert solution.min_density > 0
    x, rho = domain.coordinates[: domain.owned, 0], solution.density[:, 0]
    weights = rho * moment(domain)
    weights /= weights.sum(axis=1)[:, None]
    mean = weights @ x
    variance = weights @ x**2 - mean**2
    slope = [
        w @ ((x - m) * u[0]) / (w @ (x - m) ** 2) for w, m, u in zip(weights, mean, solution.velocity, strict=False)
    ]
    return Answer(solution.objective, np.array(slope), mean, variance)


def orders(errors: list[np.ndarray]) -> np.ndarray:
    """Observed orders under doubling, one column a quantity."""
    values = np.abs(np.array(errors))
    return np.log2(values[:-1] / values[1:])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2])
def test_references_agree(d: int, scheme: str) -> None:
    """The recursion tends to the closed form with the scheme's order, in every quantity: both are right."""
    found = orders([layered(d, n, scheme).errors(exact(d, n, scheme)) for n in (64, 128, 256)])
    np.testing.assert_allclose(found, SCHEMES[scheme], atol=0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2])
def test_order_in_nodes(d: int, scheme: str) -> None:
    """Fitted boxes against the layered optimum: order 2 in the objective, the velocity and the variance.

    The mean has a higher one. In the plane, whose walls are nearer, they are seen in the velocity: 1e-4.
    """
    sizes, layers = ((57, 113, 225), 8) if d == 1 else ((41, 81), 2)
    errors = [trained(d, nodes, layers, scheme).errors(layered(d, layers, scheme)) for nodes in sizes]
    objective, slope, _, variance = orders(errors)[-1]
    assert np.abs([objective - 2, variance - 2]).max() < (0.05 if d == 1 else 0.15)
    assert slope == pytest.approx(2, abs=0.05 if d == 1 else 0.3)
    assert np.abs(errors[-1]).max() < 0.003 and abs(errors[-1][2]) < 3e-5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_in_layers_without_fitting(scheme: str) -> None:
    """Against the closed form, d = 1; only the walls add an error in nodes, below 2e-5."""
    counts = (8, 16, 32) if scheme == "euler-box" else (4, 8, 16)
    errors = [trained(1, 57, n, scheme, fitted=False).errors(exact(1, n, scheme)) for n in counts]
    np.testing.assert_allclose(orders(errors)[-1], SCHEMES[scheme], atol=0.1 if scheme == "euler-box" else 0.25)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2])
def test_order_in_layers(d: int, scheme: str) -> None:
    """Fitted boxes: successive differences of objective, mean and variance, in which the error in nodes cancels."""
    answers = [trained(d, 57 if d == 1 else 41, n, scheme) for n in ((8, 16, 32, 64) if d == 1 else (4, 8, 16))]
    errors = [a.errors(b)[[0, 2, 3]] for a, b in pairwise(answers)]
    np.testing.assert_allclose(orders(errors)[-1], SCHEMES[scheme], atol=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_layered_optimum_is_found_exactly_without_fitting(scheme: str) -> None:
    """Quadratics are in the scheme: every slope, mean and variance of the recursion, up to the walls."""
    found, wanted = trained(1, 57, 8, scheme, fitted=False), layered(1, 8, scheme)
    assert found.objective == pytest.approx(wanted.objective, abs=5e-7)
    np.testing.assert_allclose(found.slope, wanted.slope, atol=1e-5)
    np.testing.assert_allclose(found.mean, wanted.mean, atol=2e-6)
    np.testing.assert_allclose(found.variance, wanted.variance, atol=2e-5)
