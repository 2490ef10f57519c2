"""Marching: the slab equations hold as training states them, mass stays, and what cannot be marched is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.laplacian_spectrum import largest_eigenvalue
from hydrodl.physics.wave_growth import fastest_growth
from hydrodl.problem.flow import Flow
from hydrodl.solver.marching import evolve

SCHEMES = ["euler-box", "midpoint"]
CASES: dict[str, dict[str, Any]] = {
    "line": {"d": 1, "nodes": 11},
    "box": {"d": 2, "nodes": [5, 6]},
    "cube": {"d": 3, "nodes": 3},
    "P1": {"d": 2, "nodes": 5, "cells": "simplex", "lumped": False},
    "P2": {"d": 2, "nodes": 4, "cells": "simplex", "degree": 2},
}
GAS = hd.Lagrangian(
    1e-4,
    decay=0.1,
    smoothness=0.2,
    kinetic=0.9,
    energy=hd.Focusing(0.7),
    potential=[lambda x: 0.2 * x[:, 0] ** 2, lambda x: -0.1 * x[:, -1]],
)


def line(nodes: int = 21) -> hd.Domain:
    return hd.Domain.interval(0.0, 1.0, nodes)


def start(domain: hd.Domain, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    x = domain.coordinates[: domain.owned]
    c = np.arange(1, classes + 1)[:, None]
    rho = (1 + 0.3 * np.cos(np.pi * x[:, 0] + c)) / c + 0.1 * np.cos(np.pi * x[:, -1])
    return rho, 0.1 * np.cos(c * np.pi * x[:, 0]) * np.cos(np.pi * x[:, -1])


def residuals(flow: Flow) -> tuple[float, float]:
    """The largest residual of the three slab equations, assembled by the training code's own forms, and their terms."""
    domain, theta = flow.domain, flow.theta
    halo, action = Halo(domain), SlabAction(domain, flow.lagrangian)
    d, classes = domain.dimension, flow.density.shape[1]
    costs = flow.lagrangian.potentials(domain.coordinates, classes)

    def mass(fields: np.ndarray) -> np.ndarray:
        action_mass = action.assemble(action.mass)
        matrix = action._matrices[1].to_scipy()  # a test on one rank may look inside
        matrix.data[:] = action_mass
        return np.array([matrix @ field for field in fields])

    worst, scale = 0.0, 0.0
    steps = flow.layers.steps
    for k, step in enumerate(steps):
        u, r, q, p = flow.velocity[k], flow.slab_density[k], flow.slab_potential[k], flow.upper_potential[k]
        action.set_slab(u, r.sum(axis=0))
        cost = action.blocked_vector(action.cost_1)
        momentum = cost[:d].copy()
        for c in range(classes):
            action.set_class(r[c], q[c])
            carried = action.blocked_vector(action.carried_1)
            momentum += carried[:d]
            action.potential.x.array[:] = costs[c]
            slope = action.vector(action.potential_1, np.zeros(halo.local)) + cost[action.R] + carried[action.RHO]
            forward = mass(r[c : c + 1] - flow.density[k, c])[0] + theta * step * carried[action.PHI]
            backward = mass(q[c : c + 1] - p[c])[0] + theta * step * slope
            worst = max(worst, np.abs(forward).max(), np.abs(backward).max())
            scale = max(scale, np.abs(carried[:d]).max(), np.abs(step * slope).max())
        worst = max(worst, np.abs(momentum).max())
    return worst, scale


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fitted", [False, True])
def test_the_slab_equations_hold(case: str, scheme: str, fitted: bool) -> None:
    """Every equation that training solves, in every element family, with every term of the Lagrangian."""
    options = dict(CASES[case])
    d = options.pop("d")
    domain = hd.Domain.box([0.0] * d, [1.0] * d, options.pop("nodes"), **options)
    physics = replace(GAS, fitted=fitted, noise=0.1 if fitted else 1e-4)
    times = np.array([0.0, 0.02, 0.05, 0.06]) * (0.1 if fitted else 1.0)  # backwards diffusion is not marched far
    flow = evolve(domain, hd.layers(times), physics, *start(domain), scheme, force=True)
    worst, scale = residuals(flow)
    print("SLAB", case, scheme, fitted, worst, scale)
    assert worst < 1e-12 < 1e-3 * scale
    assert np.abs(flow.velocity).min(axis=(1, 2)).max() < np.abs(flow.velocity).max() > 0.01
    broken = replace(flow, velocity=flow.velocity * 1.001)
    assert residuals(broken)[0] > 1e-6 * scale


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mass_stays_and_nothing_else_changes(scheme: str) -> None:
    domain = line()
    rho, phi = start(domain)
    flow = evolve(domain, hd.layers(10, 0.2), GAS, rho, phi, scheme)
    x = domain.coordinates[: domain.owned, 0]
    weights = np.where((x < 1e-9) | (x > 1 - 1e-9), 0.5, 1.0) / 20
    masses = flow.density @ weights
    assert np.abs(masses - masses[0]).max() < 1e-14 < np.abs(flow.density[-1] - flow.density[0]).max()
    np.testing.assert_array_equal(flow.density[0], rho)
    np.testing.assert_array_equal(flow.potential[0], phi)
    assert (flow.jumps == 0).all()
    assert flow.lagrangian.fitted is False and flow.velocity.shape == (10, 1, domain.owned)


