"""``hydrodl view``: one HTML page of a run, from what is in its directory."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mpi4py import MPI
from PIL import Image

from hydrodl.application.analysis_summary import ANALYSIS, summary
from hydrodl.application.run_directory import PROBLEM, REPORT, check_writable, load
from hydrodl.application.view_page import FIGURES, MARK, PNG, View, page
from hydrodl.common.errors import InputError
from hydrodl.common.given_files import read_given
from hydrodl.common.parallel import on_root
from hydrodl.common.progress import phase
from hydrodl.files.text_files import write_text
from hydrodl.pictures.analysis_figures import sides, state
from hydrodl.pictures.animation import layer_pictures
from hydrodl.pictures.canvas import margins

PAGE = "view.html"


_MOST = 20_000_000  # bytes of a file that goes into the page


_PICTURES = 40  # figures in a page


def view_run(folder: Path, out: Path | None = None, comm: MPI.Comm = MPI.COMM_WORLD) -> Path:
    """Write the page; where it is. Collective.

    Args:
        folder: the directory of a finished run.
        out: the file; None: view.html in the directory.
        comm: all ranks.

    Raises:
        InputError: not the directory of a finished run, or a file that is there and no such page.
    """
    path = folder / PAGE if out is None else out
    on_root(comm, lambda: _check_replaceable(path))
    with phase("reading the run"):
        run = load(folder, comm)
    check_writable(path.parent, comm)
    with phase("drawing the flow layer by layer"):
        times = run.solution.problem.layers.times
        pictures = layer_pictures(run.network, run.train)
        captions = [f"layer {k} of {len(times) - 1}, t = {times[k]:.3g}" for k, _ in pictures]
        frames = list(zip(captions, map(_webp, _cropped([shot for _, shot in pictures])), strict=True))
    about = str(run.solution.problem)

    def text() -> str:
        report, analysis = _json(folder / REPORT), _json(folder / ANALYSIS)
        lines, bounds = _summed_up(analysis)
        problem = read_given(folder / PROBLEM, PROBLEM, _MOST).decode("utf-8", "replace")
        commands = _commands(folder, report, bool(lines))
        return page(
            View(folder.resolve().name, about, report, lines, bounds, frames, _figures(folder), problem, commands)
        )

    with phase("writing the page"):
        write_text(path, on_root(comm, text), comm)
    return path


def _check_replaceable(path: Path) -> None:
    with suppress(OSError):
        if path.exists() and not path.read_bytes()[:100].startswith(MARK.encode()):
            raise InputError(f"{path} is there already and is no page of hydrodl view; give another name by --out")


def _json(path: Path) -> dict[str, Any]:
    """A JSON object; nothing where there is none that can be read."""
    try:
        found = json.loads(read_given(path, path.name, _MOST))
    except (InputError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _summed_up(analysis: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Lines and bounds of an analysis; none of one that is no analysis."""
    if not analysis:
        return [], []
    try:
        rows = [[row["name"], row["inequality"], sides(row), state(row)] for row in analysis["stability"]]
        return summary(analysis), rows
    except (KeyError, TypeError, ValueError, AttributeError):
        return [f"{ANALYSIS} is there, but it is no analysis that can be read."], []


def _figures(folder: Path) -> dict[str, bytes]:
    """The pictures of the directory by the names of their files, those that are known first."""
    known = {name: place for place, name in enumerate(FIGURES)}
    paths = sorted(folder.glob("*.png"), key=lambda path: (known.get(path.stem, len(known)), path.stem))
    found = {}
    for path in paths[:_PICTURES]:
        with suppress(InputError):
            content = read_given(path, path.name, _MOST)
            if content.startswith(PNG):
                found[path.stem] = content
    return found


def _cropped(shots: list[Image.Image]) -> list[Image.Image]:
    """All of them without the white margins that they share."""
    if not shots:  # not on rank 0
        return shots
    left, top, right, bottom = zip(*map(margins, shots), strict=True)
    return [shot.crop((min(left), min(top), max(right), max(bottom))) for shot in shots]


def _webp(shot: Image.Image) -> bytes:
    stream = io.BytesIO()
    shot.save(stream, format="WEBP", quality=88)
    return stream.getvalue()


def _commands(folder: Path, report: Mapping[str, Any], analysed: bool) -> list[tuple[str, str]]:
    """What to type next, and why."""
    where = shlex.quote(str(folder))
    further: list[tuple[Callable[[], bool], str, str]] = [
        (
            lambda: report.get("converged") is not True,
            f"hydrodl train {shlex.quote(str(folder / PROBLEM))} --out {where} --resume",
            "The training goes on from its checkpoint:",
        ),
        (
            lambda: not analysed,
            f"hydrodl analyze {where}",
            "What the run conserves, how stable it is, how many layers and nodes to use:",
        ),
        (
            lambda: report.get("train_accuracy") is not None,
            f"hydrodl predict {where} POINTS.csv --out labels.csv",
            "Labels and probabilities of further rows:",
        ),
        (lambda: True, f"hydrodl export {where}", "Files for ParaView, ONNX and NumPy:"),
    ]
    return [(line, what) for holds, line, what in further if holds()]
