"""Solver options: what the caller names reaches PETSc, and what PETSc does not know is an error."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.training.reduced_functional import ReducedFunctional
from hydrodl.training.tao_types import TAO_TYPES

# isort: split
from petsc4py import PETSc

TIMES = [0.0, 0.3, 0.5, 1.0]


def problem(scheme: str = "euler-box") -> hd.Problem:
    domain = hd.Domain.box([-1.0, -1.0], [1.0, 1.2], 7)
    means = [[-0.3, 0.2], [0.3, -0.1]]
    rho = hd.mixture([hd.Gaussian(mean, 0.3, label=name) for mean, name in zip(means, "ab", strict=True)], domain)
    return hd.Problem(domain, hd.layers(TIMES), rho, hd.Lagrangian(0.1, smoothness=0.2), hd.Classification(5.0), scheme)


@cache
def directly(scheme: str) -> hd.Solution:
    return hd.train(problem(scheme))


PROBLEM = problem()
BEST = hd.train(PROBLEM, options={"tao_gatol": 1e-11})


@pytest.mark.parametrize("kind", ["bntr", "bnls", "bntl", "ntr", "nls", "ntl"])
def test_newton_types(kind: str) -> None:
    found = hd.train(PROBLEM, options={"tao_type": kind})
    assert found.converged and found.iterations < 12
    assert found.objective == pytest.approx(BEST.objective, rel=1e-11)


@pytest.mark.parametrize("kind", ["bqnls", "bncg"])
def test_first_order_types_need_no_hessian(kind: str) -> None:
    found = hd.train(PROBLEM, options={"tao_type": kind, "tao_gatol": 1e-4})
    assert found.converged and found.hessian_products == 0
    assert found.iterations > 8  # another method indeed
    assert found.objective == pytest.approx(BEST.objective, rel=1e-7)
    assert {step["cg_iterations"] for step in found.history} == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"slab_ksp_type": "gmres", "slab_pc_type": "bjacobi", "slab_ksp_rtol": 1e-13},
        {"slab_ksp_type": "gmres", "slab_pc_type": "ilu", "slab_ksp_rtol": 1e-13},
        {"slab_ksp_type": "bcgs", "slab_pc_type": "jacobi", "slab_ksp_rtol": 1e-13},
        {"metric_ksp_type": "cg", "metric_pc_type": "jacobi", "metric_ksp_rtol": 1e-13},
        {"slab_pc_type": "lu", "slab_pc_factor_mat_ordering_type": "rcm"},
    ],
    ids=str,
)
@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_iterating_gives_the_same_optimum(options: dict[str, Any], scheme: str) -> None:
    expected, found = directly(scheme), hd.train(problem(scheme), options=options)
    assert found.converged
    assert found.objective == pytest.approx(expected.objective, rel=1e-11)
    np.testing.assert_allclose(found.velocity, expected.velocity, atol=1e-6)
    assert found.mass_error < 1e-11


def test_a_loose_slab_solver_is_seen_in_the_mass() -> None:
    """So the options above do reach the slab solvers."""
    options = {"slab_ksp_type": "gmres", "slab_pc_type": "jacobi", "slab_ksp_rtol": 1e-3, "tao_max_it": 2}
    assert hd.train(PROBLEM, options=options).mass_error > 1e-9


def test_a_slab_solver_that_fails_is_named() -> None:
    options = {"slab_ksp_type": "gmres", "slab_pc_type": "none", "slab_ksp_max_it": 1, "slab_ksp_rtol": 1e-13}
    with pytest.raises(hd.SolverError, match="slab operator 0: linear solve failed"):
        hd.train(PROBLEM, options=options)


ITERATING = {"slab_ksp_type": "gmres", "slab_pc_type": "jacobi", "metric_ksp_type": "cg", "metric_pc_type": "jacobi"}


@pytest.mark.parametrize("fixed", [{}, {"slab_ksp_rtol": 1e-12, "metric_ksp_rtol": 1e-12}], ids=["ours", "given"])
def test_inner_iterations_are_loose_and_nothing_else_is(fixed: dict[str, float]) -> None:
    functional = ReducedFunctional(PROBLEM, ITERATING | fixed)
    direct = ReducedFunctional(PROBLEM)
    velocity = 0.5 * np.sin(np.arange(np.prod(direct.shape))).reshape(direct.shape)
    gradients = [one.gradient(velocity) for one in (functional, direct)]
    np.testing.assert_allclose(*gradients, atol=1e-9)
    for one in (functional, direct):
        one.linearise(velocity)
    for name in ("hessian_product", "precondition"):
        exact = getattr(direct, name)(gradients[1])
        with functional.own.inexact(1e-3):
            loose = getattr(functional, name)(gradients[1])
        miss = np.abs(loose - exact).max() / np.abs(exact).max()
        assert miss < 1e-2
        assert (miss < 1e-9) == bool(fixed), name
        np.testing.assert_allclose(getattr(functional, name)(gradients[1]), exact, atol=1e-9 * np.abs(exact).max())
    for one in (functional, direct):
        one.close()


def test_every_optimiser_of_petsc_trains_or_is_refused() -> None:
    every = {value for name, value in vars(PETSc.TAO.Type).items() if not name.startswith("_")}
    assert set(TAO_TYPES) <= every
    for kind in every - set(TAO_TYPES):
        with pytest.raises(hd.InputError, match=f"tao_type is '{kind}', which cannot train; use blmvm, bncg, "):
            hd.train(PROBLEM, options={"tao_type": kind})
    for kind in ("blmvm", "bqnktl", "bqnktr", "cg", "lmvm", "tron"):
        found = hd.train(PROBLEM, options={"tao_type": kind, "tao_gatol": 1e-3})
        assert found.converged and found.objective == pytest.approx(BEST.objective, rel=1e-5), kind


def test_every_inner_solver_keeps_to_the_trust_region_or_is_refused() -> None:
    for kind, inner in (("bntl", "cg"), ("bntl", "gmres"), ("nls", "qcg"), ("ntr", "minres")):
        with pytest.raises(hd.InputError, match=f"is '{inner}', which does not keep to the trust region of {kind}"):
            hd.train(PROBLEM, options={"tao_type": kind, "tao_ksp_type": inner})
    for kind, inner in (("bntl", "nash"), ("nls", "cg"), ("nls", "gmres")):
        found = hd.train(PROBLEM, options={"tao_type": kind, "tao_ksp_type": inner})
        assert found.converged and found.objective == pytest.approx(BEST.objective, rel=1e-11), (kind, inner)


def test_loose_inner_iterations_end_at_the_same_optimum() -> None:
    found = hd.train(PROBLEM, options=ITERATING)
    assert found.converged and found.objective == pytest.approx(BEST.objective, rel=1e-12)
    assert found.iterations <= BEST.iterations + 1


def test_forcing_is_ours_unless_given() -> None:
    loose, tight = hd.train(PROBLEM), hd.train(PROBLEM, options={"tao_ksp_rtol": 1e-10})
    assert tight.hessian_products > loose.hessian_products
    assert tight.objective == pytest.approx(loose.objective, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonsense": 1}, "'nonsense' is unknown"),
        ({"-tao_type": "nls"}, "'-tao_type' is unknown"),
        ({"tao_type": "nonsense"}, "tao_type"),
        ({"tao_max_it": "many"}, "tao_max_it"),
        ({"tao_max_it": 0}, "tao_max_it"),
        ({"tao_gatol": "small"}, "tao_gatol"),
        ({"tao_gatol": -1}, "tao_gatol is -1, must be at least 0"),
        ({"tao_gttol": float("nan")}, "tao_gttol is nan, must be at least 0"),
        ({"slab_pc_type": "nonsense"}, "slab_pc_type"),
        ({"slab_ksp_type": "nonsense"}, "slab_ksp_type"),
        ({"metric_pc_type": "nonsense"}, "metric_pc_type"),
    ],
    ids=str,
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(hd.InputError, match=message) as caught:
        hd.train(PROBLEM, options=options)
    assert "\n" not in str(caught.value)
    assert hd.train(PROBLEM).converged  # nothing stays behind in PETSc's database


@pytest.mark.parametrize("key", ["tao_nonsense", "slab_pc_typ", "metric_kps_type"])
def test_misspelt_options_are_warned_of(key: str) -> None:
    with pytest.warns(RuntimeWarning, match=key):
        hd.train(PROBLEM, options={key: 3})


def test_options_that_petsc_reads_late() -> None:
    options = {"slab_ksp_type": "gmres", "slab_ksp_rtol": 1e-13, "slab_pc_type": "bjacobi"}
    with pytest.raises(hd.InputError, match="sub_pc_type"):
        hd.train(PROBLEM, options=options | {"slab_sub_pc_type": "nonsense"})
    assert hd.train(PROBLEM, options=options | {"slab_sub_pc_type": "lu"}).converged
