"""What ``import hydrodl as hd`` offers: every name is there, explained, and found without loading what is not used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module, resources
from pathlib import Path

import pytest

import hydrodl as hd

FOLDERS = sorted(path.parent.name for path in Path(hd.__file__).parent.glob("*/__init__.py"))


@pytest.mark.parametrize("face", [hd, hd.analysis, hd.plot], ids=lambda face: face.__name__)
def test_public_names_are_there_sorted_and_explained(face: object) -> None:
    names = face.__all__  # type: ignore[attr-defined]
    assert names == sorted(set(names))
    assert set(names) <= set(dir(face))
    for name in names:
        thing = getattr(face, name)
        assert name == "DATASETS" or (thing.__doc__ or "").strip(), name


@pytest.mark.parametrize("module", ["hydrodl", "hydrodl.analysis", "hydrodl.pictures.plot"])
def test_all_names_can_be_taken_at_once(module: str) -> None:
    found: dict[str, object] = {}
    exec(f"from {module} import *", found)
    assert set(import_module(module).__all__) <= set(found)


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="trian"):
        hd.trian
    with pytest.raises(ImportError, match="trian"):
        exec("from hydrodl import trian")


def test_no_public_name_hides_a_module() -> None:
    for name in hd.__all__:
        getattr(hd, name)
    for folder in FOLDERS:
        assert import_module(f"hydrodl.{folder}") is getattr(hd, folder)


def test_types_travel_with_the_package() -> None:
    files = {path.name for path in resources.files("hydrodl").iterdir()}
    assert {"py.typed", "__init__.pyi"} <= files


def loaded(statement: str, names: str) -> str:
    """Which of these modules a new process has after a statement, and nothing else that it printed."""
    check = f"import sys; {statement}; print(*sorted(set({names.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_nothing_that_is_not_used() -> None:
    heavy = "scipy sklearn sympy matplotlib rich typer pydantic dolfinx ufl"
    assert loaded("import hydrodl", heavy) == ""
    assert loaded("from hydrodl import Problem, train", "sklearn sympy matplotlib rich typer scipy.optimize") == ""
    assert loaded("import hydrodl.application.cli", heavy.replace("typer", "").replace("rich", "")) == ""
