"""Every hostile folder of a run is refused in one line, before a value is believed, and leaves nothing behind."""

from __future__ import annotations

import copy
import os
import shutil
import tomllib
from pathlib import Path

import pytest
import tomli_w

from hydrodl.application import cli
from tests.hostile import crafted
from tests.hostile.problems import CANARY
from tests.hostile.test_problem_files import refused_in_one_line

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def content(trained: Path) -> crafted.Content:
    return crafted.contents(trained / "solution.h5")


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The two files of a run that are read, and a table."""
    (tmp_path / "o").mkdir()
    for name in ("problem.toml", "solution.h5"):
        shutil.copy(trained / name, tmp_path / "o" / name)
    (tmp_path / "q.csv").write_text("x1,x2\n0,0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "o"


def refused(words: str, capsys: Captured, command: str = "predict") -> None:
    before = {path.name for path in Path.cwd().rglob("*")}
    refused_in_one_line([command, "o", *(["q.csv"] if command == "predict" else [])], words, capsys)
    assert {path.name for path in Path.cwd().rglob("*")} == before


def test_the_folder_itself_is_good(folder: Path, content: crafted.Content) -> None:
    crafted.write(folder / "solution.h5", content)
    assert cli.invoke(["predict", "o", "q.csv"]) == 0


@pytest.mark.parametrize("name", crafted.LIES)
def test_checkpoint_that_lies(name: str, folder: Path, content: crafted.Content, capsys: Captured) -> None:
    change, words = crafted.LIES[name]
    held = copy.deepcopy(content)
    change(held)
    crafted.write(folder / "solution.h5", held)
    refused(words, capsys)


@pytest.mark.parametrize("name", crafted.HDF5)
def test_checkpoint_that_is_no_plain_file(name: str, folder: Path, capsys: Captured) -> None:
    craft, words = crafted.HDF5[name]
    craft(folder / "solution.h5")
    refused(words, capsys)


PROBLEMS: dict[str, tuple[str, str, object, str]] = {  # section, key and value of problem.toml, words of the refusal
    "shell in the options": ("solver", "slab_ksp_view", f":x;touch {CANARY};.gz", "slab_ksp_view"),
    "python in the options": ("solver", "slab_pc_type", "python", "slab_pc_type"),
    "code in a formula": ("physics", "potential", f"open('{CANARY}', 'w')", "allowed are"),
    "layers for no memory": ("network", "layers", 10**12, "other layers"),
    "nodes for no memory": ("domain", "nodes", [10**6, 10**6], "another mesh"),
    "nodes in one direction": ("domain", "nodes", [121], "nodes"),
    "triangles": ("domain", "cells", "simplex", "masses change"),
    "neurons": ("network", "width", 10**9, "neurons"),
    "another box": ("domain", "lower", [-99.0, -99.0], "elsewhere"),
    "no box": ("domain", "lower", None, "lower and upper"),
    "a mesh of a device": ("domain", "mesh", "/dev/zero", "mesh"),
    "another source": ("data", "source", "/dev/zero", "label is missing"),
    "an unknown key": ("physics", "\x1b[2J", 1, "unknown key"),
    "an unknown section": ("evil", "a", 1, "unknown key"),
}


@pytest.mark.parametrize("command", ["predict", "analyze"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_file_of_a_run(name: str, command: str, folder: Path, capsys: Captured) -> None:
    section, key, value, words = PROBLEMS[name]
    tables = tomllib.loads((folder / "problem.toml").read_text())
    tables.setdefault(section, {})[key] = value
    if value is None:
        del tables[section][key]
    (folder / "problem.toml").write_text(tomli_w.dumps(tables))
    refused(words, capsys, command)


@pytest.mark.parametrize("name", ["solution.h5", "problem.toml"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop", "nothing"])
def test_files_of_a_run_that_are_no_files(kind: str, name: str, folder: Path, capsys: Captured) -> None:
    (folder / name).unlink()
    if kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "folder":
        (folder / name).mkdir()
    elif kind == "device":
        (folder / name).symlink_to("/dev/zero")
    elif kind == "loop":
        (folder / name).symlink_to(name)
    refused("not the directory of a run", capsys)


@pytest.mark.slow
def test_links_in_a_folder_are_not_written_through(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    names = ["analysis.json", "analysis.md", "analysis_energy.png", "fields.pvd", "fields_000000.vtu", "network.npz"]
    names += ["transport.png", "velocity.png", "network.onnx", "paths.pvd", "paths_000000.vtp", "open_in_paraview.py"]
    for name in (*names, *(f".{name}.partial" for name in names)):
        (folder / name).symlink_to(outside)
    for command in (["plot", "o"], ["export", "o"], ["analyze", "o"]):
        assert cli.invoke(command) == 0
    assert outside.read_text() == "mine"
    assert not [name for name in ("analysis.json", "transport.png", "fields.pvd") if (folder / name).is_symlink()]


def test_resuming_from_a_strangers_checkpoint(
    folder: Path, trained: Path, content: crafted.Content, capsys: Captured
) -> None:
    shutil.copy(trained.parent / "moons.toml", "p.toml")
    for change, words in (
        (crafted.one("velocity", float("nan")), "not finite"),
        (crafted.at("model", "readout", "weights", value=[[1.0], [1.0]]), "readout"),
        (crafted.without("model"), "not written by a run"),
    ):
        held = copy.deepcopy(content)
        change(held)
        crafted.write(folder / "solution.h5", held)
        refused_in_one_line(["train", "p.toml", "--out", "o", "--resume"], words, capsys)


def test_there_are_enough_of_them() -> None:
    assert len(crafted.LIES) + len(crafted.HDF5) + len(PROBLEMS) >= 120
