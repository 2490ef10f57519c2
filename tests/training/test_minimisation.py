"""Training: options, stopping, starting points, what a Solution holds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import scipy.sparse.linalg as spla
import ufl
from dolfinx import fem
from sklearn.exceptions import ConvergenceWarning

import hydrodl as hd

TIMES = [0.0, 0.3, 0.5, 1.0]


def problem(loss: Any = None, scheme: str = "euler-box", smoothness: float = 0.2, **choices: Any) -> hd.Problem:
    domain = hd.Domain.box([-1.0, -1.0], [1.0, 1.2], 7, **choices)
    means = [[-0.3, 0.2], [0.3, -0.1]]
    rho = hd.mixture([hd.Gaussian(mean, 0.3, label=name) for mean, name in zip(means, "ab", strict=True)], domain)
    lagrangian = hd.Lagrangian(0.1, smoothness=smoothness)
    return hd.Problem(domain, hd.layers(TIMES), rho, lagrangian, loss or hd.Classification(5.0), scheme)


PROBLEM = problem()
BEST = hd.train(PROBLEM, options={"tao_gatol": 1e-11})


def test_default_options_converge() -> None:
    assert BEST.converged and BEST.gradient_norm <= 1e-11
    found = hd.train(PROBLEM)
    assert found.converged and found.reason == "gradient norm below tao_gatol"
    assert found.gradient_norm <= 1e-7
    assert found.objective == pytest.approx(BEST.objective, rel=1e-12)
    assert found.objective < 0.99 * found.history[0]["objective"]
    assert found.iterations < 12 and 0 < found.hessian_products < 150


# Stopping


def test_what_did_not_converge_warns_unless_the_monitor_asked_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(ConvergenceWarning, match="the training did not converge: iteration limit tao_max_it") as told:
        found = hd.train(PROBLEM, options={"tao_max_it": 1}, verbose=1)
    assert not found.converged and told[0].filename == __file__
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("...")]
    assert lines[0] == str(PROBLEM) and lines[0].startswith("3 layers x 49 nodes in d = 2, 2 classes")
    assert [line[:10] for line in lines if line.startswith("newton")] == ["newton   0", "newton   1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert not hd.train(PROBLEM, monitor=lambda entry: True).converged
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["bntr", "bqnls"])
def test_iteration_limit(kind: str) -> None:
    found = hd.train(PROBLEM, options={"tao_type": kind, "tao_max_it": 1})
    assert not found.converged and found.iterations == 1
    assert found.reason == "iteration limit tao_max_it reached"
    assert BEST.objective < found.objective < found.history[0]["objective"]  # the best iterate is kept
    assert np.abs(found.velocity).max() > 0


def test_the_iteration_limit_holds_where_petscs_own_gradient_test_has_passed() -> None:
    """The Euclidean norm is far smaller than ours; PETSc then reports convergence in place of the limit."""
    free = hd.train(PROBLEM, options={"tao_gatol": 0.0, "tao_max_it": 5, "tao_type": "bncg"})
    unreached = 0.9 * min(step["gradient_norm"] for step in free.history[:4])
    found = hd.train(PROBLEM, options={"tao_gatol": unreached, "tao_max_it": 3, "tao_type": "bncg"})
    assert found.iterations == 3 and not found.converged
    assert found.reason == "iteration limit tao_max_it reached"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tao_gatol": 0.0, "tao_grtol": 1e-4}, "gradient norm over |J| below tao_grtol"),
        ({"tao_gatol": 0.0, "tao_gttol": 1e-3}, "gradient norm reduced below tao_gttol"),
    ],
)
def test_relative_tolerances(options: dict[str, float], reason: str) -> None:
    found = hd.train(PROBLEM, options=options)
    assert found.converged and found.reason == reason
    sizes = [step["gradient_norm"] for step in found.history]
    target = 1e-4 * found.objective if "tao_grtol" in options else 1e-3 * found.initial_gradient_norm
    assert sizes[-1] <= target < sizes[-2]


def test_a_loss_that_is_small_beside_the_tolerance_is_warned_of() -> None:
    small = problem(hd.Classification(1e-7))
    with pytest.warns(RuntimeWarning, match="training hardly began; tao_gatol = 0 and tao_gttol = 1e-6 ask"):
        found = hd.train(small)
    assert found.converged and found.gradient_norm > 0.01 * found.initial_gradient_norm
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        best = hd.train(small, options={"tao_gatol": 0.0, "tao_gttol": 1e-6})
        hd.train(small, initial=best.velocity)  # an optimum already
    assert best.converged and best.gradient_norm < 1e-6 * best.initial_gradient_norm


def test_the_monitor_sees_every_step_and_can_stop() -> None:
    seen: list[dict[str, Any]] = []

    def watch(entry: dict[str, Any]) -> bool:
        seen.append(entry)
        return len(seen) == 3

    found = hd.train(PROBLEM, monitor=watch)
    assert not found.converged and found.reason == "stopped by the monitor"
    assert found.iterations == 2 and [entry["iteration"] for entry in seen] == [0, 1, 2]
    np.testing.assert_array_equal(seen[-1]["velocity"], found.velocity)
    assert seen[-1]["objective"] == pytest.approx(found.objective, rel=1e-14)
    assert all(
        {k: v for k, v in e.items() if k not in ("velocity", "controls")} == h
        for e, h in zip(seen, found.history, strict=True)
    )


def test_a_monitor_without_an_answer_changes_nothing() -> None:
    found = hd.train(PROBLEM, monitor=lambda entry: None)
    assert found.converged and found.objective == pytest.approx(BEST.objective, rel=1e-12)


# Starting points


def test_starting_at_the_optimum() -> None:
    found = hd.train(PROBLEM, initial=BEST.velocity)
    assert found.converged and found.iterations == 0 and found.hessian_products == 0
    np.testing.assert_array_equal(found.velocity, BEST.velocity)


def test_starting_elsewhere_gives_the_same_optimum_and_leaves_the_array_alone() -> None:
    start = 0.3 * np.random.default_rng(0).standard_normal(BEST.velocity.shape)
    kept = start.copy()
    assert hd.train(PROBLEM, initial=start).objective == pytest.approx(BEST.objective, rel=1e-11)
    np.testing.assert_array_equal(start, kept)


@pytest.mark.parametrize(
    "change", [lambda u: u[:-1], lambda u: u[:, :1], lambda u: u[..., :-1], lambda u: u.ravel(), lambda u: u + np.nan]
)
def test_bad_starting_points(change: Callable[[np.ndarray], np.ndarray]) -> None:
    with pytest.raises(hd.InputError, match=r"initial velocity has shape .*must be finite and \(3, 2, 49\)"):
        hd.train(PROBLEM, initial=change(BEST.velocity.copy()))


@pytest.mark.filterwarnings("ignore:densities are negative")
def test_kl_of_densities_below_its_floor() -> None:
    """Midpoint densities can turn negative: KL and entropy go on there, convex, and training falls from any start."""
    target = hd.mixture([hd.Gaussian([0.5, -0.5], 0.2, label=c) for c in "ab"], PROBLEM.domain)
    given = problem(hd.Density(1.0, target, "kl", floor=1e-3), "midpoint")
    for start in (np.full(BEST.velocity.shape, 50.0), None):
        found = hd.train(given, initial=start, options={"tao_max_it": 20})
        assert found.objective < found.history[0]["objective"] and np.isfinite(found.velocity).all()


def test_masses_are_judged() -> None:
    """Solves of so much noise lose mass to rounding: that is no solution, whatever the gradient."""
    physics, loss = hd.Lagrangian(noise=1e6), hd.Classification(10.0)
    found = hd.train(replace(PROBLEM, layers=hd.layers(2, 1e6), lagrangian=physics, losses=loss, scheme="euler-box"))
    assert found.mass_error > 1e-6 and not found.converged and found.reason.startswith("masses change by")


def test_an_objective_below_its_least_value_ends_training_with_the_reason() -> None:
    """Without fitted diffusion on a coarse mesh, densities turn negative, and what they pay knows no limit."""
    rough = hd.Lagrangian(noise=1e-3, decay=1e-3, smoothness=0.0, fitted=False)
    loss = hd.Position(50.0, [[3.0, 0.0], [-3.0, 0.0]])
    with pytest.warns(RuntimeWarning, match="densities are negative"):
        found = hd.train(replace(PROBLEM, lagrangian=rough, losses=loss))
    assert not found.converged and found.reason.startswith("objective below 0, its least value for any velocity")
    assert found.objective < 0 and found.iterations < 50


# What a Solution holds


def test_fields() -> None:
    layers, classes, nodes = 3, 2, 49
    assert BEST.velocity.shape == (layers, 2, nodes)
    assert BEST.density.shape == BEST.potential.shape == (layers + 1, classes, nodes)
    np.testing.assert_array_equal(BEST.density[0], PROBLEM.densities.values)
    assert BEST.problem is PROBLEM
    assert sum(BEST.parts.values()) == pytest.approx(BEST.objective, rel=1e-14)
    assert set(BEST.parts) == {"running", "classification"} and min(BEST.parts.values()) > 0
    assert BEST.min_density == pytest.approx(BEST.density.min())
    with pytest.raises(FrozenInstanceError):
        BEST.objective = 0.0  # type: ignore[misc]


def test_fields_outlive_the_solver() -> None:
    functional = hd.ReducedFunctional(PROBLEM)
    functional.gradient(BEST.velocity)
    np.testing.assert_allclose(BEST.density, functional.sweeps.density, atol=1e-14)
    np.testing.assert_allclose(BEST.potential, functional.sweeps.layer_potentials()[0], atol=1e-12)


def test_potential_at_the_end_is_minus_the_cross_entropy() -> None:
    assert PROBLEM.readout is not None
    expected = -5.0 * PROBLEM.readout.cross_entropy(PROBLEM.domain.coordinates).T
    np.testing.assert_allclose(BEST.potential[-1], expected, atol=1e-12)


def test_history_and_counts() -> None:
    assert [step["iteration"] for step in BEST.history] == list(range(BEST.iterations + 1))
    assert set(BEST.history[0]) == {"iteration", "objective", "gradient_norm", "cg_iterations", "seconds"}
    objectives = [step["objective"] for step in BEST.history]
    assert all(b <= a + 1e-13 for a, b in pairwise(objectives))
    assert BEST.history[0]["gradient_norm"] == BEST.initial_gradient_norm
    assert BEST.history[-1]["gradient_norm"] == pytest.approx(BEST.gradient_norm, rel=1e-6)
    products = sum(step["cg_iterations"] for step in BEST.history)
    assert products <= BEST.hessian_products <= products + 2 * BEST.iterations


def test_newton_converges_superlinearly() -> None:
    sizes = [step["gradient_norm"] for step in BEST.history]
    assert sizes[-1] < 1e-2 * sizes[-2] < 1e-3 * sizes[-3]


def test_timings() -> None:
    began = perf_counter()
    found = hd.train(PROBLEM)
    wall = perf_counter() - began
    assert set(found.timings) == {"assembly", "sweeps", "optimiser"}
    assert min(found.timings.values()) > 0
    assert 0.3 * wall < sum(found.timings.values()) < wall


def test_words() -> None:
    text = str(BEST)
    assert text.startswith("converged (gradient norm below tao_gatol): J = ") and "\n" not in text
    assert str(hd.train(PROBLEM, options={"tao_max_it": 1})).startswith("NOT CONVERGED (iteration limit tao_max_it")
    assert len(repr(BEST)) < 1000  # never pages of array


@pytest.mark.parametrize("smoothness", [0.0, 0.2])
@pytest.mark.parametrize("choices", [{}, {"cells": "simplex"}], ids=str)
def test_gradient_norm_is_that_of_the_control_inner_product(smoothness: float, choices: dict[str, Any]) -> None:
    """(g, P^-1 g)^(1/2), P_k = Delta_k ((w R_k + eps) mass + alpha^2 stiffness), with forms assembled here.

    Where R is negative, as it is here on simplices, its positive part counts: P must stay positive definite.
    """
    given = problem(smoothness=smoothness, **choices)
    found = hd.train(given, monitor=lambda entry: entry["iteration"] == 1)
    functional = hd.ReducedFunctional(given)
    gradient = functional.gradient(found.velocity)
    V, dx = given.domain.V, given.domain.dx
    v, w, R = ufl.TestFunction(V), ufl.TrialFunction(V), fem.Function(V)
    form = fem.form(((R + given.lagrangian.decay) * w * v + smoothness**2 * ufl.inner(ufl.grad(w), ufl.grad(v))) * dx)
    total = 0.0
    for g, after, step in zip(gradient, found.density[1:], given.layers.steps, strict=True):
        R.x.array[:] = np.maximum(after.sum(axis=0), 1e-12 / given.domain.volume)
        P = fem.assemble_matrix(form).to_scipy().tocsc() * step
        total += float((g.T * spla.spsolve(P, g.T)).sum())
    assert found.gradient_norm == pytest.approx(np.sqrt(total), rel=1e-10)
    assert found.gradient_norm > 1e-3


def test_a_runaway_never_counts_as_converged() -> None:
    """Midpoint, no decay, densities far below zero: the inner product must not call a huge gradient zero."""
    line = hd.Domain.interval(-4.0, 4.0, 97)
    start = hd.mixture([hd.Gaussian(-0.5, std=0.5**0.5)], line)
    given = hd.Problem(
        line, hd.layers(8), start, hd.Lagrangian(0.4, decay=0.0, smoothness=0.0), hd.Position(1.0, [[0.5]]), "midpoint"
    )
    with pytest.warns(RuntimeWarning, match="densities are negative"):
        found = hd.train(given)
    assert "least value for any velocity" in found.reason and found.iterations < 50
    assert found.min_density < -1e-4
    assert not found.converged and found.gradient_norm > 1.0


def test_several_losses_are_reported_one_by_one() -> None:
    target = hd.mixture([hd.Gaussian([0.0, 0.0], 0.4, label=c) for c in "ab"], PROBLEM.domain)
    losses = [
        hd.Density(1.0, target, layer=1, divergence="l2"),
        hd.Density(1.0, target, "kl"),
        hd.Position(1.0, [[1, 0], [0, 1]]),
    ]
    found = hd.train(problem(losses))
    assert found.converged
    assert list(found.parts) == ["running", "density", "density 2", "position"]
    assert sum(found.parts.values()) == pytest.approx(found.objective, rel=1e-14)


def test_more_weight_means_less_loss_and_more_motion() -> None:
    runs = [
        hd.train(replace(PROBLEM, losses=hd.Classification(weight, PROBLEM.readout))) for weight in (1.0, 5.0, 25.0)
    ]
    losses = [run.parts["classification"] / weight for run, weight in zip(runs, (1.0, 5.0, 25.0), strict=True)]
    costs = [run.parts["running"] for run in runs]
    assert losses[0] > losses[1] > losses[2] and costs[0] < costs[1] < costs[2]


def test_one_class_cannot_be_classified() -> None:
    start = hd.mixture([hd.Gaussian([0.0, 0.0], 0.5)], PROBLEM.domain)
    with pytest.raises(hd.InputError, match="classification needs at least 2 classes, there is 1"):
        replace(PROBLEM, densities=start, losses=hd.Classification(1.0))
