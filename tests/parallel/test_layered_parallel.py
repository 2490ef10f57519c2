"""Operators shared out by layers are the operators shared out by nodes, on 1, 2 and 3 ranks."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hydrodl.linear_algebra.solver_choice import describe
from tests.parallel.launch import run_on_ranks

pytestmark = pytest.mark.parallel
PROGRAM = Path(__file__).with_name("layered_program.py")
RANKS = pytest.mark.parametrize("ranks", [1, 2, 3])


@cache
def report(ranks: int) -> dict[str, Any]:
    return json.loads(run_on_ranks(PROGRAM, ranks))


@RANKS
def test_stacks_go_there_and_back(ranks: int) -> None:
    assert report(ranks)["right"]
    for count, found in report(ranks)["shares"].items():
        layers, count = found["layers"], int(count)
        assert sorted(k for own in layers for k in own) == list(range(count))
        assert all(found["holders"][k] == rank for rank, own in enumerate(layers) for k in own)
        assert [k for _, part in found["segments"] for k in part] == list(range(count))
        assert all(found["holders"][k] == rank for rank, part in found["segments"] for k in part)
        sizes, longest = [len(own) for own in layers], max(len(part) for _, part in found["segments"])
        assert ranks == 1 or max(sizes) - min(sizes) <= longest


def test_neighbouring_segments_lie_on_different_ranks() -> None:
    owners = [rank for rank, _ in report(2)["shares"]["50"]["segments"]]
    assert len(owners) > 16 and all(a != b for a, b in pairwise(owners))
    assert report(3)["shares"]["1"]["layers"] == [[0], [], []]


@RANKS
@pytest.mark.parametrize("case", ["box", "triangles"])
def test_solves_products_and_sweeps_agree(ranks: int, case: str) -> None:
    for count, found in report(ranks)[case].items():
        assert max(found.values()) < 1e-12, (count, found)
        assert len(found) >= 10


@RANKS
def test_a_failure_on_one_rank_is_told_to_all(ranks: int) -> None:
    assert report(ranks)["failing"] == ["operator 3: linear solve failed"] * ranks


@RANKS
@pytest.mark.parametrize("classes", [2, 3])
def test_iterations_in_space_share_layers_where_classes_keep_all_ranks_busy(ranks: int, classes: int) -> None:
    found, alone = (report(number)["in_space"][str(classes)] for number in (ranks, 1))
    words = "gmres/ilu by layers" if ranks <= classes else "gmres/bjacobi-ilu"
    assert found["solver"] == ("gmres/ilu" if ranks == 1 else words)
    assert found["converged"] and found["J"] == pytest.approx(alone["J"], rel=1e-10)  # solves are to 1e-12


@pytest.mark.parametrize(
    ("settings", "layered", "words"),
    [
        ({"ksp_type": "preonly", "pc_type": "lu"}, False, "lu"),
        ({"ksp_type": "preonly", "pc_type": "lu"}, True, "lu by layers"),
        ({"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}, False, "lu (mumps)"),
        ({"ksp_type": "gmres", "pc_type": "bjacobi", "sub_pc_type": "ilu"}, False, "gmres/bjacobi-ilu"),
        ({"ksp_type": "cg", "pc_type": "icc"}, True, "cg/icc by layers"),
    ],
)
def test_solvers_in_words(settings: dict[str, Any], layered: bool, words: str) -> None:
    assert describe(settings, layered=layered) == words
