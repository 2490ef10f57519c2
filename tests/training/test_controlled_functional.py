"""Neurons and trained readouts: exact derivatives, the optimum they reach, what a wrong one says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime

import hydrodl as hd
from hydrodl.physics.neurons import Neurons
from hydrodl.problem.solution import Controls
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.derivative_tests import hessian_symmetry, taylor_orders
from hydrodl.training.trained_readout import TrainedReadout

TIMES = [0.0, 0.15, 0.5, 0.8]


def problem(
    scheme: str = "euler-box",
    *,
    trained: bool = True,
    control: Neurons | None = None,
    layer: int | None = None,
    kl: bool = True,
    d: int = 2,
    **choices: Any,
) -> hd.Problem:
    domain = hd.Domain.box([-1.0] * d, np.linspace(1.2, 1.5, d), {1: 12, 2: 6, 3: 3}[d], **choices)

    def classes(shift: float) -> hd.Densities:
        means = np.array([[-0.4], [0.1], [0.6]]) * np.linspace(1, -0.5, d) + shift
        return hd.mixture([hd.Gaussian(m, 0.6 + 0.1 * c, label=c) for c, m in enumerate(means)], domain)

    losses: list[Any] = [hd.Classification(3.0, layer=layer, trained=trained)]
    losses += [hd.Density(1.0, classes(-0.2), "kl")] if kl else []
    physics = hd.Lagrangian(0.15, smoothness=0.3)
    return hd.Problem(domain, hd.layers(TIMES), classes(0.1), physics, losses, scheme, control)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "layer"), [(1, None), (2, 2), (3, None)])
@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
@pytest.mark.parametrize("control", [None, Neurons(7, seed=1), Neurons(40, "relu")], ids=["field", "tanh", "relu"])
def test_derivatives(d: int, scheme: str, control: Neurons | None, layer: int | None) -> None:
    functional = ControlledFunctional(hd.ReducedFunctional(problem(scheme, control=control, layer=layer, d=d)))
    scale = 0.3 if control is None else 0.3 / np.sqrt(control.width)
    u, v, w = scale * np.random.default_rng(1).standard_normal((3, *functional.shape))
    orders = taylor_orders(functional, u, v)
    assert orders.gradient_remainders[0] > 1e-10 and orders.hessian_remainders[0] > 1e-10  # above rounding
    np.testing.assert_allclose(orders.gradient[-2:], 2.0, atol=0.1)
    np.testing.assert_allclose(orders.hessian[-2:], 2.0, atol=0.1)
    assert hessian_symmetry(functional, u, v, w) < 1e-12


@pytest.mark.parametrize(("d", "scheme", "layer"), [(1, "strang", None), (2, "euler-box", 2), (3, "strang", None)])
def test_derivatives_of_neurons_trained_whole(d: int, scheme: str, layer: int | None) -> None:
    """Gradient and Hessian with second derivatives of sigma, beside a trained readout; the inner product is D^T P D."""
    control = Neurons(4, seed=1, decay=1e-3, hidden_weights="trained")
    functional = ControlledFunctional(
        hd.ReducedFunctional(problem(scheme, control=control, layer=layer, d=d, kl=False))
    )
    u, v, w = 0.3 * np.random.default_rng(1).standard_normal((3, *functional.shape))
    u += functional.flat(None)
    orders = taylor_orders(functional, u, v)
    assert orders.gradient_remainders[0] > 1e-10 and orders.hessian_remainders[0] > 1e-10  # above rounding
    np.testing.assert_allclose(orders.gradient[-2:], 2.0, atol=0.1)
    np.testing.assert_allclose(orders.hessian[-2:], 2.0, atol=0.1)
    assert hessian_symmetry(functional, u, v, w) < 1e-12
    product, space = functional.metric_product(v), functional.space
    np.testing.assert_allclose(functional.precondition(product), v, atol=1e-8)
    own, e = slice(0, space.size), 1e-6
    pushed = (space.velocity(u[own] + e * v[own]) - space.velocity(u[own] - e * v[own])) / (2 * e)
    expected = (functional.reduced.metric_product(pushed) * pushed).sum() + v[own] @ space.penalty_product(v[own])
    assert product[own] @ v[own] == pytest.approx(expected, rel=1e-8)


def test_neurons_trained_whole_are_worth_many_fixed_ones() -> None:
    """They come nearer to the best field than twice as many fixed ones, and stay where they were found."""
    given = problem("strang", trained=False, kl=False)
    controls = None, Neurons(6), Neurons(3), Neurons(3, hidden_weights="trained")
    best, twice, fixed, few = (hd.train(replace(given, control=control)) for control in controls)
    gaps = [found.objective - best.objective for found in (few, twice, fixed)]
    assert few.converged and 0 < gaps[0] < gaps[1] and gaps[0] < 0.2 * gaps[2], gaps
    assert few.hidden is not None and fixed.hidden is None and few.problem.control is not None
    drawn = few.problem.control.draw(few.problem.domain, 3)
    assert np.abs(few.hidden.weights - drawn.weights).max() > 0.1
    nodes = few.problem.domain.coordinates
    assert few.coefficients is not None
    for k in range(3):  # the nodal velocity is that of the neurons that were found
        np.testing.assert_allclose(few.velocity[k].T, few.hidden.values(k, nodes) @ few.coefficients[k].T, atol=1e-13)
    again = hd.train(few.problem, initial=few.controls)
    assert again.iterations == 0 and again.objective == pytest.approx(few.objective, rel=1e-13)
    assert few.problem.unknowns == 3 * (2 * 3 * len(nodes) + 3 * 5)


@pytest.mark.parametrize("lumped", [True, False])
def test_readout_block_against_differences(lumped: bool) -> None:
    given = problem(lumped=lumped, kl=False)
    functional = hd.ReducedFunctional(given)
    velocity = 0.2 * np.random.default_rng(0).standard_normal(functional.shape)
    loss = given.terms[0]
    assert isinstance(loss, hd.Classification) and loss.readout is not None
    head = TrainedReadout(loss, 3, given.domain, functional.sweeps.mass)
    p = head.flat(loss.readout) + 0.1 * np.random.default_rng(2).standard_normal(head.size)

    def value(at: np.ndarray) -> float:
        functional.own.set_loss(0, replace(loss, readout=head.readout(at)))
        return functional.evaluate(velocity)

    value(p)
    density = functional.sweeps.density[3]
    np.testing.assert_allclose(head.gradient(p, density), approx_fprime(p, value, 1e-7), atol=2e-6)
    differences = [(head.gradient(p + e, density) - head.gradient(p - e, density)) / 2e-5 for e in 1e-5 * np.eye(9)]
    np.testing.assert_allclose(head.hessian(p, density), differences, atol=1e-8)
    assert np.linalg.eigvalsh(head.hessian(p, density))[0] > 0


@pytest.mark.parametrize("control", [None, Neurons(20)], ids=["field", "neurons"])
def test_training_the_readout_pays(control: Neurons | None) -> None:
    fixed, trained = (hd.train(problem(trained=t, control=control, kl=False)) for t in (False, True))
    assert fixed.converged and trained.converged
    penalty = trained.problem.terms[0].penalty
    assert penalty > 0
    assert trained.objective < fixed.objective
    assert trained.readout is not None and fixed.readout is not None
    assert np.abs(trained.readout.weights - fixed.readout.weights).max() > 0.1
    # the readout is itself optimal for the densities that the flow ends with
    head = TrainedReadout(trained.problem.terms[0], 3, trained.problem.domain, _mass(trained.problem))  # type: ignore[arg-type]
    slope = head.gradient(head.flat(trained.readout), trained.density[-1])
    assert np.abs(slope).max() < 1e-6
    start = head.gradient(head.flat(fixed.readout), trained.density[-1])
    assert np.abs(start).max() > 1e-2


def _mass(given: hd.Problem) -> Any:
    return hd.ReducedFunctional(given).sweeps.mass


def test_the_solved_problem_holds_the_readout_that_was_found() -> None:
    found = hd.train(problem(kl=False))
    assert found.readout is found.problem.readout
    again = hd.ReducedFunctional(found.problem).evaluate(found.velocity)
    assert again == pytest.approx(found.objective, rel=1e-13)
    assert sum(found.parts.values()) == pytest.approx(found.objective, rel=1e-13)
    network = hd.Network(found)
    np.testing.assert_array_equal(network.readout.weights, found.readout.weights)  # type: ignore[union-attr]


def test_continuing_from_the_optimum_costs_nothing() -> None:
    given = problem(control=Neurons(12))
    seen: list[Controls] = []
    found = hd.train(given, monitor=lambda step: seen.append(step["controls"]))
    np.testing.assert_array_equal(seen[-1].coefficients, found.coefficients)
    again = hd.train(given, initial=Controls(found.velocity, found.coefficients, found.readout))
    assert found.iterations > 2 and again.iterations == 0
    assert again.objective == pytest.approx(found.objective, rel=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_neurons_approach_the_field_as_the_width_grows(activation: str) -> None:
    """The optimum over the span of neurons is never below that over all fields, and comes near it."""
    given = problem(trained=False, kl=False)
    best = hd.train(given).objective
    tops = [hd.train(replace(given, control=Neurons(j, activation))) for j in (2, 8, 32, 128)]
    gaps = [found.objective - best for found in tops]
    assert all(found.converged for found in tops) and min(gaps) > -1e-9 * best
    assert all(later < 0.7 * earlier for earlier, later in pairwise(gaps))
    assert gaps[-1] < 0.02 * gaps[0]


def test_the_network_evaluates_the_neurons_themselves() -> None:
    found = hd.train(problem(control=Neurons(30), kl=False))
    assert found.coefficients is not None and found.coefficients.shape == (3, 2, 30)
    neurons, domain = found.problem.control, found.problem.domain
    assert neurons is not None
    hidden = neurons.draw(domain, 3)
    network = hd.Network(found)
    nodes = domain.coordinates
    for k in range(3):
        exact = np.tanh(nodes @ hidden.weights[k].T + hidden.offsets[k]) @ found.coefficients[k].T
        np.testing.assert_allclose(found.velocity[k].T, exact, atol=1e-14)  # at the nodes both agree
        x = np.array([[0.033, -0.041]])
        exact = np.tanh(x @ hidden.weights[k].T + hidden.offsets[k]) @ found.coefficients[k].T
        np.testing.assert_allclose(network.velocity(k, x), exact, atol=1e-14)
    path = network.push(np.array([[0.033, -0.041]]))
    assert np.abs(path[1] - path[0] - 0.15 * network.velocity(0, path[0])).max() < 1e-15


def test_neurons_cross_the_box_and_repeat_with_their_seed() -> None:
    domain = hd.Domain.box([-1.0, 0.0], [2.0, 0.5], 5)
    hidden = Neurons(50, seed=3).draw(domain, 2)
    corners = np.array([[x, y] for x in (-1.0, 2.0) for y in (0.0, 0.5)])
    signs = np.sign(corners @ hidden.weights[0].T + hidden.offsets[0])
    assert (np.abs(signs.sum(axis=0)) < 4).all()  # each changes its sign inside
    np.testing.assert_array_equal(Neurons(50, seed=3).draw(domain, 2).weights, hidden.weights)
    assert np.abs(Neurons(50, seed=4).draw(domain, 2).weights - hidden.weights).max() > 0.1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Neurons(0), r"width is 0, must be a whole number of at least 1"),
        (lambda: Neurons(2.5), r"width is 2.5"),  # type: ignore[arg-type]
        (lambda: Neurons(5, "sigmoid"), r"activation is 'sigmoid', must be 'tanh' or 'relu'"),
        (lambda: Neurons(5, scale=0.0), r"neuron scale is 0.0, must be a positive number"),
        (lambda: Neurons(5, decay=-1.0), r"neuron decay is -1.0, must be a positive number"),
        (lambda: Neurons(5, seed=-1), r"neuron seed is -1"),
        (lambda: Neurons(5, hidden_weights="all"), r"hidden weights is 'all', must be 'fixed' or 'trained'"),
        (
            lambda: Neurons(5, "relu", hidden_weights="trained"),
            r"second derivatives, which 'relu' has not; take 'tanh'",
        ),
        (lambda: hd.Classification(1.0, trained=True, decay=0.0), r"readout decay is 0.0, must be a positive number"),
        (lambda: problem(control=16), r"control is 16, must be None or Neurons\(width=...\)"),  # type: ignore[arg-type]
        (
            lambda: replace(problem(), losses=[hd.Classification(1.0, trained=True)] * 2),
            r"more than one classification loss has a trained readout",
        ),
        (
            lambda: hd.train(problem(control=Neurons(4)), initial=np.zeros((3, 2, 36))),
            r"initial coefficients has nothing, must be finite and \(3, 2, 4\)",
        ),
        (
            lambda: hd.train(
                problem(control=Neurons(4)), initial=Controls(np.zeros((3, 2, 36)), np.full((3, 2, 4), np.nan))
            ),
            r"initial coefficients has shape \(3, 2, 4\), must be finite",
        ),
    ],
)
def test_bad_input(make: Any, words: str) -> None:
    with pytest.raises(hd.InputError, match=words):
        make()
