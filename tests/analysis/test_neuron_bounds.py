"""Bounds of networks of neurons are those of the neurons, not of their values at the nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.output_error import through_neurons
from hydrodl.analysis.stability.layer_gradients import lipschitz
from hydrodl.analysis.stability.neuron_bounds import NeuronLayers
from hydrodl.analysis.stability.training_bounds import depth_convergence, layer_invertibility
from hydrodl.physics.neurons import HiddenLayers, neuron_gradients


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("d", [1, 2])
def test_the_bound_is_above_what_is_found_and_near_it(d: int, activation: str) -> None:
    rng = np.random.default_rng(d)
    domain = hd.Domain.box([-1.0] * d, [1.2] * d, 5)
    for width in (1, 4, 40):
        hidden = hd.Neurons(width, activation=activation, scale=3.0, seed=width).draw(domain, 2)
        layers = NeuronLayers(hidden, rng.standard_normal((2, d, width)), np.array(domain.bounds))
        points = rng.uniform(*domain.bounds, (20000, d))
        for k, bound in enumerate(layers.lipschitz()):
            found = np.linalg.norm(neuron_gradients(hidden, layers.outputs[k], k, points), ord=2, axis=(1, 2)).max()
            assert found <= bound <= 1.05 * found, (width, k)


def test_cut_into_thinner_layers_the_same_neurons_end_within_the_bound() -> None:
    rng = np.random.default_rng(5)
    for d, activation in ((1, "tanh"), (1, "relu"), (2, "tanh"), (2, "relu")):
        domain = hd.Domain.box([-3.0] * d, [3.0] * d, 5)
        rho = hd.mixture([hd.Gaussian([m] * d, 0.4, label=m) for m in (-0.5, 0.5)], domain)
        control = hd.Neurons(12, activation=activation, scale=1.0, hidden_weights="fixed")
        problem = hd.Problem(domain, hd.layers(3), rho, hd.Lagrangian(0.2), hd.Classification(), "euler-box", control)
        solution = hd.train(problem, monitor=lambda entry: True)  # stopped at the first step: any network will do
        solution = replace(solution, coefficients=0.4 * rng.standard_normal((3, d, 12)) / np.sqrt(12))
        neurons = NeuronLayers.of(solution)
        assert neurons is not None
        points = rng.uniform(-1, 1, (100, d))
        bends = neurons.accelerations()
        for k, bend in enumerate(bends):
            u = neurons.hidden.values(k, points) @ neurons.outputs[k].T
            gradients = neuron_gradients(neurons.hidden, neurons.outputs[k], k, points)
            assert np.linalg.norm(np.einsum("nij,nj->ni", gradients, u), axis=1).max() <= bend
        ends = [through_neurons(solution, parts, points) for parts in (1, 256)]
        apart = np.linalg.norm(ends[0] - ends[1], axis=1).max()
        values = [depth_convergence(solution.flow, 0.1, by_layer=b, neurons=neurons).value for b in (True, False)]
        assert 0 < apart <= values[0] <= values[1] < 100 * apart, (d, activation, apart, values)
        bound = depth_convergence(solution.flow, 0.01, by_layer=True, neurons=neurons)
        times = -(-(bound.needs_layers or 0) // 3)
        finer = through_neurons(solution, times, points) - ends[1]
        assert np.linalg.norm(finer, axis=1).max() <= 0.01


def test_the_error_of_the_output_is_that_of_the_neurons() -> None:
    """An output linear in x in each layer, as one wide neuron's is: the limit is a product of exponentials."""
    domain = hd.Domain.interval(-2.0, 2.0, 33)
    rho = hd.mixture([hd.Gaussian(m, 0.3, label=m) for m in (-0.5, 0.5)], domain)
    control = hd.Neurons(1, activation="relu")
    problem = hd.Problem(domain, hd.layers(4), rho, hd.Lagrangian(0.2), hd.Classification(), "euler-box", control)
    solution = hd.train(problem, monitor=lambda entry: True)
    hidden = HiddenLayers(np.ones((4, 1, 1)), np.full((4, 1), 5.0), "relu")  # x + 5 on the whole interval
    solution = replace(solution, hidden=hidden, coefficients=np.full((4, 1, 1), -0.2))
    found = hd.output_error(solution)
    inside = np.abs(found.points[:, 0]) < 0.5
    exact = -5 + (found.points[inside, 0] + 5) * np.exp(-0.2)
    layered = -5 + (found.points[inside, 0] + 5) * (1 - 0.2 / 4) ** 4
    np.testing.assert_allclose(found.displacements[inside, 0], exact - layered, rtol=0.05)


def test_many_boxes_end_in_a_bound_all_the_same() -> None:
    rng, domain = np.random.default_rng(0), hd.Domain.box([-1.0] * 3, [1.2] * 3, 5)
    hidden = hd.Neurons(48, scale=4.0, seed=1).draw(domain, 1)
    layers = NeuronLayers(hidden, rng.standard_normal((1, 3, 48)) / 48, np.array(domain.bounds))
    points = rng.uniform(*domain.bounds, (5000, 3))
    found = np.linalg.norm(neuron_gradients(hidden, layers.outputs[0], 0, points), ord=2, axis=(1, 2)).max()
    sum_of_norms = (np.linalg.norm(layers.outputs[0], axis=0) * np.linalg.norm(hidden.weights[0], axis=1)).sum()
    assert found <= layers.lipschitz()[0] < 0.3 * sum_of_norms


def test_one_neuron_is_its_own_bound() -> None:
    hidden = HiddenLayers(np.array([[[3.0, 4.0]]]), np.array([[0.5]]), "relu")
    layers = NeuronLayers(hidden, np.array([[[2.0], [0.0]]]), np.array([[-1.0, -1.0], [1.0, 1.0]]))
    assert layers.lipschitz()[0] == pytest.approx(10.0, rel=1e-9)  # |a| |w|


def test_a_network_that_folds_is_not_said_to_be_invertible() -> None:
    """Few nodes see little of steep neurons: their interpolant is one to one, the network is not."""
    domain = hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 9)
    rho = hd.mixture([hd.Gaussian([m, 0.3 * m], 0.4, label=m) for m in (-0.6, 0.6)], domain)
    physics, control = hd.Lagrangian(0.05), hd.Neurons(128, activation="relu", scale=4.0)
    problem = hd.Problem(domain, hd.layers(2), rho, physics, hd.Classification(30.0), "euler-box", control)
    solution = hd.train(problem)
    neurons, flow = NeuronLayers.of(solution), solution.flow
    assert neurons is not None
    step, corners = flow.layers.steps[0], neurons.bounds
    points = np.random.default_rng(0).uniform(*corners, (20000, 2))
    least = min(
        float(np.linalg.det(np.eye(2) + step * neuron_gradients(neurons.hidden, neurons.outputs[k], k, points)).min())
        for k in range(2)
    )
    assert least < 0  # a point where the map folds
    advice = {bound.name: bound for bound in hd.analysis.recommend(solution).bounds}
    assert not advice["layer invertibility"].holds and not advice["depth convergence"].holds
    assert advice["layer invertibility"].value > (flow.layers.steps * lipschitz(flow)).max()
    assert layer_invertibility(flow, neurons.lipschitz()).value == advice["layer invertibility"].value
    assert NeuronLayers.of(replace(solution, problem=replace(problem, control=None))) is None
