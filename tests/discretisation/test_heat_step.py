"""The noise of a layer: positive, mass kept, variance exactly what it should be, alone and together with the push."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from hydrodl.discretisation.heat_step import AxisHeat, HeatStep, noise_split
from hydrodl.discretisation.push import Push, Splines

SHAPES = {1: (17,), 2: (7, 9), 3: (5, 4, 6)}
SPACING = np.array([0.5, 0.25, 0.4])
NOISE = np.array([0.3, 0.0, 2.0])
STEP = 0.1


def along(n: int, h: float, s: float) -> np.ndarray:
    """S on densities of a line, as a full matrix: a tridiagonal inverse, and means of nodes apart."""
    axis, places = AxisHeat.of(STEP * s / h**2), np.arange(n)

    def difference(stride: int) -> np.ndarray:
        out = -2 * np.eye(n)
        for shift in (-stride, stride):
            np.add.at(out, (places, np.abs((places + shift + n - 1) % (2 * n - 2) - (n - 1))), 1.0)
        return out

    found = np.linalg.inv(np.eye(n) - axis.implicit * difference(1))
    for stride, share in axis.explicit:
        found = found @ (np.eye(n) + share * difference(stride))
    return found


def dense(d: int, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R and M of a box as full matrices."""
    found, whole = np.ones((1, 1)), np.ones((1, 1))
    for n, h, s in zip(SHAPES[d], SPACING, noise, strict=False):
        mass = h * np.r_[0.5, np.ones(n - 2), 0.5]
        found, whole = np.kron(found, along(n, h, s) / mass), np.kron(whole, np.diag(mass))
    return found, whole


def test_the_kernel_has_the_cumulants_of_the_heat_equation() -> None:
    """From the symbol of S at long waves, in exact arithmetic: variance 2 t, no fourth cumulant.

    Below t = 1/6 it is near to the least there is: a whole number of variance 2 t has a fourth moment of 2 t at least,
    hence c_4 of 2 t/24 - 3 (2 t)^2/24. Between the ranges of two k it is small beside that of the implicit step, t^2/2.
    """
    x = sympy.symbols("x")
    for time in (0.0, 0.01, 0.125, 0.2, 0.84, 0.95, 4.0, 300.0):
        axis = AxisHeat.of(time)
        assert all(0 <= share <= 0.5 for _, share in axis.explicit) and axis.implicit >= (1 - 1e-12) * time / 32
        assert all(stride <= max(2.2 * np.sqrt(time), 1.0) for stride, _ in axis.explicit)
        symbol = 1 / (1 + 2 * sympy.Rational(axis.implicit) * (1 - sympy.cos(x)))
        for stride, share in axis.explicit:
            symbol *= 1 - 2 * sympy.Rational(share) * (1 - sympy.cos(stride * x))
        series = sympy.series(symbol, x, 0, 8).removeO()
        second, fourth, sixth = (float(series.coeff(x, n)) for n in (2, 4, 6))
        found = (second, fourth - second**2 / 2, sixth - second * fourth + second**3 / 3)
        assert found[0] == pytest.approx(-time, rel=1e-13) and axis.time == pytest.approx(time, rel=1e-14)
        least, scale = max(time / 12 - time**2 / 2, 0.0), max(time, 1e-300)
        room = 0.035 * time**2 if time < 1 / 6 or 5 / 6 < time < 0.92 else 0.0
        assert least - 1e-12 * scale**2 <= found[1] <= least + room + 1e-12 * scale**2
        np.testing.assert_allclose(axis.cumulants(), found[1:], rtol=1e-9, atol=1e-9 * scale**3)
        assert abs(found[2]) <= 0.07 * time**3 + time / 100


@pytest.mark.parametrize("time", [0.3, 5.0])
def test_it_is_of_second_order_in_layers_and_of_fourth_in_spacing(time: float) -> None:
    """A cosine between walls after one unit of depth, against the decay that the heat equation gives it."""
    errors = []
    for refined in (2, 4):
        n, layers = 16 * refined + 1, 16 * refined**2
        h = 1 / (n - 1)
        noise = time * layers * h**2
        heat = HeatStep.of((n,), np.array([h]), 1 / layers, np.array([noise]))
        mass = h * np.r_[0.5, np.ones(n - 2), 0.5]
        field = np.cos(np.pi * np.linspace(0, 1, n))[None]
        for _ in range(layers):
            field = heat.smooth(mass * field)
        errors.append(abs(field[0, 0] / np.exp(-(np.pi**2) * noise) - 1))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("d", SHAPES)
@settings(max_examples=20, deadline=None)
@given(exponent=st.floats(-6.0, 6.0), seed=st.integers(0, 100))
def test_it_is_the_product_of_both_factors_and_keeps_positive_masses(d: int, exponent: float, seed: int) -> None:
    noise = 10.0**exponent * NOISE[:d]
    heat = HeatStep.of(SHAPES[d], SPACING[:d], STEP, noise)
    matrix, mass = dense(d, noise)
    duals = np.random.default_rng(seed).exponential(size=(2, len(mass)))
    kept, found = duals.copy(), heat.smooth(duals)
    assert np.array_equal(duals, kept) and found.min() >= 0
    np.testing.assert_allclose(found, duals @ matrix, rtol=1e-9)
    np.testing.assert_allclose((found @ mass).sum(axis=1), duals.sum(axis=1), rtol=1e-13 * max(1.0, noise.max()))
    np.testing.assert_allclose(heat.smooth(mass.sum(axis=0)[None]), 1.0, rtol=1e-12 * max(1.0, noise.max()))


