"""The command line under MPI: the same report on any number of ranks, one message, and no rank left waiting."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from hydrodl.data.datasets import load_dataset
from tests.parallel.launch import launch

pytestmark = pytest.mark.parallel

COMMAND = "from hydrodl.application.cli import main; main()"
# Not symmetric, so that no eigenvalue or distance is double.
PROBLEM = """
[data]
source = "two_moons"
samples = 80
test_samples = 50
[domain]
nodes = [10, 9]
[network]
layers = 2
[physics]
noise = 0.1
[loss]
weight = 2.0
[solver]
tao_gatol = 1e-9
"""


FEATURES = load_dataset("two_moons").feature_names


def command(ranks: int, folder: Path, *arguments: str, code: str = COMMAND) -> subprocess.CompletedProcess[str]:
    return launch(code, ranks, *arguments, cwd=folder, timeout=90)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on each of 1, 2 and 3 ranks."""
    where = tmp_path_factory.mktemp("ranks")
    (where / "p.toml").write_text(PROBLEM)
    for ranks in (1, 2, 3):
        done = command(ranks, where, "train", "p.toml", "--out", str(ranks))
        assert done.returncode == 0, done.stderr
        assert done.stderr == "" and done.stdout.count("converged (") == 1
        assert done.stdout.count("newton   0 ") == 1
    return where


def reports(folder: Path) -> list[dict]:
    return [json.loads((folder / str(ranks) / "report.json").read_text()) for ranks in (1, 2, 3)]


def test_same_report_on_any_number_of_ranks(folder: Path) -> None:
    alone, *others = reports(folder)
    assert [report["ranks"] for report in others] == [2, 3]
    for report in others:
        assert report.keys() == alone.keys()
        assert report["converged"] is alone["converged"] is True
        assert report["objective"] == pytest.approx(alone["objective"], rel=1e-10)
        assert report["peclet"] == pytest.approx(alone["peclet"], rel=1e-5)
        assert report["min_density"] == pytest.approx(alone["min_density"], rel=1e-4)
        for key in ("layers", "nodes", "unknowns", "train_accuracy", "test_accuracy", "versions"):
            assert report[key] == alone[key], key
        assert report["mass_error"] < 1e-12


def test_one_set_of_files(folder: Path) -> None:
    def names(ranks: int) -> set[str]:
        return {path.name for path in (folder / str(ranks)).iterdir() if path.suffix != ".vtu"}

    assert names(1) == names(2) == names(3)
    problems = {(folder / str(ranks) / "problem.toml").read_text() for ranks in (1, 2, 3)}
    assert len(problems) == 1


def test_a_run_is_read_on_another_number_of_ranks(folder: Path) -> None:
    (folder / "q.csv").write_text(",".join(FEATURES) + "\n0.1,0.7\n1.2,-0.4\n-0.9,0.2\n")
    outputs = [command(ranks, folder, "predict", "3", "q.csv") for ranks in (1, 2)]
    assert [done.returncode for done in outputs] == [0, 0], outputs
    alone, two = ([line.split(",") for line in done.stdout.splitlines()] for done in outputs)
    assert [row[0] for row in alone] == [row[0] for row in two] and len(alone) == 4
    for first, second in zip(alone[1:], two[1:], strict=True):
        assert [float(cell) for cell in second[1:]] == pytest.approx([float(cell) for cell in first[1:]], abs=1e-9)
    resumed = command(2, folder, "train", "p.toml", "--out", "1", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "in 0 steps" in resumed.stdout or "in 1 steps" in resumed.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "p.toml", "--set", "physics.noise=0"], "physics.noise is 0"),
        (["train", "missing.toml"], "missing.toml"),
        (["train", "p.toml", "--set", "domain.lower=[0, 0]", "--set", "domain.upper=[1, 1]"], "outside the mesh"),
        (["train", "p.toml", "--out", "p.toml"], "cannot be written"),
        (["train", "p.toml", "--fast"], "--fast"),
        (["predict", "nowhere", "q.csv"], "nowhere"),
    ],
)
def test_wrong_input_is_told_once(arguments: list[str], expected: str, folder: Path) -> None:
    done = command(2, folder, *arguments)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("hydrodl:")]
    assert len(lines) == 1 and expected in lines[0], done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_no_convergence_is_told_once(folder: Path) -> None:
    done = command(2, folder, "train", "p.toml", "--out", "short", "--set", "solver.tao_max_it=1")
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("not converged") == 1
    assert (folder / "short" / "solution.h5").is_file()


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_on_one_rank_ends_all(rank: int, folder: Path) -> None:
    """One rank fails between two collective calls, the other waits in the next: the failing one must end both."""
    code = f"""
import hydrodl.application.cli as cli, hydrodl.problem_file.building as build
from mpi4py import MPI
cli.PATIENCE = 1.0
whole = build.make_problem
def broken(*arguments, **choices):
    if MPI.COMM_WORLD.rank == {rank}:
        raise ZeroDivisionError("alone")
    return whole(*arguments, **choices)
build.make_problem = broken
cli.main()
"""
    began = time.monotonic()
    done = command(2, folder, "train", "p.toml", "--out", "broken", code=code)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert time.monotonic() - began < 60
    assert done.stderr.count("ZeroDivisionError: alone") == 1, done.stderr


def test_sigterm_on_one_rank_stops_all_and_keeps_the_best_iterate(folder: Path) -> None:
    code = """
import os, signal
import hydrodl.application.cli as cli, hydrodl.application.progress as progress
from mpi4py import MPI
watch = progress.Watch.__call__
def call(self, step):
    if MPI.COMM_WORLD.rank == 1 and step["iteration"] == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return watch(self, step)
progress.Watch.__call__ = call
cli.main()
"""
    done = command(2, folder, "train", "p.toml", "--out", "ended", code=code)
    assert done.returncode == 3, (done.returncode, done.stderr)
    report = json.loads((folder / "ended" / "report.json").read_text())
    assert "SIGTERM" in report["reason"] and report["iterations"] == 2 and report["converged"] is False
    assert done.stderr.count("SIGTERM") == 1
