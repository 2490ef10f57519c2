"""What the report calls a linear solver."""

from __future__ import annotations

from typing import Any

import pytest

from hydrodl.linear_algebra.solver_choice import describe


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
