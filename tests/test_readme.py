"""Every snippet of the README runs, in its order, as a new user would run it; what it says of files is so."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.builders.snippets import ROOT, STRICT, run
from tests.builders.snippets import snippets as of_page
from tests.test_architecture import ORDER

README = (ROOT / "README.md").read_text()


def snippets(language: str) -> list[str]:
    """The README's blocks of one language."""
    return of_page(ROOT / "README.md", language)


def smaller(snippet: str) -> str:
    """The same two moons, sooner: a fourth of the nodes and layers together, which keeps the noise of the splines."""
    return snippet.replace("nodes=61", "nodes=43").replace("hd.layers(16)", "hd.layers(8)")


@pytest.mark.slow
def test_python_snippets_run_as_one_session(tmp_path: Path) -> None:
    session = tmp_path / "session.py"
    session.write_text("\n".join([STRICT, *map(smaller, snippets("python"))]))
    printed = run([sys.executable, str(session)], tmp_path)
    assert printed.startswith("converged")
    assert float(printed.splitlines()[0].split()[-1]) >= 0.99  # the accuracy that the first snippet prints


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with the README's problem file and some points, and the commands of its second shell block."""
    folder = tmp_path_factory.mktemp("readme")
    problem = snippets("toml")[0]
    for given, sooner in (("nodes = 61 ", "nodes = 21 "), ("layers = 16\n", "layers = 4\n")):
        assert problem.count(given) == 1
        problem = problem.replace(given, sooner)
    (folder / "moons.toml").write_text(problem)
    (folder / "points.csv").write_text("x1,x2\n0.0,1.0\n1.0,-0.5\n")
    return folder, [line for line in snippets("sh")[1].splitlines() if line]


@pytest.mark.slow
def test_shell_snippets_run(shell: tuple[Path, list[str]]) -> None:
    folder, commands = shell
    assert len(commands) == 6
    for command in commands:
        run(command.split(), folder)
    for name in ("report.json", "problem.toml", "solution.h5", "fields.pvd"):
        assert (folder / "moons" / name).is_file()
        assert (folder / "moons2" / name).is_file()
    assert (folder / "moons" / "analysis.json").is_file()
    labels = [line.split(",")[0] for line in (folder / "labels.csv").read_text().splitlines()]
    assert labels == ["label", "0", "1"]


def test_make_targets_exist() -> None:
    targets = [line.split()[1] for line in snippets("sh")[0].splitlines()]
    assert targets == ["demo", "test"]
    for target in targets:
        expected = {"demo": "demos/two_moons.py", "test": "-m pytest"}[target]
        assert expected in run(["make", "-n", target], ROOT)


def test_every_quoted_command_and_file_exists() -> None:
    for name in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / name).exists(), name


def test_where_things_are_is_the_tree() -> None:
    """Folders in their order, each with the first line of its docstring."""
    (tree,) = snippets("text")
    said = re.findall(r"^(?: {2}| {4})(\w+)/ +(.+)$", tree, re.MULTILINE)
    expected = []
    for folder in (name for storey in ORDER for name in sorted(storey)):
        rooms = [path.parent for path in sorted((ROOT / "hydrodl" / folder).glob("**/__init__.py"))]
        expected += [(room.name, first_line(room / "__init__.py")) for room in rooms]
    assert said == expected
    outside = re.findall(r"^(\w+)/ ", tree, re.MULTILINE)
    with_a_readme = {path.parent.name for path in ROOT.glob("[!.]*/README.md")}
    assert with_a_readme <= set(outside) and all((ROOT / name).is_dir() for name in outside)


def first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0].rstrip(".")


def test_contributing_speaks_of_files_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for name in re.findall(r"`((?:tests|hydrodl|docs)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`((?:common|discretisation|physics|problem_file)/\w+\.py)`", text):
        assert (ROOT / "hydrodl" / name).is_file(), name
    for target in re.findall(r"^make ([\w-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_every_decision_record_has_its_parts() -> None:
    records = [path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "README.md"]
    assert len(records) > 5
    for path in records:
        headings = re.findall(r"^(#+ .*)$", path.read_text(), re.MULTILINE)
        assert headings[1:] == ["## Context", "## Decision", "## Measured"], path.name
