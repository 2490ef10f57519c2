"""Training on 1, 2 and 3 ranks is the same training: both schemes, boxes and simplices, d = 1, 2, 3, every loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = pytest.mark.parallel

PROGRAM = Path(__file__).with_name("train_program.py")
EXACT = ("converged", "reason", "warnings")
CLOSE = ("objective", "start", "slope", "curvature", "norm", "initial_gradient_norm")
CASES = [
    "line euler-box",
    "line midpoint",
    "P2 euler-box",
    "P2 midpoint",
    "box euler-box",
    "box midpoint",
    "cube euler-box",
    "box euler-box, iterated",
    "box trained readout",
    "box neurons",
]


@pytest.fixture(scope="module")
def runs() -> dict[int, dict[str, Any]]:
    return {ranks: json.loads(run_on_ranks(PROGRAM, ranks, timeout=300)) for ranks in (1, 2, 3)}


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_training_does_not_depend_on_the_ranks(runs: dict[int, dict[str, Any]], ranks: int, case: str) -> None:
    one, many = runs[1]["cases"][case], runs[ranks]["cases"][case]
    assert one["converged"] and many["everyone"] == 1
    for name in EXACT:
        assert many[name] == one[name], name
    for name in CLOSE:
        assert many[name] == pytest.approx(one[name], rel=1e-9), name
    for name, part in one["parts"].items():
        assert many["parts"][name] == pytest.approx(part, rel=1e-6), name
    assert max(one["gradient_norm"], many["gradient_norm"]) <= 1e-7
    assert abs(many["iterations"] - one["iterations"]) <= 1
    assert many["hessian_products"] == pytest.approx(one["hessian_products"], rel=0.2, abs=3)
    assert many["steps"] == list(range(many["iterations"] + 1))
    assert many["min_density"] == pytest.approx(one["min_density"], rel=1e-4, abs=1e-12)
    assert many["negative_mass"] == pytest.approx(one["negative_mass"], rel=1e-4, abs=1e-12)
    assert many["peclet"] == pytest.approx(one["peclet"], rel=1e-5)
    assert max(one["mass_error"], many["mass_error"]) < (1e-10 if "iterated" in case else 1e-12)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("case", [case for case in CASES if "cube" not in case])
def test_so_does_not_the_network(runs: dict[int, dict[str, Any]], ranks: int, case: str) -> None:
    one, many = runs[1]["cases"][case], runs[ranks]["cases"][case]
    assert many["accuracy"] == one["accuracy"] > 0.8
    np.testing.assert_allclose(many["pushed"], one["pushed"], atol=1e-5)
    np.testing.assert_allclose(many["readout"], one["readout"], atol=1e-5)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_derivatives_on_every_number_of_ranks(runs: dict[int, dict[str, Any]], ranks: int, case: str) -> None:
    found = runs[ranks]["cases"][case]
    np.testing.assert_allclose(found["orders"], 2.0, atol=0.1)
    assert found["symmetry"] < 1e-10
    assert found["min_density"] >= 0 or "euler-box" not in case or "P2" in case


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_stop_and_fail_together(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    assert runs[ranks]["stopped"] == ["stopped by the monitor", 1, ["initial velocity has"]]
