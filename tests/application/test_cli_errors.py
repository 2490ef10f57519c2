"""What a user can do wrong on the command line: exit code 2, one line that names it, nothing solved, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hydrodl.application import cli, train_run
from hydrodl.problem_file import building
from tests.builders.cli_runs import MOONS

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
        ("data.lift=2", ["lift is 2", "2 features and lift 2 make 4 dimensions", "at most 3"]),
        ("data.lift=-1", ["data.lift is -1", "0, 1 or 2"]),
        ("domain.margin=[1.0,1.0,1.0]", ["margin is [1.0, 1.0, 1.0]", "one number or 2"]),
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
    monkeypatch.setattr(building, "setup", lambda *_: pytest.fail("too late"))
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
        (["export", "nowhere", "--format", "stl"], ["'stl'", "vtk, onnx, npz"]),
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

    monkeypatch.setattr(train_run, "train_into", broken)
    assert cli.invoke(["train", str(tmp_path / "p.toml")]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error and "not the user's fault" in error
