"""The house has rooms: arrows between folders point down, files go in no circles, names say where things live.

The order stands once, in ``ORDER``: a folder imports from those before it, and rooms on one storey never from each
other. Imports inside functions and under ``TYPE_CHECKING`` count like any other.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hydrodl"

ORDER: list[set[str]] = [
    {"common"},
    {"mesh"},
    {"data"},
    {"physics"},
    {"linear_algebra"},
    {"discretisation"},
    {"problem"},
    {"solver"},
    {"training", "network", "analysis"},
    {"adaptivity", "transport", "pictures", "files"},
    {"estimators", "problem_file"},
    {"application"},
]
STOREY = {folder: level for level, folders in enumerate(ORDER) for folder in folders}
FILES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
FACES = {name for name in FILES if name.count(".") == 1}  # hydrodl/__init__.py, hydrodl/__main__.py


def targets(node: ast.AST) -> set[str]:
    """Modules of the package that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name.split(".")[0] == "hydrodl"}
    if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "hydrodl":
        return set()
    assert node.module is not None
    inner = {f"{node.module}.{alias.name}" for alias in node.names} & set(FILES)
    return inner or {node.module}


def imports(tree: ast.AST) -> set[str]:
    """Modules of the package that a file imports anywhere: at its top, in functions, for types alone."""
    return {target for node in ast.walk(tree) for target in targets(node)}


IMPORTS = {name: imports(ast.parse(path.read_text())) for name, path in FILES.items()}


def folder(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def wrong_arrows(graph: dict[str, set[str]]) -> list[str]:
    """Imports that do not point down, in words."""
    found = []
    for module, used in sorted(graph.items()):
        here = folder(module)
        for other in sorted(used):
            there = folder(other)
            if not there or (there != here and STOREY[there] >= STOREY[here]):
                found.append(f"{module} imports {other}")
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Files that import each other in a circle, empty if there are none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_folder_has_its_storey_and_every_file_its_folder() -> None:
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in FILES.values() if path.parent != PACKAGE}
    assert folders == set(STOREY)
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_arrows_point_down() -> None:
    assert wrong_arrows({name: used for name, used in IMPORTS.items() if name not in FACES}) == []


def test_files_go_in_no_circles() -> None:
    assert circle({name: used for name, used in IMPORTS.items() if name not in FACES}) == []


def test_no_module_hides_behind_an_underscore() -> None:
    hidden = [name for name in FILES if name.rpartition(".")[2].startswith("_") and not name.endswith("__")]
    assert hidden == []


def test_no_private_name_crosses_a_file() -> None:
    found = []
    for name, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and targets(node):
                found += [f"{name}: {alias.name}" for alias in node.names if alias.name.startswith("_")]
    assert found == []


def test_sums_over_ranks_have_one_home() -> None:
    names = {name for name, path in FILES.items() if ".allreduce(" in path.read_text().lower()}
    assert names == {"hydrodl.common.parallel"}


@pytest.mark.parametrize(
    "text",
    [
        "import hydrodl.solver.sweeps",
        "from hydrodl.solver.sweeps import Sweeps",
        "from hydrodl.solver import sweeps",
        "def f():\n    from hydrodl.solver.sweeps import Sweeps",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hydrodl.solver.sweeps import Sweeps",
        "class A:\n    def f(self):\n        import hydrodl.solver.sweeps",
    ],
)
def test_an_arrow_up_is_seen_at_any_depth(text: str) -> None:
    assert wrong_arrows({"hydrodl.problem.problem": imports(ast.parse(text))}) == [
        "hydrodl.problem.problem imports hydrodl.solver.sweeps"
    ]


def test_rooms_of_one_storey_are_strangers_and_a_circle_is_seen() -> None:
    assert wrong_arrows({"hydrodl.network.network": {"hydrodl.training.minimisation"}})
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
