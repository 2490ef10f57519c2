"""Tangent solutions of neurons: their equations are the Hessian's, their law that of the layers and no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.analysis.structure.neuron_tangents import NeuronTangents, neuron_multisymplecticity
from hydrodl.training.controlled_functional import ControlledFunctional

DOMAIN = hd.Domain.box([-2, -2], [2, 2], 13)


def problem(control: hd.Neurons | None) -> hd.Problem:
    rho = hd.mixture([hd.Gaussian([m, 0.3 * m], 0.5, label=m) for m in (-0.6, 0.6)], DOMAIN)
    physics = hd.Lagrangian(0.2, smoothness=0.3, energy=hd.Power(0.1))
    return hd.Problem(DOMAIN, hd.layers(3), rho, physics, hd.Classification(5.0), control=control)


@pytest.mark.slow
@pytest.mark.parametrize(
    "control", [hd.Neurons(6, "relu"), hd.Neurons(3, hidden_weights="trained")], ids=["relu", "whole"]
)
def test_the_two_form_is_the_same_at_every_layer_and_patches_have_no_law(control: hd.Neurons) -> None:
    solution = hd.train(problem(control))
    found = neuron_multisymplecticity(solution, patches=3)
    assert found.two_form_drift < 1e-12
    assert found.residual > 1e-4  # the nodal flow, whose velocity may change at every node, obeys one
    assert hd.analysis.multisymplecticity(solution.flow, patches=3).residual < 1e-12
    with pytest.raises(hd.InputError, match="layer-map scheme"):
        flow = replace(solution.flow, scheme=replace(problem(None), scheme="euler-box").method)
        neuron_multisymplecticity(replace(solution, flow=flow))


def test_their_equations_are_those_of_the_second_derivative_of_j() -> None:
    control = hd.Neurons(2, decay=1e-3, hidden_weights="trained")
    solution = hd.train(problem(control), options={"tao_max_it": 3, "tao_gatol": 1e-12})
    tangents = NeuronTangents(solution)
    functional = ControlledFunctional(hd.ReducedFunctional(solution.problem))
    functional.linearise(functional.flat(solution.controls))
    none = np.zeros((2, DOMAIN.owned))
    for x in np.random.default_rng(0).standard_normal((2, *functional.shape)):
        np.testing.assert_allclose(tangents.equation(x, none, none)[0], functional.hessian_product(x), atol=1e-12)


def test_a_field_has_no_neurons() -> None:
    with pytest.raises(hd.InputError, match="no neurons"):
        neuron_multisymplecticity(hd.train(problem(None), monitor=lambda entry: True))
