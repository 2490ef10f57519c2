"""The gallery: every demo is run at its small size, and becomes a page of its prose, code, output and pictures.

Pages are written to ``gallery/`` beside this folder before Sphinx reads them; what a demo printed and drew is kept in
``build/gallery`` and made again when the demo or the package has changed.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
DEMOS = (
    "two_moons",
    "two_spirals",
    "circles_lifted",
    "digits3d",
    "iris",
    "width",
    "bridge_1d",
    "generate",
    "trajectory",
    "depth",
    "stability_map",
)
HEAD = """# Gallery

Each demo is one script that reads from top to bottom: the mathematics in comments, then the few lines that do it, then
its own number, asserted. These pages are made by running them with `--small`; `demos/README.md` has numbers and times
of their full size.

"""


class Run(NamedTuple):
    """What a demo printed, and the folder of its pictures."""

    output: str
    folder: Path


def run(name: str, cache: Path) -> Run:
    """Run a demo in a folder of its own, or find what its last run left there."""
    sources = [ROOT / "demos" / f"{name}.py", *sorted((ROOT / "hydrodl").rglob("*.py"))]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = cache / name
    said = folder / f"{key}.txt"
    if not said.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, ROOT / "demos" / f"{name}.py", "--small"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ExtensionError(f"demos/{name}.py ends with exit code {done.returncode}:\n{done.stderr[-2000:]}")
        said.write_text(done.stdout)
    return Run(said.read_text(), folder / "runs" / name)


def prose(lines: list[str]) -> str:
    """A block of comments as Markdown: indented formulas are code already."""
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
    return re.sub(r"^(?!    ).*$", lambda found: re.sub(r"([*$<])", r"\\\1", found[0]), text, flags=re.MULTILINE)


def blocks(source: str) -> Iterator[tuple[bool, list[str]]]:
    """(is prose, lines) of what follows the docstring: prose is comments that start a line."""
    body = source.splitlines()[ast.parse(source).body[0].end_lineno or 0 :]
    for comment, lines in groupby(body, key=lambda line: line.startswith("#") and not line.startswith("# isort:")):
        block = list(lines)
        if any(line.strip() for line in block):
            yield comment, block


def pictures(folder: Path, name: str) -> list[Path]:
    """What a demo drew, its own picture first."""
    first = [f"{name}.png", "transport.png", "densities.png"]
    place = {name: number for number, name in enumerate(first)}
    return sorted(folder.glob("*.png"), key=lambda path: (place.get(path.name, len(first)), path.name))


def page(name: str, done: Run | None, out: Path) -> tuple[str, str, str | None]:
    """Write the page of a demo; its title, what it is about, and its first picture, relative to ``out``."""
    source = (ROOT / "demos" / f"{name}.py").read_text()
    title, _, about = (ast.get_docstring(ast.parse(source)) or name).partition("\n")
    title, _, rest = title.rstrip(".").partition(": ")
    text = [f"# {title}", f"{rest[:1].upper()}{rest[1:]}." if rest else "", about.strip()]
    for comment, lines in blocks(source):
        text.append(prose(lines) if comment else "```python\n" + "\n".join(lines).strip("\n") + "\n```")
    first = None
    if done is not None:
        text.append(f"## What it prints, with `--small`\n\n```text\n{done.output.strip()}\n```\n\n## What it draws")
        for picture in pictures(done.folder, name):
            (out / name).mkdir(exist_ok=True)
            shutil.copy(picture, out / name / picture.name)
            text.append(f"![{title}: {picture.stem}]({name}/{picture.name})")
            first = first or f"{name}/{picture.name}"
    (out / f"{name}.md").write_text("\n\n".join(text) + "\n")
    return title, rest, first


def write(app: Sphinx) -> None:
    """Sphinx's event, before it looks for pages."""
    out = Path(app.srcdir) / "gallery"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    runs: list[Run | None] = [None] * len(DEMOS)
    if app.config.hydrodl_run_demos:
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            runs = list(pool.map(lambda name: run(name, ROOT / "build" / "gallery"), DEMOS))
    cards = []
    for name, done in zip(DEMOS, runs, strict=True):
        title, about, picture = page(name, done, out)
        image = f"[![{title}]({picture})]({name}.md)\n\n" if picture else ""
        words = f"[{title}]({name}.md)" + (f": {about}" if about else "")
        cards.append(f":::{{container}} card\n{image}{words}\n:::\n")
    tree = "```{toctree}\n:hidden:\n\n" + "\n".join(DEMOS) + "\n```\n"
    (out / "index.md").write_text(HEAD + "::::{container} gallery\n" + "\n".join(cards) + "::::\n\n" + tree)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_config_value("hydrodl_run_demos", True, "env")
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
