"""pyproject.toml, environment.yml and the files that repeat a version or a name agree with one another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from shutil import which

import pytest
import yaml

import hydrodl
from tests.builders.launch import AT_MOST

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
# What conda-forge calls it, where that is another name
CONDA_NAMES = {"dolfinx-solver-real": "fenics-dolfinx", "matplotlib": "matplotlib-base", "gmsh": "python-gmsh"}
INSTALLED_EXTRAS = ("test", "export", "pictures", "mesh")  # by the Makefile, and so by environment.yml


def split(requirement: str) -> tuple[str, str]:
    """("numpy", ">=2") of "numpy>=2 ; marker"."""
    found = re.fullmatch(r"([A-Za-z0-9_.-]+?)\s*([=<>!~*].*)?", requirement.partition(";")[0].strip())
    assert found, requirement
    return found[1].lower(), (found[2] or "").replace(" ", "")


def conda_name(name: str) -> str:
    return CONDA_NAMES.get(name, name)


def required(*extras: str) -> dict[str, str]:
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return {conda_name(name): bounds for name, bounds in map(split, lines)}


def in_conda() -> dict[str, str]:
    return dict(split(line) for line in ENVIRONMENT["dependencies"] if isinstance(line, str))


def test_conda_has_the_same_packages_with_the_same_bounds() -> None:
    expected, conda = required(*INSTALLED_EXTRAS), in_conda()
    assert {name: conda.get(name) for name in expected} == expected
    extra = {
        "python",
        "pip",
        "c-compiler",
        "petsc",
        "petsc4py",
        "slepc4py",
        "mpich",
    }  # the wheel and the system have these
    assert set(conda) == set(expected) | extra


def test_every_requirement_has_a_floor() -> None:
    for name, bounds in required(*PROJECT["optional-dependencies"]).items():
        assert bounds.startswith(">="), name


def test_conda_is_real_and_of_one_channel() -> None:
    assert ENVIRONMENT["name"] == PROJECT["name"]
    assert ENVIRONMENT["channels"][0] == "conda-forge"
    assert in_conda()["petsc"] == "=*=real*"
    assert in_conda()["python"] == PROJECT["requires-python"]


def test_conda_does_not_let_pip_resolve() -> None:
    """pip would bring dolfinx-solver-real and a second MPI, and cannot be told --no-deps inside this file."""
    assert all(isinstance(line, str) for line in ENVIRONMENT["dependencies"])
    assert "pip install --no-deps -e ." in (ROOT / "environment.yml").read_text()


def test_pip_never_installs_what_breaks_the_wheel() -> None:
    assert not {"petsc", "petsc4py", "slepc4py", "adios2"} & set(required(*PROJECT["optional-dependencies"]))


def test_the_makefile_installs_these_extras() -> None:
    assert f"\nEXTRAS ?= {','.join(INSTALLED_EXTRAS)}\n" in (ROOT / "Makefile").read_text()


def test_every_folder_of_the_package_is_installed() -> None:
    """setuptools leaves out a folder without ``__init__.py``, and an editable install does not show it."""
    folders = {path.parent for path in (ROOT / "hydrodl").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_one_python_version() -> None:
    version = (ROOT / ".python-version").read_text()
    assert version == "3.12\n"
    assert PROJECT["requires-python"] == f">={version.strip()}"


def test_one_version() -> None:
    version = PROJECT["version"]
    assert hydrodl.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", version]


def test_the_citation_names_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (paper,) = citation["references"]
    assert paper["title"].startswith("Multisymplectic Formulation of Deep Learning Using Mean-Field Type Control")
    assert (paper["year"], paper["identifiers"][0]["value"]) == (2022, "arXiv:2207.12242")
    assert (citation["license"], citation["cff-version"]) == (PROJECT["license"], "1.2.0")


def test_the_command_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="hydrodl")
    assert command.value == PROJECT["scripts"]["hydrodl"]
    assert callable(command.load())


# The set-up from a bare clone


def find_python(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the finder with only ``path`` on PATH and an empty home."""
    environment = {"PATH": str(path), "HOME": str(path / "nobody"), **variables}
    return subprocess.run(
        ["/bin/sh", ROOT / ".ci" / "find-python"], env=environment, capture_output=True, text=True, timeout=AT_MOST
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder for PATH: the two tools the finder uses and, as python3, one that is too old."""
    for tool in ("cat", "head"):
        (tmp_path / tool).symlink_to(which(tool) or "")
    write_python(tmp_path / "python3", "echo 'is Python 3.11, 3.12 or newer is needed' >&2; exit 1")
    return tmp_path


def write_python(path: Path, action: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{action}\n")
    path.chmod(0o755)


def test_no_python_is_explained(bare: Path) -> None:
    done = find_python(bare, PYTHON="/nowhere/python")
    assert (done.returncode, done.stdout) == (1, "")
    for part in ("needs Python 3.12", "/nowhere/python (from PYTHON): not found", "python3: is Python 3.11", "PYTHON="):
        assert part in done.stderr


def test_this_python_is_accepted_by_name(bare: Path) -> None:
    done = find_python(bare, PYTHON=sys.executable)
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable), done.stderr


def test_a_python_in_a_home_with_spaces_is_found(bare: Path) -> None:
    python = bare / "my home" / ".pyenv" / "versions" / "3.12.1" / "bin" / "python"
    write_python(python, f'exec "{sys.executable}" "$@"')
    done = find_python(bare, HOME=str(bare / "my home"))
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable), done.stderr


def test_a_shim_without_its_python_is_passed_over(bare: Path) -> None:
    write_python(bare / "python3.12", "echo 'command not found' >&2; exit 127")
    (bare / "python3.13").symlink_to(sys.executable)
    assert find_python(bare).returncode == 0


def test_make_without_a_target_helps() -> None:
    if which("make") is None:
        pytest.skip("make is not installed")
    environment = {**os.environ, "MAKEFLAGS": ""}
    done = subprocess.run(["make"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=AT_MOST)
    assert done.returncode == 0
    for target in ("setup", "demo", "test", "lint", "bench"):
        assert f"make {target} " in done.stdout


def test_make_lint_runs_what_runs_before_a_commit() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    before_a_commit = [hook["entry"].removeprefix("python ") for hook in local["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\nlint: setup\n")[2].partition("\n\n")[0]
    assert [line.strip().removeprefix("$(PYTHON_IN) ") for line in recipe.splitlines()] == before_a_commit


def test_scripts_may_be_run() -> None:
    for name in ("run", "find-python"):
        assert os.access(ROOT / ".ci" / name, os.X_OK), name


def test_the_archive_of_sources_has_every_folder() -> None:
    grafted = {line.split()[1] for line in (ROOT / "MANIFEST.in").read_text().splitlines() if line.startswith("graft")}
    tree = (ROOT / "README.md").read_text()
    assert grafted == {name for name in re.findall(r"^(\w+)/ ", tree, re.MULTILINE)} - {"hydrodl"} | {".ci"}
