"""Plain descent: what a step does, and numbers that are refused."""

from __future__ import annotations

import numpy as np
import pytest

import hydrodl as hd


@pytest.fixture(scope="module")
def problem() -> hd.Problem:
    domain = hd.Domain.interval(-2.0, 2.0, 11)
    rho = hd.mixture([hd.Gaussian(m, 0.5, label=m) for m in (-0.5, 0.4)], domain)
    return hd.Problem(domain, hd.layers(3), rho, hd.Lagrangian(0.2, 0.1, 0.1), hd.Classification(3.0), "strang")


def test_descent_finds_the_minimum_of_newtons_method(problem: hd.Problem) -> None:
    solution = hd.train(problem)
    with hd.Neighbourhood(solution) as near:
        limit = hd.analysis.step_limit(near)
        descent = hd.descend(problem, limit.best, steps=200)
        assert descent.converged and descent.gradient_norm[-1] <= 1e-7
        assert near.length(near.step_to(descent.controls)) < 1e-6
    assert descent.objective[-1] == pytest.approx(solution.objective, rel=1e-12)
    assert (np.diff(descent.objective) < 1e-12).all() and len(descent.objective) == len(descent.gradient_norm)
    rates = np.array(descent.gradient_norm[-6:-1]) / np.array(descent.gradient_norm[-7:-2])
    assert rates.max() < limit.contraction(limit.best) + 0.01


def test_a_long_step_runs_away_and_says_so(problem: hd.Problem) -> None:
    descent = hd.descend(problem, 1e14, steps=60)
    assert not descent.converged and descent.reason.startswith("runs away")
    assert np.isfinite(descent.controls.velocity).all()
    assert hd.descend(problem, 0.1, steps=2).reason == "limit of 2 steps reached"


def test_numbers_out_of_range_are_refused(problem: hd.Problem) -> None:
    for wrong, named in (({"step": 0.0}, "step"), ({"step": 1.0, "steps": 0}, "steps")):
        with pytest.raises(hd.InputError, match=f"^{named} is 0"):
            hd.descend(problem, **wrong)  # type: ignore[arg-type]


def test_the_inner_solver_that_damages_memory_is_refused(problem: hd.Problem) -> None:
    for key in ("tao_ksp_type", "tao_ntl_ksp_type"):
        with pytest.raises(hd.InputError, match=f"solver option {key} is 'gltr', .* use nash or stcg"):
            hd.train(problem, options={key: "gltr"})
