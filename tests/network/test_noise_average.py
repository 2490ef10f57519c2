"""The backward Kolmogorov sweep: adjoint of the forward sweep, averages, closed forms, orders, prediction."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.discretisation.box_transport import Generator
from hydrodl.network.noise_average import Posterior, posterior, sweep_back
from tests.builders.networks import TIMES, network, rough, waves

CASES: dict[str, dict[str, Any]] = {
    "line": {"d": 1, "nodes": 12},
    "box": {"d": 2, "nodes": [6, 5]},
    "cube": {"d": 3, "nodes": 4},
    "P1": {"d": 2, "nodes": 5, "cells": "simplex", "lumped": False},
    "P2": {"d": 2, "nodes": 4, "cells": "simplex", "degree": 2},
}
ROBUST = ("line", "box", "cube")
SCHEMES = ("euler-box", "midpoint")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("case", CASES)
def test_sweep_back_is_the_adjoint_of_the_forward_sweep(scheme: str, case: str) -> None:
    net = rough(network(scheme, **CASES[case]))
    problem = net.solution.problem
    functional = hd.ReducedFunctional(problem)
    functional.evaluate(net.solution.velocity)
    rho = functional.sweeps.density[..., : net.domain.owned]
    last = np.random.default_rng(1).standard_normal(rho.shape[1:])
    v, mass = sweep_back(net.solution, last), Generator(problem.domain, problem.lagrangian).mass
    pairing = [float((mass.apply(rho[k]) * v[k]).sum()) for k in range(len(TIMES))]
    size = max(float((mass.apply(np.abs(rho[k])) * np.abs(v[k])).sum()) for k in range(len(TIMES)))
    assert np.ptp(pairing) < 1e-13 * size
    assert np.ptp(v[0]) < 0.9 * np.ptp(last) or case == "P2"  # something happened on the way


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("case", CASES)
def test_probabilities_of_all_classes_add_up_to_one(scheme: str, case: str) -> None:
    found = posterior(rough(network(scheme, **CASES[case]), 0.3))
    assert found.values.shape[:2] == (4, 3)
    np.testing.assert_allclose(found.values.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("case", ROBUST)
def test_every_layer_takes_averages(case: str) -> None:
    """The maximum principle of the robust family, at cell Peclet numbers far above 1."""
    net = rough(network("euler-box", noise=0.01, **CASES[case]), 30.0)
    v = posterior(net).values
    top, bottom = v.max(axis=-1), v.min(axis=-1)
    assert (np.diff(top, axis=0) > -1e-14).all() and (np.diff(bottom, axis=0) < 1e-14).all()
    assert v.min() > 0 and v.max() < 1
    middle = rough(network("midpoint", noise=0.01, **CASES[case]), 30.0)
    corner = np.zeros((1, net.domain.owned))
    corner[0, net.domain.owned // 2] = 1.0
    assert sweep_back(net.solution, corner).min() >= 0
    assert sweep_back(middle.solution, corner).min() < -0.01  # the other scheme does not promise it


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_velocity_a_wave_decays_as_in_closed_form(scheme: str) -> None:
    net = network(scheme, d=2, nodes=[9, 7], noise=0.3)
    x = net.domain.coordinates[: net.domain.owned]
    k, h = np.pi / 4 * np.array([2, 1]), 4 / np.array([8, 6])
    wave = np.cos(k * (x + 2)).prod(axis=1)
    rate = 0.3 * ((2 - 2 * np.cos(k * h)) / h**2).sum()  # nu times the eigenvalue of the discrete Laplacian
    theta = net.solution.problem.method.theta
    factors = (1 - (1 - theta) * np.diff(TIMES) * rate) / (1 + theta * np.diff(TIMES) * rate)
    values = sweep_back(net.solution, wave[None])
    for layer, factor in enumerate(np.cumprod(np.append(factors, 1.0)[::-1])[::-1]):
        np.testing.assert_allclose(values[layer, 0], factor * wave, atol=1e-13)


@pytest.mark.slow
def test_orders_in_the_mesh_and_in_the_layers() -> None:
    x = np.linspace(-1.9, 1.9, 100)[:, None]

    @cache
    def at(nodes: int, layers: int, scheme: str) -> np.ndarray:
        return posterior(waves(network(scheme, layers, d=1, nodes=nodes, noise=0.15))).at(x)

    def order(coarse: tuple[int, int, str], fine: tuple[int, int, str], exact: tuple[int, int, str]) -> float:
        errors = [np.abs(at(*choice) - at(*exact)).max() for choice in (coarse, fine)]
        return float(np.log2(errors[0] / errors[1]))

    assert order((41, 12, "midpoint"), (81, 12, "midpoint"), (641, 12, "midpoint")) == pytest.approx(2.0, abs=0.15)
    assert order((61, 6, "midpoint"), (61, 12, "midpoint"), (61, 96, "midpoint")) == pytest.approx(2.0, abs=0.15)
    assert order((61, 6, "euler-box"), (61, 12, "euler-box"), (61, 96, "midpoint")) == pytest.approx(1.0, abs=0.1)


def test_little_noise_leaves_the_network_itself() -> None:
    x = np.linspace(-1.5, 1.5, 40)[:, None]
    gaps = []
    for noise in (0.004, 0.001):  # without fitted diffusion, which would stay
        net = waves(network("midpoint", 60, d=1, nodes=301, noise=noise, cells="simplex", lumped=False))
        gaps.append(np.abs(posterior(net).at(x) - net.readout.probabilities(net.push(x)[-1])).max())
    assert gaps[1] < 0.02 and gaps[0] > 3 * gaps[1]


def test_values_between_nodes_and_outside() -> None:
    net = rough(network("euler-box", d=2, nodes=[6, 5]))
    found = posterior(net)
    x = net.domain.coordinates[: net.domain.owned]
    np.testing.assert_allclose(found.at(x), found.values[0].T, atol=1e-13)
    np.testing.assert_allclose(found.at(x, layer=2), found.values[2].T, atol=1e-13)
    np.testing.assert_allclose(
        found.at([[-1.6, 0.5]]), found.at([[-2, 0], [-2, 1], [-1.2, 0], [-1.2, 1]]).mean(axis=0)[None]
    )
    np.testing.assert_allclose(found.at([[9.0, 0.3]]), found.at([[2.0, 0.3]]))
    assert found.at(np.zeros((0, 2))).shape == (0, 3)
    np.testing.assert_allclose(found.values[-1].T, net.readout.probabilities(x))


def test_prediction_takes_raw_features() -> None:
    samples = hd.load_dataset("iris", dimensions=2)
    domain = hd.Domain.around(samples, 9)
    rho = hd.densities(samples, domain)
    solution = hd.train(
        hd.Problem(domain, hd.layers(2), rho, hd.Lagrangian(0.1, smoothness=0.0), hd.Classification(1.0)),
        monitor=lambda entry: True,
    )
    chances = posterior(solution).predict_proba(samples.features)
    assert chances.shape == (150, 3) and chances.min() >= 0
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-15)
    np.testing.assert_allclose(chances, posterior(hd.Network(solution)).at(samples.points), atol=1e-12)
    assert (chances.argmax(axis=1) == samples.labels).mean() > 0.7
    with pytest.raises(hd.DataError, match="features have shape"):
        posterior(solution).predict_proba(samples.points)


def test_predictions_are_probabilities_where_the_field_is_not() -> None:
    net = rough(network("midpoint", noise=0.01, **CASES["P2"]), 10.0)
    found = posterior(net)
    x = net.domain.coordinates[: net.domain.owned]
    assert found.at(x).min() < -0.01
    chances = found.predict_proba(x)
    assert chances.min() >= 0 and chances.max() <= 1
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-15)


def test_bad_input() -> None:
    net = network("euler-box", d=2, nodes=4)
    found = posterior(net)
    assert isinstance(found, Posterior)
    for points in ([[0.0]], [[0.0, np.nan]], [["a", "b"]]):
        with pytest.raises(hd.InputError, match="points"):
            found.at(points)  # type: ignore[arg-type]
    for layer in (-1, 4):
        with pytest.raises(hd.InputError, match=r"layer is -?\d, must lie in 0..3"):
            found.at([[0.0, 0.0]], layer=layer)
    problem = replace(net.solution.problem, losses=hd.Position(1.0, np.zeros((3, 2))))
    with pytest.raises(hd.InputError, match="no readout"):
        posterior(replace(net.solution, problem=problem))
