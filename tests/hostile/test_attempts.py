"""What a stranger's file tried, tried on the command itself in a process of its own: nothing is loaded or written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.builders.cli_runs import GAUSSIANS
from tests.hostile.test_start_folder import CANARY, EVIL, run

OPTIONS = [
    f'slab_ksp_view = ":x;touch {CANARY};.gz"',
    f'tao_monitor = "ascii:{CANARY}"',
    'tao_type = "python"\ntao_python_type = "evil.py:Cls"',
    'slab_ksp_type = "preonly"\nslab_pc_type = "python"\nslab_pc_python_type = "evil.Cls"',
]


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS[::3], ids=lambda text: text.split()[0])
def test_solver_options_of_a_file_run_nothing(options: str, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / "p.toml").write_text(GAUSSIANS + options + "\n")
    done = run(tmp_path, "train", "p.toml", "--out", "o")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "solver" in done.stderr, done.stderr
    assert not list(tmp_path.rglob(f"*{CANARY}*")) and not (tmp_path / "o").exists()


@pytest.mark.slow
def test_solver_options_of_a_finished_run_run_nothing(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "o")
    problem = tmp_path / "o/problem.toml"
    problem.write_text(problem.read_text().replace("[solver]", f"[solver]\n{OPTIONS[0]}"))
    done = run(tmp_path, "analyze", "o")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "solver" in done.stderr, done.stderr
    assert not list(tmp_path.rglob(f"*{CANARY}*"))
