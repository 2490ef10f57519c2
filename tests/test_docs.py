"""The documentation: snippets and notebooks run, links lead somewhere, names, tests and messages it quotes exist."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

import hydrodl as hd
from hydrodl.application import cli
from tests.builders.snippets import ROOT, cells, execute, snippets

DOCS = ROOT / "docs"
MADE = DOCS / "gallery"  # by the build of the site
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if MADE not in path.parents]
TEXTS = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "demos/README.md"))]
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
POINTS = "x1,x2\n0.0,1.0\n1.0,-0.5\n"
PLANTS = "width,height,kind\n" + "".join(f"{a},{a * a},{'xy'[a > 5]}\n" for a in range(1, 11))
NOT_HERE = ("sbatch", "make", "pip")  # a queue, the set-up


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and no windows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


@pytest.fixture(scope="module")
def start() -> dict[str, Any]:
    """The names of the start in docs/api/index.md, from which the pages go on."""
    names: dict[str, Any] = {}
    (block,) = snippets(DOCS / "api/index.md", "python")
    execute(block, "docs/api/index.md", names)
    return names


def strictly(block: str, where: str, names: dict[str, Any]) -> None:
    """Run a block; warnings are errors, but that of too few nodes: the start is small on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings("error", category=UserWarning, module="hydrodl")
        warnings.filterwarnings("ignore", "the (splines bring|mesh brings) the noise", RuntimeWarning)
        if "analysis" in where:  # modified systems are no Markov chains
            warnings.filterwarnings("ignore", "densities are negative", RuntimeWarning)
        execute(block, where, names)


@pytest.mark.slow
def test_python_snippets_run(start: dict[str, Any], here: Path) -> None:
    pages = [page for page in PAGES if page != DOCS / "api/index.md" and snippets(page, "python")]
    assert len(pages) > 10
    box = start["replace"](start["problem"], scheme="euler-box")
    analysed = {"problem": box, "solution": hd.train(box)}
    for page in pages:
        names = start | (analysed if page.parent.name == "analysis" else {})
        for block in snippets(page, "python"):
            strictly(block, str(page.relative_to(ROOT)), names)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(notebook: Path, here: Path) -> None:
    import matplotlib.pyplot as plt

    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(notebook):
        strictly(cell, notebook.name, names)
    plt.close("all")


def test_there_are_six_notebooks_without_outputs() -> None:
    assert len(NOTEBOOKS) == 6
    for notebook in NOTEBOOKS:
        assert '"output_type"' not in notebook.read_text(), notebook.name


@pytest.mark.slow
def test_commands_run(here: Path) -> None:
    """Those of the how-to pages and of the start, with the problem files of their page."""
    folder = here
    (folder / "points.csv").write_text(POINTS)
    (folder / "plants.csv").write_text(PLANTS)
    for page in [DOCS / "start.md", *sorted((DOCS / "how_to").glob("*.md"))]:
        for block in snippets(page, "toml"):
            name = re.match(r"# (\w+\.toml)\n", block)
            assert name, f"{page.name}: a problem file begins with its name as a comment"
            (folder / name[1]).write_text(small(block))
        for command in (line for block in snippets(page, "sh") for line in block.splitlines() if line):
            if not command.startswith(NOT_HERE):
                carry_out(command.split(), folder)


def small(problem: str) -> str:
    """The same problem, sooner."""
    return problem.replace("nodes = 41", "nodes = 21") + "\n[solver]\ntao_gatol = 1e-4\n"


def carry_out(command: list[str], folder: Path) -> None:
    if command[0] == "mpiexec":
        command = command[3:]  # tests/test_readme.py runs one on two ranks
    assert command[0] == "hydrodl", command
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small
        patch.chdir(folder)
        patch.setattr("hydrodl.application.train_run.plot_all", lambda *_: None)
        assert cli.invoke(command[1:]) == 0, command


def test_every_command_of_every_page_is_one_that_exists() -> None:
    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback}
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        text = page.read_text()
        commands = "".join(snippets(page, "sh")) + "\n".join(re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE))
        for name in re.findall(r"^(?:mpiexec -n \d+ )?hydrodl (\w+)", commands, re.MULTILINE):
            assert name in known, f"{page.name}: hydrodl {name}"
        for name in re.findall(r"(?:python|sbatch) ((?:benchmarks|demos)/\w+\.\w+)", text):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"
        for name in re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE):
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), f"{page.name}: make {name}"


def test_links_lead_somewhere() -> None:
    for page in TEXTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
            if re.match(r"https?://", target):
                continue
            name, _, anchor = target.partition("#")
            goal = (page.parent / name).resolve() if name else page
            if MADE in goal.parents:
                continue
            assert goal.exists(), f"{page.relative_to(ROOT)}: {target}"
            if anchor:
                assert anchor in anchors(goal), f"{page.relative_to(ROOT)}: {target}"


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_test_that_is_quoted_exists() -> None:
    for page in PAGES:
        for file, name in re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", page.read_text()):
            assert (ROOT / file).exists(), f"{page.name}: {file}"
            if name:
                assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{page.name}: {name}"


def test_every_message_that_is_quoted_is_one() -> None:
    """In the first column of the tables of docs/troubleshooting.md, up to the dots."""
    source = "".join(path.read_text() for path in sorted((ROOT / "hydrodl").rglob("*.py")))
    source = re.sub(r'"\s*\n\s*f?"', "", source + (ROOT / "Makefile").read_text())
    words = re.compile(r"[a-z]{3}.* ")
    quoted = re.findall(r"^\| (.+?) \|", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    messages = [message for cell in quoted for message in re.findall(r"`([^`]+)`", cell) if words.search(message)]
    assert len(messages) > 8
    for message in messages:
        if message.startswith(("import ", "mpiexec ")):
            continue
        for part in message.split("..."):
            assert part.strip() in source, message


def test_the_gallery_has_every_demo() -> None:
    text = (DOCS / "extensions/gallery.py").read_text()
    listed = set(re.findall(r'^    "(\w+)",$', text, re.MULTILINE))
    assert listed == {path.stem for path in (ROOT / "demos").glob("*.py")} - {"stability_picture"}
