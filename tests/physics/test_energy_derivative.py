"""Derivatives of internal energies, compiled once for all meshes and weights."""

from __future__ import annotations

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.physics.energy_derivative import energy_derivative


def test_values_are_those_by_hand() -> None:
    rho = np.array([[0.5, 1.0], [2.0, 3.0]])
    entropy, power = hd.Lagrangian(0.1, energy=hd.Entropy(2.0, 1e-6)), hd.Lagrangian(0.1, energy=hd.Power(3.0, 2.5))
    by_hand = [(entropy, 2 * rho * np.log(rho), 2 * np.log(rho) + 2, 2 / rho)]
    by_hand += [(power, 1.2 * rho**2.5, 3 * rho**1.5, 4.5 * rho**0.5)]
    for physics, *values in by_hand:
        for order, expected in enumerate(values):
            np.testing.assert_allclose(energy_derivative(physics, rho, order), expected, rtol=1e-5, atol=1e-5)


def test_an_energy_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later ones, of other sizes and weights too, are found in the cache of forms."""
    energy_derivative(hd.Lagrangian(0.1, energy=hd.Entropy(2.0)), np.ones(3), 1)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr("ffcx.codegeneration.jit._compile_objects", refuse)
    energy_derivative(hd.Lagrangian(0.1, energy=hd.Entropy(5.0)), np.ones(7), 2)
