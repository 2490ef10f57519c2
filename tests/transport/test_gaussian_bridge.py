"""The closed form between Gaussians, and distances of samples by sorting."""

from __future__ import annotations

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from hydrodl.transport.gaussian_bridge import gaussian_velocity
from hydrodl.transport.sliced_distance import by_chance, sliced_distance


def test_moments_go_from_one_gaussian_to_the_other() -> None:
    """d m / dt = u(m), d S / dt = K S + S K^T + 2 nu along the linear velocity u = c + K x."""
    A, B = np.array([[1.0, 0.5], [0.5, 2.0]]), np.array([[0.5, -0.2], [-0.2, 0.3]])
    a, b, nu = np.zeros(2), np.array([2.0, -1.0]), 0.2
    layers = hd.layers(800, 1.5)
    m, S = a, A
    velocity = gaussian_velocity(np.vstack([np.zeros(2), np.eye(2)]), (a, A), (b, B), nu, layers)
    for step, (at_zero, *columns) in zip(layers.steps, velocity.transpose(0, 2, 1), strict=True):
        K = np.column_stack(columns) - at_zero[:, None]
        half = m + step / 2 * (at_zero + K @ m)
        middle = S + step / 2 * (K @ S + S @ K.T + 2 * nu * np.eye(2))
        m = m + step * (at_zero + K @ half)
        S = S + step * (K @ middle + middle @ K.T + 2 * nu * np.eye(2))
    np.testing.assert_allclose(m, b, atol=1e-4)
    np.testing.assert_allclose(S, B, atol=1e-4)


def test_sorting_gives_the_distance_on_the_line_and_its_mean_over_directions() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 1)), rng.normal(1, 2, size=(411, 1))
    deviation = np.abs(y - np.median(y)).mean()
    assert sliced_distance(x, y) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]) / deviation)
    disc = rng.normal(size=(20_000, 2))
    # a shift by v: mean |e.v| = 2 |v| / pi over directions, of deviation sqrt(2 / pi)
    assert sliced_distance(disc + np.array([3.0, 0.0]), disc) == pytest.approx(6 / np.pi / np.sqrt(2 / np.pi), rel=0.02)
    for d in (1, 2, 3):
        apart = sliced_distance(rng.normal(size=(400, d)), rng.normal(size=(400, d)))
        assert 0.3 < apart / by_chance(400, 400) < 3.5
    assert sliced_distance(np.array([[1.0]]), np.array([[3.0]])) == 2.0
