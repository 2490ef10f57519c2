"""The measured distance of the network's output to that of infinitely many layers: against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.output_error import output_error
from tests.adaptivity.test_error_bar import trained


def steady(scheme: str, rate: float) -> hd.Solution:
    """u = rate x at every depth, where the data is; other fields are not its own."""
    solution = trained(4, 21, scheme)
    nodes = solution.problem.domain.coordinates[:, 0]
    return solution.with_velocity(np.tile(rate * nodes, (4, 1, 1)))


def test_of_a_linear_flow() -> None:
    """Euler steps of x' = rate x, rate < 0: (1 + rate/4)^4 x where exp(rate) x should be."""
    found = output_error(steady("euler-box", -0.8))
    expected = abs(np.exp(-0.8) - (1 - 0.2) ** 4) * np.abs(found.points[:, 0])
    assert found.distances == pytest.approx(expected, rel=0.05)
    assert np.abs(found.distances - expected).max() < found.doubts.max()
    assert found.weights.sum() == pytest.approx(1) and found.mean < found.largest == found.distances.max()


def test_a_layer_map_has_its_velocity_at_the_points_below() -> None:
    """x + Delta u with u at the points below is the flow of a velocity in the middle of paths, to second order."""
    rate = -0.8  # the middle of a path is (1 + rate/8) x, so that the velocity there is rate/(1 + rate/8) x
    smooth = rate / (1 + rate / 8)
    map_, box = output_error(steady("strang", rate)), output_error(steady("euler-box", rate))
    expected = abs(np.exp(smooth) - (1 + rate / 4) ** 4) * np.abs(map_.points[:, 0])
    inside = np.abs(map_.points[:, 0]) < 2.5  # beyond, splines know of the walls
    assert np.abs(map_.distances - expected)[inside].max() < map_.doubts.max()
    assert map_.largest < 0.2 * box.largest
