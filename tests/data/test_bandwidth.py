"""The kernel width that the samples themselves ask for, and the readout a flow starts from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest

from hydrodl.common.errors import DataError
from hydrodl.data import bandwidth
from hydrodl.data.bandwidth import WIDTHS, choose_bandwidth
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.estimators.initial_readout import logistic_readout
from tests.builders.launch import AT_MOST

ROOT = Path(__file__).parents[2]


def raw(points: np.ndarray, labels: np.ndarray, names: tuple[str, ...] = ("a", "b")) -> hd.Samples:
    """Samples whose features are mesh coordinates."""
    identity = Preprocessing.identity(points.shape[1])
    return hd.Samples(points, labels, names, identity.feature_names, identity)


def gaussians(n: int, d: int, std: float, seed: int = 0) -> hd.Samples:
    labels = np.arange(n) % 2
    return raw(std * np.random.default_rng(seed).standard_normal((n, d)) + 3 * labels[:, None], labels)


# Bandwidth


def test_it_is_the_leave_one_out_maximum_written_as_a_sum() -> None:
    samples = hd.load_dataset("two_moons", n=30)
    scores = []
    for h in WIDTHS:
        score = 0.0
        for i, (x, c) in enumerate(zip(samples.points, samples.labels, strict=True)):
            others = [y for j, y in enumerate(samples.points) if j != i and samples.labels[j] == c]
            kernel = [np.exp(-((x - y) @ (x - y)) / (2 * h**2)) / (2 * np.pi * h**2) for y in others]
            score += np.log(np.mean(kernel))
        scores.append(score)
    assert choose_bandwidth(samples) == pytest.approx(WIDTHS[np.argmax(scores)], rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_it_follows_the_law_for_gaussians(d: int) -> None:
    """Near std (4 / (d + 2) / n)^(1 / (d + 4)), Silverman's rule, which is optimal for them."""
    n, std = 1000, 0.8
    rule = std * (4 / (d + 2) / (n / 2)) ** (1 / (d + 4))
    assert choose_bandwidth(gaussians(n, d, std)) == pytest.approx(rule, rel=0.35)


def test_it_scales_with_the_data_and_not_with_their_place_or_order() -> None:
    samples = gaussians(200, 2, 0.3)
    wide = raw(2 * samples.features + 7, samples.labels)
    ratio = choose_bandwidth(wide) / choose_bandwidth(samples)
    assert ratio == pytest.approx(2, rel=WIDTHS[1] / WIDTHS[0] - 1)
    order = np.random.default_rng(1).permutation(200)
    assert choose_bandwidth(raw(samples.features[order], samples.labels[order])) == choose_bandwidth(samples)


def test_blurrier_data_ask_for_wider_kernels() -> None:
    found = [choose_bandwidth(hd.load_dataset("two_moons", n=400, noise=noise)) for noise in (0.05, 0.15, 0.3)]
    assert found == sorted(found) and found[2] > 1.5 * found[0]


def test_copies_and_rounded_data_do_not_collapse_it() -> None:
    """A leave-one-out score that let copies speak for each other would be largest at the smallest width."""
    samples = gaussians(300, 1, 1.0)
    rounded = raw(samples.features.round(1), samples.labels)
    twice = raw(np.vstack([samples.features] * 2), np.tile(samples.labels, 2))
    one = choose_bandwidth(samples)
    assert 0.8 * one < choose_bandwidth(rounded) < 1.6 * one  # neighbours that fell on the same place are missed
    assert choose_bandwidth(twice) == one


def test_added_coordinates_do_not_count() -> None:
    flat, lifted = (hd.load_dataset("circles", n=200, noise=0.1, lift=lift) for lift in (0, 1))
    assert choose_bandwidth(lifted) == choose_bandwidth(flat)


def test_many_samples_are_thinned_and_the_law_makes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = gaussians(1600, 2, 0.8)
    whole = choose_bandwidth(samples)
    monkeypatch.setattr(bandwidth, "MOST", 200)
    seen: list[int] = []
    likelihood = bandwidth._likelihood
    monkeypatch.setattr(bandwidth, "_likelihood", lambda p, w: (seen.append(len(p)), likelihood(p, w))[1])
    assert choose_bandwidth(samples) == pytest.approx(whole, rel=0.2)
    assert seen == [200, 200]


def test_it_stays_between_its_ends() -> None:
    assert choose_bandwidth(gaussians(200, 1, 1e-4)) == WIDTHS[0]
    assert choose_bandwidth(gaussians(20, 3, 50.0)) == WIDTHS[-1]


