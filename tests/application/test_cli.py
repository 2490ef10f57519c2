"""The command line: files, numbers and exit codes that users and scripts may rely on."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hydrodl.application import cli, train_run
from hydrodl.application.run_directory import load
from hydrodl.problem_file.given_data import read
from tests.builders.cli_runs import MOONS

REPORT_KEYS = {
    "converged",
    "reason",
    "objective",
    "gradient_norm",
    "iterations",
    "hessian_products",
    "train_accuracy",
    "test_accuracy",
    "warnings",
    "mass_error",
    "min_density",
    "peclet",
    "effective_noise",
    "largest_noise",
    "layers",
    "nodes",
    "unknowns",
    "ranks",
    "wall_time_s",
    "time_s",
    "objective_error",
    "versions",
    "linear_solver",
    "saddles",
}


without_figures = pytest.mark.usefixtures("no_figures")  # they take longer than everything else


def report_of(folder: Path) -> dict:
    def no_nan(text: str) -> None:
        raise AssertionError(f"{text} in report.json")

    return json.loads((folder / "report.json").read_text(), parse_constant=no_nan)


def test_train_writes_every_file(trained: Path) -> None:
    report = report_of(trained)
    assert set(report) == REPORT_KEYS
    assert report["converged"] is True and report["nodes"] == 121 and report["layers"] == 3 and report["ranks"] == 1
    assert set(report["time_s"]) == {"assembly", "sweeps", "optimiser", "io", "error_bar"}
    assert set(report["objective_error"]) >= {"layers", "nodes", "noise", "total"}
    assert set(report["versions"]) == {"hydrodl", "dolfinx", "petsc", "mpi", "python", "numpy"}
    assert report["mass_error"] < 1e-12 and report["min_density"] >= 0
    assert 0.5 < report["test_accuracy"] <= 1 and 0.5 < report["train_accuracy"] <= 1
    assert 0 < sum(report["time_s"].values()) <= report["wall_time_s"] * 1.01
    for name in ("problem.toml", "solution.h5", "fields.pvd"):
        assert (trained / name).is_file()
    assert list(trained.glob("*.png"))


@without_figures
def test_written_problem_reproduces_the_run(trained: Path, tmp_path: Path) -> None:
    tables = tomllib.loads((trained / "problem.toml").read_text())
    assert tables["solver"]["tao_gatol"] == 1e-8 and "tao_type" in tables["solver"]
    assert len(tables["domain"]["lower"]) == 2 and tables["physics"]["smoothness"] == 0.1
    assert cli.invoke(["train", str(trained / "problem.toml"), "--out", str(tmp_path / "again")]) == 0
    first, second = report_of(trained), report_of(tmp_path / "again")
    for key in ("objective", "iterations", "hessian_products", "min_density", "test_accuracy", "unknowns"):
        assert first[key] == pytest.approx(second[key], rel=1e-13), key


@without_figures
def test_progress_is_plain_lines_in_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "3 layers x 121 nodes" in lines[0]
    steps = [line for line in lines if line.startswith("newton")]
    assert len(steps) >= report_of(tmp_path / "o")["iterations"]
    assert all(word in steps[-1] for word in ("objective", "gradient", "cg", " s"))


@without_figures
def test_default_directory_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("moons.toml").write_text(MOONS)
    options = ["--set", "network.layers=2", "--set", "domain.nodes=[9, 8]", "--set", "physics.noise=0.2"]
    assert cli.invoke(["train", "moons.toml", *options]) == 0
    report = report_of(tmp_path / "moons-run")
    assert (report["layers"], report["nodes"]) == (2, 72)


@without_figures
def test_resume_starts_from_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    out = ["--out", str(tmp_path / "o")]
    assert cli.invoke(["train", str(tmp_path / "p.toml"), *out, "--set", "solver.tao_max_it=6"]) == 3
    stopped = report_of(tmp_path / "o")
    assert cli.invoke(["train", str(tmp_path / "p.toml"), *out, "--resume"]) == 0
    resumed, whole = report_of(tmp_path / "o"), report_of(trained)
    assert resumed["objective"] == pytest.approx(whole["objective"], rel=1e-9)
    assert stopped["objective"] > whole["objective"]
    assert cli.invoke(["train", str(tmp_path / "p.toml"), *out, "--resume"]) == 0
    assert report_of(tmp_path / "o")["iterations"] <= 1 < resumed["iterations"]


@without_figures
def test_no_convergence_is_exit_code_3_with_everything_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    out = tmp_path / "o"
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(out), "--set", "solver.tao_max_it=2"]) == 3
    *warned, error = capsys.readouterr().err.splitlines()
    assert "not converged" in error and "tao_max_it" in error
    assert len(warned) == 1 and "take 25 x 25 nodes" in warned[0]
    report = report_of(out)
    assert report["converged"] is False and "tao_max_it" in report["reason"] and report["iterations"] == 2
    assert {"solution.h5", "fields.pvd", "problem.toml"} <= {path.name for path in out.iterdir()}
    assert not load(out).solution.converged


@without_figures
def test_time_limit_keeps_the_best_iterate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o"), "--time-limit", "1e-9"]) == 3
    report = report_of(tmp_path / "o")
    assert report["converged"] is False and "time limit" in report["reason"] and report["iterations"] <= 1
    assert "time limit" in capsys.readouterr().err


@without_figures
def test_a_run_that_was_killed_can_be_resumed_but_not_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    with monkeypatch.context() as patch:
        patch.setattr(train_run, "_write", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            cli.invoke(["train", "p.toml", "--out", "o", "--checkpoint-every", "0"])
    (tmp_path / "q.csv").write_text("x,y\n0,0\n")
    assert "has not finished" in refused("predict", "o", "q.csv")
    assert cli.invoke(["train", "p.toml", "--out", "o", "--resume"]) == 0
    assert report_of(tmp_path / "o")["iterations"] <= 2


def test_dry_run_prints_sizes_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(MOONS)
    monkeypatch.setattr(train_run, "minimise", lambda *_, **__: pytest.fail("a dry run must not solve"))
    assert cli.invoke(["train", "p.toml", "--dry-run"]) == 0
    words = capsys.readouterr().out.split()
    assert words[words.index("nodes") + 1] == "121"
    assert words[words.index("unknowns") + 1] == str(3 * 121 * (2 + 2 * 2))
    assert "memory" in words and "time" in words
    assert [path.name for path in tmp_path.iterdir()] == ["p.toml"]


def read_table(text: str) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(text.splitlines())
    return header, rows


@pytest.mark.slow
def test_predict_needs_nothing_but_the_directory(
    table_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., str],
) -> None:
    capsys.readouterr()
    points = tmp_path / "points.csv"
    points.write_text("note,width,length\na,29,3.1\nb,11,5.2\n")  # other order, other columns
    assert cli.invoke(["predict", str(table_run), str(points)]) == 0
    header, rows = read_table(capsys.readouterr().out)
    assert header == ["label", "p_oak, old", "p_reed"]
    assert [row[0] for row in rows] == ["reed", "oak, old"]
    probabilities = np.array([[float(cell) for cell in row[1:]] for row in rows])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)
    assert probabilities[0, 1] > 0.5 > probabilities[1, 1]
    assert cli.invoke(["predict", str(table_run), str(points), "--out", str(tmp_path / "p.csv")]) == 0
    assert read_table((tmp_path / "p.csv").read_text()) == (header, rows)
    # from standard input, written in another way, with the columns that say which row is which
    given = b"nr;=note;width;length\n7;=1+1;29;3,1\n-8;b;11;5,2\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    words = ["--keep", "nr", "--keep", "=note", "--decimal", ","]
    assert cli.invoke(["predict", str(table_run), "-", *words]) == 0
    assert read_table(capsys.readouterr().out) == (
        ["nr", "'=note", *header],
        [["7", "'=1+1", *rows[0]], ["-8", "b", *rows[1]]],
    )
    assert "no column 'id'" in refused("predict", str(table_run), str(points), "--keep", "id")


def test_loaded_run_is_the_run_that_was_saved(trained: Path) -> None:
    loaded, report = load(trained), report_of(trained)
    assert loaded.solution.objective == report["objective"] and loaded.solution.reason == report["reason"]
    assert len(loaded.solution.history) >= loaded.solution.iterations > 0
    assert loaded.solution.problem.unknowns == report["unknowns"]
    samples = read(loaded.config.data).train
    assert loaded.network.accuracy(samples) == report["train_accuracy"]


def test_export_writes_both_formats(trained: Path, tmp_path: Path) -> None:
    assert cli.invoke(["export", str(trained), "--format", "vtk,npz", "--out", str(tmp_path / "e")]) == 0
    assert (tmp_path / "e" / "fields.pvd").is_file()
    with np.load(tmp_path / "e" / "network.npz") as archive:
        assert archive["velocity"].shape == (3, 2, 121)


@pytest.mark.slow
def test_plot_draws_the_same_figures_again(trained: Path) -> None:
    figures = {path.name for path in trained.glob("*.png")}
    for name in figures:
        (trained / name).unlink()
    assert cli.invoke(["plot", str(trained)]) == 0
    assert figures and {path.name for path in trained.glob("*.png")} == figures


def test_datasets_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["datasets"]) == 0
    out = capsys.readouterr().out
    names = "two_moons circles two_spirals gaussians checkerboard iris wine breast_cancer digits"
    assert [line.split()[0] for line in out.splitlines()[1:]] == names.split()
    assert cli.invoke(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hydrodl ")


MIXTURE = """
[[data.mixture]]
label = "a"
mean = [-1.0]
std = 0.4
[[data.mixture]]
label = "b"
mean = [1.0]
std = 0.4
[domain]
nodes = 21
[network]
layers = 3
scheme = "midpoint"
[physics]
noise = 0.1
potential = "0.1*x1**2"
energy = {kind = "power", weight = 0.1}
"""
LOSSES = """
[[loss]]
kind = "density"
divergence = "kl"
weight = 0.5
layer = 2
[[loss.target]]
label = "b"
mean = [1.5]
std = 0.4
[[loss.target]]
label = "a"
mean = [-1.5]
std = 0.4
[[loss]]
kind = "position"
weight = 1.0
targets = [[-1.0], [1.0]]
"""


@without_figures
def test_mixture_with_losses_at_two_layers(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "p.toml").write_text(MIXTURE + LOSSES)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o")]) == 0
    report = report_of(tmp_path / "o")
    assert report["train_accuracy"] is None and report["test_accuracy"] is None and report["nodes"] == 21
    assert cli.invoke(["train", str(tmp_path / "o" / "problem.toml"), "--out", str(tmp_path / "again")]) == 0
    assert report_of(tmp_path / "again")["objective"] == pytest.approx(report["objective"], rel=1e-13)
    (tmp_path / "q.csv").write_text("x,y\n0,0\n")
    assert "no readout" in refused("predict", "o", "q.csv")


def test_the_command_itself() -> None:
    """The console script's entry, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "hydrodl", "train", "nowhere.toml"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    shown = subprocess.run([sys.executable, "-m", "hydrodl", "train", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and all(word in shown.stdout for word in ("--resume", "--dry-run", "--time-limit"))
