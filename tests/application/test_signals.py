"""Signals end a run in order, a second Ctrl-C at once; lost output ends no run; imports leave signals alone."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hydrodl.application import cli, signals
from hydrodl.application import watch as _watch
from hydrodl.problem_file import building
from tests.builders.cli_runs import GAUSSIANS, WITHOUT_FIGURES, at_step
from tests.builders.launch import COMMAND

Captured = pytest.CaptureFixture[str]
ASKING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(GAUSSIANS)
    return tmp_path


def send(name: str) -> None:
    os.kill(os.getpid(), getattr(signal, name))


@pytest.mark.slow
def test_every_signal_ends_a_run_at_its_next_step(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    before = [signal.getsignal(number) for number in signals.ASKING]
    for name in ASKING:
        with monkeypatch.context() as patch:
            at_step(2, lambda name=name: send(name), patch)
            assert cli.invoke(["train", "p.toml", "--out", name]) == 3
        report = json.loads(Path(name, "report.json").read_text())
        assert report["reason"] == f"stopped by {name}" and report["iterations"] == 2 and not report["converged"]
        assert f"not converged: stopped by {name}; the best iterate is in {name}" in capsys.readouterr().err
    assert [signal.getsignal(number) for number in signals.ASKING] == before


def test_a_signal_before_the_first_step_ends_the_command_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in ASKING:
        monkeypatch.setattr(building, "setup", lambda *_, name=name: send(name))
        assert cli.invoke(["train", "p.toml", "--out", "o"]) == 1
        assert capsys.readouterr().err == f"hydrodl: stopped by {name}\n"
        assert not list(Path("o").iterdir())


def test_a_second_ctrl_c_ends_the_run_at_once_with_its_checkpoint(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def twice() -> None:
        send("SIGINT")
        send("SIGINT")  # the same wish, passed on by mpiexec
        monkeypatch.setattr(signals, "AGAIN", 0.0)
        monkeypatch.setattr(_watch, "AGAIN", 0.0)
        send("SIGINT")
        pytest.fail("it went on")

    at_step(2, twice, monkeypatch)
    assert cli.invoke(["train", "p.toml", "--out", "o", "--checkpoint-every", "0"]) == 1
    assert capsys.readouterr().err.endswith("hydrodl: stopped at once by SIGINT\n")
    assert {path.name for path in Path("o").iterdir()} == {"solution.h5", "problem.toml"}


def test_what_was_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As nohup does with SIGHUP."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        at_step(2, lambda: send("SIGHUP"), monkeypatch)
        assert cli.invoke(["train", "p.toml", "--out", "o"]) == 0
    finally:
        signal.signal(signal.SIGHUP, previous)


CAUGHT = """
def caught():
    words = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return [int(words[key], 16) % 2**31 for key in ("SigCgt", "SigIgn")]  # beyond are those of the threads' library
before = caught()
import hydrodl, dolfinx.fem.petsc, slepc4py.SLEPc
hydrodl.Domain
print(before == caught())
"""


def test_importing_leaves_the_signals_of_a_program_alone() -> None:
    done = subprocess.run([sys.executable, "-c", CAUGHT], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def shell(command: str, code: str = COMMAND) -> subprocess.CompletedProcess[str]:
    """A pipeline of the command, given as H, in a shell; the exit code is that of its first part."""
    program = f'H() {{ {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"; }}'
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        ["bash", "-c", f"{program}; {command}; exit ${{PIPESTATUS[0]}}"],
        env=environment,
        text=True,
        capture_output=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("H datasets | true", 0, ""),
        ("H datasets | head -1", 0, ""),
        ("H datasets >/dev/full", 2, "standard output cannot be written: No space left on device"),
        ("H datasets >&-", 2, "standard output cannot be written: it is closed"),
        ("H datasets >&- 2>&-", 2, ""),
        ("H nonsense 2>/dev/full", 2, ""),
    ],
)
def test_output_that_goes_away(command: str, code: int, words: str) -> None:
    done = shell(command)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == bool(words) and words in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["H train p.toml --out o | head -1", "H train p.toml --out o >/dev/full"])
def test_a_run_goes_on_when_nobody_reads_what_it_says(command: str) -> None:
    done = shell(command, WITHOUT_FIGURES)
    assert done.returncode == 0, done.stderr
    assert json.loads(Path("o/report.json").read_text())["converged"] is True
    assert done.stderr.count("\n") == ("full" in command) and "Traceback" not in done.stderr


@pytest.mark.slow
def test_sigpipe_is_not_the_end_and_a_real_signal_from_outside_is(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_FIGURES, "train", "p.toml", "--out", "o", "--set", "network.layers=200"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "newton   1" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGPIPE)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 3, error
    assert error.splitlines()[-1] == "hydrodl: not converged: stopped by SIGINT; the best iterate is in o"
