"""Multigrid on the nodes of a box, against dense matrices made of products of one-dimensional ones."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.common.errors import SolverError
from hydrodl.linear_algebra.grid_operators import GridOperators

BOXES = [
    ((9,), (4.0,)),
    ((8, 7), (4.0, 5.0)),
    ((6, 15), (4.0, 3.0)),
    ((2, 5), (1.0, 1.0)),
    ((5, 6, 7), (4.0, 5.0, 3.0)),
]


def dense(shape: tuple[int, ...], spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lumped mass, (nodes,), and the stiffness with the vertex rule."""
    mass, stiffness = [], []
    for n, h in zip(shape, spacing, strict=True):
        edges = np.diff(np.eye(n), axis=0)
        stiffness.append(edges.T @ edges / h)
        mass.append(np.diag(np.r_[h / 2, np.full(n - 2, h), h / 2]))
    parts = [
        reduce(np.kron, [stiffness[b] if b == a else mass[b] for b in range(len(shape))]) for a in range(len(shape))
    ]
    return np.diag(reduce(np.kron, mass)), np.sum(parts, axis=0)


@pytest.mark.parametrize(("shape", "extent"), BOXES)
@pytest.mark.parametrize("least", [2e-2, 1e-9])
def test_products_cycles_and_solves(shape: tuple[int, ...], extent: tuple[float, ...], least: float) -> None:
    """Two operators with data in a few places: the product is dense algebra's, a cycle is symmetric and within a factor
    of three of the inverse, a solve is the inverse."""
    spacing = np.array(extent) / (np.array(shape) - 1)
    mass, stiffness = dense(shape, spacing)
    rng = np.random.default_rng(0)
    shares = mass * (least + rng.random((2, len(mass))) ** 8)
    operators = GridOperators(shape, spacing, 0.3, 2)
    operators.set(shares)
    units = np.tile(np.eye(len(mass)), (2, 1, 1))
    inverse, products, solved = operators.cycle(units), operators.product(units), operators.solve(units, 1e-12)
    for share, near, product, found in zip(shares, inverse, products, solved, strict=True):
        exact = np.diag(share) + 0.3 * stiffness
        np.testing.assert_allclose(product, exact, atol=1e-13)
        np.testing.assert_allclose(near, near.T, atol=1e-13 * np.abs(near).max())
        values = np.linalg.eigvals(near @ exact).real
        assert values.min() > (1 - 1e-9 if len(shape) == 1 else 1 / 3) and values.max() < 1 + 1e-7
        np.testing.assert_allclose(found @ exact, np.eye(len(mass)), atol=1e-7 if least < 1e-6 else 1e-10)


def test_what_is_no_number_does_not_pass() -> None:
    operators = GridOperators((5, 5), np.ones(2), 1.0, 1)
    operators.set(np.ones((1, 25)))
    with pytest.raises(SolverError, match="not solved"):
        operators.solve(np.full((1, 1, 25), np.nan), 1e-12)


@pytest.mark.parametrize("scheme", ["euler-box", "strang"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_it_is_the_inner_product_of_the_forms(d: int, scheme: str) -> None:
    """What PETSc factors from UFL forms, when asked to, is what multigrid stands for."""
    domain = hd.Domain.box([-1.0] * d, [1.0, 1.3, 0.8][:d], [6, 5, 4][:d])
    rho = hd.mixture([hd.Gaussian([-0.3] * d, 0.5, label=0), hd.Gaussian([0.4] * d, 0.6, label=1)], domain)
    physics = hd.Lagrangian(0.3, 0.01, 0.2, 0.7)
    problem = hd.Problem(domain, hd.layers([0.0, 0.3, 1.0]), rho, physics, hd.Classification(2.0), scheme)
    ours = hd.ReducedFunctional(problem)
    theirs = hd.ReducedFunctional(problem, {"metric_ksp_type": "preonly", "metric_pc_type": "cholesky"})
    u, v = np.random.default_rng(1).standard_normal((2, *ours.shape))
    np.testing.assert_allclose(ours.gradient(u), theirs.gradient(u), atol=1e-14)
    np.testing.assert_allclose(ours.metric_product(v), theirs.metric_product(v), atol=1e-13)
    exact = theirs.precondition(v)
    np.testing.assert_allclose(ours.precondition(v), exact, atol=1e-11 * np.abs(exact).max())
    assert ours.norm(v) == pytest.approx(theirs.norm(v), rel=1e-2)


def test_newton_takes_the_steps_it_takes_with_factors() -> None:
    """One cycle in the place of the inverse costs no Newton step and at most a tenth of the products."""
    samples = hd.load_dataset("two_moons", n=100, seed=0)
    domain = hd.Domain.around(samples, nodes=31)
    rho = hd.densities(samples, domain, bandwidth=0.3)
    physics = hd.Lagrangian(0.05, 1e-3, 0.1)
    problem = hd.Problem(domain, hd.layers(6), rho, physics, hd.Classification(5.0), "strang")
    ours, theirs = hd.train(problem), hd.train(problem, options={"metric_pc_type": "cholesky"})
    assert ours.objective == pytest.approx(theirs.objective, abs=1e-11)
    assert ours.iterations <= theirs.iterations + 1
    assert ours.hessian_products <= 1.1 * theirs.hessian_products + 2


def test_a_rank_may_have_no_slab() -> None:
    """Where there are fewer slabs than ranks."""
    none = GridOperators((5, 5), np.ones(2), 1.0, 0)
    assert none.solve(np.empty((0, 2, 25)), 1e-5).shape == (0, 2, 25)
