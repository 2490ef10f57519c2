"""The spectrum of the reduced Hessian against dense linear algebra, and focusing thresholds against the spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from mpi4py import MPI
from scipy.optimize import brentq

import hydrodl as hd
from hydrodl.analysis.stability.focusing_threshold import focusing_threshold
from hydrodl.analysis.stability.hessian_spectrum import spectrum
from hydrodl.analysis.stability.training_bounds import second_variation

THETA = {"euler-box": 1.0, "midpoint": 0.5}


def trained(d: int, scheme: str, smoothness: float, energy: Any) -> hd.ReducedFunctional:
    domain = hd.Domain.box([-1] * d, [1] * d, {1: 9, 2: 5}[d])
    means = [np.full(d, -0.4), np.full(d, 0.3)]
    rho = hd.mixture([hd.Gaussian(mean, 0.4, label=c) for c, mean in enumerate(means)], domain)
    physics = hd.Lagrangian(0.1, 0.05, smoothness, energy=energy)
    problem = hd.Problem(domain, hd.layers(3), rho, physics, hd.Classification(3.0), scheme)
    solution = hd.train(problem)
    assert solution.converged
    functional = hd.ReducedFunctional(problem)
    functional.linearise(solution.velocity)
    return functional


def dense(functional: Any) -> tuple[np.ndarray, np.ndarray]:
    """H and P, column by column."""
    size = int(np.prod(functional.shape))
    units = np.eye(size).reshape(size, *functional.shape)
    return tuple(
        np.array([product(unit).ravel() for unit in units]).T
        for product in (functional.hessian_product, functional.metric_product)
    )  # type: ignore[return-value]


CASES = [(1, "euler-box", 0.0, None), (2, "midpoint", 0.3, None), (2, "euler-box", 0.0, hd.Focusing(0.5))]


@pytest.mark.parametrize("d, scheme, smoothness, energy", CASES, ids=str)
def test_eigenvalues_are_those_of_the_dense_hessian(d: int, scheme: str, smoothness: float, energy: Any) -> None:
    functional = trained(d, scheme, smoothness, energy)
    hessian, metric = dense(functional)
    values = scipy.linalg.eigh((hessian + hessian.T) / 2, metric, eigvals_only=True)
    found = spectrum(functional, 3, tolerance=1e-10)  # SLEPc compares an estimate with it
    np.testing.assert_allclose(found.smallest, values[:3], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.largest, values[-3:][::-1], rtol=0, atol=1e-10)
    assert max(found.residuals) < 1e-8 and not found.negative_curvature and found.products < 500
    for value, modes in ((found.smallest, found.smallest_modes), (found.largest, found.largest_modes)):
        assert modes.shape == (3, *functional.shape)
        flat = modes.reshape(3, -1)
        np.testing.assert_allclose(flat @ metric @ flat.T, np.eye(3), atol=1e-8)
        np.testing.assert_allclose(hessian @ flat.T, metric @ flat.T * value, atol=1e-7)


def uniform(
    s: float,
    d: int,
    nodes: int,
    layers: int,
    scheme: str,
    noise: float,
    depth: float = 1.0,
    pull: float = 1e-3,
    smoothness: float = 0.0,
) -> hd.Problem:
    """A focusing energy of weight s about R = 1, u = 0; the loss only keeps the equilibrium one."""
    domain = hd.Domain.box([0] * d, [1] * d, nodes)
    rho = hd.densities_from_function([lambda x: np.ones(len(x))], domain)
    physics = hd.Lagrangian(noise, 0.05, smoothness, energy=hd.Focusing(s))
    return hd.Problem(domain, hd.layers(layers, depth), rho, physics, hd.Density(pull, rho, divergence="l2"), scheme)


def smallest(problem: hd.Problem) -> float:
    functional = hd.ReducedFunctional(problem)
    velocity = np.zeros(functional.shape)
    functional.linearise(velocity)
    assert functional.norm(functional.gradient(velocity)) < 1e-12  # it is stationary
    value = float(spectrum(functional, largest=False).smallest[0])
    functional.close()
    return value


FOCUSING = [
    (1, 17, 8, "euler-box", 0.1),
    (1, 33, 16, "midpoint", 0.1),
    (2, 9, 8, "euler-box", 0.1),
    (1, 33, 32, "midpoint", 0.3, 2.0),
    (1, 33, 16, "midpoint", 0.1, 1.0, 1.0),
    (1, 17, 8, "euler-box", 0.02),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", FOCUSING, ids=str)
def test_focusing_threshold(case: tuple[Any, ...]) -> None:
    """Predicted within 5 percent; the local criterion asks for less than half of what a shallow network bears."""
    given = uniform(1.0, *case)
    pull = given.terms[0].weight  # type: ignore[attr-defined]
    predicted = focusing_threshold(given.domain, given.layers, given.lagrangian, given.method.theta, 1.0, pull)
    seen = brentq(lambda s: smallest(uniform(s, *case)), 0.5 * predicted.discrete, 1.5 * predicted.discrete, xtol=1e-5)
    assert predicted.discrete == pytest.approx(seen, rel=0.02)
    if case[4] >= 0.1:  # with little noise the layers must be thin for the limit to mean much
        assert predicted.finite_depth == pytest.approx(seen, rel=0.05)
    assert predicted.local < seen


def test_at_great_depth_the_local_criterion_is_all_that_is_left() -> None:
    shallow, deep = (
        focusing_threshold(p.domain, p.layers, p.lagrangian, 0.5, 1.0)
        for p in (uniform(1.0, 1, 33, n, "midpoint", 0.3, depth) for n, depth in ((16, 1.0), (400, 25.0)))
    )
    assert shallow.local == pytest.approx(deep.local)
    assert deep.local < deep.discrete < 1.05 * deep.local < 0.65 * shallow.discrete
    assert deep.finite_depth == pytest.approx(deep.discrete, rel=1e-3)


def test_below_the_local_criterion_any_smoothness_is_well_posed() -> None:
    given = uniform(1.0, 1, 17, 8, "euler-box", 0.1, smoothness=0.3)
    local = focusing_threshold(given.domain, given.layers, given.lagrangian, 1.0, 1.0).local
    assert smallest(uniform(local, 1, 17, 8, "euler-box", 0.1, smoothness=0.3)) > 0


def test_negative_curvature_is_reported() -> None:
    case = (1, 17, 8, "euler-box", 0.1)
    predicted = focusing_threshold(
        uniform(1, *case).domain, hd.layers(8), hd.Lagrangian(0.1, 0.05, smoothness=0.0), 1.0, 1.0
    )
    for factor in (0.9, 1.1):
        functional = hd.ReducedFunctional(uniform(factor * predicted.discrete, *case))
        functional.linearise(np.zeros(functional.shape))
        found = spectrum(functional, 2, largest=False)
        bound = second_variation(functional, found=found)
        # one mode's eigenvalue is 1 - s/threshold
        assert found.smallest[0] == pytest.approx(1 - factor, abs=0.01)
        assert found.negative_curvature is (factor > 1) and bound.holds is (factor < 1)
        assert bound.value == found.smallest[0] and len(found.largest) == 0
        if factor > 1:  # J falls along the eigenfunction
            v = found.smallest_modes[0]
            fall = functional.evaluate(1e-3 * v) - functional.evaluate(0 * v)
            assert fall == pytest.approx(0.5e-6 * found.smallest[0], rel=0.05)


class Diagonal:
    """H = diag(values), P = diag(weights)."""

    def __init__(self, values: np.ndarray, weights: np.ndarray) -> None:
        self.values, self.weights = values, weights

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.values.shape  # type: ignore[return-value]

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        return self.values * direction

    def metric_product(self, direction: np.ndarray) -> np.ndarray:
        return self.weights * direction

    def precondition(self, dual: np.ndarray) -> np.ndarray:
        return dual / self.weights


def test_anything_with_the_three_products_will_do() -> None:
    values, weights = np.arange(1.0, 25.0).reshape(2, 1, 12) - 3.5, np.full((2, 1, 12), 2.0)
    found = spectrum(Diagonal(values, weights), 2, comm=MPI.COMM_SELF)
    np.testing.assert_allclose(found.smallest, [-1.25, -0.75], rtol=1e-12)
    np.testing.assert_allclose(found.largest, [10.25, 9.75], rtol=1e-12)
    assert found.negative_curvature
    one = np.abs(found.smallest_modes[0]).ravel()
    assert one[0] == pytest.approx(np.sqrt(0.5)) and np.abs(one[1:]).max() < 1e-8
    assert not second_variation(Diagonal(values, weights), MPI.COMM_SELF).holds


def test_bad_requests() -> None:
    given = Diagonal(np.ones((1, 1, 3)), np.ones((1, 1, 3)))
    for count in (0, 4):
        with pytest.raises(hd.InputError, match="count is"):
            spectrum(given, count)
    with pytest.raises(hd.InputError, match="'tao_type' is unknown"):
        spectrum(given, options={"tao_type": "nls"})
    hard = Diagonal(np.linspace(0, 1, 500).reshape(1, 1, 500) ** 4, np.ones((1, 1, 500)))
    with pytest.raises(hd.SolverError, match="0 of 1 eigenvalues"):
        spectrum(hard, options={"eps_max_it": 1})
