"""Settings that lie in the folder where the command is started are not read; each of them would load code or say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.cli_runs import GAUSSIANS

CANARY = "PWNED"
COMMAND = "from hydrodl.application.cli import main; main()"
EVIL = f"open({CANARY!r}, 'w').close()\n"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder full of settings."""
    for package in ("petsc", "slepc"):
        module = tmp_path / package / f"{package.upper().replace('TSC', 'TSc').replace('LEPC', 'LEPc')}.py"
        module.parent.mkdir()
        module.write_text(EVIL)
        arch = f"{package.upper()}_DIR = /\n{package.upper()}_ARCH = {tmp_path / package}\n"
        (tmp_path / f"{package}.cfg").write_text(arch)
    for name in (".petscrc", "petscrc"):
        (tmp_path / name).write_text(f"-version :x;touch {CANARY};.gz\n-info :{tmp_path / CANARY}\n")
    (tmp_path / "dolfinx_jit_options.json").write_text(json.dumps({"cache_dir": str(tmp_path / CANARY)}))
    (tmp_path / "ffcx_options.json").write_text("no JSON at all")
    (tmp_path / ".numba_config.yaml").write_text(f"cache_dir: {tmp_path / CANARY}\n")
    (tmp_path / "matplotlibrc").write_text("no.such.key: 1\n")
    (tmp_path / "sitecustomize.py").write_text(EVIL)
    (tmp_path / "p.toml").write_text(GAUSSIANS)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--version"], ["train", "p.toml", "--out", "o"]], ids=lambda a: a[0])
def test_settings_of_the_current_folder_are_not_read(arguments: list[str], trap: Path) -> None:
    before = {path.name for path in trap.iterdir()}
    done = run(trap, *arguments)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert {path.name for path in trap.iterdir()} - before <= {"o"}


def test_the_trap_works(trap: Path) -> None:
    """Without the care of the command the same folder does load code."""
    (trap / ".petscrc").unlink()
    (trap / "petscrc").unlink()
    done = subprocess.run([sys.executable, "-P", "-c", "import petsc4py.PETSc"], cwd=trap, capture_output=True)
    assert done.returncode != 0 and (trap / CANARY).exists()


def test_options_of_the_environment_are_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.toml").write_text(GAUSSIANS)
    monkeypatch.setenv("PETSC_OPTIONS", "-info")
    done = run(tmp_path, "--version")
    assert done.returncode == 0 and "PetscInitialize" in done.stdout + done.stderr
