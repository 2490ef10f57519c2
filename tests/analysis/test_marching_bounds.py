"""Growth of waves, thresholds and modes against closed forms and dense matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, pi, sin
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import hydrodl as hd
from hydrodl.analysis.stability import bounds
from hydrodl.analysis.stability import discrete_modes as modes
from hydrodl.analysis.stability import marching_bounds as hyperbolic
from hydrodl.analysis.stability import training_bounds as stability
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.laplacian_spectrum import smallest_eigenvalue
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow
from tests.builders.analysed_flows import GAS, flow, rest


@pytest.mark.parametrize(
    "energy, second",
    [
        (hd.Focusing(0.7), lambda r: -0.7 + 0 * r),
        (hd.Power(0.5, 3.0), lambda r: r),
        (hd.Entropy(0.3), lambda r: 0.3 / r),
        (None, lambda r: 0 * r),
    ],
    ids=["focusing", "power", "entropy", "none"],
)
def test_second_derivative_of_the_energy(energy: Any, second: Callable[[np.ndarray], np.ndarray]) -> None:
    r = np.array([[0.4, 1.0, 2.5]])
    found = energy_derivative(hd.Lagrangian(0.1, energy=energy, smoothness=0.0), r, 2)
    assert found.shape == r.shape
    np.testing.assert_allclose(found, second(r), rtol=1e-7)


@pytest.mark.parametrize("kinetic, decay", [(1.0, 0.0), (0.5, 0.2)])
def test_focusing_about_a_uniform_state(kinetic: float, decay: float) -> None:
    domain, R, nu = hd.Domain.interval(0, 2, 9), 0.5, 0.3
    kappa = (2 / 0.25 * sin(pi * 0.25 / 4)) ** 2
    threshold = nu**2 * kappa * (kinetic * R + decay) / R**2
    for s, holds in ((0.99 * threshold, True), (1.01 * threshold, False)):
        physics = hd.Lagrangian(nu, decay, kinetic=kinetic, energy=hd.Focusing(s), smoothness=0.0)
        found = stability.focusing(flow(domain, rest, lagrangian=physics, density=R))
        assert found.value == pytest.approx(threshold - s, rel=1e-9) and found.holds is holds and found.applies
    assert not stability.focusing(flow(domain, rest)).applies


def matrices(domain: hd.Domain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mass, stiffness and drift matrices about (R = 1, u = 0), w = 1, eps = 0, from the package's own action."""
    action, n, d = SlabAction(domain, GAS), domain.owned, domain.dimension
    action.set_slab(np.zeros((d, n)), np.ones(n))
    action.set_class(np.ones(n), np.zeros(n))

    def dense(form: Any) -> np.ndarray:
        data, matrix = action.assemble(form), action._matrices[1]
        out = np.zeros((n, n, *data.shape[1:]))
        out[np.repeat(np.arange(n), np.diff(matrix.indptr)), matrix.indices] = data
        return out

    mass, weight, second = (dense(form) for form in (action.mass, action.metric, action.carried_2))
    coupling = second[:, :, action.PHI, :d]
    drift = sum(coupling[..., j] @ np.linalg.solve(weight, coupling[..., j].T) for j in range(d))
    return mass, second[:, :, action.RHO, action.PHI] / 0.01, drift


@pytest.mark.parametrize("d, cells", [(1, 8), (1, 9), (1, 20), (2, 7), (2, 8)])
def test_growth_of_all_modes_is_that_of_the_assembled_scheme(d: int, cells: int) -> None:
    domain = hd.Domain.box([0] * d, [1] * d, cells + 1)
    mass, stiffness, drift = matrices(domain)
    square = 0.01**2 * stiffness @ np.linalg.solve(mass, stiffness) - drift
    values = scipy.linalg.eigh(square, mass, eigvals_only=True)
    values = np.delete(values, np.argmin(np.abs(values)))  # the constant
    state = modes.UniformState.of(GAS, 1.0)
    assert modes.box_growth(*bounds.box_numbers(domain), state, -1.0) == pytest.approx(values[-1], rel=1e-8, abs=1e-9)
    found = modes.modes(domain)
    np.testing.assert_allclose(
        np.sort(found.laplacian), scipy.linalg.eigh(stiffness, mass, eigvals_only=True)[1:], rtol=1e-10
    )
    assert (found.drift <= found.laplacian).all()


