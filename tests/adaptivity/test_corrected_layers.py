"""The modified system solved in thin layers, and coarse layers corrected: orders, exact derivatives, the two-form."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.corrected_layers import corrected, correction_of, distance, modified
from hydrodl.discretisation.heat_flow import HeatFlow
from hydrodl.mesh.quadrature import moment
from hydrodl.problem.correction import Correction
from hydrodl.training.derivative_tests import hessian_symmetry, taylor_orders
from hydrodl.training.reduced_functional import ReducedFunctional

OPTIONS = {"tao_gatol": 1e-12, "tao_max_it": 30}


def exchange(layers: int, scheme: str, tilt: float = 0.0) -> hd.Problem:
    """Two classes exchange their densities between reflecting walls, smooth mirrors; V and U along the way."""
    domain = hd.Domain.interval(0.0, 1.0, 9)

    def wave(sign: float, tilt: float) -> object:
        return lambda x: 1 + sign * 0.4 * np.cos(np.pi * x[:, 0]) + tilt * np.cos(2 * np.pi * x[:, 0])

    start = hd.densities_from_function([wave(1, tilt), wave(-1, -tilt)], domain, masses=[0.5, 0.5])
    target = hd.densities_from_function([wave(-1, 0.0), wave(1, 0.0)], domain, masses=[0.5, 0.5])
    physics = hd.Lagrangian(0.05, 0.5, 0.1, energy=hd.Power(0.1), potential=lambda x: 0.1 * np.cos(np.pi * x[:, 0]))
    return hd.Problem(domain, hd.layers(layers), start, physics, hd.Density(2.0, target, divergence="l2"), scheme)


@cache
def plain(layers: int, scheme: str) -> hd.Solution:
    return hd.train(exchange(layers, scheme), options=OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "layers", "order"), [("midpoint", 8, 4), ("euler-box", 48, 2)])
def test_the_solution_is_that_of_the_modified_system_to_twice_the_order(scheme: str, layers: int, order: int) -> None:
    near, far = [], []
    for n in (layers, 2 * layers):
        solution = plain(n, scheme)
        near.append(distance(solution.flow, modified(solution, options=OPTIONS).solution.flow))
        far.append(distance(solution.flow, plain(3 * n, scheme).flow))
    assert np.log2(near[0] / near[1]) > order - 0.2
    assert np.log2(far[0] / far[1]) == pytest.approx(order / 2, abs=0.1) and far[1] > 20 * near[1]


@pytest.mark.parametrize(("scheme", "layers", "gain"), [("midpoint", 8, 10.0), ("euler-box", 12, 30.0)])
def test_corrected_layers_have_the_fields_and_the_objective_of_many_more(scheme: str, layers: int, gain: float) -> None:
    best = corrected(exchange(4 * layers, scheme), options=OPTIONS)
    found, before = corrected(exchange(layers, scheme), options=OPTIONS), plain(layers, scheme)
    assert found.thickness == 0 and found.rounds[1] < 0.3 * found.rounds[0]
    assert gain * distance(found.solution.flow, best.solution.flow) < distance(before.flow, best.solution.flow)
    assert abs(found.objective - best.objective) < max(abs(before.objective - best.objective), 1e-6) / 2


def mirrored(layers: int, scheme: str) -> hd.Problem:
    """The exchange in slow layers of a layer map: without smoothness the velocity at the walls is 0."""
    given = exchange(layers, "midpoint")
    line = hd.Domain.interval(0.0, 1.0, 25)
    start, target = (
        hd.densities_from_function([lambda x, s=s: 1 + s * np.cos(np.pi * x[:, 0]) / 3 for s in signs], line)
        for signs in ((1, -1), (-1, 1))
    )
    loss, physics = hd.Density(1.0, target, divergence="l2"), replace(given.lagrangian, smoothness=0.0, fitted=None)
    return replace(given, domain=line, densities=start, losses=loss, lagrangian=physics, scheme=scheme)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["residual", "strang"])
def test_a_layer_map_solves_its_modified_system_to_the_order_asked_for(scheme: str) -> None:
    near = {order: list[float]() for order in (2, 4)}
    for n in (6, 12):
        solution = hd.train(mirrored(n, scheme), options=OPTIONS)
        for order, distances in near.items():
            found = modified(solution, pieces=5, order=order, options=OPTIONS)
            distances.append(distance(solution.flow, found.solution.flow))
            assert found.order == order and abs(found.objective - solution.objective) < distances[-1]
    orders = {order: np.log2(coarse / fine) for order, (coarse, fine) in near.items()}
    assert orders[2] == pytest.approx(2.0, abs=0.15) and orders[4] > 3.8


@pytest.mark.slow
def test_corrected_layer_maps_have_the_objective_of_many_more_to_the_order_asked_for() -> None:
    """The limit is that of corrected layers; through J of plain layers it is the same but for what heat steps leave."""
    counts = np.array([6, 12, 24, 48])
    plain = np.array([hd.train(mirrored(n, "residual"), options=OPTIONS).objective for n in counts])
    limit = corrected(mirrored(24, "residual"), order=4, options=OPTIONS).objective
    assert np.linalg.solve(np.vander(1 / counts, increasing=True), plain)[0] == pytest.approx(limit, abs=3e-6)
    for order in (2, 4):
        found = np.array([corrected(mirrored(n, "residual"), order=order, options=OPTIONS).objective for n in (6, 12)])
        coarse, fine = np.abs(found - limit)
        assert np.log2(coarse / fine) > order - 0.4 and fine < abs(plain[1] - limit) / (3 if order == 2 else 40)
    strang = [hd.train(mirrored(n, "strang"), options=OPTIONS).objective for n in (6, 12)]
    best = [corrected(mirrored(n, "strang"), options=OPTIONS).objective for n in (6, 12)]
    assert np.log2((strang[0] - limit) / (strang[1] - limit)) == pytest.approx(2.0, abs=0.2)
    assert np.all(np.abs(np.array(best) - limit) < np.abs(np.array(strang) - limit) / 3)


def test_the_corrected_action_has_exact_derivatives() -> None:
    for scheme in ("midpoint", "euler-box"):
        solution = plain(8, scheme)
        problem = replace(solution.problem, correction=correction_of(solution, 0.5))
        functional, rng = ReducedFunctional(problem), np.random.default_rng(0)
        direction = rng.standard_normal(solution.velocity.shape)
        orders = taylor_orders(functional, solution.velocity, direction)
        assert min(orders.gradient) > 1.9 and min(orders.hessian) > 1.9
        assert hessian_symmetry(functional, solution.velocity, direction, direction[::-1]) < 1e-10


def test_the_two_form_of_corrected_layers_is_the_same_at_every_layer() -> None:
    """Differences of trained solutions: of other data, and of another target; the correction stays what it is."""
    given = plain(6, "midpoint")
    problem = replace(given.problem, correction=correction_of(given, 0.0))
    domain, (loss,), epsilon = problem.domain, problem.terms, 1e-4
    assert isinstance(loss, hd.Density)

    def fields(start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
        tilt = np.cos(np.pi * domain.coordinates[:, 0]) * [[1], [-0.5]]
        first, last = (
            replace(d, values=d.values + e * tilt) for d, e in ((problem.densities, start), (loss.target, end))
        )
        changed = replace(problem, densities=first, losses=replace(loss, target=last))
        flow = hd.train(changed, options=OPTIONS, initial=given.velocity).flow
        return flow.density, flow.potential

    def tangent(start: float, end: float) -> list[np.ndarray]:
        ahead, behind = (fields(s * epsilon * start, s * epsilon * end) for s in (1, -1))
        return [(a - b) / (2 * epsilon) for a, b in zip(ahead, behind, strict=True)]

    (r, p), (s, q) = tangent(1, 0), tangent(0, 1)
    form = ((r * q - s * p) * moment(domain)).sum(axis=(1, 2))
    assert np.ptp(form) < 1e-6 * np.abs(form).max() and np.abs(form).max() > 1e-2


def test_what_cannot_be_corrected_is_named() -> None:
    problem = exchange(6, "midpoint")
    with pytest.raises(hd.InputError, match="'strang' have no fields to be moved"):
        moved = Correction(*[np.ones((6, 2, 9))] * 4)
        replace(problem, scheme="strang", lagrangian=hd.Lagrangian(0.05), correction=moved)
    with pytest.raises(hd.InputError, match="neurons differ"):
        corrected(replace(problem, control=hd.Neurons(4)))
    with pytest.raises(hd.InputError, match="equal layers, at least 4"):
        modified(replace(problem, layers=hd.layers([0.0, 0.2, 0.5, 0.6, 1.0])))
    with pytest.raises(hd.InputError, match="pieces is 2, must be odd"):
        modified(problem, pieces=2)
    maps = mirrored(6, "strang")
    with pytest.raises(hd.InputError, match="pieces is 3, must be above the order, 3"):
        modified(maps, pieces=3, order=3)
    with pytest.raises(hd.InputError, match="order 5 needs at least 7 layers"):
        corrected(maps, order=5)
    with pytest.raises(hd.InputError, match="heat_flow: the scheme 'midpoint' has no heat steps"):
        replace(problem, heat_flow=HeatFlow(0.0))
    with pytest.raises(hd.InputError, match="are no Markov chain"):
        replace(maps, heat_flow=HeatFlow(0.0)).method.walk(maps.domain, maps.lagrangian)
    with pytest.raises(hd.InputError, match="order is 3; that of 'midpoint' is 4"):
        corrected(problem, order=3)
    with pytest.raises(hd.InputError, match="no loss may act inside"):
        corrected(replace(problem, losses=[replace(problem.terms[0], layer=3)]))
    with pytest.raises(hd.InputError, match="correction has shape"):
        replace(problem, correction=Correction(*[np.zeros((5, 2, 9))] * 4))
