"""Posterior, samples and pictures on 1, 2 and 3 ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("posterior_program.py")
CASES = [
    "line euler-box",
    "line midpoint",
    "box euler-box",
    "box midpoint",
    "cube euler-box",
    "P1 midpoint",
    "P2 euler-box",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    found = {}
    for ranks in (1, 2, 3):
        folder = tmp_path_factory.mktemp(f"ranks{ranks}")
        found[ranks] = json.loads(run_on_ranks(PROGRAM, ranks, folder, timeout=300))
    return found


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_nothing_depends_on_the_number_of_ranks(runs: dict[int, dict[str, Any]], ranks: int, case: str) -> None:
    one, many = runs[1]["cases"][case], runs[ranks]["cases"][case]
    assert set(one) == set(many) >= {"posterior", "proba", "density", "paths"}
    assert ("counts" in one) == (case in ("line euler-box", "box euler-box", "cube euler-box"))
    for name, values in one.items():
        np.testing.assert_allclose(many[name], values, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_fail_together(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    said = runs[ranks]["refused"]
    assert said[0] == ["density is not finite"] and len(said[1]) == 1 and said[1] != ["nothing"]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_pictures_are_drawn_once(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    assert runs[ranks]["pictures"] == ["decision.png", "trajectories.png", "calibration.png", "flow.gif"]
