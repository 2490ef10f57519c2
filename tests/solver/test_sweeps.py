"""Sweeps: every equation of the discrete optimality system, assembled here a second time from the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import ufl
from dolfinx import fem

import hydrodl as hd
from hydrodl.solver.sweeps import Sweeps
from tests.builders.edge_transport import edge_transport

W, EPS, ALPHA, NU, S = 0.8, 0.05, 0.3, 0.12, 0.25
TIMES = [0.0, 0.2, 0.55, 0.7, 1.0]
CASES: dict[str, dict[str, Any]] = {
    "line": {"d": 1, "nodes": 9},
    "box": {"d": 2, "nodes": [5, 6]},
    "cube": {"d": 3, "nodes": 3},
    "P1": {"d": 2, "nodes": 5, "cells": "simplex", "lumped": False},
    "P2": {"d": 2, "nodes": 4, "cells": "simplex", "degree": 2},
}
both = [pytest.mark.parametrize("scheme", ["euler-box", "midpoint"]), pytest.mark.parametrize("case", CASES)]


def potential(c: int) -> Any:
    return lambda x: 0.3 * (c + 1) * x[:, 0] ** 2 - c * x[:, -1]


class Case:
    """A problem with every term of the Lagrangian and two losses, and the specification's functionals in plain UFL."""

    def __init__(self, scheme: str, *, d: int, nodes: Any, **choices: Any) -> None:
        self.domain = domain = hd.Domain.box([-1.0] * d, [1.3] * d, nodes, **choices)
        means = [np.full(d, -0.4), np.full(d, 0.5)]
        rho = hd.mixture([hd.Gaussian(m, 0.6 + 0.1 * c, weight=2 - c, label=c) for c, m in enumerate(means)], domain)
        self.target = hd.mixture([hd.Gaussian(-m, 0.7, label=c) for c, m in enumerate(means)], domain)
        self.readout = hd.Readout.spread(2, d)
        lagrangian = hd.Lagrangian(NU, EPS, ALPHA, W, energy=hd.Power(S), potential=[potential(0), potential(1)])
        losses = [hd.Density(1.5, self.target, layer=2, divergence="l2"), hd.Classification(3.0, self.readout)]
        self.problem = hd.Problem(domain, hd.layers(TIMES), rho, lagrangian, losses, scheme)
        V, C = domain.V, range(2)
        self.u = [fem.Function(V) for _ in range(d)]
        self.rho, self.phi, self.V = ([fem.Function(V) for _ in C] for _ in "rpV")
        for c in C:
            self.V[c].x.array[:] = potential(c)(domain.coordinates)
        self.test = ufl.TestFunction(V)
        u, R, dx = ufl.as_vector(self.u), sum(self.rho), domain.dx
        self.cost = (0.5 * (W * R + EPS) * ufl.dot(u, u) + 0.5 * S * R**2) * dx
        self.cost += 0.5 * ALPHA**2 * ufl.inner(ufl.grad(u), ufl.grad(u)) * dx
        self.cost += sum(r * v for r, v in zip(self.rho, self.V, strict=True)) * dx
        self.H = self.cost
        for r, p in zip(self.rho, self.phi, strict=True):
            plain = r * ufl.dot(u, ufl.grad(p)) - NU * ufl.dot(ufl.grad(r), ufl.grad(p))
            self.H -= (edge_transport(domain, NU, self.u, r, p) if domain.lumped else plain) * dx

    def load(self, functions: list[fem.Function], values: np.ndarray) -> None:
        for function, nodal in zip(functions, values, strict=True):
            function.x.array[:] = nodal

    def slope(self, functional: Any, by: list[fem.Function]) -> np.ndarray:
        forms = [fem.form(ufl.derivative(functional, f, self.test)) for f in by]
        return np.array([fem.assemble_vector(form).array for form in forms])

    def mass(self, fields: np.ndarray) -> np.ndarray:
        f = fem.Function(self.domain.V)
        form = fem.form(f * self.test * self.domain.dx)
        out = np.empty_like(fields)
        for row, nodal in zip(out, fields, strict=True):
            f.x.array[:] = nodal
            row[:] = fem.assemble_vector(form).array
        return out

    def loss_slopes(self, sweeps: Sweeps) -> dict[int, np.ndarray]:
        """dG at the layers of the two losses: lambda M (rho - rho*) at 2, lambda M Phi at the end."""
        Phi = self.readout.cross_entropy(self.domain.coordinates).T
        return {2: 1.5 * self.mass(sweeps.density[2] - self.target.values), 4: 3.0 * self.mass(Phi)}


