"""An equilibrium that violates the energy-Casimir criterion in d = 2 is seen to leave, at the rate that theory gives."""

from __future__ import annotations

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.analysis.casimir import energy_casimir
from hydrodl.analysis.equilibrium import Equilibrium
from hydrodl.evolve import evolve

SQUARE = hd.Domain.box([0.0, 0.0], [1.0, 1.0], 33)
AMPLITUDE = 1e-6


def wave_at_the_end(physics: hd.Lagrangian, depth: float) -> float:
    """Amplitude of cos(pi x) cos(pi y) after a march from rest with it added to R = 1, over its start."""
    x = SQUARE.coordinates[: SQUARE.owned]
    wave = np.cos(np.pi * x[:, 0]) * np.cos(np.pi * x[:, 1])
    flow = evolve(
        SQUARE, hd.layers(64, depth), physics, (1 + AMPLITUDE * wave)[None], np.zeros((1, SQUARE.owned)),
        scheme="midpoint", force=True,
    )  # fmt: skip
    return float((wave @ (flow.density[-1, 0] - 1)) / (wave @ wave)) / AMPLITUDE


def subsonic(physics: hd.Lagrangian) -> bool:
    """Does the criterion c^2 > |v|^2 hold for the fluid at rest with R = 1?"""
    still = Equilibrium(SQUARE, physics, np.ones(SQUARE.owned), np.zeros((2, SQUARE.owned)))
    return next(bound.holds for bound in energy_casimir(still) if "subsonic" in bound.name)


@pytest.mark.parametrize("depth", [0.5, 0.9])
def test_a_fluid_without_pressure_against_crowding_leaves_as_predicted(depth: float) -> None:
    """U = R^2/2, c^2 = -R U'' = -1 < 0: the wave grows like cosh(s t), s = 2^(1/2) pi; with U = -R^2/2 it is cos(s t)."""
    rate = np.sqrt(2) * np.pi
    bad, good = (hd.Lagrangian(1e-8, decay=0.0, energy=kind(1.0)) for kind in (hd.Power, hd.Focusing))
    assert not subsonic(bad) and subsonic(good)
    assert wave_at_the_end(bad, depth) == pytest.approx(np.cosh(rate * depth), rel=0.02)
    assert wave_at_the_end(good, depth) == pytest.approx(np.cos(rate * depth), abs=0.02)