def test_a_uniform_state_at_rest_stays_at_rest() -> None:
    """phi = -t U'(R), u = 0: the solution to rounding."""
    domain = line()
    lagrangian = hd.Lagrangian(1e-4, decay=0.0, energy=hd.Focusing(0.5, 3.0), smoothness=0.0)
    for scheme in SCHEMES:
        flow = evolve(domain, hd.layers(5, 0.2), lagrangian, np.full((1, 21), 1.2), np.zeros((1, 21)), scheme)
        assert np.abs(flow.velocity).max() < 1e-13
        np.testing.assert_allclose(flow.density, 1.2, atol=1e-13)
        wanted = np.broadcast_to(flow.layers.times[:, None, None] * -0.5 * 1.2**2, flow.potential.shape)
        np.testing.assert_allclose(flow.potential, wanted, atol=1e-13)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_midpoint_is_reversible_and_the_euler_box_is_not(scheme: str) -> None:
    """(rho, -phi) marched again comes back to the start; only with a symmetric scheme, and without noise."""
    domain = line()
    lagrangian = hd.Lagrangian(1e-13, decay=0.1, energy=hd.Focusing(0.7), smoothness=0.0)
    rho, phi = start(domain, 1)
    there = evolve(domain, hd.layers(8, 0.2), lagrangian, rho, phi, scheme)
    back = evolve(domain, hd.layers(8, 0.2), lagrangian, there.density[-1], -there.potential[-1], scheme)
    gap = np.abs(back.density[-1] - rho).max()
    print("REVERSE", scheme, gap)
    assert gap < 1e-10 if scheme == "midpoint" else gap > 1e-6


def trained(scheme: str) -> hd.Solution:
    domain = hd.Domain.interval(-2.0, 2.0, 17)
    rho = hd.mixture([hd.Gaussian([-0.6], 0.5, label="a"), hd.Gaussian([0.6], 0.5, label="b")], domain)
    problem = hd.Problem(
        domain, hd.layers(6, 0.3), rho, hd.Lagrangian(0.1, smoothness=0.0), hd.Classification(2.0), scheme
    )
    solution = hd.train(problem, options={"tao_gatol": 1e-13, "tao_grtol": 0.0, "tao_gttol": 0.0})
    assert solution.gradient_norm < 1e-11
    return solution


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_trained_flow_marched_from_its_own_start_is_itself(scheme: str) -> None:
    """One solution passes through (rho_0, phi_0); what training leaves grows, but slowly at this depth."""
    flow = trained(scheme).flow
    assert flow.lagrangian.fitted  # as trained on a lumped line
    again = evolve(flow.domain, flow.layers, flow.lagrangian, flow.density[0], flow.potential[0], scheme, force=True)
    for name in ("velocity", "density", "potential"):
        old, new = getattr(flow, name), getattr(again, name)
        print("AGAIN", scheme, name, np.abs(new - old).max(), np.abs(old).max())
        np.testing.assert_allclose(new, old, atol=1e-6 * np.abs(old).max())
    plain = replace(flow.lagrangian, fitted=None)  # which marching takes for unfitted
    unfitted = evolve(flow.domain, flow.layers, plain, flow.density[0], flow.potential[0], scheme, force=True)
    assert np.abs(unfitted.density - flow.density).max() > 1e-3


def test_elliptic_problems_are_refused_with_the_reason() -> None:
    domain = line()
    rho, phi = np.ones((1, 21)), np.zeros((1, 21))
    with pytest.raises(hd.InputError, match=r"elliptic problem: the wave number k = .* grows like exp\(.* force=True"):
        evolve(domain, hd.layers(2), hd.Lagrangian(1e-4, decay=0.0, energy=hd.Power(1.0), smoothness=0.0), rho, phi)
    with pytest.raises(hd.InputError, match="elliptic"):  # U = 0 with noise
        evolve(domain, hd.layers(2), hd.Lagrangian(0.05, smoothness=0.0), rho, phi)
    gas = hd.Lagrangian(0.004, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)
    S = np.cos(np.pi / 40) ** 2  # the shortest wave
    rate = np.sqrt((0.004 * 1600 * S) ** 2 - 1600 * S * (1 - S))
    assert fastest_growth(domain, gas, rho)[0] == pytest.approx(rate, rel=0.01)
    with pytest.raises(hd.InputError, match="elliptic"):
        evolve(domain, hd.layers(2), gas, rho, phi)
    evolve(domain, hd.layers(2, 0.1), gas, rho, phi)  # too short to grow by a factor e
    evolve(domain, hd.layers(2), gas, rho, phi, force=True)