def test_growth_on_many_nodes_agrees_with_the_dense_one() -> None:
    state = modes.UniformState.of(replace(GAS, smoothness=0.1), 1.0)
    coarse = modes.box_growth((1.0,), (399,), state, -1.0)
    fine = modes.box_growth((1.0,), (402,), state, -1.0)  # beyond 400 nodes by Lanczos
    assert fine == pytest.approx(coarse * (402 / 399) ** 4, rel=1e-3)


def test_hyperbolic_thresholds() -> None:
    """c = L = 1, nu = 0.01: the compact drift allows 50 cells, the scheme's own 8."""

    def gas(cells: int) -> Flow:
        return flow(hd.Domain.interval(0, 1, cells + 1), rest, lagrangian=GAS)

    for cells in (5, 50, 51):
        found = hyperbolic.compact_hyperbolic(gas(cells))
        assert found.value == pytest.approx(4 * cells**2 * 1e-4, rel=1e-12) and found.bound == pytest.approx(1)
        assert found.holds is (cells <= 50) and found.most_nodes == 51
    for cells in (7, 8, 9, 51):
        found = hyperbolic.discrete_hyperbolic(gas(cells))
        assert found.holds is (cells <= 8) and found.most_nodes == 9
    convex = flow(hd.Domain.interval(0, 1, 9), rest, lagrangian=replace(GAS, energy=hd.Power(1.0)))
    refused = hyperbolic.discrete_hyperbolic(convex)
    assert not refused.holds and refused.most_nodes is None and refused.value == inf
    square = flow(hd.Domain.box([0, 0], [1, 1], 6), rest, lagrangian=GAS)
    assert hyperbolic.discrete_hyperbolic(square).holds and hyperbolic.discrete_hyperbolic(square).most_nodes == 8
    simplex = flow(hd.Domain.box([0, 0], [1, 1], 6, cells="simplex"), rest, lagrangian=GAS)
    assert hyperbolic.discrete_hyperbolic(simplex).name == "discrete hyperbolic, compact"


OTHERS: list[dict[str, Any]] = [{"cells": "simplex"}, {"lumped": False}, {"cells": "simplex", "degree": 2}]


@pytest.mark.parametrize("choices", OTHERS, ids=str)
def test_slowest_and_fastest_mode_by_slepc(choices: dict[str, Any]) -> None:
    domain = hd.Domain.box([0, 0], [1, 2], 5, **choices)
    mass, stiffness, _ = matrices(domain)
    values = scipy.linalg.eigh(stiffness, mass, eigvals_only=True)
    assert smallest_eigenvalue(domain) == pytest.approx(values[1], rel=1e-8)
    assert modes.fastest(domain) == pytest.approx(values[-1], rel=1e-8)


def test_slowest_mode_of_a_box_is_the_formula() -> None:
    domain = hd.Domain.box([0, 0], [1, 2], [5, 7])
    assert smallest_eigenvalue(domain) == pytest.approx(modes.modes(domain).laplacian.min(), rel=1e-9)
    assert modes.fastest(domain) == pytest.approx(modes.modes(domain).laplacian.max(), rel=1e-12)


def test_explicit_marching() -> None:
    given = flow(hd.Domain.interval(0, 1, 11), rest, 4, lagrangian=replace(GAS, energy=hd.Focusing(4.0)))  # c = 2
    found = hyperbolic.explicit_marching(given)
    assert found.value == pytest.approx(5, rel=1e-9) and not found.holds and found.needs_layers == 20
    midpoint = hyperbolic.explicit_marching(replace(given, scheme=BoxScheme("midpoint", 0.5)))
    assert midpoint.holds and midpoint.needs_layers == 1
