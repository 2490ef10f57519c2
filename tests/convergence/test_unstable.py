"""An equilibrium that violates the energy-Casimir criterion in d = 2 is seen to leave, as fast as theory says."""

from __future__ import annotations

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.analysis.stability.bounds import box_numbers
from hydrodl.analysis.stability.discrete_modes import UniformState, box_growth
from hydrodl.analysis.stability.energy_casimir import energy_casimir
from hydrodl.analysis.stability.equilibrium import Equilibrium
from hydrodl.solver.marching import evolve

SQUARE = hd.Domain.box([0.0, 0.0], [1.0, 1.0], 6)
BAD, GOOD = (hd.Lagrangian(1e-8, decay=0.0, energy=kind(1.0), smoothness=0.0) for kind in (hd.Power, hd.Focusing))


def distances(physics: hd.Lagrangian, depth: float) -> np.ndarray:
    """|rho - 1| at each layer of a march from rest, R = 1, with a perturbation of 1e-11 without total mass."""
    noise = np.random.default_rng(0).standard_normal(SQUARE.owned)
    x = SQUARE.coordinates[: SQUARE.owned]
    weight = np.prod(np.where((x < 1e-9) | (x > 1 - 1e-9), 0.5, 1.0), axis=1)  # the vertex rule's
    noise -= (weight @ noise) / weight.sum()
    still = np.zeros((1, SQUARE.owned))
    start = (1 + 1e-11 * noise)[None]
    flow = evolve(SQUARE, hd.layers(240, depth), physics, start, still, scheme="midpoint", force=True)
    return np.linalg.norm(flow.density[:, 0] - 1, axis=1)


def subsonic(physics: hd.Lagrangian) -> bool:
    """Does the criterion c^2 > |v|^2 hold for the fluid at rest with R = 1?"""
    still = Equilibrium(SQUARE, physics, np.ones(SQUARE.owned), np.zeros((2, SQUARE.owned)))
    return next(bound.holds for bound in energy_casimir(still) if "subsonic" in bound.name)


def test_a_fluid_at_rest_leaves_if_crowding_costs_and_stays_if_it_pays() -> None:
    """U = R^2/2: c^2 = -R U'' = -1 < 0, every wave grows, the fastest wins; U = -R^2/2: c^2 = 1, none does."""
    rate = np.sqrt(box_growth(*box_numbers(SQUARE), UniformState.of(BAD, 1.0), 1.0))
    found = distances(BAD, 2.2)
    assert not subsonic(BAD)
    assert np.log(found[-1] / found[-60]) / (59 * 2.2 / 240) == pytest.approx(rate, rel=0.02)
    assert found[-1] > 1e6 * found[0]
    assert subsonic(GOOD)
    assert distances(GOOD, 2.2).max() < 3e-10
