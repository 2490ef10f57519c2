"""Marching on several ranks is the march of one: both schemes, fluid and Camassa-Holm, d = 1, 2, 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.physics.wave_growth import fastest_growth
from hydrodl.solver.marching import evolve
from tests.builders.on_ranks import LAST, alone_and_together, everywhere

GAS = hd.Lagrangian(1e-4, decay=0.1, smoothness=0.2, energy=hd.Focusing(0.7), potential=lambda x: 0.2 * x[:, 0] ** 2)
HOLM = hd.Lagrangian(1e-12, decay=1.0, smoothness=0.2, kinetic=0.0)
CASES: dict[str, tuple[hd.Lagrangian, int, dict[str, Any], int]] = {
    "gas line euler-box": (GAS, 31, {}, 1),
    "gas line midpoint": (GAS, 31, {}, 1),
    "holm line midpoint": (HOLM, 31, {}, 1),
    "holm box euler-box": (HOLM, 7, {}, 2),
    "gas box midpoint": (GAS, 7, {}, 2),
    "gas P2 euler-box": (GAS, 5, {"cells": "simplex", "degree": 2}, 2),
    "gas cube euler-box": (GAS, 4, {}, 3),
    "gas box midpoint, iterated": (GAS, 7, {}, 2),
    "stream midpoint": (replace(GAS, stream=[0.3]), 31, {"periodic": True}, 1),
    "stream plane euler-box": (replace(GAS, stream=[0.3, 0.0]), 7, {"periodic": [True, False]}, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_marching_does_not_depend_on_the_ranks(case: str) -> None:
    lagrangian, nodes, choices, d = CASES[case]
    options = {"ksp_type": "gmres", "pc_type": "jacobi", "ksp_rtol": 1e-13} if "iterated" in case else {}
    scheme = "midpoint" if "midpoint" in case else "euler-box"

    def found(comm: MPI.Comm) -> tuple[np.ndarray, tuple[float, float]]:
        domain = hd.Domain.box([0.0] * d, [1.0] * d, nodes, comm=comm, **choices)
        x = domain.coordinates[: domain.owned]
        c = np.arange(1, 3)[:, None]
        rho = (1 + 0.3 * np.cos(np.pi * x[:, 0] + c)) / c + 0.1 * np.cos(np.pi * x[:, -1])
        phi = 0.1 * np.cos(c * np.pi * x[:, 0]) * np.cos(np.pi * x[:, -1])
        flow = evolve(domain, hd.layers(4, 0.1), lagrangian, rho, phi, scheme, options, force=True)
        fields = np.concatenate([flow.velocity[-1], flow.density[-1], flow.potential[-1]])
        return everywhere(domain, fields)[1], fastest_growth(domain, lagrangian, rho)

    (fields, growth), (many, other) = alone_and_together(found)
    np.testing.assert_allclose(many, fields, rtol=0, atol=1e-11)
    np.testing.assert_allclose(other, growth, rtol=2e-3, atol=1e-11)  # from an eigenvalue found to 1e-3
    assert np.ptp(fields) > 0.1


def test_every_rank_hears_of_a_refusal() -> None:
    domain = hd.Domain.interval(0.0, 1.0, 31)
    rho, phi = np.ones((1, domain.owned)), np.zeros((1, domain.owned))
    bad = phi + (np.nan if LAST else 0.0)
    trials = {
        "^marching ": (hd.Lagrangian(0.1), rho, phi),
        "^potential": (GAS, rho, bad),
        "^density0 ": (GAS, rho[:, 1:], phi),
    }
    for words, trial in trials.items():
        with pytest.raises(hd.InputError, match=words):
            evolve(domain, hd.layers(2), *trial)
