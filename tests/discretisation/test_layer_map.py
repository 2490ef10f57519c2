"""Layer-map schemes: what no velocity can break, exact derivatives, one chain, what they solve and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hydrodl as hd
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.network.noise_average import sweep_back
from hydrodl.solver.field_checks import measures
from hydrodl.solver.sweeps import Sweeps
from tests.training.test_derivative_tests import ENERGIES, LOSSES, problem

SCHEMES = ("residual", "strang")
NODES = {1: 17, 2: 9, 3: 5}


def narrow(d: int, scheme: str, noise: float = 0.02) -> hd.Problem:
    """Two narrow classes, whose tails underflow to next to nothing on most of the box."""
    domain = hd.Domain.box([-1.0] * d, np.linspace(1.0, 1.4, d), NODES[d])
    classes = [hd.Gaussian(np.full(d, 0.4 * s), 0.15, weight=2 + s, label=s) for s in (-1, 1)]
    times = [0.0, 0.1, 0.5, 0.8]
    physics = hd.Lagrangian(noise, smoothness=0.1)
    rho = hd.mixture(classes, domain)
    return hd.Problem(domain, hd.layers(times), rho, physics, hd.Classification(5.0), scheme)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=20, deadline=None)
@given(d=st.integers(1, 3), seed=st.integers(0, 2**31), size=st.sampled_from([1e-3, 1.0, 30.0, 1e6]))
def test_no_velocity_breaks_positivity_or_mass(scheme: str, d: int, seed: int, size: float) -> None:
    sweeps = Sweeps(narrow(d, scheme), {})
    shape = (3, d, sweeps.problem.domain.owned)
    sweeps.set_velocity(size * np.random.default_rng(seed).standard_normal(shape))
    sweeps.forward()
    found = measures(sweeps)
    assert found["min_density"] >= 0.0 and found["mass_error"] < 1e-12


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_both_sweeps_are_adjoint(scheme: str, d: int) -> None:
    given_problem = narrow(d, scheme)
    sweeps, rng = Sweeps(given_problem, {}), np.random.default_rng(d)
    domain, velocity = given_problem.domain, rng.standard_normal((3, d, given_problem.domain.owned))
    sweeps.set_velocity(velocity)
    sweeps.forward()
    last = rng.standard_normal((2, domain.owned))
    flow = given_problem.flow(velocity, sweeps.density[..., : domain.owned], *np.zeros((2, 4, 2, domain.owned)))
    values = sweep_back(hd.train(given_problem, monitor=lambda entry: True).with_velocity(velocity), last)
    pairs = [float((sweeps.mass.ones * v * rho).sum()) for v, rho in zip(values, flow.density, strict=True)]
    np.testing.assert_allclose(pairs, pairs[-1], rtol=1e-12)


def inward(given_problem: hd.Problem, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A velocity that leaves no node beyond a wall, where the map has a kink."""
    domain = given_problem.domain
    x, (low, high) = domain.coordinates[: domain.owned].T, domain.bounds
    return -0.3 * (x - 0.5 * (low + high)[:, None])[None] + 0.02 * rng.standard_normal(shape)