def test_a_class_at_one_place_says_nothing_and_all_of_them_are_refused() -> None:
    points, labels = np.random.default_rng(0).standard_normal((40, 2)), np.zeros(40, dtype=int)
    alone = choose_bandwidth(raw(points, labels, ("a",)))
    beside = raw(np.vstack([points, np.full((2, 2), 5.0)]), np.append(labels, [1, 1]))
    assert choose_bandwidth(beside) == alone
    with pytest.raises(DataError, match=r"^a bandwidth cannot be chosen: no class has samples at two places$"):
        choose_bandwidth(raw(np.array([[0.0], [0.0], [1.0]]), np.array([0, 0, 1])))


# Readout


def test_two_classes_share_one_logit_of_logistic_regression() -> None:
    samples = gaussians(300, 2, 1.5)
    readout = logistic_readout(samples)
    np.testing.assert_allclose(readout.weights[0], -readout.weights[1])
    np.testing.assert_allclose(readout.offsets[0], -readout.offsets[1])
    assert np.linalg.norm(readout.weights, axis=1).mean() >= 1 - 1e-12
    right = readout.logits(samples.points).argmax(axis=1) == samples.labels
    assert right.mean() == pytest.approx(0.92, abs=0.03)  # Phi(sqrt(2)) of the best linear classifier


def test_it_minimises_the_penalised_cross_entropy() -> None:
    samples = hd.load_dataset("wine")
    readout = logistic_readout(samples)

    def value(weights: np.ndarray, offsets: np.ndarray) -> float:
        losses = hd.Readout(weights, offsets).cross_entropy(samples.points)
        return losses[np.arange(len(samples)), samples.labels].sum() + 0.5 * (weights**2).sum()

    least = value(readout.weights, readout.offsets)
    rng = np.random.default_rng(0)
    for _ in range(20):
        away = [0.05 * rng.standard_normal(part.shape) for part in (readout.weights, readout.offsets)]
        assert value(readout.weights + away[0], readout.offsets + away[1]) > least


def test_a_flat_readout_is_made_steeper_without_moving_its_boundary() -> None:
    samples = hd.load_dataset("two_spirals", n=300)
    from sklearn.linear_model import LogisticRegression

    plain = LogisticRegression(tol=1e-10, max_iter=10_000).fit(samples.points, samples.labels)
    readout = logistic_readout(samples)
    assert np.linalg.norm(plain.coef_) / 2 < 0.9  # else this test tests nothing
    np.testing.assert_allclose(np.linalg.norm(readout.weights, axis=1), 1)
    np.testing.assert_array_equal(readout.logits(samples.points).argmax(axis=1), plain.predict(samples.points))


def test_lifted_classes_have_their_anchors_in_the_added_direction() -> None:
    readout = logistic_readout(hd.load_dataset("circles", n=100, lift=1))
    np.testing.assert_allclose(readout.weights, [[0, 0, -1], [0, 0, 1]])
    three = logistic_readout(hd.load_dataset("gaussians", n=90, lift=1))  # more than fit there
    np.testing.assert_allclose(three.weights[:, 2], 0, atol=1e-12)


def test_classes_at_one_place_get_some_readout() -> None:
    points = np.tile([[1.0, 0.0], [-1.0, 0.0]], (10, 1))
    readout = logistic_readout(raw(points, np.repeat([0, 1], 10)))
    assert np.linalg.norm(readout.weights, axis=1).mean() == pytest.approx(1)


def test_readout_messages() -> None:
    points = np.arange(8.0)[:, None]
    for labels, names in ((np.zeros(8, int), ("a",)), (np.zeros(8, int), ("a", "b"))):
        with pytest.raises(DataError, match=r"^a readout needs samples of at least 2 classes"):
            logistic_readout(raw(points, labels, names))


# The benchmark that these choices serve


@pytest.mark.slow
def test_the_accuracy_benchmark_runs_at_its_small_size() -> None:
    command = [sys.executable, ROOT / "benchmarks/accuracy.py", "--small", "--only", "moons 0.1", "wine"]
    done = subprocess.run(command, text=True, capture_output=True, timeout=AT_MOST)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    accuracy = {row[0].strip(): [float(cell) for cell in row[1:4]] for row in rows[1:]}
    assert set(accuracy) == {"moons 0.1", "wine"}
    for name, values in accuracy.items():
        assert min(values) > 0.9, name