def swept(case: Case, seed: int = 0, size: float = 0.4) -> tuple[hd.ReducedFunctional, np.ndarray, np.ndarray]:
    functional = hd.ReducedFunctional(case.problem)
    u = size * np.random.default_rng(seed).standard_normal(functional.shape)
    return functional, u, functional.gradient(u)


def both_marked(function: Any) -> Any:
    for mark in both:
        function = mark(function)
    return function


@pytest.mark.slow
@both_marked
def test_every_slab_equation_holds(scheme: str, case: str) -> None:
    made = Case(scheme, **CASES[case])
    functional, u, gradient = swept(made)
    sweeps, theta, steps = functional.sweeps, made.problem.method.theta, made.problem.layers.steps
    (phi, jumps), pulls = sweeps.layer_potentials(), made.loss_slopes(sweeps)
    for k, step in enumerate(steps):
        r, q = sweeps.slab_density[k], sweeps.slab_potential[k]
        before, after = sweeps.density[k], sweeps.density[k + 1]
        np.testing.assert_allclose(r, theta * after + (1 - theta) * before, atol=1e-13)
        made.load(made.u, u[k])
        made.load(made.rho, r)
        made.load(made.phi, q)
        # phi: M (rho_{k+1} - rho_k) + Delta dH/dphi = 0
        forward = made.mass(after - before) + step * made.slope(made.H, made.phi)
        assert np.abs(forward).max() < 1e-12
        # rho: M (p - phi_k) = Delta dH/drho with p = phi_{k+1} less M^-1 dG of a loss at an inner layer
        backward = made.mass(phi[k + 1] - phi[k]) - step * made.slope(made.H, made.rho)
        if k + 1 == 2:
            backward -= pulls[2]
        assert np.abs(backward).max() < 1e-11
        # u: the gradient of J is Delta dH/du
        np.testing.assert_allclose(gradient[k], step * made.slope(made.H, made.u), atol=1e-12)
    np.testing.assert_allclose(made.mass(phi[-1]), -pulls[4], atol=1e-11)
    np.testing.assert_allclose(made.mass(jumps[1]), -pulls[2], atol=1e-11)
    assert not jumps[[0, 2, 3]].any()
    np.testing.assert_array_equal(sweeps.density[0], made.problem.densities.values)


@both_marked
def test_duality_is_exact(scheme: str, case: str) -> None:
    """(rho_T, phi_N) = (rho0, phi_0) + sum_k Delta_k <dl/drho, r_k> + sum_j <dG_j, rho_j>, j over inner losses."""
    made = Case(scheme, **CASES[case])
    functional, u, _ = swept(made, seed=1)
    sweeps, steps = functional.sweeps, made.problem.layers.steps
    phi = sweeps.layer_potentials()[0]
    gained = float((made.loss_slopes(sweeps)[2] * sweeps.density[2]).sum())
    for k, step in enumerate(steps):
        made.load(made.u, u[k])
        made.load(made.rho, sweeps.slab_density[k])
        gained += step * float((made.slope(made.cost, made.rho) * sweeps.slab_density[k]).sum())
    first = float((made.mass(sweeps.density[0]) * phi[0]).sum())
    last = float((made.mass(sweeps.density[-1]) * phi[-1]).sum())
    assert abs(gained) > 0.01
    assert last == pytest.approx(first + gained, rel=1e-12)


