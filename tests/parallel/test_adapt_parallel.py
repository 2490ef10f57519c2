"""Placed layers and refined meshes on 1, 2 and 3 ranks: the same layers, the same nodes, the same optimum."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("adapt_program.py")


@pytest.fixture(scope="module")
def runs() -> dict[int, dict[str, Any]]:
    return {ranks: json.loads(run_on_ranks(PROGRAM, ranks, timeout=300)) for ranks in (1, 2, 3)}


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_rounds(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    one, many = runs[1], runs[ranks]
    assert many["same"] and many["converged"]
    assert many["layers"] == [4, 6, 9] and many["nodes"] == one["nodes"]
    assert many["nodes"][0] < many["nodes"][1] < many["nodes"][2]
    np.testing.assert_allclose(many["objectives"], one["objectives"], rtol=1e-8)
    np.testing.assert_allclose(many["times"], one["times"], atol=1e-6)
    assert np.abs(np.array(many["times"]) - 0.25).min() < 1e-14
    np.testing.assert_allclose(many["there"], one["there"], atol=1e-5)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_what_decides(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    one, many = runs[1], runs[ranks]
    np.testing.assert_allclose(many["placed"], one["placed"], atol=1e-5)
    np.testing.assert_allclose(many["shares"], one["shares"], rtol=1e-4, atol=1e-7)
    assert many["estimate"] == pytest.approx(one["estimate"], rel=1e-4)
    assert "quadrilateral" in many["refused"]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_transfer(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    np.testing.assert_allclose(runs[ranks]["moved"], runs[1]["moved"], atol=1e-5)


@pytest.mark.parametrize("ranks", [2, 3])
def test_cells_are_shared_out(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    assert runs[ranks]["balance"] < 1.2
