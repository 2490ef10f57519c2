"""The splines that the layer map leaves mass with: positive, exact in mean and variance, smooth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from hydrodl.common.errors import InputError
from hydrodl.discretisation.spline_weights import node_weights, rules, spline_weights

DEGREES = pytest.mark.parametrize("degree", [2, 3])
LINE = 12
PLACES = st.lists(st.floats(-2.0, LINE + 1.0), min_size=1, max_size=20).map(np.array)


@DEGREES
@settings(deadline=None)  # the first example compiles
@given(places=PLACES)
def test_weights_are_a_probability(degree: int, places: np.ndarray) -> None:
    nodes, weights, first, second = spline_weights(places, LINE, degree)
    assert nodes.min() >= 0 and nodes.max() < LINE and weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=0, atol=4e-16)
    np.testing.assert_allclose(first.sum(axis=1), 0.0, atol=4e-16)
    np.testing.assert_allclose(second.sum(axis=1), 0.0, atol=4e-15)


@DEGREES
@settings(deadline=None)  # the first example compiles
@given(places=st.lists(st.floats(2.0, LINE - 3.0), min_size=1, max_size=20).map(np.array))
def test_mean_and_variance_do_not_depend_on_the_place(degree: int, places: np.ndarray) -> None:
    nodes, weights, first, second = spline_weights(places, LINE, degree)
    off = nodes - places[:, None]
    np.testing.assert_allclose((weights * off).sum(axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose((weights * off**2).sum(axis=1), (degree + 1) / 12, atol=1e-14)
    np.testing.assert_allclose((first * nodes).sum(axis=1), 1.0, atol=1e-13)
    np.testing.assert_allclose((second * nodes**2).sum(axis=1), 2.0, atol=1e-12)


@DEGREES
def test_they_are_the_splines_of_the_textbook(degree: int) -> None:
    """And their derivatives; a node is there once for itself and once for each image."""
    n, places = 7, np.random.default_rng(0).uniform(0.0, 6.0, 100)
    nodes, *found = spline_weights(places, n, degree)
    spline = BSpline.basis_element(np.arange(degree + 2) - (degree + 1) / 2, extrapolate=False)
    for order, values in enumerate(found):
        dense, expected = np.zeros((100, n)), np.zeros((100, n))
        np.add.at(dense, (np.arange(100)[:, None], nodes), values)
        for image in range(-1, n + 1):
            node = min(abs(image), 2 * (n - 1) - abs(image))
            expected[:, node] += np.nan_to_num(
                spline.derivative(order)(places - image) if order else spline(places - image)
            )
        np.testing.assert_allclose(dense, expected, atol=1e-13)


@DEGREES
def test_places_outside_are_at_the_ends(degree: int) -> None:
    outside = np.array([-0.5, -1e300, -np.inf, 6.5, 1e300, np.inf])
    nodes, weights, first, second = spline_weights(outside, 7, degree)
    for rows, end in ((slice(0, 3), 0.0), (slice(3, 6), 6.0)):
        at, expected, *_ = spline_weights(np.full(3, end), 7, degree)
        assert (nodes[rows] == at).all() and (weights[rows] == expected).all()
    assert not first.any() and not second.any()
    nodes, weights, first, _ = spline_weights(np.array([np.nan]), 7, degree)
    assert nodes.max() < 7 and np.isfinite(weights).all() and not first.any()


@DEGREES
def test_two_nodes_are_enough(degree: int) -> None:
    nodes, weights, *_ = spline_weights(np.array([0.0, 0.3, 1.0]), 2, degree)
    dense = np.zeros((3, 2))
    np.add.at(dense, (np.arange(3)[:, None], nodes), weights)
    np.testing.assert_allclose(dense.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(dense[0], dense[2, ::-1], rtol=1e-15)


def test_products_of_the_axes() -> None:
    places = np.array([[1.2, 0.0], [2.7, 3.0]])
    numbers, weights = node_weights(places, (4, 5), 2)
    assert numbers.shape == weights.shape == (2, 9)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-15)
    assert (weights[0] @ (numbers[0] // 5), weights[0] @ (numbers[0] % 5)) == pytest.approx((1.2, 2.7), rel=1e-14)


@pytest.mark.parametrize(
    ("shape", "degree", "said"), [((5,), 1, "degree 2 or 3, not 1"), ((5, 1), 2, "needs two nodes")]
)
def test_what_there_are_no_splines_for(shape: tuple[int, ...], degree: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rules(shape, degree)
