"""One run at a time in a folder, whose lock names its owner and is no obstacle once that is gone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mpi4py import MPI

from hydrodl.application import cli
from hydrodl.application.run_lock import LOCK, locked
from hydrodl.common.errors import InputError
from tests.builders.cli_runs import GAUSSIANS

Refused = Callable[..., str]
HERE = socket.gethostname()


def owner(process: int, host: str = HERE) -> str:
    return json.dumps({"process": process, "host": host, "since": "2020-01-01 00:00:00"})


def gone() -> int:
    """The number of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_run_is_refused_and_told_who_is_at_work(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "o").mkdir()
    with locked(tmp_path / "o", MPI.COMM_SELF):
        message = refused("train", "p.toml", "--out", "o", problem=GAUSSIANS)
        assert f"at work in o (process {os.getpid()} on {HERE}" in message and "another --out" in message
        assert {path.name for path in (tmp_path / "o").iterdir()} == {LOCK}
    assert not list((tmp_path / "o").iterdir())


def test_the_lock_of_a_process_that_is_gone_is_taken_over_in_one_line(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(owner(gone()))
    with (
        pytest.warns(UserWarning, match=r"process \d+ left its lock behind and is gone"),
        locked(tmp_path, MPI.COMM_SELF),
    ):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_the_lock_of_another_machine_is_believed(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / LOCK).write_text(owner(1, "elsewhere"))
    message = refused("train", "p.toml", "--out", "o", problem=GAUSSIANS)
    assert "process 1 on elsewhere" in message and f"remove o/{LOCK}" in message


def test_a_lock_that_says_nothing_sensible_is_nobodys(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "o").mkdir()
    for text in ("", "no JSON", "[1]", "[" * 900, "\0"):
        (tmp_path / "o" / LOCK).write_text(text)
        with locked(tmp_path / "o", MPI.COMM_SELF):
            pass
    (tmp_path / "o" / LOCK).write_text(json.dumps({"process": "\x1b[2J"}))  # of a machine that it does not name
    assert r"process \x1b[2J on None" in refused("train", "p.toml", "--out", "o", problem=GAUSSIANS)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / LOCK).symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match=LOCK), locked(tmp_path / "o", MPI.COMM_SELF):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_error_or_a_refusal_frees_the_folder(tmp_path: Path, refused: Refused) -> None:
    for setting in ("physics.potential=log(x1)", "domain.nodes=[3,3,3]"):
        refused("train", "p.toml", "--out", "o", "--set", setting, problem=GAUSSIANS)
        assert not list((tmp_path / "o").iterdir())


RACE = """
import sys, time, warnings
from pathlib import Path
from mpi4py import MPI
from hydrodl.application.run_lock import locked
from hydrodl.common.errors import InputError
try:
    with locked(Path(sys.argv[1]), MPI.COMM_SELF):
        time.sleep(1.0)
        print("in")
except InputError:
    print("out")
"""


@pytest.mark.slow
def test_of_runs_that_start_together_one_gets_the_folder(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(owner(gone()))  # which all of them find
    command = [sys.executable, "-W", "ignore", "-c", RACE, str(tmp_path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [run.communicate()[0].strip() for run in runs]
    assert said.count("in") >= 1 and set(said) <= {"in", "out"}
    assert not (tmp_path / LOCK).exists()


def test_the_users_own_problem_file_is_never_replaced(
    tmp_path: Path, refused: Refused, no_figures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = GAUSSIANS + "# mine\n"
    (tmp_path / "problem.toml").write_text(own)
    assert "problem.toml is not a run's own" in refused("train", "problem.toml", "--out", ".")
    assert (tmp_path / "problem.toml").read_text() == own and {p.name for p in tmp_path.iterdir()} == {"problem.toml"}
    assert cli.invoke(["train", "problem.toml", "--out", "o"]) == 0
    made = tmp_path / "o/problem.toml"
    assert cli.invoke(["train", "o/problem.toml", "--out", "o", "--set", "network.layers=5"]) == 0  # not edited
    made.write_text(edited := made.read_text().replace("layers = 5", "layers = 4"))
    assert "has been edited" in refused("train", "o/problem.toml", "--out", "o")
    assert made.read_text() == edited
