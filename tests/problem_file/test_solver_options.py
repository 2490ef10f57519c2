"""What a problem file may set of PETSc: types, numbers and words that run no code and write no files."""

from __future__ import annotations

from typing import Any

import pytest

from hydrodl.problem_file.solver_options import wrong_option
from hydrodl.training.minimisation import DEFAULTS

ALLOWED = {
    "tao_type": "bntr",
    "tao_gatol": 1e-8,
    "tao_max_it": 5,
    "tao_bnk_init_type": "direction",
    "tao_ksp_rtol": "1e-3",
    "tao_monitor": "",
    "slab_pc_type": "lu",
    "slab_sub_pc_type": "ilu",
    "slab_redundant_pc_factor_mat_ordering_type": "nd",
    "slab_pc_factor_shift_type": "positive_definite",
    "slab_pc_factor_reuse_fill": True,
    "slab_redundant_ksp_max_it": 3,
    "slab_ksp_chebyshev_eigenvalues": "0.1,1.1",
    "slab_ksp_view": "ascii::ascii_info_detail",
    "slab_mat_mumps_icntl_14": 30,
    "metric_pc_factor_mat_solver_type": "mumps",
    "slab_share": "nodes",
}
REFUSED: list[tuple[str, Any, str]] = [
    ("slab_ksp_view", ":x;touch PWNED;.gz", "must be ''"),
    ("slab_ksp_view", "ascii:file", "must be ''"),
    ("slab_ksp_view", "socket", "must be ''"),
    ("tao_monitor", "ascii::append", "must be ''"),
    ("tao_type", "python", "must be one of blmvm"),
    ("tao_type", "shell", "must be one of blmvm"),
    ("tao_python_type", "evil.py:Cls", "no option that a file may set"),
    ("slab_ksp_type", "python", "must be one of bcgs"),
    ("slab_pc_type", "python", "must be one of asm"),
    ("slab_pc_type", "shell", "must be one of asm"),
    ("slab_sub_pc_type", "python", "must be one of asm"),
    ("slab_telescope_sub_pc_type", "shell", "must be one of asm"),
    ("slab_pc_type", "mg", "must be one of asm"),
    ("slab_pc_python_type", "evil.Cls", "no option that a file may set"),
    ("slab_pc_factor_mat_solver_type", "matlab", "must be one of"),
    ("metric_ksp_monitor_python", "evil.run", "no option that a file may set"),
    ("slab_mat_mumps_icntl_1", 99, "no option that a file may set"),
    ("slab_mat_mumps_icntl_22", 1, "no option that a file may set"),
    ("slab_mat_mumps_ooc_tmpdir", "/tmp", "no option that a file may set"),
    ("slab_mat_view", "binary:x", "no option that a file may set"),
    ("tao_gatol", "many", "tao_gatol is 'many', must be a number"),
    ("tao_max_it", "1\n-ksp_view :x", "must be a number"),
    ("slab_share", "rows", "slab_share is 'rows', must be layers or nodes"),
    ("slab_pc_typ", "lu", "did you mean slab_pc_type?"),
    ("ksp_view", "", "start with tao_, slab_, metric_"),
    ("tao_\x1b[2J", 1, r"'tao_\x1b[2J' is no option"),
    ("slab_ksp_type gmres -tao_type", "python", "no option that a file may set"),
]


@pytest.mark.parametrize(("key", "value"), [*ALLOWED.items(), *DEFAULTS.items()])
def test_what_a_file_may_set(key: str, value: Any) -> None:
    assert wrong_option(key, value) is None


@pytest.mark.parametrize(("key", "value", "words"), REFUSED)
def test_what_a_file_may_not_set(key: str, value: Any, words: str) -> None:
    wrong = wrong_option(key, value)
    assert wrong is not None and words in wrong and wrong.isprintable()
