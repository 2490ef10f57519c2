"""A run that is cut off loses nothing: checkpoints, killed processes, full disks, checkpoints of other problems."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.application import cli, train_run
from hydrodl.application import watch as _watch
from hydrodl.application.run_directory import load
from hydrodl.common.errors import InputError, SolverError
from hydrodl.files.checkpoint import load_checkpoint, save_checkpoint
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import layers
from hydrodl.problem.solution import Controls
from tests.builders.cli_runs import GAUSSIANS, WITHOUT_FIGURES, at_step

KILLS = int(os.environ.get("HYDRODL_KILLS", "3"))  # HYDRODL_KILLS=20 for the long test
RESULTS = {"solution.h5", "problem.toml", "report.json", "fields.pvd"}


def objective_of(folder: Path) -> float:
    report = json.loads((folder / "report.json").read_text())
    assert report["converged"] is True
    return float(report["objective"])


@pytest.fixture(autouse=True)
def without_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than everything else here."""
    monkeypatch.setattr(train_run, "plot_all", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(GAUSSIANS)


@pytest.fixture(scope="module")
def optimum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "p.toml").write_text(GAUSSIANS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_run, "plot_all", lambda *_: None)
        assert cli.invoke(["train", str(folder / "p.toml"), "--out", str(folder / "o")]) == 0
    return folder / "o"


@pytest.mark.parametrize(
    ("every", "first", "expected"), [(0.0, True, [0, 1, 2]), (0.0, False, [1, 2]), (1e9, True, [0]), (1e9, False, [])]
)
def test_watch_saves_at_the_start_and_then_now_and_then(every: float, first: bool, expected: list[int]) -> None:
    saved: list[int] = []
    watch = _watch.Watch(MPI.COMM_SELF, lambda point: saved.append(int(point.velocity[0])), every=every, first=first)
    for k in range(3):
        assert not watch({"iteration": k, "controls": Controls(np.array([float(k)]))})
    assert saved == expected


