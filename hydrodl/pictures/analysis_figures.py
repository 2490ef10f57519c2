"""Figures of an analysis, drawn from what analysis.json holds: energies, residuals, stability bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from mpi4py import MPI

from hydrodl.pictures.canvas import MARKERS, Picture, colour, decades, draw, panels
from hydrodl.pictures.keys import line
from hydrodl.pictures.training_figure import training_figure

HOLDS, FAILS, OPEN = "holds", "fails", "fails, but is only sufficient"
"""A bound that is only sufficient and fails proves nothing: what it is there for may hold all the same."""


COLOURS = {HOLDS: colour(0), FAILS: colour(1), OPEN: colour(4)}


SHAPES = {HOLDS: "o", FAILS: "X", OPEN: "s"}


LEVELS = ("original equations", "with the first correction", "with the second correction")


_FLOOR = 1e-3  # of a ratio: smaller ones stand here


def draw_all(comm: MPI.Comm, folder: Path, analysis: Mapping[str, Any]) -> list[Path]:
    """Collective: analysis_energy.png, analysis_residuals.png, analysis_stability.png and, where descents were tried,
    analysis_training.png in a folder; their paths."""
    made = [
        draw(comm, folder / "analysis_energy.png", lambda: _energies(analysis)),
        draw(comm, folder / "analysis_residuals.png", lambda: _residuals(analysis)),
        draw(comm, folder / "analysis_stability.png", lambda: _bounds(analysis)),
    ]
    training = analysis.get("training")
    if training and training["descents"]:
        made.append(draw(comm, folder / "analysis_training.png", lambda: training_figure(training)))
    return made


def state(bound: Mapping[str, Any]) -> str:
    """Of a bound: HOLDS, FAILS or OPEN."""
    return HOLDS if bound["holds"] else OPEN if bound["sufficient_only"] else FAILS


def ratio(bound: Mapping[str, Any]) -> float | None:
    """How much of what is allowed is used up: at most 1 where the inequality holds; None where one side is 0."""
    value, limit = bound["value"], bound["bound"]
    if value is None or limit is None or limit <= 0 or value < 0:
        return None
    if "<" in bound["inequality"]:
        return float(value / limit)
    return float(limit / value) if value > 0 else None


def number(value: float | None) -> str:
    """For people: three digits; JSON has no number for what is infinite."""
    return "infinite" if value is None else f"{value:.3g}"


def sides(bound: Mapping[str, Any]) -> str:
    """Both sides of a bound with the relation that they are in."""
    value, limit = (math.inf if bound[key] is None else bound[key] for key in ("value", "bound"))
    relation = "<" if value < limit else ">" if value > limit else "="
    return f"{number(bound['value'])} {relation} {number(bound['bound'])}"


def _energies(analysis: Mapping[str, Any]) -> Figure:
    """Change of H and of the modified energy by layer, relative to the largest |H|."""
    energy, figure = analysis["energy"], Picture(figsize=(5.6, 3.4), layout="constrained")
    ax = figure.subplots()
    H = np.array(energy.get("H", []), dtype=float)
    curves = [("energy $H$", np.arange(len(H)), H, analysis["energy_drift"])]
    if "modified" in energy:
        slabs, values = np.array(energy["modified_slabs"]), np.array(energy["modified"], dtype=float)
        name = f"modified energy $H_{energy['modified_order'] // 2}$"
        curves.append((name, slabs, values, analysis["modified_energy_drift"]))
    size = max(float(np.abs(H).max(initial=0.0)), 1e-300)
    for n, (label, slabs, values, drift) in enumerate(curves):
        if len(values):
            shown = (values - values.mean()) / size
            look: dict[str, Any] = {"color": colour(n), "marker": MARKERS[n], "markersize": 3.5, "linewidth": 1.2}
            ax.plot(slabs, shown, label=f"{label}: drift {number(drift)}", **look)
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set(xlabel="layer $k$", ylabel="energy − its mean, relative to max $|H|$", title="energy of the flow by layer")
    if ax.get_lines()[1:]:  # something beside the axis
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def _residuals(analysis: Mapping[str, Any]) -> Figure:
    """Points by equation: the original one, with the first and with the second correction; layers, then space.

    A direction of which nothing is known gets no panel; why stands below.
    """
    found, notes = analysis["residuals"], analysis["notes"]
    reasons = {"layers": notes.get("equation_residual", ""), "space": notes.get("residuals.space", "")}
    known = [direction for direction in reasons if found[direction] is not None]
    left_out = {direction: why for direction, why in reasons.items() if direction not in known}
    missing = "; ".join(f"in {direction}: left out, {why}" for direction, why in left_out.items())
    if not known:
        figure: Figure = Picture(figsize=(6.0, 2.0), layout="constrained")
        figure.text(0.5, 0.5, fill(missing, 70), ha="center", va="center", color=colour(1))
        return figure
    figure, axes = panels(len(known), width=3.4 if len(known) > 1 else 2.9, below=1.1, sharey=True)
    for ax, direction in zip(axes, known, strict=True):
        ax.set_title(f"in {direction}")
        _residual_points(ax, found[direction], "\N{GREEK CAPITAL LETTER DELTA}" if direction == "layers" else "h")
    axes[0].set_ylabel("residual, relative")
    heights = [np.asarray(points.get_ydata(), dtype=float) for ax in axes for points in ax.lines]
    decades(axes[0], np.concatenate(heights))
    if missing:
        figure.suptitle(fill(missing, 60), fontsize=8)
    handles = [line(label, color=colour(n), marker=MARKERS[n], linestyle="") for n, label in enumerate(LEVELS)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if len(known) > 1 else 2)
    return figure


def _residual_points(ax: Axes, found: Mapping[str, Any], step: str) -> None:
    # the momentum map of the box schemes has no series in layers: its residual there is the optimiser's
    names = [name for name, values in found["equations"].items() if name != "velocity" or values[0] != values[1]]
    for level in range(len(LEVELS)):
        values = [found["equations"][name][level] for name in names]
        x = np.arange(len(names)) + 0.15 * (level - 1)
        ax.plot(x, values, color=colour(level), marker=MARKERS[level], linestyle="", markersize=7)
    ax.set_yscale("log")
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.grid(axis="y", color="0.9", linewidth=0.6)
    ax.set_title(f"{ax.get_title()}, {step} = {found['step']:.3g}")
    ax.axhline(1.0, color="0.6", linewidth=0.6, zorder=0)


def _bounds(analysis: Mapping[str, Any]) -> Figure:
    """One line a bound, from the limit (1) to the share of what is allowed that is used up."""
    rows = analysis["stability"]
    figure = Picture(figsize=(6.8, 1.6 + 0.4 * max(len(rows), 1)), layout="constrained")
    ax = figure.subplots()
    shares = [ratio(row) for row in rows]
    seen = [share for share in shares if share] or [1.0]
    low, high = max(min(0.1, min(seen) / 2), _FLOOR), max(10.0, 2 * max(seen))
    for n, (row, share) in enumerate(zip(rows, shares, strict=True)):
        shade, shape = COLOURS[state(row)], SHAPES[state(row)]
        if share is None:
            why = "infinite" if None in (row["value"], row["bound"]) else "its sign decides"
            verdict = f"{why}: {'holds' if row['holds'] else 'fails'}"
            ax.text(1.1 * low, n, verdict, va="center", color=shade, fontsize=8)
        else:
            end = max(share, 1.2 * low)  # what is smaller stands at the edge, as an arrow
            ax.plot([1.0, end], [n, n], color=shade, linewidth=3, alpha=0.5, solid_capstyle="butt")
            ax.plot([end], [n], color=shade, marker=shape if share >= end else "<", markersize=7)
        ax.text(1.02, n, sides(row), transform=ax.get_yaxis_transform(), va="center")
    ax.axvline(1.0, color="0.2", linewidth=1.0)
    ax.set(xscale="log", xlim=(low, high), ylim=(max(len(rows), 1) - 0.4, -0.6), title="stability bounds")
    ax.set_xlabel("share of the bound that is used up: 1 is the limit")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_yticks(range(len(rows)), [row["name"] for row in rows])
    handles = [line(key, color=shade, marker=SHAPES[key], markersize=7) for key, shade in COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
