"""Schroedinger bridges: a heavy terminal loss pins the last density, and training becomes entropic optimal transport.

Without decay, potential and internal energy, J is the kinetic energy E int |u|^2/2 dt of dX = u dt + sqrt(2 nu) dW.
By Girsanov that is 2 nu KL(P | W), P the law of X and W that of noise alone from the same start. Of all P with given
first and last density the least is a mixture of Brownian bridges over a plan pi of the end points, so that

    min J = 2 nu KL(pi | rho_0(x) p_T(x, y)),    p_t(x, y) = (4 pi nu t)^(-d/2) exp(-|x - y|^2 / (4 nu t)),
          = <pi, |x - y|^2/2> / T + 2 nu [ int pi log pi - int rho_0 log rho_0 + (d/2) log(4 pi nu T) ],

and pi minimises <pi, |x - y|^2/2> + 2 nu T int pi log pi: Sinkhorn's problem with regularisation e = 2 nu T. It has the
form pi = f(x) p_T(x, y) g(y), and the density at time t is (p_t f)(z) (p_{T-t} g)(z).

Gaussians in d = 1, N(m0, s0) to N(m1, s1): pi is Gaussian, covariance C = sqrt(s0 s1 + e^2/4) - e/2 of its ends, and
the density at T/2 has mean (m0 + m1)/2 and variance (s0 + s1 + 2 C)/4 + e/4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ot
import pytest

import hydrodl as hd
from hydrodl.mesh.quadrature import moment

DECAY = 1e-4  # keeps the velocity of empty regions bounded, changes J by about as much


def bridge(
    start: Sequence[hd.Gaussian],
    end: Sequence[hd.Gaussian],
    domain: hd.Domain,
    noise: float,
    layers: int,
    divergence: str,
    weights: Sequence[float],
    scheme: str = "midpoint",
) -> list[hd.Solution]:
    """Solutions for growing weights of the terminal loss, each started from the one before."""
    first, last = hd.mixture(start, domain), hd.mixture(end, domain)
    found: list[hd.Solution] = []
    for weight in weights:
        loss = hd.Density(weight, last, divergence)
        problem = hd.Problem(
            domain, hd.layers(layers), first, hd.Lagrangian(noise, decay=DECAY, smoothness=0.0), loss, scheme
        )
        found.append(hd.train(problem, initial=found[-1].velocity if found else None))
        assert found[-1].converged, found[-1].reason
        assert found[-1].min_density > 0
    return found


def middle(solution: hd.Solution) -> np.ndarray:
    """Total density at half depth, (nodes,)."""
    return solution.density[len(solution.problem.layers) // 2].sum(axis=0)


def gaussian_bridge(m0: float, s0: float, m1: float, s1: float, noise: float) -> tuple[float, hd.Gaussian]:
    """min J and the density at half depth, T = 1."""
    e = 2 * noise
    covariance = np.sqrt(s0 * s1 + e**2 / 4) - e / 2
    given = s1 - covariance**2 / s0  # variance of the last point, the first given
    distance = (m1 - m0) ** 2 + s0 + s1 - 2 * covariance
    energy = noise * (np.log(e / given) - 1 + distance / e)
    return energy, hd.Gaussian((m0 + m1) / 2, np.sqrt((s0 + s1 + 2 * covariance) / 4 + e / 4))


def sinkhorn_bridge(
    start: Sequence[hd.Gaussian], end: Sequence[hd.Gaussian], domain: hd.Domain, noise: float, at: np.ndarray
) -> tuple[float, np.ndarray]:
    """min J and the density at half depth at points ``at`` (n, d), T = 1, from POT's potentials on the nodes of a box.

    Sums over equally spaced nodes integrate products of Gaussians far below the errors measured here.
    """
    first, last = hd.mixture(start, domain), hd.mixture(end, domain)
    x, mass, e, d = domain.coordinates[: domain.owned], moment(domain), 2 * noise, domain.dimension
    a, b = (mass * f.values.sum(axis=0) for f in (first, last))
    cost = ot.dist(x, x) / 2
    plan, log = ot.bregman.sinkhorn_log(a / a.sum(), b / b.sum(), cost, e, numItermax=20000, stopThr=1e-12, log=True)
    relative = np.where(plan > 0, np.log(np.maximum(plan, 1e-300)) - np.log(a)[:, None] - np.log(mass)[None], 0.0)
    energy = (plan * cost).sum() + e * ((plan * relative).sum() + d / 2 * np.log(2 * np.pi * e))
    # u_i exp(-cost / e) v_j = (2 pi e)^(d/2) u_i p_1(x_i, x_j) v_j; half the way each has variance e/2
    half = np.exp(-ot.dist(at, x) / e) / (np.pi * e) ** (d / 2)
    forward, backward = half @ np.exp(log["log_u"].ravel()), half @ np.exp(log["log_v"].ravel())
    return float(energy), (2 * np.pi * e) ** (d / 2) * forward * backward


def distance(domain: hd.Domain, rho: np.ndarray, other: np.ndarray) -> float:
    """int |rho - other|: between 0 and 2."""
    return float(moment(domain) @ np.abs(rho - other))


def test_sinkhorn_reference_against_the_gaussian_closed_form() -> None:
    """The two references agree, so that either may judge the code."""
    domain = hd.Domain.interval(-6.0, 6.0, 121)
    x = domain.coordinates[: domain.owned]
    ends = [[hd.Gaussian(m, s**0.5)] for m, s in ((-0.5, 0.36), (0.5, 0.64))]
    energy, half = sinkhorn_bridge(*ends, domain, 0.2, x)
    expected, gaussian = gaussian_bridge(-0.5, 0.36, 0.5, 0.64, 0.2)
    assert energy == pytest.approx(expected, abs=1e-8)
    assert distance(domain, half, gaussian.density(x)) < 1e-8


@pytest.mark.parametrize("divergence", ["kl", "l2"])
def test_gaussian_bridge_with_growing_weight(divergence: str) -> None:
    domain = hd.Domain.interval(-4.0, 4.0, 161)
    ends = [[hd.Gaussian(m, s**0.5)] for m, s in ((-0.5, 0.36), (0.5, 0.64))]
    expected, gaussian = gaussian_bridge(-0.5, 0.36, 0.5, 0.64, 0.2)
    weights = (1.0, 10.0, 100.0, 1e3) if divergence == "kl" else (10.0, 100.0, 1e3, 1e4)
    found = bridge(*ends, domain, 0.2, 8, divergence, weights)
    half = gaussian.density(domain.coordinates[: domain.owned])
    errors = [distance(domain, middle(s), half) for s in found]
    energies = [s.parts["running"] - expected for s in found]
    misses = [distance(domain, s.density[-1, 0], s.problem.losses[0].target.values[0]) for s in found]
    assert all(b < a for a, b in pairwise(errors))
    assert all(b < 0.6 * a for a, b in pairwise(misses))
    assert errors[-1] < 5e-3  # measured 2.4e-3 (KL), 2.6e-3 (L2): now the mesh's
    assert abs(energies[-1]) < 8e-3 * expected  # measured 4.0e-3, 1.4e-3


ENDS = {
    1: (
        [hd.Gaussian(-1.0, 0.5, weight=0.7), hd.Gaussian(0.8, 0.6, weight=0.3)],
        [hd.Gaussian(-0.4, 0.7), hd.Gaussian(1.2, 0.5)],
    ),
    2: (
        [hd.Gaussian([-0.7, 0.0], 0.8, weight=0.6), hd.Gaussian([0.7, 0.4], 0.7, weight=0.4)],
        [hd.Gaussian([0.0, -0.6], 0.7), hd.Gaussian([0.2, 0.7], 0.8)],
    ),
}


@dataclass(frozen=True)
class Errors:
    """Of a bridge between the mixtures of ENDS: the density at half depth, and the energy."""

    density: float
    energy: float


def errors(d: int, half_width: float, nodes: int, noise: float, layers: int, scheme: str, coarse: int) -> Errors:
    """Sinkhorn's reference stands on ``coarse`` nodes a direction."""
    corner = [half_width] * d
    domain, reference = (hd.Domain.box([-w for w in corner], corner, n) for n in (nodes, coarse))
    energy, half = sinkhorn_bridge(*ENDS[d], reference, noise, domain.coordinates[: domain.owned])
    found = bridge(*ENDS[d], domain, noise, layers, "kl", WEIGHTS[d], scheme)[-1]
    return Errors(distance(domain, middle(found), half), found.parts["running"] - energy)


