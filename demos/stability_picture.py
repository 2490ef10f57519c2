"""The picture of demos/stability_map.py: a column for each scheme, a row for each question, a mark for each run.

Marks are observed; lines are predicted, from the bounds of the deepest run on each mesh. A run whose own bound holds
has a green ring.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from stability_map import Run

ROUNDING = 1e-12
"""A density above minus this is not negative."""


def pick(runs: list[Run], scheme: str, fitted: bool) -> list[Run]:
    """The runs of one column."""
    return [run for run in runs if (run.scheme, run.fitted) == (scheme, fitted)]


OUTCOMES: dict[str, dict[str, Any]] = {
    "well": {"marker": "o", "color": "#0072B2", "s": 22},
    "a layer folds": {"marker": "v", "color": "#D55E00", "s": 30},
    "some density would turn negative": {"marker": "D", "color": "#E69F00", "s": 22},
    "this density turned negative": {"marker": "s", "color": "#D55E00", "s": 26},
    "training runs away": {"marker": "X", "color": "black", "s": 40},
}


def outcome(run: Run, question: str) -> str:
    """The word for what was observed."""
    if question == "invertible":
        return "a layer folds" if run.folds else "well"
    if run.blown:
        return "training runs away"
    if run.min_density < -ROUNDING:
        return "this density turned negative"
    return "some density would turn negative" if run.signs else "well"


def predicted(runs: list[Run], name: str) -> tuple[list[int], list[float]]:
    """Needed layers over nodes, from the deepest run of each mesh; NaN where none is enough, or that run is no good."""
    deepest = [run for run in runs if run.layers == max(run.layers for run in runs)]
    needed = [None if run.blown else getattr(run, name).needs_layers for run in deepest]
    return [run.nodes for run in deepest], [float("nan") if n is None else n for n in needed]


def paint(runs: list[Run], tolerance: float) -> Figure:
    """The map."""
    series = list(dict.fromkeys((run.scheme, run.fitted) for run in runs))
    figure = Figure(figsize=(8.6, 8.2), layout="constrained")
    grid = figure.subplots(3, len(series), sharex=True, sharey=True)
    for column, (scheme, fitted) in zip(grid.T, series, strict=True):
        here = pick(runs, scheme, fitted)
        for ax, question in zip(column[:2], ("invertible", "positive"), strict=True):
            marks(ax, here, question)
        shades = errors(column[2], here, tolerance)
        column[0].set_title(f"{scheme}, {'fitted' if fitted else 'not fitted'}")
        column[2].set_xlabel("nodes $M$")
    rows = ("layer invertibility", "maximum principle", "depth convergence")
    for ax, row in zip(grid[:, 0], rows, strict=True):
        ax.set_ylabel(f"{row}\n\nlayers $N$")
    figure.colorbar(shades, ax=list(grid[2]), label="distance to the\ninfinitely deep network", aspect=12)
    handles: dict[str, Any] = {}
    for ax in grid.flat:
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def axes(ax: Axes, runs: list[Run]) -> None:
    """Powers of two on both axes."""
    sizes, most = sorted({run.nodes for run in runs}), max(run.layers for run in runs)
    ax.set(xscale="log", yscale="log", xlim=(sizes[0] / 1.3, sizes[-1] * 1.3), ylim=(0.75, most * 1.35))
    ax.set_xticks(sizes, [str(m) for m in sizes], minor=False)
    ticks = [n for n in (1, 2, 4, 8, 16, 32) if n <= most]
    ax.set_yticks(ticks, [str(n) for n in ticks], minor=False)
    ax.set_xticks([], minor=True)
    ax.set_yticks([], minor=True)


def line(ax: Axes, runs: list[Run], name: str) -> None:
    """The predicted boundary."""
    nodes, needed = predicted(runs, name)
    if not np.isnan(needed).all():
        ax.plot(nodes, needed, color="#009E73", linewidth=1.6, label="layers needed, by the deepest run's bound")


def marks(ax: Axes, runs: list[Run], question: str) -> None:
    """One mark a run."""
    axes(ax, runs)
    line(ax, runs, question)
    for word, look in OUTCOMES.items():
        chosen = [(run.nodes, run.layers) for run in runs if outcome(run, question) == word]
        if chosen:
            ax.scatter(*zip(*chosen, strict=True), **look, linewidths=0, label=word, zorder=3)
    rings = [(run.nodes, run.layers) for run in runs if getattr(run, question).holds]
    if rings:
        look = {"s": 75, "facecolors": "#CDEBDD", "edgecolors": "#009E73", "linewidths": 0.7}
        ax.scatter(*zip(*rings, strict=True), **look, label="predicted: well", zorder=2)
    finest = max(runs, key=lambda run: (run.nodes, run.layers))
    enough = finest.peclet.needs_nodes or finest.nodes
    if question == "positive" and not runs[0].fitted:
        ax.axvline(enough, color="#009E73", linewidth=1.6, linestyle=":", label="nodes needed (cell Peclet)")


def errors(ax: Axes, runs: list[Run], tolerance: float) -> Any:
    """Distances as shades, and the line of the tolerance."""
    axes(ax, runs)
    line(ax, runs, "deep")
    needed = [n for n in predicted(runs, "deep")[1] if not np.isnan(n)]
    if needed and min(needed) > max(run.layers for run in runs):
        ax.set_title(f"the bound needs $N$ = {min(needed)}" + f" to {max(needed)}" * (len(needed) > 1), fontsize=8)
    nodes, layers, distance = (np.array([getattr(run, f) for run in runs]) for f in ("nodes", "layers", "depth_error"))
    near = distance <= tolerance
    look: dict[str, Any] = {"cmap": "viridis_r", "norm": "log", "vmin": 1e-3, "vmax": 10, "zorder": 3}
    ax.scatter(nodes[near], layers[near], c=distance[near], s=24, label=f"within {tolerance}", **look)
    return ax.scatter(nodes[~near], layers[~near], c=distance[~near], s=24, marker="x", label="farther away", **look)


def draw(runs: list[Run], path: Path, tolerance: float) -> Path:
    """The picture."""
    with rc_context({"font.size": 9, "axes.titlesize": 9, "axes.linewidth": 0.7}):
        FigureCanvasAgg(paint(runs, tolerance)).print_figure(str(path), dpi=200, bbox_inches="tight", pad_inches=0.06)
    return path