@pytest.mark.parametrize(("every", "steps"), [("0", "all"), ("1000", "first")])
def test_checkpoints_are_written_as_often_as_asked(every: str, steps: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[np.ndarray] = []

    def spy(path: Path, domain: Domain, partition: Any, velocity: np.ndarray, **others: Any) -> None:
        written.append(velocity.copy())
        save_checkpoint(path, domain, partition, velocity, **others)

    monkeypatch.setattr(train_run, "save_checkpoint", spy)
    assert cli.invoke(["train", "p.toml", "--out", "o", "--checkpoint-every", every]) == 0
    iterations = json.loads(Path("o/report.json").read_text())["iterations"]
    assert len(written) == (iterations + 2 if steps == "all" else 2)  # the start, the steps asked for, the solution
    assert not written[0].any() and np.array_equal(written[-1], load(Path("o")).solution.velocity)
    if steps == "all":
        assert np.array_equal(written[-2], written[-1]) and not np.array_equal(written[1], written[2])


def test_words_on_the_command_line(refused: Callable[..., str]) -> None:
    for value in ("-1", "inf", "nan"):
        assert "--checkpoint-every is" in refused("train", "p.toml", "--checkpoint-every", value)
    message = refused("train", "p.toml", "--out", "o", "--resume")
    assert "nothing to resume" in message and "without --resume" in message
    assert not list(Path("o").iterdir())


def test_what_a_killed_run_left_half_written_is_never_read_and_goes(optimum: Path) -> None:
    shutil.copytree(optimum, "o")
    left = [Path("o") / f".{name}.partial" for name in ("solution.h5", "problem.toml", "report.json")]
    for path in left:
        path.write_bytes(b"\x89HDF half of a file")
    assert load(Path("o")).solution.objective == objective_of(optimum)
    assert cli.invoke(["train", "p.toml", "--out", "o", "--resume"]) == 0
    assert not any(path.exists() for path in left)
    assert objective_of(Path("o")) == pytest.approx(objective_of(optimum), rel=1e-12)


def test_a_report_of_an_earlier_run_does_not_outlive_the_start_of_another(
    optimum: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(optimum, "o")
    at_step(2, lambda: 1 / 0, monkeypatch)
    assert cli.invoke(["train", "p.toml", "--out", "o", "--set", "loss.weight=1.0"]) == 1
    assert not Path("o/report.json").exists()
    with Path("o/problem.toml").open("rb") as file:
        assert tomllib.load(file)["loss"]["weight"] == 1.0


def test_what_fails_at_its_start_leaves_a_finished_run_alone(
    optimum: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, file_size_limit: Callable[[int], None]
) -> None:
    shutil.copytree(optimum, "o")
    before = {path.name: path.read_bytes() for path in Path("o").iterdir()}
    refused("train", "p.toml", "--out", "o", "--resume", "--set", "network.layers=5")
    refused("train", "p.toml", "--out", "o", "--set", "physics.potential=log(x1)")
    file_size_limit(4000)
    assert cli.invoke(["train", "p.toml", "--out", "o"]) == 2
    file_size_limit(resource.RLIM_INFINITY)
    assert {path.name: path.read_bytes() for path in Path("o").iterdir()} == before

    def refuse(*_: object, **__: object) -> None:
        raise SolverError("the objective is nan at the starting velocity")

    monkeypatch.setattr(train_run, "minimise", refuse)
    assert cli.invoke(["train", "p.toml", "--out", "o"]) == 1
    assert {path.name: path.read_bytes() for path in Path("o").iterdir()} == before


def test_a_figure_or_a_field_that_fails_costs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no such glyph")

    def full(*_: object) -> None:
        raise InputError("o/fields.pvd could not be written completely; is the disk full?")

    monkeypatch.setattr(train_run, "plot_all", broken)
    assert cli.invoke(["train", "p.toml", "--out", "o"]) == 0
    assert "warning: a figure could not be drawn: ValueError: no such glyph" in capsys.readouterr().err
    assert {path.name for path in Path("o").iterdir()} >= RESULTS
    monkeypatch.setattr(train_run, "write_vtk", full)
    monkeypatch.setattr(train_run, "plot_all", lambda *_: None)
    assert cli.invoke(["train", "p.toml", "--out", "n"]) == 2
    error = capsys.readouterr().err
    assert "is the disk full?" in error and error.count("\n") == 1
    assert objective_of(Path("n")) > 0 and load(Path("n")).solution.converged


OTHERS = [
    (["network.layers=5"], ["other layers", "6 of total depth 1, not 5"]),
    (["network.depth=2.0"], ["other layers", "depth 1, not 6 of total depth 2"]),
    (["domain.nodes=51"], ["another mesh", "61 nodes in dimension 1, not 51"]),
    (["domain.margin=1.5"], ["another mesh", "nodes lie elsewhere"]),
    (["network.width=8"], ["a velocity at every node", "not neurons of width 8"]),
]


@pytest.mark.parametrize(("settings", "parts"), OTHERS, ids=lambda value: value[0])
def test_checkpoint_of_another_problem_is_refused(
    settings: list[str], parts: list[str], optimum: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(optimum, "o")
    message = refused("train", "p.toml", "--out", "o", "--resume", *(w for s in settings for w in ("--set", s)))
    assert "o/solution.h5" in message and all(part in message for part in parts), message


def test_checkpoint_of_other_classes_is_refused(optimum: Path, refused: Callable[..., str]) -> None:
    shutil.copytree(optimum, "o")
    message = refused("train", "p.toml", "--out", "o", "--resume", problem=GAUSSIANS.replace('"b"', '"c"'))
    assert "for the classes a, b, not a, c" in message


@pytest.mark.slow
def test_checkpoint_of_other_neurons_is_refused_and_of_the_same_goes_on(refused: Callable[..., str]) -> None:
    neurons = ["--set", "network.width=5", "--set", "solver.tao_gatol=1e-7"]
    assert cli.invoke(["train", "p.toml", "--out", "o", *neurons, "--set", "solver.tao_max_it=3"]) == 3
    for setting, part in (("width=6", "width 6"), ("neuron_seed=1", "seed 1"), ("activation=relu", "relu")):
        message = refused("train", "p.toml", "--out", "o", *neurons, "--resume", "--set", f"network.{setting}")
        assert "for neurons of width 5, activation tanh" in message and part in message.split(", not ")[1]
    assert "not a velocity" in refused("train", "p.toml", "--out", "o", "--resume")
    assert cli.invoke(["train", "p.toml", "--out", "o", *neurons, "--resume"]) == 0
    assert cli.invoke(["train", "p.toml", "--out", "anew", *neurons]) == 0
    assert objective_of(Path("o")) == pytest.approx(objective_of(Path("anew")), rel=1e-9)


@pytest.mark.slow
def test_neurons_trained_whole_survive_their_checkpoint(refused: Callable[..., str]) -> None:
    whole = ["--set", "network.width=2", "--set", "network.hidden_weights=trained"]
    assert cli.invoke(["train", "p.toml", "--out", "o", *whole, "--set", "solver.tao_max_it=3"]) == 3
    message = refused("train", "p.toml", "--out", "o", "--resume", "--set", "network.width=2")
    assert "written for neurons that are trained whole" in message
    assert cli.invoke(["train", "p.toml", "--out", "o", *whole, "--resume"]) in (0, 3)
    run = load(Path("o"))
    hidden, A = run.solution.hidden, run.solution.coefficients
    assert hidden is not None and A is not None and run.solution.problem.control is not None
    drawn = run.solution.problem.control.draw(run.solution.problem.domain, len(A))
    assert np.abs(hidden.weights - drawn.weights).max() > 1e-3
    nodes = run.solution.problem.domain.coordinates
    for k, velocity in enumerate(run.solution.velocity):
        np.testing.assert_allclose(velocity.T, hidden.values(k, nodes) @ A[k].T, atol=1e-12)


def test_checkpoint_that_no_run_wrote_is_refused(refused: Callable[..., str]) -> None:
    box, velocity = Domain.interval(-1, 1, 11), np.zeros((6, 1, 11))
    Path("o").mkdir()
    save_checkpoint("o/solution.h5", box, layers(6), velocity, attributes={})
    own = ["--set", "domain.lower=[-1.0]", "--set", "domain.upper=[1.0]", "--set", "domain.nodes=11"]
    assert "not written by a run" in refused("train", "p.toml", "--out", "o", "--resume", *own)
    Path("o/solution.h5").write_text("objective = 1")
    assert "not an HDF5 file" in refused("train", "p.toml", "--out", "o", "--resume")


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Sets the size that files may have, as a disk that fills up does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_disk_that_fills_up_ends_the_run_with_the_last_good_checkpoint(
    optimum: Path, file_size_limit: Callable[[int], None], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []

    def fill() -> None:
        kept.append(Path("o/solution.h5").read_bytes())
        file_size_limit(1000)

    with monkeypatch.context() as patch:
        at_step(3, fill, patch)
        patch.setattr(sys, "stdout", open(os.devnull, "w"))  # noqa: SIM115  # what is shown goes to no file
        code = cli.invoke(["train", "p.toml", "--out", "o", "--checkpoint-every", "0"])
    file_size_limit(resource.RLIM_INFINITY)
    assert code == 2 and Path("o/solution.h5").read_bytes() == kept[0]
    assert {path.name for path in Path("o").iterdir()} == {"solution.h5", "problem.toml"}
    assert cli.invoke(["train", "p.toml", "--out", "o", "--resume"]) == 0
    assert objective_of(Path("o")) == pytest.approx(objective_of(optimum), rel=1e-10)


def test_disk_without_room_for_a_checkpoint_ends_the_run_before_the_first_step(
    file_size_limit: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    file_size_limit(4000)
    code = cli.invoke(["train", "p.toml", "--out", "o"])
    file_size_limit(resource.RLIM_INFINITY)
    said = capsys.readouterr()
    assert code == 2 and "o/solution.h5 cannot be written" in said.err and said.err.count("\n") == 1
    assert "newton   1" not in said.out and not list(Path("o").iterdir())


def test_output_directory_that_goes_away_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_step(2, lambda: shutil.rmtree("o"), monkeypatch)
    assert cli.invoke(["train", "p.toml", "--out", "o", "--checkpoint-every", "0"]) == 2
    error = capsys.readouterr().err
    assert "o/solution.h5 cannot be written: No such file" in error and error.count("\n") == 1


def test_sigterm_while_the_results_are_written_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_run, "plot_all", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert cli.invoke(["train", "p.toml", "--out", "o"]) == 0
    assert {path.name for path in Path("o").iterdir()} >= RESULTS and objective_of(Path("o")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["SIGTERM", "time limit of 1000 min"])
def test_run_that_was_asked_to_stop_goes_on_to_the_same_optimum(
    reason: str, optimum: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic

    def stop() -> None:
        if reason == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            patch.setattr(_watch.time, "monotonic", lambda: now() + 60001)

    with monkeypatch.context() as patch:
        at_step(3, stop, patch)
        assert cli.invoke(["train", "p.toml", "--out", "o", "--time-limit", "1000"]) == 3
    report = json.loads(Path("o/report.json").read_text())
    assert reason in report["reason"] and report["iterations"] == 3 and report["converged"] is False
    assert {path.name for path in Path("o").iterdir()} >= RESULTS
    assert cli.invoke(["train", "p.toml", "--out", "o", "--resume"]) == 0
    assert objective_of(Path("o")) == pytest.approx(objective_of(optimum), rel=1e-10)


def start(folder: str) -> subprocess.Popen[str]:
    """A run in a process of its own, which has shown its title."""
    arguments = ["train", "p.toml", "--out", folder, "--checkpoint-every", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_FIGURES, *arguments], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None and "6 layers" in process.stdout.readline()
    return process


def check_files(folder: Path) -> bool:
    """Every file that has its name is whole; whether there is a checkpoint."""
    for name, read in (("report.json", json.loads), ("problem.toml", tomllib.loads)):
        if (folder / name).exists():
            assert read((folder / name).read_text()), name
    if not (folder / "solution.h5").exists():
        assert not (folder / "report.json").exists()
        return False
    box = Domain.interval(-2.7, 2.7, 61)  # of the means, three standard deviations and the margin
    found = load_checkpoint(folder / "solution.h5", box, layers(6))
    return bool(np.isfinite(found.velocity).all())


@pytest.mark.slow
def test_run_killed_at_random_moments_resumes_to_the_same_optimum(optimum: Path, tmp_path: Path) -> None:
    """Moments spread over a whole run on this machine, from its title to its last file."""
    process = start("timed")
    began = time.monotonic()
    assert process.wait() == 0
    length, rng = time.monotonic() - began, np.random.default_rng(5)
    for k, moment in enumerate(rng.uniform(0, length, KILLS)):
        for attempt in count():
            folder = tmp_path / f"{k}.{attempt}"
            process = start(folder.name)
            time.sleep(moment / 2**attempt)
            process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                break  # not one that had ended by itself, on a machine that is faster now
        resume = ["--resume"] if check_files(folder) else []
        if not resume:
            assert cli.invoke(["train", "p.toml", "--out", folder.name, "--resume"]) == 2
        assert cli.invoke(["train", "p.toml", "--out", folder.name, *resume]) == 0, k
        assert objective_of(folder) == pytest.approx(objective_of(optimum), rel=1e-10), k
        assert check_files(folder) and not list(folder.glob(".*.partial")), k


@pytest.mark.parametrize(
    ("code", "reason", "again"),
    [
        (0, "gradient norm below tao_gatol", False),
        (3, "time limit of 470 min", True),
        (3, "stopped by SIGTERM", True),
        (3, "iteration limit tao_max_it reached", False),
        (2, "time limit of 470 min", False),  # an older report beside wrong input
    ],
)
def test_slurm_example_resumes_and_requeues_what_ran_out_of_time(code: int, reason: str, again: bool) -> None:
    """The script with a queue and a run of ours in the place of the real ones."""
    commands = {
        "mpiexec": f"""echo "mpiexec $@" >> calls; mkdir -p o; touch o/solution.h5
if [ "{reason}" = "stopped by SIGTERM" ]; then
  trap 'echo ended >> calls; kill $!; exit 3' TERM; sleep 60 & kill -TERM $PPID; wait
fi
exit {code}""",
        "scontrol": 'echo "scontrol $@" >> calls',
    }
    for name, text in commands.items():
        Path(name).write_text(f"#!/bin/bash\n{text}\n")
        Path(name).chmod(0o755)
    Path("o").mkdir()
    Path("o/report.json").write_text(json.dumps({"reason": reason}, indent=2))
    script = Path(__file__).parents[2] / "benchmarks" / "slurm.sh"
    environment = os.environ | {"PATH": f"{Path.cwd()}:{os.environ['PATH']}", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}
    for _ in range(2):
        assert subprocess.run(["bash", script, "p.toml", "o"], env=environment, check=False).returncode == code
    first, *others = Path("calls").read_text().splitlines()
    assert first.startswith("mpiexec -n 4 hydrodl train p.toml --out o --time-limit 470") and "--resume" not in first
    assert others.count("scontrol requeue 7") == 2 * again
    assert any("--out o --resume --time-limit" in line for line in others)
    assert others.count("ended") == 2 * (reason == "stopped by SIGTERM")