CASES: list[dict[str, Any]] = [
    *({"loss": loss, "d": 1 if loss == "several" else 2} for loss in LOSSES),
    *({"energy": energy, "classes": 1, "loss": "position", "d": 1} for energy in ENERGIES.values()),
    {"d": 3},
    {"d": 1, "classes": 3, "kinetic": 0.0, "decay": 1.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradient_and_hessian_are_those_of_the_objective(scheme: str) -> None:
    for case in CASES:
        made = problem(scheme, **case)
        functional, rng = hd.ReducedFunctional(made), np.random.default_rng(1)
        v, w = rng.standard_normal((2, *functional.shape))
        u = inward(made, rng, functional.shape)
        orders = hd.taylor_orders(functional, u, 0.3 * v)
        np.testing.assert_allclose(orders.gradient[-2:], 2.0, atol=0.1, err_msg=str(case))
        np.testing.assert_allclose(orders.hessian[-2:], 2.0, atol=0.1, err_msg=str(case))
        assert hd.hessian_symmetry(functional, u, v, w) < 1e-10, case


@pytest.mark.slow
def test_splines_of_degree_three_have_exact_derivatives_too() -> None:
    made = problem("strang", d=2, loss="kl")
    cubic = replace(made)
    object.__setattr__(cubic, "method", LayerMapScheme("strang", 0.5, 3))
    functional, rng = hd.ReducedFunctional(cubic), np.random.default_rng(1)
    v = rng.standard_normal(functional.shape)
    orders = hd.taylor_orders(functional, inward(cubic, rng, functional.shape), 0.3 * v)
    np.testing.assert_allclose([*orders.gradient[-2:], *orders.hessian[-2:]], 2.0, atol=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fields_of_a_flow_are_those_of_the_sweeps(scheme: str) -> None:
    made = narrow(2, scheme)
    functional = hd.ReducedFunctional(made)
    functional.gradient(0.3 * np.random.default_rng(0).standard_normal(functional.shape))
    sweeps, owned = functional.sweeps, made.domain.owned
    potential, jumps = sweeps.layer_potentials()
    flow = made.flow(sweeps.velocity[..., :owned], sweeps.density[..., :owned], potential, jumps)
    np.testing.assert_allclose(flow.slab_density, sweeps.slab_density[..., :owned], atol=1e-13)
    np.testing.assert_allclose(flow.slab_potential, sweeps.slab_potential[..., :owned], atol=1e-12)


def recursion(layers: int, noise: float, pull: float) -> float:
    """The optimum of the noisy residual network, linear-quadratic, from N(-1, 1/4) to 1."""
    step, slopes = 1 / layers, [pull]
    for _ in range(layers):
        slopes.append(slopes[-1] / (1 + slopes[-1] * step))
    return slopes[-1] * (4 + 0.25) / 2 + noise * step * sum(slopes[:-1])


def linear_quadratic(scheme: str, layers: int, nodes: int) -> hd.Solution:
    domain = hd.Domain.interval(-4.0, 4.0, nodes)
    rho = hd.mixture([hd.Gaussian([-1.0], 0.5)], domain)
    physics = hd.Lagrangian(0.05, decay=1e-7, smoothness=0.0)
    return hd.train(hd.Problem(domain, hd.layers(layers), rho, physics, hd.Position(5.0, [[1.0]]), scheme))


def test_residual_is_the_noisy_network_of_as_many_layers() -> None:
    for layers, nodes in ((16, 81), (32, 121)):
        found = linear_quadratic("residual", layers, nodes)
        assert found.converged and found.objective == pytest.approx(recursion(layers, 0.05, 5.0), rel=1e-5)
        assert found.effective_noise == (0.05,) and found.largest_noise == 1.0


def test_strang_is_of_second_order_in_layers() -> None:
    errors = [linear_quadratic("strang", layers, nodes).objective - 1.8604213 for layers, nodes in ((8, 81), (16, 121))]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1) and 0 < errors[1] < 3e-4 * 1.8604213


@pytest.mark.slow
def test_more_noise_than_asked_for_is_told_with_what_cures_it() -> None:
    with pytest.warns(
        RuntimeWarning, match=r"the noise 0\.08 where 0\.05 was asked for: take 52 nodes, or at most 10 "
    ):
        found = linear_quadratic("residual", 16, 41)
    assert found.effective_noise == pytest.approx((0.08,)) and found.largest_noise == pytest.approx(1.6)
    cured = linear_quadratic("residual", 16, 52)
    assert cured.largest_noise == 1.0 and not cured.warnings
    needed = {bound.name: bound for bound in hd.analysis.recommend(found).bounds}["noise of the splines"]
    assert not needed.holds and needed.needs_nodes == 52


def test_box_schemes_tell_their_noise() -> None:
    found = linear_quadratic("euler-box", 8, 41)
    u = found.velocity[:, 0, np.argsort(found.problem.domain.coordinates[:, 0])]
    fastest = np.abs(u[:, 1:] + u[:, :-1]).max() / 2 * 0.2 / (2 * 0.05)
    assert found.largest_noise == pytest.approx((1 + fastest**4) ** 0.25)
    assert 0.05 < found.effective_noise[0] < 0.05 * found.largest_noise


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_chain_walks_where_the_posterior_says(scheme: str) -> None:
    network = hd.Network(hd.train(narrow(2, scheme, noise=0.1)))
    points = np.array([[-0.3, -0.2], [0.1, 0.3]])
    mean, error = hd.sample_chain(network, points, 20000, seed=1).mean(network.readout.probabilities)
    assert np.abs((mean - hd.posterior(network).at(points)) / error).max() < 4.0
    assert hd.posterior(network).values.min() >= 0.0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_they_are_not_for_is_refused(scheme: str) -> None:
    made = narrow(2, scheme)
    simplices = hd.Domain.box([-1.0, -1.0], [1.0, 1.0], 5, cells="simplex")
    rho = hd.mixture([hd.Gaussian([0.0, 0.0], 0.3)], simplices)
    loss = hd.Position(1.0, [[0.0, 0.0]])
    with pytest.raises(hd.InputError, match=rf"'{scheme}' needs a uniform box .* 'euler-box' and 'midpoint' are poss"):
        hd.Problem(simplices, hd.layers(2), rho, hd.Lagrangian(0.1), loss, scheme)
    with pytest.raises(hd.InputError, match="has no fitted diffusion"):
        replace(made, lagrangian=hd.Lagrangian(0.1, fitted=True))
    with pytest.raises(hd.InputError, match="must be 'euler-box' or 'midpoint'"):
        hd.evolve(
            made.domain,
            made.layers,
            made.lagrangian,
            made.densities.values,
            0 * made.densities.values,
            scheme,
            force=True,
        )
