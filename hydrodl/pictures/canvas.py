"""What the figures share: colours, panels, legends, and rank 0 as the only one that draws.

Colours are those of Okabe and Ito (and three more), told apart by colour-blind readers; markers differ as well, for
print in grey. Figures are made directly, without pyplot's global state.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import attempt, replacing
from hydrodl.common.text import printable
from hydrodl.pictures.raster import Raster

_LONGEST_NAME, _MOST_NAMES = 40, 40  # characters of a name, names in a legend


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#8C510A", "#7F7F7F", "#F0E442")


MARKERS = "o^sDvP*X<>"


STYLE: Any = {"font.size": 9, "axes.titlesize": 9, "axes.linewidth": 0.7, "legend.frameon": False}


def colour(c: int) -> str:
    """Of class c."""
    return COLOURS[c % len(COLOURS)]


def as_text(name: Any) -> str:
    """A name of others as a figure shows it: no mathematics, on one line, of a bearable length."""
    text = printable(str(name))
    text = text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."
    return text.replace("$", r"\$")


@contextmanager
def styled() -> Iterator[None]:
    """The style of all figures, without a warning for every letter that no font has: its box is seen in the figure."""
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        yield


def draw(comm: MPI.Comm, path: str | Path, paint: Callable[[], Figure]) -> Path:
    """Collective: rank 0 paints and writes the picture.

    Raises:
        InputError: the file cannot be written.
    """

    def act() -> None:
        if comm.rank == 0:
            with styled():
                figure, kind = paint(), Path(path).suffix[1:] or "png"
                with replacing(Path(path)) as file:
                    FigureCanvasAgg(figure).print_figure(
                        file, dpi=200, format=kind, bbox_inches="tight", pad_inches=0.06
                    )

    attempt(comm, act)
    return Path(path)


def panels(
    count: int, *, width: float = 2.6, bounds: tuple[Floats, Floats] | None = None, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` equal panels, at most 3 a row, and its axes row by row.

    Args:
        width: of one panel, in inches; a single panel is made wider.
        bounds: corners of the box that the panels show; sets their height in d = 2 and 3.
        options: for ``Figure.subplots``.
    """
    columns, width = min(count, 3), width if count > 1 else 1.5 * width
    rows, height = -(-count // columns), 0.95 * width
    if bounds is not None and len(bounds[0]) > 1:
        extent = bounds[1] - bounds[0]
        height = width * float(np.clip(extent[1] / extent[0], 0.3, 1.6)) + 0.1
    figure = Figure(figsize=(width * columns, height * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def frame(ax: Axes, bounds: tuple[Floats, Floats], names: Sequence[str], title: str) -> None:
    """Limits, equal scales, labels and few ticks."""
    setters = (ax.set_xlim, ax.set_ylim, getattr(ax, "set_zlim", None))
    labels = (ax.set_xlabel, ax.set_ylabel, getattr(ax, "set_zlabel", None))
    for limit, label, low, high, name in zip(setters, labels, *bounds, names, strict=False):
        assert limit is not None and label is not None  # a 3D panel for three directions
        limit(low, high)
        label(name)
    ax.set_aspect("equal")
    ax.set_title(title)
    few_ticks(ax)


def few_ticks(ax: Axes) -> None:
    """At most five ticks on each axis."""
    for axis in (ax.xaxis, ax.yaxis, getattr(ax, "zaxis", None)):
        if axis is not None:
            axis.set_major_locator(MaxNLocator(4))


def image(ax: Axes, raster: Raster, picture: Floats, **options: Any) -> None:
    """A picture (m_1, m_2) or (m_1, m_2, 3) on the first two axes of a raster."""
    x, y = raster.axes[:2]
    extent = (float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
    pixels = picture.swapaxes(0, 1)
    ax.imshow(pixels, origin="lower", extent=extent, interpolation="bilinear", zorder=0, **options)


def scatter(ax: Axes, points: Floats, labels: np.ndarray) -> None:
    """Points (n, d), d = 2 or 3, in class colours and markers."""
    look: dict[str, Any] = {"s": np.clip(4000 / max(1, len(points)), 8, 22), "linewidths": 0.3, "edgecolors": "white"}
    for c in np.unique(labels):
        chosen = points[labels == c].T
        ax.scatter(*chosen, marker=MARKERS[c % len(MARKERS)], color=colour(c), **look)


def legend(figure: Figure, class_names: Sequence[Any], *, lines: bool = False) -> None:
    """The classes below the panels, the first of very many."""
    shown = [as_text(name) for name in class_names[:_MOST_NAMES]]
    if more := len(class_names) - len(shown):
        shown.append(f"and {more} more")
    handles = [
        Line2D(
            [],
            [],
            color=colour(c),
            marker="" if lines else MARKERS[c % len(MARKERS)],
            linestyle="-" if lines else "",
            linewidth=4 if lines else 1,
        )
        for c in range(len(shown))
    ]
    words = {"handles": handles, "labels": ["class"] * len(shown), "title": "class"}
    drawn = figure.legend(**words, loc="outside lower center", ncols=min(5, len(handles)))
    for text, name in zip(drawn.get_texts(), shown, strict=True):
        text.set_text(name)  # as a label a name that begins with "_" would be left out


def axis_names(solution: Any) -> list[str]:
    """What each direction of feature space is called: a feature's name, a principal component, or an added one."""
    d, known = solution.problem.domain.dimension, solution.problem.densities.preprocessing
    if known is None:
        return [f"$x_{i + 1}$" for i in range(d)]
    added = [f"added {i + 1}" if known.lift > 1 else "added" for i in range(known.lift)]
    d -= known.lift
    if known.components is not None:
        return [f"component {i + 1} (standardised)" for i in range(d)] + added
    given = known.feature_names or [f"$x_{i + 1}$" for i in range(d)]
    plain = np.all(known.scale == 1) and np.all(known.mean == 0)  # features that are mesh coordinates already
    if known.feature_names:
        given = [as_text(name) for name in given]
    return [name if plain else f"{name} (standardised)" for name in given] + added


def blend(densities: Floats, largest: float) -> Floats:
    """Densities (C, m_1, m_2) as an image (m_1, m_2, 3): hue by class, depth by the square root of the total density.

    ``largest`` is the total density of full colour; pixels outside the mesh (NaN) are light grey.
    """
    palette = np.array([to_rgb(colour(c)) for c in range(len(densities))])
    parts = np.clip(densities, 0, None)
    total = parts.sum(axis=0)
    hue = np.einsum("cxy,cr->xyr", parts, palette) / np.maximum(total, 1e-300)[..., None]
    depth = np.sqrt(np.clip(total / largest, 0, 1))[..., None]
    return np.where(np.isnan(total)[..., None], 0.9, 1 - depth * (1 - hue))