WEIGHTS = {1: (10.0, 100.0, 1000.0), 2: (100.0,)}


def test_bridge_between_mixtures_against_sinkhorn_on_the_interval() -> None:
    """Density at half depth and energy; both errors of a box scheme fall with the mesh at an order of about 2.

    On the finest mesh what the mesh does not see is a part of them: eight layers, weights, tails.
    """
    sizes = (46, 91, 181)
    found = [errors(1, 4.5, nodes, 0.25, 8, "midpoint", 91) for nodes in sizes]
    both = np.abs([[each.density for each in found], [each.energy for each in found]])
    orders = np.diff(np.log(both), axis=1) / -np.diff(np.log(np.array(sizes) - 1))
    assert (orders[:, 0] > 1.8).all() and (orders[:, 1] > 1.0).all()
    assert found[-1].density < 3e-3  # measured 1.8e-3
    assert abs(found[-1].energy) < 6e-4  # measured 3.4e-4 of 0.445


def test_bridge_between_mixtures_against_sinkhorn_in_the_plane() -> None:
    """Layer maps on 33 x 33 nodes; the box scheme misses by 1.2e-2 and 2.8e-2 on 65 x 65 and 16 layers."""
    found = errors(2, 4.0, 33, 0.15, 6, "strang", 33)
    assert found.density < 4e-3  # measured 2.5e-3
    assert abs(found.energy) < 3e-3  # measured 1.5e-3 of 0.136
