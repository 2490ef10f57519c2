"""``hydrodl analyze`` under MPI: the same analysis on any number of ranks, written once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.parallel.launch import launch

pytestmark = pytest.mark.parallel

COMMAND = "from hydrodl.application.cli import main; main()"
# Not symmetric, so that no eigenvalue or largest value is double; layers and nodes enough for every part.
PROBLEM = """
[data]
source = "two_moons"
samples = 80
test_samples = 10
[domain]
nodes = [14, 13]
[network]
layers = 7
[physics]
noise = 0.1
[loss]
weight = 2.0
[solver]
tao_gatol = 1e-10
"""
ROUNDING = {
    "mass_error",
    "duality_residual",
    "slab_equations",
    "multisymplectic_residual",
    "multisymplectic",
    "hessian",
}
"""Numbers that are nothing but rounding or the solver's tolerance: small on any number of ranks, not the same."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, analysed on each of 1, 2 and 3 ranks."""
    where = tmp_path_factory.mktemp("ranks")
    (where / "p.toml").write_text(PROBLEM)
    done = launch(COMMAND, 1, "train", "p.toml", "--out", "run", cwd=where)
    assert done.returncode == 0, done.stderr
    for ranks in (1, 2, 3):
        shutil.copytree(where / "run", where / str(ranks))
        done = launch(COMMAND, ranks, "analyze", str(ranks), cwd=where, timeout=200)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "" and done.stdout.count("stability bounds ... done") == 1, done.stdout
        assert done.stdout.count("Use at least") == 1 and "left out" not in done.stdout, done.stdout
    return where


def analysis(folder: Path, ranks: int) -> dict[str, Any]:
    return json.loads((folder / str(ranks) / "analysis.json").read_text())


def compare(alone: Any, other: Any, where: str) -> None:
    if isinstance(alone, dict):
        assert alone.keys() == other.keys(), where
        for key in alone:
            compare(alone[key], other[key], f"{where}.{key}")
    elif isinstance(alone, list):
        assert len(alone) == len(other), where
        for n, (first, second) in enumerate(zip(alone, other, strict=True)):
            compare(first, second, f"{where}[{n}]")
    elif isinstance(alone, float):
        # residuals of the momentum map are the optimiser's tolerance
        assert other == pytest.approx(alone, rel=1e-6, abs=1e-8), where
    else:
        assert alone == other, where


@pytest.mark.parametrize("ranks", [2, 3])
def test_same_numbers_on_any_number_of_ranks(ranks: int, folder: Path) -> None:
    alone, other = analysis(folder, 1), analysis(folder, ranks)
    assert other["run"].pop("ranks") == ranks and alone["run"].pop("ranks") == 1
    for found in (alone, other):
        assert found["mass_error"] < 1e-12 and found["duality_residual"] < 1e-12
        assert found["multisymplectic_residual"] < 1e-10 and found["hessian"]["residual"] < 1e-8
        assert max(found["slab_equations"].values()) < 1e-7
        assert found["time_s"].keys() == alone["time_s"].keys()
    kept = set(alone) - ROUNDING - {"time_s"}
    assert kept >= {"energy_drift", "modified_energy_drift", "equation_residual", "stability", "recommended"}
    for key in sorted(kept):
        compare(alone[key], other[key], key)


def test_one_set_of_files(folder: Path) -> None:
    names = [{path.name for path in (folder / str(ranks)).iterdir()} for ranks in (1, 2, 3)]
    assert names[0] == names[1] == names[2]
    assert names[0] >= {"analysis.json", "analysis.md", "analysis_energy.png", "analysis_residuals.png"}
    assert not [name for name in names[0] if name.endswith(".partial")]


def test_no_run_is_told_once(folder: Path) -> None:
    done = launch(COMMAND, 2, "analyze", "nowhere", cwd=folder)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("hydrodl:")]
    assert len(lines) == 1 and "is not the directory of a run" in lines[0]
    assert "Traceback" not in done.stderr and done.stdout == ""