@pytest.mark.parametrize("d", SHAPES)
def test_it_is_symmetric(d: int) -> None:
    heat = HeatStep.of(SHAPES[d], SPACING[:d], STEP, NOISE[:d])
    a, b = np.random.default_rng(0).standard_normal((2, 1, int(np.prod(SHAPES[d]))))
    assert np.array_equal(heat.smooth(a), heat.smooth(in_place := a.copy(), in_place))
    assert (heat.smooth(a) * b).sum() == pytest.approx((a * heat.smooth(b)).sum(), rel=1e-12)


@pytest.mark.parametrize("many", [1, 7, 8, 9, 17])
def test_lines_that_are_no_whole_block(many: int) -> None:
    heat = HeatStep.of((11,), SPACING[:1], STEP, NOISE[:1])
    duals = np.random.default_rng(0).standard_normal((many, 11))
    one_by_one = np.concatenate([heat.smooth(row[None]) for row in duals])
    assert np.array_equal(heat.smooth(duals), one_by_one)


@pytest.mark.parametrize("steps", [1, 3])
def test_variance_is_exact(steps: int) -> None:
    """2 Delta s a step and axis, as the heat equation has it; walls are too far to be felt."""
    shape, spacing, noise = (61, 81), np.array([0.1, 0.2]), np.array([0.05, 0.2])
    heat = HeatStep.of(shape, spacing, STEP, noise)
    mass = spacing.prod()
    masses = np.zeros(shape)
    masses[30, 40] = 1.0
    for _ in range(steps):
        masses = mass * heat.smooth(masses.reshape(1, -1)).reshape(shape)
    for a, (n, h, s) in enumerate(zip(shape, spacing, noise, strict=True)):
        along, x = masses.sum(axis=1 - a), h * (np.arange(n) - n // 2)
        assert along @ x == pytest.approx(0.0, abs=1e-12)
        assert along @ x**2 == pytest.approx(2 * STEP * s * steps, rel=1e-9)


def test_the_noise_is_shared_out() -> None:
    spacing = np.array([0.01, 0.1, 0.13, 1.0])
    nu, step = 0.02, 0.1
    splines = spacing**2 / (8 * step)
    for before in (0.0, 0.5):
        split = noise_split(nu, step, spacing, 2, before)
        assert (split.before >= 0).all() and (split.after >= 0).all()
        np.testing.assert_allclose(split.before + splines + split.after, split.effective, rtol=1e-14)
        np.testing.assert_allclose(split.effective, np.maximum(nu, splines), rtol=1e-15)
        np.testing.assert_allclose(split.before, np.minimum(before * nu, np.maximum(nu - splines, 0.0)), rtol=1e-15)
    assert noise_split(nu, step, spacing, 3, 0.0).after[0] == pytest.approx(nu - 4 / 3 * splines[0])


@pytest.mark.parametrize("before", [0.0, 0.5])
@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("noise", [0.2, 0.08, 0.01])
def test_a_layer_has_the_mean_and_variance_of_the_network(noise: float, degree: int, before: float) -> None:
    """x -> x + Delta u plus noise: exactly, whatever part of a spacing Delta u is."""
    n, h, step, velocity = 121, 0.25, 0.1, 3.7
    split = noise_split(noise, step, np.array([h]), degree, before)
    first, last = (HeatStep.of((n,), np.array([h]), step, s) for s in (split.before, split.after))
    masses = np.zeros((1, n))
    masses[0, n // 2] = 1.0
    moved = Push(Splines((n,), np.array([h]), degree), np.full((1, n), step * velocity))
    masses = h * last.smooth(moved.carry(h * first.smooth(masses)))
    x = h * (np.arange(n) - n // 2)
    assert masses.sum() == pytest.approx(1.0, rel=1e-13)
    assert masses[0] @ x == pytest.approx(step * velocity, rel=1e-12)
    assert masses[0] @ x**2 - (masses[0] @ x) ** 2 == pytest.approx(2 * step * split.effective[0], rel=1e-10)


def test_layers_as_thick_but_for_rounding_have_the_same_factors() -> None:
    """Also where one stride ends, t = 5/6, and then none of them is negative."""
    for time in 5 / 6 * (1 + np.array([-1e-13, 0.0, 1e-13])):
        axis = AxisHeat.of(float(time))
        ((stride, share),) = axis.explicit
        assert stride == 1 and share <= 0.5 and axis.implicit == pytest.approx(1 / 3) and axis.time == time
    assert len(AxisHeat.of(5 / 6 + 1e-8).explicit) == 2


@pytest.mark.parametrize("d", SHAPES)
def test_walks_have_the_law_of_the_heat_step(d: int) -> None:
    noise, paths = NOISE[:d], 20000
    matrix, mass = dense(d, noise)
    heat = HeatStep.of(SHAPES[d], SPACING[:d], STEP, noise)
    counts = np.zeros((2, len(mass)), dtype=np.int64)
    counts[0, 3], counts[1, [0, len(mass) - 1]] = paths, paths // 2
    went = heat.walk(counts, np.random.default_rng(0))
    assert (went.sum(axis=1) == paths).all()
    assert np.abs(went - counts @ matrix @ mass).max() < 5 * np.sqrt(paths / 4)
