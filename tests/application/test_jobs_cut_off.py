"""A job of several ranks that is cut off: every rank ends, the last checkpoint is whole, any number goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hydrodl.application import cli, train_run
from tests.builders.cli_runs import GAUSSIANS, WITHOUT_FIGURES
from tests.builders.launch import COMMAND, launch

pytestmark = pytest.mark.parallel

# On one rank, at one step, before that step's checkpoint is written.
AT_STEP = """
import os, signal, resource, time
import hydrodl.application.watch as progress
from mpi4py import MPI
watch = progress.Watch.__call__
def call(self, step):
    if MPI.COMM_WORLD.rank == {rank} and step["iteration"] == {step}:
        {act}
    return watch(self, step)
progress.Watch.__call__ = call
"""
UNTIL_ASKED = """
        while not self.signalled:
            time.sleep(0.01)"""
"""The launcher passes a signal on when it comes to it."""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
FILL = "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))"


def train(ranks: int, folder: Path, out: str, *options: str, before: str = "") -> subprocess.CompletedProcess[str]:
    arguments = ["train", "p.toml", "--out", out, "--checkpoint-every", "0", *options]
    return launch(before + WITHOUT_FIGURES, ranks, *arguments, cwd=folder)


def objective_of(folder: Path) -> float:
    report = json.loads((folder / "report.json").read_text())
    assert report["converged"] is True
    return float(report["objective"])


def alone(folder: Path, out: str, *options: str) -> int:
    """The same on one rank, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(train_run, "plot_all", lambda *_: None)
        return cli.invoke(["train", "p.toml", "--out", out, "--checkpoint-every", "0", *options])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("overnight")
    (where / "p.toml").write_text(GAUSSIANS)
    assert alone(where, "whole") == 0
    return where


@pytest.fixture(scope="module")
def lost(folder: Path) -> Path:
    """What a job of 2 ranks leaves of which one was killed."""
    done = train(2, folder, "lost", before=AT_STEP.format(rank=1, step=4, act=KILL))
    assert done.returncode != 0 and "newton   3" in done.stdout and "newton   5" not in done.stdout
    assert not (folder / "lost" / "report.json").exists()
    return folder / "lost"


@pytest.mark.parametrize("ranks", [1, 3])
def test_job_that_lost_a_rank_resumes_on_another_number_of_ranks(ranks: int, lost: Path, folder: Path) -> None:
    shutil.copytree(lost, folder / f"on{ranks}")
    if ranks == 1:
        assert alone(folder, "on1", "--resume") == 0
    else:
        done = train(ranks, folder, f"on{ranks}", "--resume")
        assert done.returncode == 0, done.stderr
    assert objective_of(folder / f"on{ranks}") == pytest.approx(objective_of(folder / "whole"), rel=1e-10)
    whole = json.loads((folder / "whole" / "report.json").read_text())
    resumed = json.loads((folder / f"on{ranks}" / "report.json").read_text())
    assert resumed["iterations"] < whole["iterations"]  # so it did not start from nothing
    assert not list((folder / f"on{ranks}").glob(".*.partial"))


def test_wrong_input_is_told_once_and_is_exit_code_2(folder: Path) -> None:
    done = launch(COMMAND, 2, "train", "p.toml", "--set", "physics.noise=0", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if line.startswith("hydrodl:")]
    assert len(lines) == 1 and "physics.noise is 0" in lines[0] and "Traceback" not in done.stderr


def test_disk_that_fills_up_is_told_once_and_ends_every_rank(folder: Path) -> None:
    done = train(2, folder, "full", before=AT_STEP.format(rank=0, step=4, act=FILL))
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("hydrodl:")]
    assert len(lines) == 1 and "full/solution.h5 cannot be written" in lines[0], done.stderr
    assert "Traceback" not in done.stderr
    again = train(2, folder, "full", "--resume")
    assert again.returncode == 0, again.stderr
    assert objective_of(folder / "full") == pytest.approx(objective_of(folder / "whole"), rel=1e-10)


def test_time_limit_ends_every_rank_with_a_checkpoint(folder: Path) -> None:
    late = "now = time.monotonic; progress.time.monotonic = lambda: now() + 1e6"
    done = train(2, folder, "late", "--time-limit", "1000", before=AT_STEP.format(rank=1, step=2, act=late))
    assert done.returncode == 3, done.stderr
    report = json.loads((folder / "late" / "report.json").read_text())
    assert report["reason"] == "time limit of 1000 min" and report["iterations"] == 2
    assert done.stderr.count("time limit") == 1
    assert alone(folder, "late", "--resume") == 0
    assert objective_of(folder / "late") == pytest.approx(objective_of(folder / "whole"), rel=1e-10)


def test_sigterm_to_mpiexec_ends_every_rank_with_a_checkpoint(folder: Path) -> None:
    """What a batch system sends to the job reaches the ranks."""
    mpiexec = "int(open(f'/proc/{os.getppid()}/stat').read().rsplit(')')[1].split()[1])"  # the parent of our proxy
    term = f"os.kill({mpiexec}, signal.SIGTERM)" + UNTIL_ASKED
    done = train(2, folder, "ended", before=AT_STEP.format(rank=1, step=3, act=term))
    assert done.returncode == 3, done.stderr
    report = json.loads((folder / "ended" / "report.json").read_text())
    assert report["reason"] == "stopped by SIGTERM" and report["iterations"] == 3
    assert done.stderr.count("SIGTERM") == 1 and (folder / "ended" / "solution.h5").is_file()


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
    done = launch(code, 2, "train", "p.toml", "--out", "broken", cwd=folder)
    assert done.returncode == 1, (done.returncode, done.stderr)  # so it did not run into the launcher's time limit
    assert done.stderr.count("ZeroDivisionError: alone") == 1, done.stderr


def test_sigterm_on_one_rank_stops_all_and_keeps_the_best_iterate(folder: Path) -> None:
    code = """
import os, signal
import hydrodl.application.watch as progress
from mpi4py import MPI
watch = progress.Watch.__call__
def call(self, step):
    if MPI.COMM_WORLD.rank == 1 and step["iteration"] == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return watch(self, step)
progress.Watch.__call__ = call
"""
    done = launch(code + WITHOUT_FIGURES, 2, "train", "p.toml", "--out", "alone", cwd=folder)
    assert done.returncode == 3, (done.returncode, done.stderr)
    report = json.loads((folder / "alone" / "report.json").read_text())
    assert "SIGTERM" in report["reason"] and report["iterations"] == 2 and report["converged"] is False
    assert done.stderr.count("SIGTERM") == 1
