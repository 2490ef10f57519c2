"""Marching on 1, 2 and 3 ranks is the same march: both schemes, fluid and Camassa-Holm, d = 1, 2, 3."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = pytest.mark.parallel

PROGRAM = """
import json
import hydrodl as hd
import numpy as np
from hydrodl.common.parallel import gather, gather_nodes, lexicographic
from hydrodl.solver.marching import evolve
from hydrodl.physics.wave_growth import fastest_growth

GAS = hd.Lagrangian(1e-4, decay=0.1, smoothness=0.2, energy=hd.Focusing(0.7), potential=lambda x: 0.2 * x[:, 0] ** 2)
HOLM = hd.Lagrangian(1e-12, decay=1.0, smoothness=0.2, kinetic=0.0)
CASES = {
    "gas line euler-box": (GAS, 31, {}, 1), "gas line midpoint": (GAS, 31, {}, 1),
    "holm line midpoint": (HOLM, 31, {}, 1), "holm box euler-box": (HOLM, 7, {}, 2),
    "gas box midpoint": (GAS, 7, {}, 2), "gas P2 euler-box": (GAS, 5, {"cells": "simplex", "degree": 2}, 2),
    "gas cube euler-box": (GAS, 4, {}, 3), "gas box midpoint, iterated": (GAS, 7, {}, 2),
}
found = {}
for name, (lagrangian, nodes, choices, d) in CASES.items():
    domain = hd.Domain.box([0.0] * d, [1.0] * d, nodes, **choices)
    x = domain.coordinates[: domain.owned]
    c = np.arange(1, 3)[:, None]
    rho = (1 + 0.3 * np.cos(np.pi * x[:, 0] + c)) / c + 0.1 * np.cos(np.pi * x[:, -1])
    phi = 0.1 * np.cos(c * np.pi * x[:, 0]) * np.cos(np.pi * x[:, -1])
    options = {"ksp_type": "gmres", "pc_type": "jacobi", "ksp_rtol": 1e-13} if "iterated" in name else {}
    scheme = "midpoint" if "midpoint" in name else "euler-box"
    flow = evolve(domain, hd.layers(4, 0.1), lagrangian, rho, phi, scheme, options, force=True)
    fields = gather(domain, np.concatenate([flow.velocity[-1], flow.density[-1], flow.potential[-1]]))
    points = gather_nodes(domain)
    if points is not None:
        found[name] = fields[:, lexicographic(points)].tolist()
    rate, number = fastest_growth(domain, lagrangian, rho)
    if points is not None:
        found[name + " growth"] = [rate, number]
domain = hd.Domain.interval(0.0, 1.0, 31)
rho, phi = np.ones((1, domain.owned)), np.zeros((1, domain.owned))
refused = []
bad = phi + (np.nan if domain.comm.rank == domain.comm.size - 1 else 0.0)
for trial in ((hd.Lagrangian(0.1), rho, phi), (GAS, rho, bad), (GAS, rho[:, 1:], phi)):
    try:
        evolve(domain, hd.layers(2), *trial)
    except hd.InputError as error:
        refused.append(str(error)[:20])
refused = domain.comm.gather(refused)
if domain.comm.rank == 0:
    print(json.dumps({"found": found, "refused": refused}))
"""


@pytest.fixture(scope="module")
def runs() -> dict[int, dict[str, Any]]:
    return {ranks: json.loads(run_on_ranks(PROGRAM, ranks, timeout=240)) for ranks in (1, 2, 3)}


@pytest.mark.parametrize("ranks", [2, 3])
def test_marching_does_not_depend_on_the_ranks(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    one, many = runs[1]["found"], runs[ranks]["found"]
    assert len(one) == 16 and one.keys() == many.keys()
    for name, fields in one.items():
        growth = name.endswith("growth")  # from an eigenvalue found to 1e-3
        print(ranks, name, np.abs(np.subtract(many[name], fields)).max())
        np.testing.assert_allclose(many[name], fields, rtol=2e-3 if growth else 0, atol=1e-11, err_msg=name)
        assert growth or np.ptp(fields) > 0.1


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_rank_hears_of_a_refusal(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    refused = runs[ranks]["refused"]
    assert len(refused) == ranks and all(messages == refused[0] for messages in refused)
    assert [message[:9] for message in refused[0]] == ["marching ", "potential", "density0 "]
