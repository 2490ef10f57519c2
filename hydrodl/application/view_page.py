"""The page of a run as one HTML file: nothing is loaded from elsewhere, and nothing of a stranger's is run.

Every text is escaped, pictures are data, and the page's own rules (Content-Security-Policy) allow one script: ours.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydrodl.common.text import printable

MARK = "<!-- a page of hydrodl view -->"
"""First line of the page, by which a later one knows that it may be replaced."""


PNG = b"\x89PNG\r\n\x1a\n"
"""How a PNG file begins."""


MEANINGS = {
    "objective": "J, the cost of the flow and all losses",
    "objective_error": "what layers, nodes and noise may add to J",
    "gradient_norm": "how far from stationary, in the control inner product",
    "iterations": "Newton steps",
    "train_accuracy": "of the training samples",
    "test_accuracy": "of samples that were not trained on",
    "mass_error": "largest change of a class's mass at any layer",
    "min_density": "negative values mean an unresolved flow",
    "peclet": "largest cell Peclet number |u| h / (2 nu)",
    "effective_noise": "what the scheme spreads densities with, per feature direction",
    "largest_noise": "largest of it anywhere, over the noise asked for",
    "layers": "time steps of the flow",
    "nodes": "of the feature mesh",
    "unknowns": "velocity, densities and potentials of all layers",
    "wall_time_s": "seconds in all",
    "time_s": "seconds by phase",
}


FIGURES = {
    "transport": "The data before and after the network, with the grid that the flow carries along.",
    "densities": "Class densities by layer.",
    "trajectories": "Ways of samples through the layers.",
    "decision": "What the network decides where.",
    "velocity": "The residual function of every layer.",
    "calibration": "How often a probability is right.",
    "convergence": "Objective and gradient by Newton step.",
    "analysis_energy": "Energy by layer.",
    "analysis_residuals": "Residuals of the original and the modified equations.",
    "analysis_stability": "Stability bounds.",
    "analysis_training": "Two descents, on both sides of the limit on their step: observed and predicted.",
}


STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; }
h1 { font-size: 1.6rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid #ccc; }
.state { display: inline-block; padding: 0.1rem 0.6rem; border-radius: 1rem; background: #d7efe3; color: #004d33; }
.state.bad { background: #fbe3d6; color: #7a2e00; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; }
th, td { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0; border-bottom: 1px solid #e4e4e4; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; }
td.meaning { color: #555; }
pre { background: #f5f5f5; padding: 0.8rem; overflow-x: auto; font-size: 0.85rem; }
img { max-width: 100%; height: auto; }
figure { margin: 1rem 0; }
figure img { display: block; margin: 0 auto; max-height: 30rem; width: auto; }
figcaption { color: #555; font-size: 0.92rem; }
#flow img { display: none; margin: 0 auto; width: 32rem; }
#flow img.on { display: block; }
.controls { display: flex; gap: 0.8rem; align-items: center; justify-content: center; flex-wrap: wrap; }
.controls input { flex: 1 1 12rem; max-width: 28rem; }
button { font: inherit; padding: 0.2rem 0.9rem; }
"""


_NO_FIGURES = "<p>There are none in the directory; hydrodl plot draws them.</p>"


SCRIPT = """
(() => {
  const frames = [...document.querySelectorAll('#flow img')], slider = document.getElementById('layer');
  const label = document.getElementById('at'), button = document.getElementById('play');
  if (!slider) return;
  let timer = null;
  const show = () => {
    frames.forEach((frame, k) => frame.classList.toggle('on', k === Number(slider.value)));
    label.textContent = frames[slider.value].alt;
  };
  const stop = () => { clearInterval(timer); timer = null; button.textContent = 'Play'; };
  slider.addEventListener('input', () => { stop(); show(); });
  button.addEventListener('click', () => {
    if (timer) return stop();
    if (Number(slider.value) === frames.length - 1) slider.value = 0;
    button.textContent = 'Stop';
    timer = setInterval(() => {
      if (Number(slider.value) === frames.length - 1) return stop();
      slider.value = Number(slider.value) + 1;
      show();
    }, 180);
  });
  show();
})();
"""


@dataclass(frozen=True, eq=False)
class View:
    """What the page shows.

    Attributes:
        name: of the run; about: in one line.
        report: report.json, empty where there is none.
        analysis: lines that sum up the analysis, with the bounds as rows; empty where there is none.
        bounds: name, inequality, sides, state of each stability bound.
        frames: pictures of the flow, each with its caption.
        figures: the figures, by the name of their file.
        problem: the problem file.
        commands: what to type next, each with what it does.
    """

    name: str
    about: str
    report: Mapping[str, Any]
    analysis: Sequence[str]
    bounds: Sequence[Sequence[str]]
    frames: Sequence[tuple[str, bytes]]
    figures: Mapping[str, bytes]
    problem: str
    commands: Sequence[tuple[str, str]]


