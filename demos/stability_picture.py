"""What demos/stability_map.py finds of a network, and its picture: a row for nodes and one for neurons, a column for
each question.

Colours are what was computed; dots say that what was predicted of a network was observed, crosses that it was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

if TYPE_CHECKING:
    import hydrodl as hd

TITLES = {
    "distance": "distance to the limit\n(r.m.s. over the data, feature units)",
    "step_limit": "largest step of descent\n2/λₙ (nondimensional)",
    "newton_radius": "radius of Newton's ball\n(control norm)",
    "data_radius": "radius for changes of the data\n(2 × share of other labels)",
}
GOOD = {"marker": "o", "linestyle": "", "color": "white", "markersize": 3.5, "markeredgecolor": "black"}
BAD = {"marker": "X", "linestyle": "", "color": "#D55E00", "markersize": 7, "markeredgecolor": "white"}
FOLDS = {"marker": "v", "linestyle": "", "color": "white", "markersize": 6, "markeredgecolor": "black"}
NONE = {"marker": "_", "linestyle": "", "color": "black", "markersize": 7}
HALF = {"marker": "s", "linestyle": "", "color": "none", "markersize": 10, "markeredgecolor": "white"}
BEST = {"marker": "*", "linestyle": "", "color": "#E69F00", "markersize": 19, "markeredgecolor": "black"}
EDGE = {"color": "#D55E00", "linewidth": 2.2}


@dataclass(frozen=True)
class Cell:
    """One network.

    Attributes:
        layers, nodes, width: its size; the width is 0 where it is none of neurons.
        distance: to the network that stands for the limit; slope: the least of x + Delta u(x), not positive where it
            folds.
        step_limit, newton_radius, data_radius: predicted.
        below, above: error after descents with 1.95 and 2.05 / lambda_n, over that at the start.
        newton: errors of Newton's method from within its ball, the largest over its bound.
        moved: what other data within their radius move the network by, over the bound.
        halved: distance to the network of half the layers over Newton's radius; NaN where there is none.
    """

    layers: int
    nodes: int
    width: int
    distance: float
    slope: float
    step_limit: float
    newton_radius: float
    data_radius: float
    below: float
    above: float
    newton: float
    moved: float
    halved: float

    @property
    def as_predicted(self) -> tuple[bool, bool, bool]:
        """Descent, Newton's method, other data."""
        return self.below < 1 < self.above, self.newton <= 1, self.moved <= 1


def draw(cells: list[Cell], advice: Mapping[str, hd.analysis.Recommendation], tolerance: float, path: Path) -> Path:
    """Draw the map."""
    with rc_context({"font.size": 8.5, "axes.titlesize": 8.5}):
        figure = Figure(figsize=(12.6, 6.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(2, len(TITLES))
        for row, (name, field) in zip(panels, (("nodes", "nodes"), ("neurons", "width")), strict=True):
            here = [cell for cell in cells if (cell.width > 0) == (field == "width")]
            wanted = advice[name].layers, advice[name].width if field == "width" else advice[name].nodes
            for k, (axes, quantity) in enumerate(zip(row, TITLES, strict=True)):
                image = _panel(axes, here, field, quantity)
                _marks(axes, here, field, k)
                if quantity == "distance":
                    _edge(axes, here, field, tolerance)
                axes.plot(*_place(here, field, *wanted), **BEST)
                axes.set(xlabel="layers N", ylabel={"nodes": "nodes M", "width": "neurons a layer J"}[field])
                axes.set_title(TITLES[quantity])
                figure.colorbar(image, ax=axes, shrink=0.92)
        figure.legend(handles=_keys(tolerance), loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, dpi=130)
    return path


def _axes(cells: list[Cell], field: str) -> tuple[list[int], list[int]]:
    return sorted({cell.layers for cell in cells}), sorted({getattr(cell, field) for cell in cells})


def _table(cells: list[Cell], field: str, quantity: str) -> np.ndarray:
    """Values over (M or J, N)."""
    across, up = _axes(cells, field)
    out = np.full((len(up), len(across)), np.nan)
    for cell in cells:
        out[up.index(getattr(cell, field)), across.index(cell.layers)] = getattr(cell, quantity)
    return out


def _panel(axes: Axes, cells: list[Cell], field: str, quantity: str) -> Any:
    across, up = _axes(cells, field)
    values = _table(cells, field, quantity)
    image = axes.imshow(np.where(values > 0, values, np.nan), origin="lower", aspect="auto", norm=LogNorm())
    axes.set_xticks(range(len(across)), map(str, across))
    axes.set_yticks(range(len(up)), map(str, up))
    axes.minorticks_off()
    return image


def _marks(axes: Axes, cells: list[Cell], field: str, column: int) -> None:
    """In the first column layers that fold; in the others whether what is predicted was observed."""
    across, up = _axes(cells, field)
    for cell in cells:
        at = across.index(cell.layers), up.index(getattr(cell, field))
        if column == 0:
            if cell.slope <= 0:
                axes.plot(*at, **FOLDS)
        elif not cell.newton_radius > 0:
            axes.plot(*at, **NONE)
        else:
            axes.plot(*at, **(GOOD if cell.as_predicted[column - 1] else BAD))
            if column == 2 and cell.halved <= 1:
                axes.plot(*at, **HALF)


def _edge(axes: Axes, cells: list[Cell], field: str, tolerance: float) -> None:
    """A line between what keeps the tolerance and what does not, along the sides of cells."""
    kept = _table(cells, field, "distance") <= tolerance
    rows, columns = kept.shape
    for j in range(rows):
        for i in range(columns):
            if i + 1 < columns and kept[j, i] != kept[j, i + 1]:
                axes.plot([i + 0.5] * 2, [j - 0.5, j + 0.5], **EDGE)
            if j + 1 < rows and kept[j, i] != kept[j + 1, i]:
                axes.plot([i - 0.5, i + 0.5], [j + 0.5] * 2, **EDGE)


def _place(cells: list[Cell], field: str, layers: int, number: int | None) -> tuple[float, float]:
    """Where a size is between the numbers on the axes, which are even in their logarithms from one to the next."""
    lines = [np.log(line) for line in _axes(cells, field)]
    at = [
        np.interp(np.log(n), line, np.arange(len(line))) for n, line in zip((layers, number or 1), lines, strict=True)
    ]
    return float(at[0]), float(at[1])


def _keys(tolerance: float) -> list[Line2D]:
    words = {
        "recommended by hd.recommend": BEST,
        f"the tolerance, {tolerance:g}": EDGE,
        "a layer folds": FOLDS,
        "observed as predicted": GOOD,
        "not as predicted": BAD,
        "no strict minimum: nothing is predicted": NONE,
        "the network of half the layers is in the ball": HALF | {"markeredgecolor": "grey"},
    }
    return [Line2D([], [], label=label, **style) for label, style in words.items()]
