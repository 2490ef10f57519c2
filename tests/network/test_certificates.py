"""Certified radii: never more than the truth, and that where the truth is known; no attack succeeds within."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.network.certificates import METHODS
from hydrodl.network.layer_ranges import HiddenRanges
from hydrodl.network.table_ranges import TableRanges
from hydrodl.physics.neurons import Neurons
from tests.builders.form_cases import random_neurons, trained, untrained, wild
from tests.test_benchmarks import load

BOXES = {
    1: lambda: hd.Domain.interval(-1, 1, 7),
    2: lambda: hd.Domain.box([-1, -1], [1, 1.3], [6, 5]),
    3: lambda: hd.Domain.box([-1] * 3, [1] * 3, [4, 3, 4]),
}
ATTACKS = load("certificates")


def ranges(d: int, kind: str) -> TableRanges | HiddenRanges:
    """Layers of random velocities."""
    rng, counts = np.random.default_rng(d), [5, 4, 4][:d]
    steps, low, high = np.array([0.3, 0.7]), np.full(d, -1.0), np.full(d, 1.2)
    if kind == "table":  # lines at any distance
        axes = [np.r_[-1.0, np.sort(rng.uniform(-0.9, 1.1, n - 2)), 1.2] for n in counts]
        return TableRanges(axes, rng.standard_normal((2, d, *counts)), steps)
    hidden = Neurons(7, kind, scale=2.0).draw(hd.Domain.box(low, high, 3), 2)
    return HiddenRanges(hidden, rng.standard_normal((2, d, 7)), steps, low, high)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_bounds_on_boxes_are_above_what_is_found(d: int) -> None:
    rng = np.random.default_rng(0)
    for kind in ("table", "tanh", "relu"):
        layers = ranges(d, kind)
        corners = np.sort(rng.uniform(-1, 1.2, (2, 8, d)), axis=0)
        boxes = corners[0], corners[1]
        inside = boxes[0] + rng.uniform(size=(1500, 8, d)) * (boxes[1] - boxes[0])
        about = rng.standard_normal((8, d, d))
        for k in range(2):
            flat = inside.reshape(-1, d)
            moved = layers.move(k, flat).reshape(inside.shape)
            low, high = layers.image(k, boxes)
            slopes = layers.jacobian(k, flat).reshape(1500, 8, d, d)
            found = np.linalg.norm(slopes - about, ord=2, axis=(2, 3)).max(axis=0)
            bound = layers.deviation(k, boxes, about)
            assert (low <= moved.min(axis=0) + 1e-12).all() and (moved.max(axis=0) <= high + 1e-12).all()
            assert (found <= bound + 1e-12).all()
            most = np.linalg.norm(slopes, ord=2, axis=(2, 3)).max()
            assert most <= layers.stretch(k) + 1e-12
            if kind == "table":  # exact: points come near it
                width = boxes[1] - boxes[0]
                assert (moved.max(axis=0) >= high - 0.25 * width.max()).all()
                assert (found >= 0.7 * bound).all()


def test_the_exact_radius_of_a_network_that_moves_nothing() -> None:
    """Its classes meet at a plane: the radius is the distance to it, in the features' units."""
    found = untrained(hd.Domain.box([-1, -1], [1, 1], 5))
    scale = np.array([2.0, 0.5])
    prep = Preprocessing(np.array([1.0, -1.0]), scale, feature_names=("a", "b"))
    network = hd.Network(found.solution, prep)
    inner = np.random.default_rng(0).uniform(-0.3, 0.3, (30, 2))
    features = prep.mean + scale * inner
    W, b = network.readout.weights, network.readout.offsets
    gap, way = inner @ (W[0] - W[1]) + b[0] - b[1], (W[0] - W[1]) / scale
    exact = np.abs(gap) / np.linalg.norm(way)
    certified = network.certify(features)
    assert set(certified.radii) == set(METHODS)
    assert (certified.radius <= exact).all() and (certified.radius >= 0.995 * exact).all()
    assert (certified.radii["product"] <= certified.radius).all() and certified.invertible.all()
    np.testing.assert_array_equal(certified.labels, network.predict(features))
    np.testing.assert_allclose(certified.stretch, 1.0, rtol=1e-9)
    assert certified.share(0.0) == 1.0 and certified.share(10.0) == 0.0
    far = network.certify(prep.mean + scale * np.array([[5.0, 0.0], [0.9, 0.9]]))  # a wall is between, or near
    assert (far.radius > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plane, 2 classes", "neurons, tanh", "neurons, relu, readout"])
def test_no_attack_succeeds_within_a_certified_radius(name: str) -> None:
    network, samples = trained(name)
    points = samples.features[:25]
    found = network.certify(points)
    assert (found.radius > 0).mean() > 0.9
    attack = ATTACKS.Attack(network)
    ends = attack.run(points, found.radius, 3)
    assert not attack.broken(points, found.radius, ends).any()
    if name == "neurons, tanh":
        broken, tried = ATTACKS.file_breaks(attack, points, found.radius, ends)
        assert tried > 30 and not broken.any()
    wider = attack.run(points, 4 * found.radius, 3)
    assert attack.broken(points, 4 * found.radius, wider).mean() > 0.3  # the attack is one


@pytest.mark.parametrize("d", [1, 2, 3])
def test_wild_networks_keep_what_is_certified(d: int) -> None:
    """Velocities without any order, and walls that are met."""
    for network in (wild(BOXES[d](), 0.4), random_neurons(BOXES[d](), Neurons(6, seed=2), 0.3)):
        points = np.random.default_rng(1).uniform(-1.2, 1.2, (60 // d, d))
        found = network.certify(points)
        assert (found.radius > 0).mean() > 0.5
        attack = ATTACKS.Attack(network)
        for method in METHODS:
            ends = attack.run(points, found.radii[method], 2)
            assert not attack.broken(points, found.radii[method], ends).any(), method


def test_one_to_one_is_said_only_where_it_is_so() -> None:
    """u(x) = -2 x about 0 folds a layer of depth 1, u(x) = -x/2 does not."""
    domain = hd.Domain.interval(-1, 1, 9)
    at = untrained(domain)
    for slope, expected in ((-0.5, True), (-1.0, False)):  # no layer is deeper than 0.5
        velocity = slope * np.broadcast_to(domain.coordinates[: domain.owned, 0], (3, 1, domain.owned))
        network = hd.Network(at.solution.with_velocity(2 * velocity))
        assert network.certify([[0.4]]).invertible[0] == expected


def test_features_of_a_file_in_single_precision_cost_a_little_radius() -> None:
    found = untrained(hd.Domain.box([-1, -1], [1, 1], 5))
    near, far = (
        hd.Network(found.solution, replace(Preprocessing.identity(2), mean=np.full(2, m), scale=np.ones(2)))
        for m in (0.0, 2.0)
    )
    points = np.array([[0.3, 0.1]])
    loss = near.certify(points).radius - far.certify(points + 2.0).radius
    assert 1e-8 < loss[0] < 1e-6  # 2^-24 times the size of the features


def test_what_has_no_certificate_is_said() -> None:
    domain = hd.Domain.interval(-1, 1, 5)
    target = hd.mixture([hd.Gaussian([0.1], 0.6, label=name) for name in "ab"], domain)
    with pytest.raises(hd.InputError, match="no readout"):
        untrained(domain, hd.Density(1.0, target)).certify([[0.0]])
    with pytest.raises(hd.InputError, match="exact form"):
        untrained(hd.Domain.box([-1, -1], [1, 1], 4, degree=2)).certify([[0.0, 0.0]])
