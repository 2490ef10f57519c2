"""Calibration: bins, shares and the expected error, against numbers worked out by hand and by drawing labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hydrodl.common.errors import InputError
from hydrodl.network.reliability import calibration


def test_by_hand() -> None:
    sure = np.array([0.55, 0.58, 0.9, 1.0])
    found = calibration(np.stack([sure, 1 - sure], axis=1), [0, 1, 0, 0], bins=5)
    np.testing.assert_allclose(found.edges, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    np.testing.assert_array_equal(found.counts, [2, 0, 0, 0, 2])
    np.testing.assert_allclose(found.confidence, [0.565, np.nan, np.nan, np.nan, 0.95])
    np.testing.assert_allclose(found.accuracy, [0.5, np.nan, np.nan, np.nan, 1.0])
    assert found.error == pytest.approx((2 * 0.065 + 2 * 0.05) / 4)
    assert found.spread[0] == pytest.approx(np.sqrt(0.565 * 0.435 / 2))


def drawn(power: float) -> float:
    """The error of predictions p^power / sum for labels drawn from p."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1.0, 0.7, 0.5], 50000)
    labels = (rng.random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    said = p**power
    return calibration(said / said.sum(axis=1, keepdims=True), labels, 15).error


def test_true_probabilities_are_calibrated_and_others_are_not() -> None:
    assert drawn(1.0) < 0.01  # the sampling error of 15 bins is about 0.005
    assert drawn(3.0) > 0.1 and drawn(0.4) > 0.1  # too sure, not sure enough


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "message"),
    [
        (np.zeros((0, 2)), [], 5, r"shape \(0, 2\)"),
        ([[0.5, 0.5]], [0, 1], 5, "labels must be 1 whole numbers from 0 to 1"),
        ([[0.5, 0.5]], [2], 5, "labels must be"),
        ([[0.5, 0.5]], [0.0], 5, "labels must be"),
        ([[0.5, 0.5], [0.5, 0.6]], [0, 0], 5, "row 2 is"),
        ([[1.5, -0.5]], [0], 5, "row 1 is"),
        ([[np.nan, 1.0]], [0], 5, "row 1 is"),
        ([[1.0]], [0], 5, "two classes"),
        ([[0.5, 0.5]], [0], 0, "bins is 0"),
    ],
)
def test_bad_input(probabilities: Any, labels: Any, bins: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibration(probabilities, labels, bins)