def test_growth_rates() -> None:
    """Convex: s^2 = k^2 R U'' in long waves; two classes: their difference feels no pressure, s = nu kappa_max."""
    domain = line()
    rho = np.ones((1, 21))
    S = np.sin(0.5 * np.pi * np.arange(1, 20) / 20) ** 2
    wanted = 1600 * np.sqrt((0.01 * S) ** 2 + S * (1 - S) / 1600)
    rate, _ = fastest_growth(domain, hd.Lagrangian(0.01, decay=0.0, energy=hd.Power(1.0), smoothness=0.0), rho)
    assert rate == pytest.approx(wanted.max(), rel=1e-3)
    gas = hd.Lagrangian(0.001, decay=0.0, energy=hd.Focusing(9.0), smoothness=0.0)
    two, number = fastest_growth(domain, gas, np.concatenate([rho, rho]) / 2)
    assert two == pytest.approx(1.6, rel=0.01) and number == pytest.approx(40, rel=0.01)
    smooth = hd.Lagrangian(1e-12, decay=1.0, smoothness=1.0, kinetic=0.0)
    assert fastest_growth(domain, smooth, -rho)[0] < 1e-8


@pytest.mark.parametrize(("options", "wanted"), [({}, 1600), ({"lumped": False}, 4800), ({"degree": 2}, 60 * 400)])
def test_largest_eigenvalue(options: dict[str, Any], wanted: float) -> None:
    assert largest_eigenvalue(hd.Domain.interval(0.0, 1.0, 21, **options)) == pytest.approx(wanted, rel=1e-8)


def test_wrong_input_is_named() -> None:
    domain, gas = line(), hd.Lagrangian(1e-6, energy=hd.Focusing(1.0), smoothness=0.0)
    rho, phi, layers = np.ones((1, 21)), np.zeros((1, 21)), hd.layers(2)
    with pytest.raises(hd.InputError, match=r"scheme is 'leapfrog', must be .*'euler-box' or 'midpoint'"):
        evolve(domain, layers, gas, rho, phi, "leapfrog")
    with pytest.raises(hd.InputError, match=r"density0 has shape \(21,\), must be \(classes, 21\)"):
        evolve(domain, layers, gas, rho[0], phi)
    with pytest.raises(hd.InputError, match=r"potential0 has shape \(2, 21\)"):
        evolve(domain, layers, gas, rho, np.zeros((2, 21)))
    with pytest.raises(hd.InputError, match="potential0 is not finite"):
        evolve(domain, layers, gas, rho, phi + np.inf)
    with pytest.raises(hd.InputError, match=r"PETSc refused the solver options pc_type = nonsense: .*nonsense"):
        evolve(domain, layers, gas, rho, phi, options={"pc_type": "nonsense"})
    with pytest.raises(hd.InputError, match="'snes_rtoll'"):
        evolve(domain, layers, gas, rho, phi, options={"snes_rtoll": 1e-3})


def test_a_slab_that_cannot_be_solved_is_named() -> None:
    domain, gas = line(), hd.Lagrangian(1e-6, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)
    rho, phi = start(domain, 1)
    with pytest.raises(hd.SolverError, match=r"slab 0: SNES did not converge \(DIVERGED_MAX_IT\) in 1 steps, residual"):
        evolve(domain, hd.layers(2, 0.2), gas, rho, phi, options={"snes_max_it": 1})
    with pytest.raises(hd.SolverError, match="slab 0: "):  # no cost of the velocity where there is nothing
        evolve(domain, hd.layers(2, 0.2), gas, 0 * rho, phi)


def test_options_reach_the_solver() -> None:
    """A Krylov method instead of the direct one gives the same flow."""
    domain = line()
    rho, phi = start(domain)
    iterated = {"ksp_type": "gmres", "pc_type": "jacobi", "ksp_rtol": 1e-12}
    direct = evolve(domain, hd.layers(4, 0.1), GAS, rho, phi)
    other = evolve(domain, hd.layers(4, 0.1), GAS, rho, phi, options=iterated)
    np.testing.assert_allclose(other.density, direct.density, atol=1e-11)
    assert not np.array_equal(other.density, direct.density)
