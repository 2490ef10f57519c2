"""On boxes the running cost as numbers at nodes is the one of the UFL forms, with its first and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.discretisation.running_cost import FormCost

ENERGIES = [None, hd.Entropy(0.2, 1e-3), hd.Power(0.4, 2.5), hd.Focusing(0.1)]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_against_the_forms(d: int) -> None:
    domain = hd.Domain.box([-1.0] * d, [1.0, 1.3, 0.8][:d], [6, 5, 4][:d])
    rng, steps = np.random.default_rng(d), np.array([0.3, 0.7])
    for energy in ENERGIES:
        for smoothness in (0.0, 0.3):
            physics = hd.Lagrangian(0.1, 0.05, smoothness, 0.8, energy)
            scheme = hd.Problem(
                domain,
                hd.layers(2),
                hd.mixture([hd.Gaussian([0.0] * d, 0.4)], domain),
                physics,
                hd.Position(1.0, [[0.1] * d]),
                "strang",
            ).method
            transport = scheme.transport(domain, scheme.physics(domain, physics), 2, 1, {})
            ours, forms = transport.cost, FormCost(transport.action)
            u, total = rng.standard_normal((2, d, domain.nodes)), 0.1 + rng.random((2, domain.nodes))
            assert ours.value(u, total, steps) == pytest.approx(forms.value(u, total, steps), rel=1e-13)
            for found, exact in zip(ours.slopes(u, total), forms.slopes(u, total), strict=True):
                np.testing.assert_allclose(found, exact, atol=1e-13)
