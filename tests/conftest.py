"""Loads the compiled stack in the order it needs, before any test module imports dolfinx, petsc4py or mpi4py; and the
runs that the tests of the command line share."""

import hydrodl  # noqa: F401

# isort: split
import gc
import importlib.metadata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ffcx.codegeneration.jit
import pytest

from hydrodl.application import cli, train_run
from hydrodl.common import displays
from tests.builders.cli_runs import MOONS, TABLE

# Compiling a form asks six times which packages are installed: a quarter of its time, and there are a thousand forms.
importlib.metadata.entry_points = cache(importlib.metadata.entry_points)

# Loading a compiled form lists the folder of all of them. A process that has loaded it before has it.
load_form: Any = ffcx.codegeneration.jit.get_cached_module
loaded: dict[tuple[str, Path], Any] = {}


def get_cached_module(name: str, objects: list[str], folder: Path, timeout: int) -> Any:
    if (name, folder) not in loaded:
        found = load_form(name, objects, folder, timeout)
        if found[0] is None:  # not compiled yet
            return found
        loaded[name, folder] = found
    return loaded[name, folder]


ffcx.codegeneration.jit.get_cached_module = get_cached_module


# What is imported stays: looking for garbage among half a million objects, time and again, finds none.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders of convergence and comparisons with other solvers are slow as a whole.

    What runs scripts and pages takes longest and goes first: no process is left alone with a long test at the end.
    """
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)
    for item in items:
        if item.path.parent.name in ("convergence", "reference"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training writes everything else."""
    monkeypatch.setattr(train_run, "plot_all", lambda *_: None)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "moons.toml").write_text(MOONS)
    assert cli.invoke(["train", str(folder / "moons.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    (folder / "plants.csv").write_text(TABLE)
    (folder / "p.toml").write_text(
        MOONS.replace('"two_moons"', '"plants.csv"\nlabel = "kind"\ntest_fraction = 0.25\nbandwidth = 0.4')
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_run, "plot_all", lambda *_: None)  # nobody looks at its figures
        assert cli.invoke(["train", str(folder / "p.toml"), "--out", str(folder / "out")]) == 0
    (folder / "plants.csv").unlink()
    return folder / "out"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command that must be refused: exit code 2, one line on stderr and nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(displays, "NOTICED", 600.0)  # however slow the machine is

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