def page(view: View) -> str:
    """The HTML text."""
    title, policy = _safe(view.name), _policy()
    analysis = {name: data for name, data in view.figures.items() if name.startswith("analysis")}
    figures = {name: data for name, data in view.figures.items() if name not in analysis}
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{_state(view.report)} {_safe(view.about)}</p>",
        f"<p>{_safe(_in_short(view.report))}</p>",
        _warnings(view.report),
        _flow(view.frames),
        _section("Figures", "".join(_figure(name, data) for name, data in figures.items()) or _NO_FIGURES),
        _section("Report", _report(view.report)),
        _section("Analysis", _analysis(view) + "".join(_figure(name, data) for name, data in analysis.items())),
        _section("Next", "".join(f"<p>{_safe(what)}</p><pre>{_safe(line)}</pre>" for line, what in view.commands)),
        _section("Problem", f"<pre>{_safe(view.problem, lines=True)}</pre>"),
    ]
    return "\n".join(
        [
            MARK,
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{STYLE}</style></head><body>",
            *(part for part in parts if part),
            f"<script>{SCRIPT}</script></body></html>\n",
        ]
    )


def _policy() -> str:
    """Nothing from elsewhere, and no style or script but those here."""
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in (STYLE, SCRIPT)
    )
    return f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'"


def _safe(value: Any, *, lines: bool = False) -> str:
    text = str(value)
    kept = "\n".join(map(printable, text.splitlines())) if lines else printable(text)
    return html.escape(kept)


def _data(picture: bytes) -> str:
    kind = "png" if picture.startswith(PNG) else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>{content}" if content else ""


def _state(report: Mapping[str, Any]) -> str:
    if not report:
        return '<span class="state bad">not finished</span>'
    good = report.get("converged") is True
    words = "converged" if good else f"NOT CONVERGED: {report.get('reason')}"
    return f'<span class="state{"" if good else " bad"}">{_safe(words)}</span>'


def _in_short(report: Mapping[str, Any]) -> str:
    known = {"objective": "objective", "train_accuracy": "train accuracy", "test_accuracy": "test accuracy"}
    known |= {"iterations": "steps", "wall_time_s": "seconds"}
    given = [f"{words} {shown(report[key], 5)}" for key, words in known.items() if report.get(key) is not None]
    return ", ".join(given)


def _warnings(report: Mapping[str, Any]) -> str:
    given = report.get("warnings")
    lines = given if isinstance(given, list) else []
    return "".join(f'<p><span class="state bad">warning</span> {_safe(line)}</p>' for line in lines)


def _flow(frames: Sequence[tuple[str, bytes]]) -> str:
    if not frames:
        return ""
    images = "".join(
        f'<img{" class=on" if k == 0 else ""} alt="{_safe(caption)}" src="{_data(png)}">'
        for k, (caption, png) in enumerate(frames)
    )
    slider = f'<input id="layer" type="range" min="0" max="{len(frames) - 1}" value="0" aria-label="layer">'
    controls = f'<button id="play" type="button">Play</button>{slider}<span id="at">{_safe(frames[0][0])}</span>'
    return f'<h2>The flow, layer by layer</h2><div id="flow">{images}</div><div class="controls">{controls}</div>'


def _figure(name: str, png: bytes) -> str:
    caption = FIGURES.get(name, name)
    return f'<figure><img alt="{_safe(caption)}" src="{_data(png)}"><figcaption>{_safe(caption)}</figcaption></figure>'


def _report(report: Mapping[str, Any]) -> str:
    if not report:
        return "<p>There is no report yet: the run has not ended.</p>"
    rows = [
        f'<tr><th>{_safe(key)}</th><td class="number">{_safe(shown(value))}</td>'
        f'<td class="meaning">{_safe(MEANINGS.get(key, ""))}</td></tr>'
        for key, value in report.items()
        if key not in ("warnings", "converged", "reason") and value is not None
    ]
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def shown(value: Any, digits: int = 6) -> str:
    """A JSON value in a cell of a table."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(inner, digits)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(shown(inner, digits) for inner in value)
    return str(value)


def _analysis(view: View) -> str:
    if not view.analysis:
        return "<p>It has not been made yet, see the next commands.</p>"
    lines = "".join(f"<p>{_safe(line)}</p>" for line in view.analysis)
    rows = ["".join(f"<td>{_safe(cell)}</td>" for cell in row) for row in view.bounds]
    head = "<tr><th>bound</th><th>inequality</th><th>found</th><th>status</th></tr>"
    table = f'<div class="wide"><table>{head}{"".join(f"<tr>{row}</tr>" for row in rows)}</table></div>'
    return lines + (table if rows else "")
