"""Steps of descent, Newton's ball and changes of the data, against what happens and against dense linear algebra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from types import ModuleType

import numpy as np
import pytest
import scipy.linalg

import hydrodl as hd
from hydrodl.analysis.stability.training_stability import DescentLimit, TrainingStability
from tests.test_benchmarks import load

SEEDS = (5, 1)  # strang with neurons trained whole, residual in d = 2


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load("training_stability")


@pytest.fixture(scope="module")
def small() -> Iterator[hd.Neighbourhood]:
    domain = hd.Domain.interval(-2.0, 2.0, 11)
    rho = hd.mixture([hd.Gaussian(m, 0.5, label=m) for m in (-0.5, 0.4)], domain)
    loss = hd.Classification(3.0, trained=True, decay=0.1)
    problem = hd.Problem(domain, hd.layers(3), rho, hd.Lagrangian(0.2, 0.1, 0.1), loss, "strang")
    with hd.Neighbourhood(hd.train(problem, options={"tao_gatol": 1e-10})) as near:
        yield near


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_predicted_happens(seed: int, benchmark: ModuleType) -> None:
    """Small version of the benchmark: descent on both sides of the limit, Newton in its ball, other data."""
    problem = benchmark.draw(seed)
    with hd.Neighbourhood(benchmark.trained(problem)) as near:
        case = benchmark.Case(seed, problem, near, hd.analysis.training_stability(near))
        seen = benchmark.descents(case, steps=80)
        assert seen.below < 0.2 and seen.above > 5 and seen.along_top > 0.99
        rng, modes = np.random.default_rng(seed), hd.analysis.data_modes(near, benchmark.MODES)
        for _ in range(4):
            errors, worst = benchmark.newton(case, rng)
            assert errors[-1] <= benchmark.FLOOR and worst <= 1 and len(errors) <= 6
            motion = benchmark.moved(case, benchmark.change(case, rng), modes)
            assert motion.seen <= motion.own <= motion.by_modes <= min(motion.every, 10 * motion.seen)
        sharp = benchmark.sharpness(case, modes.changes[0])
        assert min(sharp) >= 1 and max(sharp) < 3


def test_data_gradient_is_that_of_j(small: hd.Neighbourhood) -> None:
    """dJ/drho(0) against differences of J, which is linear in the data here."""
    problem = small.solution.problem
    functional = hd.ReducedFunctional(problem)
    delta = np.random.default_rng(0).uniform(0, 1, small.data_shape)
    values = []
    for sign in (1, -1):
        functional.own.set_data(problem.densities.values + sign * delta)
        values.append(functional.evaluate(small.solution.velocity))
    functional.own.set_data(problem.densities.values)
    _, data = small.gradients()
    assert small.dot(data, delta) == pytest.approx((values[0] - values[1]) / 2, rel=1e-10)
    np.testing.assert_allclose(functional.gradients(small.solution.velocity)[1], data, rtol=1e-9)


def test_sensitivity_and_modes_are_those_of_the_dense_matrix(small: hd.Neighbourhood) -> None:
    """H^-1 G between the two lengths, with every column of H, P and G written out: its singular values and vectors."""
    size, data = int(np.prod(small.shape)), int(np.prod(small.data_shape))
    units = np.eye(size)
    hessian, metric = (np.array([f(e) for e in units]) for f in (small.hessian_product, small.metric_product))
    mixed, weight = [], []
    for e in np.eye(data).reshape(data, *small.data_shape):
        mixed.append((small.gradients(None, e)[0] - small.gradients(None, -e)[0]) / 2)
        weight.append(small.data_direction(e).ravel())
    root = np.linalg.cholesky((np.array(weight) + np.array(weight).T) / 2)
    dense = scipy.linalg.cholesky(metric).dot(np.linalg.solve(hessian, np.array(mixed).T @ root))
    found, values = hd.analysis.data_modes(small, 6), np.linalg.svd(dense, compute_uv=False)
    assert hd.analysis.training_stability(small).sensitivity == pytest.approx(values[0], rel=0.02)
    np.testing.assert_allclose(found.values, values[:7], rtol=0.02)
    products = [[small.data_dot(a, b) for a in found.changes] for b in found.changes]
    np.testing.assert_allclose(products, np.eye(6), atol=1e-3)
    rng, slack = np.random.default_rng(0), 1.03
    for change in (*rng.uniform(-1e-3, 1e-3, (20, *small.data_shape)), *found.changes):
        motion = small.length(small.solve(small.gradients(None, change)[0] - small.gradients()[0]))
        assert motion <= found.first_order(small, change) <= slack * values[0] * small.data_length(change)
    with pytest.raises(hd.InputError, match="count"):
        hd.analysis.data_modes(small, 0)


def test_change_is_at_least_what_any_direction_shows(small: hd.Neighbourhood) -> None:
    """Lambda against second differences of the gradient along 200 random directions, and over the ball itself."""
    stability, rng = hd.analysis.training_stability(small), np.random.default_rng(0)
    width, (middle, _) = stability.newton_radius, small.gradients()
    worst = 0.0
    for n in range(200):
        e = small.precondition(rng.normal(size=small.shape)) if n % 2 else rng.normal(size=small.shape)
        e *= width / small.length(e)
        second = small.gradients(e)[0] - 2 * middle + small.gradients(-e)[0]
        worst = max(worst, small.dual_length(second) / width**2)
    assert 0.05 * stability.change < worst <= stability.change


def test_bounds_are_the_roots_of_their_inequalities() -> None:
    found = TrainingStability(DescentLimit(0.5, 4.0), change=10.0, sensitivity=3.0, distance=1e-9)
    assert (found.descent.limit, found.descent.best, found.descent.condition) == (0.5, 2 / 4.5, 8.0)
    assert found.descent.contraction(found.descent.best) == pytest.approx((8 - 1) / (8 + 1))
    assert found.newton_radius == pytest.approx(2 * 0.5 / (3 * 10))
    assert found.newton_error(found.newton_radius) == pytest.approx(found.newton_radius)
    assert found.newton_error(found.scale) == found.motion(2 * found.data_radius) == inf
    for share in (0.1, 0.7, 1.0):
        size = share * found.data_radius
        r, y = found.motion(size), 3.0 * size
        assert r == pytest.approx(y + (r**2 + y**2) / (2 * found.scale)) and y < r <= 2.0001 * y
        assert r**2 + y**2 < found.scale**2  # the Hessian stays positive there
    saddle = replace(found, descent=DescentLimit(-0.1, 4.0))
    assert saddle.newton_radius == saddle.data_radius == 0 and saddle.motion(0.1) == inf


def test_a_saddle_has_no_ball() -> None:
    """A focusing energy beyond its threshold about the uniform state: a stationary point that is no minimum."""
    domain = hd.Domain.interval(0.0, 1.0, 9)
    rho = hd.densities_from_function([lambda x: np.ones(len(x))], domain)
    physics = hd.Lagrangian(0.1, 0.05, 0.0, energy=hd.Focusing(20.0))
    problem = hd.Problem(domain, hd.layers(4), rho, physics, hd.Density(1e-3, rho, divergence="l2"), "euler-box")
    solution = hd.train(problem, options={"tao_max_it": 1})  # it starts there, and has no step to leave it by
    with hd.Neighbourhood(solution) as near:
        found = hd.analysis.training_stability(near)
    assert found.descent.smallest < 0 and found.newton_radius == found.data_radius == 0
    assert found.descent.contraction(found.descent.limit / 2) > 1


def test_other_labels_for_a_share_of_any_place_are_no_longer_than_twice_the_share(small: hd.Neighbourhood) -> None:
    rho, rng = small.solution.problem.densities.values, np.random.default_rng(0)
    for share in (0.01, 0.5, 1.0):
        for away in (rng.uniform(0, share, rho.shape), np.full(rho.shape, share)):
            leaving = away * rho
            assert 0 < small.data_length(leaving[::-1] - leaving) <= 2 * share


def test_data_of_another_shape_are_refused(small: hd.Neighbourhood) -> None:
    with pytest.raises(hd.InputError, match=r"densities have shape \(3,\), must be finite and \(2, 11\)"):
        small.change_to(np.zeros(3))
