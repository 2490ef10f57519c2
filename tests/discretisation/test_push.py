"""The push: a Markov matrix for any velocity, carry and pull adjoint, and derivatives of what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydrodl.discretisation.push import Push, Splines

SHAPES = {1: (17,), 2: (7, 9), 3: (5, 4, 6)}
CLASSES = 2
CASES = pytest.mark.parametrize(("d", "degree"), [(d, degree) for d in SHAPES for degree in (2, 3)])


def spacing(d: int) -> np.ndarray:
    return np.array([0.5, 0.25, 0.4])[:d]


def push(d: int, displacement: np.ndarray, degree: int) -> Push:
    return Push(Splines(SHAPES[d], spacing(d), degree), displacement)


def fields(d: int, seed: int, *more: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((*more, int(np.prod(SHAPES[d]))))


def whole_masses(d: int) -> np.ndarray:
    ends = [h * np.r_[0.5, np.ones(n - 2), 0.5] for n, h in zip(SHAPES[d], spacing(d), strict=True)]
    return np.prod(np.meshgrid(*ends, indexing="ij"), axis=0).ravel()


def nodes(d: int) -> np.ndarray:
    axes = [h * np.arange(n) for n, h in zip(SHAPES[d], spacing(d), strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij")).reshape(d, -1)


@CASES
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), size=st.floats(-3.0, 300.0))
def test_masses_stay_masses(d: int, degree: int, seed: int, size: float) -> None:
    """For displacements of any size, the ends of the range of numbers included."""
    moved = push(d, 10.0**size * fields(d, seed, d), degree)
    masses = fields(d, seed + 1, CLASSES) ** 2
    carried = moved.carry(masses)
    assert carried.min() >= 0
    np.testing.assert_allclose(carried.sum(axis=1), masses.sum(axis=1), rtol=1e-13)


@CASES
def test_at_rest_a_uniform_density_stays(d: int, degree: int) -> None:
    """At the walls too, where a node has half the mass."""
    masses = whole_masses(d)
    still = push(d, np.zeros((d, len(masses))), degree)
    np.testing.assert_allclose(still.carry(masses[None])[0], masses, rtol=1e-14)


@CASES
def test_constants_and_lines_are_pulled_exactly(d: int, degree: int) -> None:
    """Lines where the spline does not reach its own image."""
    x, h = nodes(d), spacing(d)[:, None]
    middle = h * (np.array(SHAPES[d])[:, None] - 1) / 2
    y = middle + np.random.default_rng(0).uniform(-0.5, 0.5, x.shape) * h * (np.array(SHAPES[d])[:, None] > 5)
    slope = np.arange(1.0, d + 1)
    values, slopes = push(d, y - x, degree).pull_with_slopes(np.stack([np.ones(x.shape[1]), slope @ x]))
    np.testing.assert_allclose(values[0], 1.0, rtol=1e-14)
    np.testing.assert_allclose(slopes[0], 0.0, atol=1e-13)
    inside = np.array(SHAPES[d]) > (4 if degree == 2 else 5)
    if inside.all():
        np.testing.assert_allclose(values[1], slope @ y, rtol=1e-13)
    np.testing.assert_allclose(slopes[1][inside], np.repeat(slope[inside, None], x.shape[1], axis=1), rtol=1e-12)


@CASES
def test_the_matrix_says_the_same(d: int, degree: int) -> None:
    moved = push(d, fields(d, 0, d), degree)
    matrix, given_fields = moved.matrix(), fields(d, 1, CLASSES)
    np.testing.assert_allclose(moved.carry(given_fields), (matrix.T @ given_fields.T).T, atol=1e-13)
    np.testing.assert_allclose(moved.pull(given_fields), (matrix @ given_fields.T).T, atol=1e-13)
    np.testing.assert_allclose(moved.pull_with_slopes(given_fields)[0], moved.pull(given_fields), atol=1e-14)


@CASES
def test_carry_and_pull_are_adjoint(d: int, degree: int) -> None:
    moved, masses, potentials = push(d, fields(d, 0, d), degree), fields(d, 1, CLASSES), fields(d, 2, CLASSES)
    forward, backward = (moved.carry(masses) * potentials).sum(), (masses * moved.pull(potentials)).sum()
    assert forward == pytest.approx(backward, rel=1e-12)


@CASES
def test_changes_are_adjoint(d: int, degree: int) -> None:
    moved, shift = push(d, fields(d, 0, d), degree), fields(d, 3, d)
    masses, potentials, nothing = fields(d, 1, CLASSES), fields(d, 2, CLASSES), np.zeros((CLASSES, len(shift[0])))
    slopes = moved.pull_with_slopes(potentials)[1]
    forward = (moved.carry_change(masses, shift, nothing) * potentials).sum()
    assert forward == pytest.approx(np.einsum("cn,an,can->", masses, shift, slopes), rel=1e-11)
    assert np.array_equal(moved.carry_change(nothing, shift, masses), moved.carry(masses))


def order(error: Callable[[float], float]) -> float:
    """By which power of the step an error falls; infinite if it is rounding at once."""
    large, small = error(4e-3), error(2e-3)
    return np.inf if large < 1e-11 else float(np.log2(large / small))


def inner(d: int, seed: int) -> np.ndarray:
    """Displacements whose places stay clear of the kinks of second derivatives: walls, nodes, midpoints of cells."""
    rng = np.random.default_rng(seed)
    n = np.array(SHAPES[d])[:, None]
    x = nodes(d)
    whole = rng.integers(0, n - 1, x.shape)
    return spacing(d)[:, None] * (whole + rng.choice([0.0, 0.5], x.shape) + rng.uniform(0.05, 0.45, x.shape)) - x


@CASES
def test_slopes_to_second_order(d: int, degree: int) -> None:
    at, shift, potentials = inner(d, 0), fields(d, 3, d), fields(d, 2, CLASSES)
    value, slopes = push(d, at, degree).pull_with_slopes(potentials)
    change = np.einsum("an,can->cn", shift, slopes)

    def error(e: float) -> float:
        return float(np.abs(push(d, at + e * shift, degree).pull(potentials) - value - e * change).max())

    assert order(error) == pytest.approx(2.0, abs=0.1)


@CASES
def test_curvatures_to_second_order(d: int, degree: int) -> None:
    """Of the momentum, the sum over classes of masses times slopes."""
    at, shift, masses, potentials = inner(d, 0), fields(d, 3, d), fields(d, 1, CLASSES), fields(d, 2, CLASSES)

    def momentum(e: float) -> np.ndarray:
        return np.einsum("cn,can->an", masses, push(d, at + e * shift, degree).pull_with_slopes(potentials)[1])

    second = push(d, at, degree).curvatures(masses, potentials)
    assert np.array_equal(second, second.swapaxes(0, 1))
    change = np.einsum("abn,bn->an", second, shift)
    found = order(lambda e: float(np.abs(momentum(e) - momentum(0.0) - e * change).max()))
    assert found > 1.9  # exact in d = 1 with degree 2


@CASES
def test_changes_of_what_is_carried_to_second_order(d: int, degree: int) -> None:
    at, shift, masses, change = inner(d, 0), fields(d, 3, d), fields(d, 1, CLASSES), fields(d, 4, CLASSES)
    here = push(d, at, degree)
    first, carried = here.carry_change(masses, shift, change), here.carry(masses)

    def error(e: float) -> float:
        return float(np.abs(push(d, at + e * shift, degree).carry(masses + e * change) - carried - e * first).max())

    assert order(error) == pytest.approx(2.0, abs=0.1)


@CASES
def test_what_is_held_at_a_wall_does_not_change(d: int, degree: int) -> None:
    far = push(d, np.full((d, int(np.prod(SHAPES[d]))), 100.0), degree)
    masses, potentials, shift = fields(d, 1, CLASSES), fields(d, 2, CLASSES), fields(d, 3, d)
    assert not far.pull_with_slopes(potentials)[1].any()
    assert not far.curvatures(masses, potentials).any()
    assert not far.carry_change(masses, shift, np.zeros_like(masses)).any()


def test_results_are_written_where_they_should_be() -> None:
    """Over what was there, from arguments in any layout, and again after another displacement."""
    d, degree = 2, 2
    moved, other = push(d, fields(d, 0, d), degree), push(d, fields(d, 5, d), degree)
    masses, potentials, shift = fields(d, 1, CLASSES), fields(d, 2, CLASSES), fields(d, 3, d)
    strided = np.asfortranarray(masses)
    size = masses.shape[1]
    for at in (moved, other):
        values, slopes, second = np.ones((CLASSES, size)), np.ones((CLASSES, d, size)), np.ones((d, d, size))
        assert at.carry(strided, values) is values and np.array_equal(values, at.carry(masses))
        at.carry_change(strided, shift, masses, values)
        assert np.array_equal(values, at.carry_change(masses, shift, masses))
        at.pull_with_slopes(potentials, values, slopes)
        for found, expected in zip((values, slopes), at.pull_with_slopes(potentials), strict=True):
            assert np.array_equal(found, expected)
        assert np.array_equal(at.pull(strided, values), at.pull(masses))
        assert np.array_equal(at.curvatures(strided, potentials, second), at.curvatures(masses, potentials))
    moved.move(fields(d, 5, d))
    assert np.array_equal(moved.carry(masses), other.carry(masses))


@CASES
def test_paths_follow_the_matrix(d: int, degree: int) -> None:
    moved = push(d, fields(d, 0, d), degree)
    size, paths = int(np.prod(SHAPES[d])), 20000
    counts = np.zeros((2, size), dtype=np.int64)
    counts[0, 3], counts[1, [0, size - 1]] = paths, paths // 2
    went = moved.walk(counts, np.random.default_rng(0))
    assert (went.sum(axis=1) == paths).all()
    expected = moved.matrix().T @ counts.T
    assert np.abs(went - expected.T).max() < 5 * np.sqrt(paths / 4)
    assert not went[expected.T == 0].any()
