"""Stability bounds, spectra and energy-Casimir numbers do not depend on the number of ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = pytest.mark.parallel

PROGRAM = Path(__file__).with_name("stability_program.py")


@pytest.fixture(scope="module")
def runs() -> dict[int, dict[str, Any]]:
    return {ranks: json.loads(run_on_ranks(PROGRAM, ranks, timeout=200)) for ranks in (1, 2, 3)}


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", ["line", "box", "cube", "simplex", "P2"])
def test_bounds(runs: dict[int, dict[str, Any]], ranks: int, name: str) -> None:
    one, many = runs[1][name], runs[ranks][name]
    for key in ("recommended", "holds"):
        assert many[key] == one[key], key
    for key in ("bounds", "bends", "modes"):
        assert many[key] == pytest.approx(one[key], rel=1e-8, abs=1e-10), key
    for found, expected in zip(many["layers"], one["layers"], strict=True):
        assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("ranks", [2, 3])
def test_spectrum_and_casimir(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    one, many = runs[1], runs[ranks]
    for found, expected in zip(many["spectrum"], one["spectrum"], strict=True):
        for end in ("smallest", "largest"):
            assert found[end] == pytest.approx(expected[end], rel=1e-8)
        assert found["small"] < 1e-7
    for key in ("values", "run"):
        assert many["casimir"][key] == pytest.approx(one["casimir"][key], rel=1e-9)
    assert many["casimir"]["state"] == one["casimir"]["state"] == [True, True]
    assert len(one["casimir"]["values"]) == 6


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_rank_has_the_same_numbers(runs: dict[int, dict[str, Any]], ranks: int) -> None:
    assert runs[ranks]["alike"]
