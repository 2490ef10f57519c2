"""The estimators on 1, 2 and 3 ranks: the same predictions, on every rank, and nobody waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("estimator_program.py")
CASES = ["field", "neurons", "any neurons"]


@pytest.fixture(scope="module")
def runs() -> dict[int, dict[str, Any]]:
    return {ranks: json.loads(run_on_ranks(PROGRAM, ranks, timeout=300)) for ranks in (1, 2, 3)}


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_predictions(runs: dict[int, dict[str, Any]], ranks: int, case: str) -> None:
    one, many = runs[1]["cases"][case], runs[ranks]["cases"][case]
    for name in ("chances", "averages"):
        np.testing.assert_allclose(many[name], one[name], atol=1e-6)
    assert many["same"]
    assert max(many["network"], many["restored"]) < 1e-10
    assert many["inverse"] < 1e-10
    assert many["steps"] > 1


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_transport(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    one, many = runs[1]["transport"], runs[ranks]["transport"]
    for name in ("made", "noisy", "sampled"):
        np.testing.assert_allclose(many[name], one[name], atol=1e-5)
    assert many["cost"] == pytest.approx(one["cost"], rel=1e-6)
    assert many["same"] and many["back"] < 1e-9 and many["restored"] < 1e-10


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_may_fit_alone(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    assert runs[ranks]["alone"] == ranks


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_refuse_together(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    different, noise, constant = runs[ranks]["refused"]
    assert "noise is -1" in noise and "constant" in constant
    assert ("different data" in different) == (ranks > 1)
