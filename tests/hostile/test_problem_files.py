"""Every hostile problem file is refused in one line, quickly, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hydrodl.application import cli
from tests.builders.cli_runs import TABLE
from tests.hostile.problems import CANARY, PROBLEMS, SMALL

ENTITIES = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(9))
BESIDE = {
    "plants.csv": TABLE.encode(),
    "escapes.csv": b"x,kind\n1,\x1b[2J\n2,\x1b[2J\n",
    "noise.msh": b"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Nodes\n999999999999\n1 0 0 0\n",
    "bomb.vtu": f'<!DOCTYPE VTKFile [<!ENTITY a0 "aaaaaaaaaa">{ENTITIES}]><VTKFile>&a9;</VTKFile>'.encode(),
    "evil.py": f"open({CANARY!r}, 'w').close()\n".encode(),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the problem files are: with tables, meshes, a pipe and a loop of links."""
    for name, content in BESIDE.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused_in_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    code = cli.invoke(arguments)
    said = capsys.readouterr()
    assert code == 2, said.err
    assert said.err.startswith("hydrodl: error: ") and said.err.endswith("\n"), said.err
    assert said.err[:-1].isprintable() and words in said.err, said.err
    assert len(said.err) < 2500 and said.out == "", said.out


@pytest.mark.parametrize("name", PROBLEMS)
def test_hostile_problem_file(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, words = PROBLEMS[name]
    Path("p.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path.name for path in folder.iterdir()}
    refused_in_one_line(["train", "p.toml", "--out", "o"], words, capsys)
    assert {path.name for path in folder.iterdir()} - before <= {"o"}
    assert not Path("o").exists() or not list(Path("o").iterdir())


@pytest.mark.parametrize("problem", ["/dev/zero", "pipe", ".", "loop", "a\0b", "a" * 5000, "\x1b[2J.toml"])
def test_what_is_no_problem_file(problem: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused_in_one_line(["train", problem, "--out", "o"], "", capsys)


@pytest.mark.parametrize(
    "assignment",
    [
        f"solver.slab_ksp_view=:x;touch {CANARY};.gz",
        "solver.tao_type=python",
        "solver.slab_pc_type=shell",
        f"physics.potential=__import__('os').system('touch {CANARY}')",
        "data.seed=" + "9" * 5000,
        "data.seed=" + "[" * 5000,
        "network.\x1b[2J=1",
        "physics.noise=" + "[" * 900 + "]" * 900,
    ],
)
def test_hostile_assignments(assignment: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.toml").write_text(SMALL)
    refused_in_one_line(["train", "p.toml", "--out", "o", "--set", assignment], "", capsys)
    assert not Path(CANARY).exists()


def test_there_are_enough_of_them() -> None:
    assert len(PROBLEMS) >= 75
