"""Noise as a flow of one generator: powers of a step, and the heat equation in cosines."""

from __future__ import annotations

import numpy as np

from hydrodl.discretisation.heat_flow import HeatFlow
from hydrodl.discretisation.heat_step import HeatStep, noise_split
from hydrodl.discretisation.push import Push, Splines

SHAPE, SPACING, NOISE = (9, 17), np.array([0.125, 0.125]), 0.3


def volumes() -> np.ndarray:
    ends = [np.r_[0.5, np.ones(n - 2), 0.5] * h for n, h in zip(SHAPE, SPACING, strict=True)]
    return np.multiply.outer(*ends).ravel()


def layers(flow: HeatFlow, step: float, count: int, masses: np.ndarray, degree: int) -> np.ndarray:
    """Masses after layers of a thickness in which nothing moves."""
    first, then = flow.steps(SHAPE, SPACING, step, NOISE, degree, 0.5)
    push = Push(Splines(SHAPE, SPACING, degree), np.zeros((2, masses.shape[1])))
    assert first is not None
    for _ in range(count):
        masses = volumes() * then.smooth(push.carry(volumes() * first.smooth(masses)))
    return masses


def test_layers_of_all_thicknesses_at_rest_are_powers_of_the_one_whose_noise_they_have() -> None:
    masses = np.random.default_rng(0).random((2, volumes().size))
    for degree in (2, 3):
        for thickness in (0.0, 0.1):
            once = layers(HeatFlow(thickness), 0.1, 1, masses, degree)
            assert np.abs(layers(HeatFlow(thickness), 0.02, 5, masses, degree) - once).max() < 1e-12
            assert np.abs(once.sum(axis=1) - masses.sum(axis=1)).max() < 1e-12


def test_a_layer_of_that_thickness_has_its_own_heat_steps() -> None:
    step, duals = 0.1, np.random.default_rng(1).standard_normal((2, volumes().size))
    split = noise_split(NOISE, step, SPACING, 2, 0.5)
    both = HeatFlow(step).steps(SHAPE, SPACING, step, NOISE, 2, 0.5)
    for found, noise in zip(both, (split.before, split.after), strict=True):
        assert found is not None
        own = HeatStep.of(SHAPE, SPACING, step, noise).smooth(duals)
        assert np.abs(found.smooth(duals) - own).max() < 1e-11 * np.abs(own).max()


def test_the_flow_without_a_thickness_is_that_of_the_heat_equation() -> None:
    """A cosine loses exp(-nu t kappa), to rounding, and has no noise before the map of "residual"."""
    x, y = np.meshgrid(*(np.arange(n) * h for n, h in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    wave = (np.cos(2 * np.pi * x) * np.cos(np.pi * y / 2)).reshape(1, -1)
    found = layers(HeatFlow(0.0), 0.05, 4, volumes() * wave, 2) / volumes()
    assert np.abs(found - np.exp(-NOISE * 0.2 * (4 + 0.25) * np.pi**2) * wave).max() < 1e-12
    assert HeatFlow(0.0).steps(SHAPE, SPACING, 0.1, NOISE, 2, 0.0)[0] is None
