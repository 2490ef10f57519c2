"""The command line: files, numbers and exit codes that users and scripts may rely on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from hydrodl import _estimate, _progress, cli, run

MOONS = """
[data]
source = "two_moons"
samples = 60
test_samples = 40
[domain]
nodes = 11
[network]
layers = 3
[solver]
tao_gatol = 1e-8
"""
REPORT_KEYS = {
    "converged", "reason", "objective", "gradient_norm", "iterations", "hessian_products", "train_accuracy",
    "test_accuracy", "warnings", "mass_error", "min_density", "peclet", "layers", "nodes", "unknowns", "ranks",
    "wall_time_s", "time_s", "versions",
}  # fmt: skip
# one class gathers in a blob at (3, 30), the other at (5, 10); far from standardised on purpose
TABLE = "length,width,kind\n" + "".join(
    f"{a + 0.3 * np.cos(i):.6f},{b + 4 * np.sin(3 * i):.6f},{name}\n"
    for i in range(12)
    for a, b, name in ((3, 30, "reed"), (5, 10, '"oak, old"'))
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "moons.toml").write_text(MOONS)
    assert cli.invoke(["train", str(folder / "moons.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    (folder / "plants.csv").write_text(TABLE)
    (folder / "p.toml").write_text(
        MOONS.replace('"two_moons"', '"plants.csv"\nlabel = "kind"\ntest_fraction = 0.25\nbandwidth = 0.4')
    )
    assert cli.invoke(["train", str(folder / "p.toml"), "--out", str(folder / "out")]) == 0
    (folder / "plants.csv").unlink()
    return folder / "out"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command that must be refused: exit code 2, one line on stderr and nothing on stdout."""
    monkeypatch.chdir(tmp_path)

    def check(*arguments: str, problem: str | None = None) -> str:
        if problem is not None:
            (tmp_path / "p.toml").write_text(problem)
        capsys.readouterr()
        assert cli.invoke([str(a) for a in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1 and captured.err.startswith("hydrodl: error: "), captured.err
        assert "Traceback" not in captured.err and captured.out == ""
        return captured.err

    return check


def report_of(folder: Path) -> dict:
    def no_nan(text: str) -> None:
        raise AssertionError(f"{text} in report.json")

    return json.loads((folder / "report.json").read_text(), parse_constant=no_nan)


def test_train_writes_every_file(trained: Path) -> None:
    report = report_of(trained)
    assert set(report) == REPORT_KEYS
    assert report["converged"] is True and report["nodes"] == 121 and report["layers"] == 3 and report["ranks"] == 1
    assert set(report["time_s"]) == {"assembly", "sweeps", "optimiser", "io"}
    assert set(report["versions"]) == {"hydrodl", "dolfinx", "petsc", "mpi", "python", "numpy"}
    assert report["mass_error"] < 1e-12 and report["min_density"] >= 0
    assert 0.5 < report["test_accuracy"] <= 1 and 0.5 < report["train_accuracy"] <= 1
    assert 0 < sum(report["time_s"].values()) <= report["wall_time_s"] * 1.01
    for name in ("problem.toml", "solution.h5", "fields.pvd"):
        assert (trained / name).is_file()
    assert list(trained.glob("*.png"))


def test_written_problem_reproduces_the_run(trained: Path, tmp_path: Path) -> None:
    tables = tomllib.loads((trained / "problem.toml").read_text())
    assert tables["solver"]["tao_gatol"] == 1e-8 and "tao_type" in tables["solver"]
    assert len(tables["domain"]["lower"]) == 2 and tables["physics"]["smoothness"] == 0.1
    assert cli.invoke(["train", str(trained / "problem.toml"), "--out", str(tmp_path / "again")]) == 0
    first, second = report_of(trained), report_of(tmp_path / "again")
    for key in ("objective", "iterations", "hessian_products", "min_density", "test_accuracy", "unknowns"):
        assert first[key] == pytest.approx(second[key], rel=1e-13), key


def test_progress_is_plain_lines_in_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "3 layers x 121 nodes" in lines[0]
    steps = [line for line in lines if line.startswith("newton")]
    assert len(steps) >= report_of(tmp_path / "o")["iterations"]
    assert all(word in steps[-1] for word in ("objective", "gradient", "cg", " s"))


def test_default_directory_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("moons.toml").write_text(MOONS)
    options = ["--set", "network.layers=2", "--set", "domain.nodes=[9, 8]", "--set", "physics.noise=0.2"]
    assert cli.invoke(["train", "moons.toml", *options]) == 0
    report = report_of(tmp_path / "moons-run")
    assert (report["layers"], report["nodes"]) == (2, 72)


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


def test_no_convergence_is_exit_code_3_with_everything_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    out = tmp_path / "o"
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(out), "--set", "solver.tao_max_it=2"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "not converged" in error and "tao_max_it" in error
    report = report_of(out)
    assert report["converged"] is False and "tao_max_it" in report["reason"] and report["iterations"] == 2
    assert {"solution.h5", "fields.pvd", "problem.toml"} <= {path.name for path in out.iterdir()}
    assert not run.load(out).solution.converged


def test_time_limit_keeps_the_best_iterate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o"), "--time-limit", "1e-9"]) == 3
    report = report_of(tmp_path / "o")
    assert report["converged"] is False and "time limit" in report["reason"] and report["iterations"] <= 1
    assert "time limit" in capsys.readouterr().err


def test_sigterm_ends_the_run_at_its_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = _progress.line

    def line(step: dict, seconds: float) -> str:
        if step["iteration"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(step, seconds)

    monkeypatch.setattr(_progress, "line", line)
    (tmp_path / "p.toml").write_text(MOONS)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o")]) == 3
    report = report_of(tmp_path / "o")
    assert "SIGTERM" in report["reason"] and report["iterations"] == 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_watch_saves_now_and_then() -> None:
    saved: list[int] = []
    step = {"iteration": 0, "objective": 1.0, "gradient_norm": 1.0, "cg_iterations": 0}
    for every, expected in ((0.0, [0, 1, 2]), (1e9, [])):
        saved.clear()
        watch = _progress.Watch(MPI.COMM_SELF, lambda step: None, lambda u: saved.append(int(u[0])), None, every)
        assert not any(watch(step | {"velocity": np.array([k])}) for k in range(3))
        assert saved == expected


def test_a_run_that_was_killed_can_be_resumed_but_not_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    (tmp_path / "p.toml").write_text(MOONS)
    with monkeypatch.context() as patch:
        patch.setattr(_progress.Watch.__init__, "__defaults__", (0.0,))  # a checkpoint at every step
        patch.setattr(run, "_write", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            cli.invoke(["train", "p.toml", "--out", "o"])
    (tmp_path / "q.csv").write_text("x,y\n0,0\n")
    assert "has not finished" in refused("predict", "o", "q.csv")
    assert cli.invoke(["train", "p.toml", "--out", "o", "--resume"]) == 0
    assert report_of(tmp_path / "o")["iterations"] <= 2


def test_dry_run_prints_sizes_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(MOONS)
    monkeypatch.setattr(run, "train", lambda *_, **__: pytest.fail("a dry run must not solve"))
    assert cli.invoke(["train", "p.toml", "--dry-run"]) == 0
    words = capsys.readouterr().out.split()
    assert words[words.index("nodes") + 1] == "121"
    assert words[words.index("unknowns") + 1] == str(3 * 121 * (2 + 2 * 2))
    assert "memory" in words and "time" in words
    assert [path.name for path in tmp_path.iterdir()] == ["p.toml"]


def test_memory_estimate_is_proportional_to_layers_times_nodes() -> None:
    one = _estimate.memory_bytes(1000, 2, 2)
    assert _estimate.memory_bytes(3000, 2, 2) == pytest.approx(3 * one) and _estimate.memory_bytes(1000, 2, 5) > one > 0


def read_table(text: str) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(text.splitlines())
    return header, rows


def test_predict_needs_nothing_but_the_directory(
    table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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


def test_loaded_run_is_the_run_that_was_saved(trained: Path) -> None:
    loaded, report = run.load(trained), report_of(trained)
    assert loaded.solution.objective == report["objective"] and loaded.solution.reason == report["reason"]
    assert len(loaded.solution.history) >= loaded.solution.iterations > 0
    assert loaded.solution.problem.unknowns == report["unknowns"]
    samples, _ = run._build.samples(loaded.config.data)
    assert loaded.network.accuracy(samples) == report["train_accuracy"]


def test_export_writes_both_formats(trained: Path, tmp_path: Path) -> None:
    assert cli.invoke(["export", str(trained), "--format", "vtk,npz", "--out", str(tmp_path / "e")]) == 0
    assert (tmp_path / "e" / "fields.pvd").is_file()
    with np.load(tmp_path / "e" / "network.npz") as archive:
        assert archive["velocity"].shape == (3, 2, 121)


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


def test_mixture_with_losses_at_two_layers(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "p.toml").write_text(MIXTURE + LOSSES)
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o")]) == 0
    report = report_of(tmp_path / "o")
    assert report["train_accuracy"] is None and report["test_accuracy"] is None and report["nodes"] == 21
    assert cli.invoke(["train", str(tmp_path / "o" / "problem.toml"), "--out", str(tmp_path / "again")]) == 0
    assert report_of(tmp_path / "again")["objective"] == pytest.approx(report["objective"], rel=1e-13)
    (tmp_path / "q.csv").write_text("x,y\n0,0\n")
    assert "no readout" in refused("predict", "o", "q.csv")


BAD_PROBLEMS = [
    ("[physics]\nnoise = 0.0", ["physics.noise is 0.0", "positive"]),
    ("[physics]\nnoise = -1.0", ["physics.noise is -1.0", "positive"]),
    ("[physics]\nnoise = 'loud'", ["physics.noise is 'loud'", "number"]),
    ("[physics]\nnoize = 0.1", ["physics.noize", "did you mean physics.noise?"]),
    ("[solver]\npetsc_type = 'nls'", ["petsc_type", "tao_"]),
]


@pytest.mark.parametrize(("text", "parts"), BAD_PROBLEMS)
def test_bad_problem_files(text: str, parts: list[str], refused: Callable[..., str]) -> None:
    problem = MOONS.partition("[solver]")[0] + text
    message = refused("train", "p.toml", problem=problem)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("network.layers=0", ["network.layers is 0", "at least 1"]),
        ("domain.nodes=1", ["domain.nodes is 1", "at least 2"]),
        ("domain.nodes=[5,5,5]", ["domain.nodes is [5, 5, 5]", "2"]),
        ("network.layers=many", ["network.layers is 'many'", "whole number"]),
        ("data.source=two_moon", ["two_moon", "two_moons"]),
        ("data.source=missing.csv", ["missing.csv"]),
        ("domain.mesh=missing.msh", ["domain", "mesh excludes nodes"]),
        ("physics.potential=x3", ["x3"]),
        ("physics.potential=log(x1)", ["log(x1)", "not finite"]),
        ('physics.potential=["x1"]', ["physics.potential", "1 formulas for 2 classes"]),
        ("loss.kind=hinge", ["loss.kind is 'hinge'", "classification"]),
        ("loss.layer=9", ["loss.layer is 9", "at most"]),
        ("data.noise=-1", ["data.noise is -1", "not negative"]),
        ("data.dimensions=3", ["dimensions", "3", "2 features"]),
    ],
)
def test_bad_overrides(assignment: str, parts: list[str], refused: Callable[..., str]) -> None:
    message = refused("train", "p.toml", "--set", assignment, problem=MOONS)
    assert all(part in message for part in parts), message


ROWS = "1,2,a\n2,1,a\n3,5,b\n4,4,b\n"
BAD_TABLES = {
    "missing": (None, ["t.csv", "no such file"]),
    "folder": ("folder", ["t.csv"]),
    "binary": (b"\x89PNG\0\xff\xfe", ["t.csv", "not a CSV"]),
    "prose": (b"this is no table\n", ["t.csv", "not a CSV"]),
    "no label column": (b"x,y,kind\n" + ROWS.encode(), ["'label'", "x, y, kind"]),
    "NaN": (b"x,y,label\n1,2,a\n2,nan,a\n3,5,b\n4,4,b\n", ["row 3", "'y'", "nan"]),
    "infinite": (b"x,y,label\n1,2,a\n2,inf,a\n3,5,b\n4,4,b\n", ["row 3", "'y'", "inf"]),
    "text": (b"x,y,label\n1,2,a\n2,1,a\n3,five,b\n4,4,b\n", ["row 4", "'y'", "five"]),
    "one class": (b"x,y,label\n1,2,a\n2,1,a\n3,5,a\n", ["single class", "'a'"]),
    "one sample": (b"x,y,label\n1,2,a\n2,1,a\n3,5,b\n", ["'b'", "1 sample"]),
    "empty": (b"x,y,label\n", ["t.csv", "empty"]),
    "nothing": (b"", ["t.csv"]),
    "constant": (b"x,y,label\n1,2,a\n2,2,a\n3,2,b\n4,2,b\n", ["'y'", "constant"]),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(name: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    content, parts = BAD_TABLES[name]
    if isinstance(content, bytes):
        (tmp_path / "t.csv").write_bytes(content)
    elif content == "folder":
        (tmp_path / "t.csv").mkdir()
    message = refused("train", "p.toml", problem='[data]\nsource = "t.csv"\nlabel = "label"\ntest_fraction = 0.0\n')
    assert all(part in message for part in parts), message


def test_points_outside_the_mesh(refused: Callable[..., str]) -> None:
    box = ["--set", "domain.lower=[-1.0, -1.0]", "--set", "domain.upper=[1.0, 1.0]"]
    assert "outside the mesh" in refused("train", "p.toml", *box, problem=MOONS)


def test_mesh_of_the_wrong_dimension(tmp_path: Path, refused: Callable[..., str]) -> None:
    import meshio

    line = meshio.Mesh(np.linspace(-4, 4, 5)[:, None] * [1.0, 0.0, 0.0], [("line", [[0, 1], [1, 2], [2, 3], [3, 4]])])
    meshio.write(tmp_path / "line.vtu", line)
    problem = MOONS.replace("nodes = 11", 'mesh = "line.vtu"')
    message = refused("train", "p.toml", problem=problem)
    assert "line.vtu" in message and "dimension 1" in message and "dimension 2" in message
    assert "missing.msh" in refused("train", "p.toml", problem=problem.replace("line.vtu", "missing.msh"))


def test_output_directory_that_cannot_be_written(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "file").write_text("")
    message = refused("train", "p.toml", "--out", "file/out", problem=MOONS)
    assert "output directory file/out cannot be written" in message
    assert "file" in refused("train", "p.toml", "--out", "file", problem=MOONS)


def test_nothing_is_solved_before_the_output_directory_is_known_to_work(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run._build, "setup", lambda *_: pytest.fail("too late"))
    (tmp_path / "file").write_text("")
    refused("train", "p.toml", "--out", "file", problem=MOONS)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["train", "missing.toml"], ["missing.toml"]),
        (["train"], ["PROBLEM.toml"]),
        (["trian", "p.toml"], ["trian"]),
        (["train", "p.toml", "--fast"], ["--fast"]),
        (["train", "p.toml", "--time-limit", "soon"], ["--time-limit", "number"]),
        (["train", "p.toml", "--time-limit", "-1"], ["--time-limit is -1", "positive"]),
        (["train", "p.toml", "--set", "nonsense"], ["nonsense", "section.key=value"]),
        (["train", "p.toml", "--resume"], ["nothing to resume", "solution.h5"]),
        (["predict", "nowhere", "q.csv"], ["nowhere"]),
        (["export", "nowhere", "--format", "vtk"], ["nowhere"]),
        (["export", "nowhere", "--format", "stl"], ["'stl'", "vtk, npz"]),
        (["plot", "nowhere"], ["nowhere"]),
    ],
)
def test_bad_commands(arguments: list[str], parts: list[str], refused: Callable[..., str]) -> None:
    message = refused(*arguments, problem=MOONS)
    assert all(part in message for part in parts), message


def test_bad_tables_of_points(table_run: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    points = tmp_path / "q.csv"
    assert "no such file" in refused("predict", table_run, points)
    points.write_text("length,height\n1,2\n")
    assert "'width'" in refused("predict", table_run, points)
    points.write_text("length,width\n1,2\n3,wide\n")
    message = refused("predict", table_run, points)
    assert "row 3" in message and "'width'" in message and "wide" in message


def test_damaged_checkpoint(trained: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "problem.toml").write_text((trained / "problem.toml").read_text())
    content = bytearray((trained / "solution.h5").read_bytes())
    (tmp_path / "solution.h5").write_bytes(content[: len(content) // 2])
    assert "solution.h5" in refused("plot", tmp_path)


def test_resume_with_other_layers_is_refused(trained: Path, refused: Callable[..., str]) -> None:
    message = refused("train", "p.toml", "--out", trained, "--resume", "--set", "network.layers=4", problem=MOONS)
    assert "layers" in message


def test_unexpected_errors_are_exit_code_1_with_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.toml").write_text(MOONS)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("not the user's fault")

    monkeypatch.setattr(run, "train_into", broken)
    assert cli.invoke(["train", str(tmp_path / "p.toml")]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error and "not the user's fault" in error


def test_the_command_itself() -> None:
    """The console script's entry, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "hydrodl", "train", "nowhere.toml"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    shown = subprocess.run([sys.executable, "-m", "hydrodl", "train", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and all(word in shown.stdout for word in ("--resume", "--dry-run", "--time-limit"))