@both_marked
def test_the_objective_is_the_specification(scheme: str, case: str) -> None:
    made = Case(scheme, **CASES[case])
    functional, u, _ = swept(made, seed=2)
    sweeps, form = functional.sweeps, fem.form(made.cost)
    running = 0.0
    for k, step in enumerate(made.problem.layers.steps):
        made.load(made.u, u[k])
        made.load(made.rho, sweeps.slab_density[k])
        running += step * fem.assemble_scalar(form)
    gap = sweeps.density[2] - made.target.values
    Phi = made.readout.cross_entropy(made.domain.coordinates).T
    expected = {
        "running": running,
        "density": 0.75 * float((gap * made.mass(gap)).sum()),
        "classification": 3.0 * float((Phi * made.mass(sweeps.density[-1])).sum()),
    }
    assert set(functional.parts) == set(expected)
    for name, value in expected.items():
        assert functional.parts[name] == pytest.approx(value, rel=1e-12), name
    assert functional.evaluate(u) == pytest.approx(sum(expected.values()), rel=1e-12)


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_momentum_map_at_the_optimum(scheme: str) -> None:
    """(w R + eps) u - alpha^2 Laplace u = sum_c rho_c grad phi_c, less that of the edges' noise: dH/du vanishes."""
    made = Case(scheme, **CASES["box"])
    solution = hd.train(made.problem, options={"tao_gatol": 1e-11})
    assert solution.converged
    functional = hd.ReducedFunctional(made.problem)
    functional.gradient(solution.velocity)
    scale = []
    for k in range(4):
        made.load(made.u, solution.velocity[k])
        made.load(made.rho, functional.sweeps.slab_density[k])
        made.load(made.phi, functional.sweeps.slab_potential[k])
        scale.append(np.abs(made.slope(made.cost, made.u)).max())
        assert np.abs(made.slope(made.H, made.u)).max() < 1e-10
    assert min(scale) > 1e-3  # there is a momentum


def test_equal_losses_at_one_layer_add_up() -> None:
    made = Case("midpoint", **CASES["line"])
    parts = made.problem
    twice = [
        hd.Density(0.5, made.target, layer=2, divergence="l2"),
        hd.Density(1.0, made.target, layer=2, divergence="l2"),
        *parts.losses[1:],
    ]
    functional, u, gradient = swept(made)
    split = hd.ReducedFunctional(
        hd.Problem(parts.domain, parts.layers, parts.densities, parts.lagrangian, twice, parts.scheme)
    )
    np.testing.assert_allclose(split.gradient(u), gradient, atol=1e-12)
    assert split.evaluate(u) == pytest.approx(functional.evaluate(u), rel=1e-13)
    assert split.parts["density 2"] == pytest.approx(2 * split.parts["density"], rel=1e-12)


def test_a_repeated_evaluation_costs_nothing_and_a_returned_gradient_is_kept() -> None:
    functional, u, gradient = swept(Case("euler-box", **CASES["line"]))
    kept, assembled = gradient.copy(), functional.sweeps.seconds["assembly"]
    functional.evaluate(u)
    assert functional.sweeps.seconds["assembly"] == assembled
    functional.gradient(u + 1)
    np.testing.assert_array_equal(gradient, kept)


def test_hessian_products_survive_trial_points() -> None:
    functional, u, _ = swept(Case("midpoint", **CASES["box"]))
    v = np.random.default_rng(5).standard_normal(functional.shape)
    functional.linearise(u)
    expected = functional.hessian_product(v).copy()
    functional.evaluate(u + 0.3 * v)
    np.testing.assert_allclose(functional.hessian_product(v), expected, rtol=0, atol=1e-13)
    assert functional.restored == 1 and functional.products == 2
    functional.gradient(u)  # and back at the point itself
    np.testing.assert_allclose(functional.hessian_product(v), expected, rtol=0, atol=1e-13)


def test_a_hessian_product_needs_a_point() -> None:
    functional = hd.ReducedFunctional(Case("euler-box", **CASES["line"]).problem)
    with pytest.raises(hd.SolverError, match="call linearise first"):
        functional.hessian_product(np.zeros(functional.shape))


def test_a_velocity_that_is_not_finite_names_the_layer() -> None:
    functional = hd.ReducedFunctional(Case("euler-box", **CASES["line"]).problem)
    u = np.zeros(functional.shape)
    u[1] = np.nan
    with pytest.raises(hd.SolverError, match="density is not finite at layer 2"):
        functional.evaluate(u)
    assert np.isfinite(functional.evaluate(np.zeros(functional.shape)))  # and recovers
