"""What the pictures share: colours and markers, figures, panels, axes, and rank 0 as the only one that writes.

Colours are those of Okabe and Ito (and others like them), told apart by colour-blind readers; markers differ as well,
for print in grey. Figures are made directly, without pyplot's global state; a notebook shows them all the same.
"""

from __future__ import annotations

import io
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
from matplotlib.ticker import MaxNLocator
from mpi4py import MPI
from numpy.typing import NDArray
from PIL import Image

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import on_root, replacing
from hydrodl.common.text import printable
from hydrodl.pictures.raster import Raster

_LONGEST_NAME = 40  # characters


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#8C510A", "#7F7F7F", "#999933")


MARKERS = "o^sDvP*X<>"


STYLE: Any = {"font.size": 9, "axes.titlesize": 9, "axes.linewidth": 0.7, "legend.frameon": False}


DPI = 160  # of files


STANDARDISED = " (standardised)"


class Picture(Figure):
    """A figure in the style of this package wherever it is drawn; a notebook shows it."""

    def draw(self, renderer: Any) -> None:
        """Ticks and their labels are made while drawing, and so in the style that holds then."""
        with styled():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        shot = photograph(self, 110)
        with io.BytesIO() as file:
            shot.crop(margins(shot)).save(file, format="PNG")
            return file.getvalue()


def colour(c: int) -> str:
    """Of class c."""
    return COLOURS[c % len(COLOURS)]


def marker(c: int) -> str:
    """Of class c."""
    return MARKERS[c % len(MARKERS)]


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
        with styled():
            figure, kind = paint(), Path(path).suffix[1:] or "png"
            with replacing(Path(path)) as file:
                if kind == "png":
                    shot = photograph(figure, DPI)
                    shot.crop(margins(shot)).save(file, format="PNG", compress_level=2, dpi=(DPI, DPI))
                else:
                    FigureCanvasAgg(figure).print_figure(file, dpi=DPI, format=kind, bbox_inches="tight")

    on_root(comm, act)
    return Path(path)


def photograph(figure: Figure, dpi: int) -> Image.Image:
    """The figure as pixels: drawn once, where ``savefig`` would draw it twice to lay it out."""
    before = figure.get_dpi()
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    shot = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
    figure.set_dpi(before)
    return shot


def margins(shot: Image.Image, pad: int = 12) -> tuple[int, int, int, int]:
    """The box of a photograph without its empty margins, which are as the corner, but for ``pad`` pixels."""
    pixels = np.asarray(shot)
    inked = (pixels != pixels[0, 0]).any(axis=2)
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0, 0, shot.width, shot.height
    left, top = max(columns[0] - pad, 0), max(rows[0] - pad, 0)
    right, bottom = min(columns[-1] + 1 + pad, shot.width), min(rows[-1] + 1 + pad, shot.height)
    return int(left), int(top), int(right), int(bottom)


def panels(
    count: int, *, width: float = 2.6, bounds: tuple[Floats, Floats] | None = None, below: float = 0.8, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` equal panels, at most 3 a row and four in two rows, and its axes row by row.

    Args:
        width: of one panel, in inches; a single panel is made wider.
        bounds: corners of the box that the panels show; sets their height in d = 2 and 3.
        below: inches to leave for keys and bars.
        options: for ``Figure.subplots``.
    """
    columns, width = 2 if count == 4 else min(count, 3), width if count > 1 else 1.5 * width
    rows, height = -(-count // columns), 0.95 * width
    if bounds is not None and len(bounds[0]) > 1:
        extent = bounds[1] - bounds[0]
        height = width * float(np.clip(extent[1] / extent[0], 0.3, 1.6)) + 0.1
    kind: Any = "constrained" if bounds is None or len(bounds[0]) == 1 else "compressed"  # panels of fixed proportions
    figure = Picture(figsize=(width * columns, height * rows + below), layout=kind)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.1)  # inches beside each panel: the last number of one axis and the first of the next one
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def frame(ax: Axes, bounds: tuple[Floats, Floats], names: Sequence[str], title: str) -> None:
    """Limits, equal scales, labels and few ticks."""
    if getattr(ax, "zaxis", None) is not None:
        names = [name.removesuffix(STANDARDISED) for name in names]  # labels along edges run into each other
        _in_space(ax, bounds)
    else:
        ax.set_aspect("equal")
    setters = (ax.set_xlim, ax.set_ylim, getattr(ax, "set_zlim", None))
    labels = (ax.set_xlabel, ax.set_ylabel, getattr(ax, "set_zlabel", None))
    for limit, label, low, high, name in zip(setters, labels, *bounds, names, strict=False):
        assert limit is not None and label is not None  # a 3D panel for three directions
        limit(low, high)
        label(name)
    ax.set_title(title)
    few_ticks(ax)


def outer(ax: Axes) -> None:
    """Ticks and labels only below the last row and beside the first column of panels with the same limits."""
    place = ax.get_subplotspec()
    if place is None or hasattr(ax, "zaxis"):
        return
    if not place.is_last_row():
        ax.set_xticks([])
        ax.set_xlabel("")
    if not place.is_first_col():
        ax.set_yticks([])
        ax.set_ylabel("")


def decades(ax: Axes, values: Floats) -> None:
    """A logarithmic y axis from a power of ten to another, around the values that are positive and finite."""
    seen = values[np.isfinite(values) & (values > 0)]
    if len(seen):
        low, high = np.floor(np.log10(seen.min())), np.ceil(np.log10(seen.max()))
        ax.set(yscale="log", ylim=(0.8 * 10**low, 1.25 * 10 ** max(high, low + 1)))


def few_ticks(ax: Axes) -> None:
    """At most five ticks on each axis."""
    for axis in (ax.xaxis, ax.yaxis, getattr(ax, "zaxis", None)):
        if axis is not None:
            axis.set_major_locator(MaxNLocator(4))


def _in_space(ax: Any, bounds: tuple[Floats, Floats]) -> None:
    """Axes of three directions, equal scales, with room for what stands along them."""
    ax.tick_params(labelsize=7, pad=-2)
    ax.xaxis.labelpad = ax.yaxis.labelpad = ax.zaxis.labelpad = -1.5
    sides = bounds[1] - bounds[0]
    flat = 1 - min(1.0, float(sides[2] / sides[:2].max()))  # and so wider in the picture
    ax.set_box_aspect(sides, zoom=0.94 - 0.2 * flat)


def image(ax: Axes, raster: Raster, picture: NDArray[Any], **options: Any) -> None:
    """A picture (m_1, m_2) or (m_1, m_2, 3) on the first two axes of a raster, whose points are middles of pixels."""
    x, y = raster.axes[:2]
    h, k = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    extent = (float(x[0] - h), float(x[-1] + h), float(y[0] - k), float(y[-1] + k))
    pixels = picture.swapaxes(0, 1)
    ax.imshow(pixels, origin="lower", extent=extent, interpolation="bilinear", zorder=0, **options)


def scatter(ax: Axes, points: Floats, labels: np.ndarray) -> None:
    """Points (n, d), d = 2 or 3, in class colours and markers."""
    look: dict[str, Any] = {"s": np.clip(4000 / max(1, len(points)), 8, 22), "linewidths": 0.3, "edgecolors": "white"}
    for c in np.unique(labels):
        chosen = points[labels == c].T
        ax.scatter(*chosen, marker=marker(c), color=colour(c), **look)


def axis_names(solution: Any) -> list[str]:
    """What each direction of feature space is called: a feature's name, a principal component, or an added one."""
    d, known = solution.problem.domain.dimension, solution.problem.densities.preprocessing
    if known is None:
        return [f"$x_{i + 1}$" for i in range(d)]
    added = [f"added {i + 1}" if known.lift > 1 else "added" for i in range(known.lift)]
    d -= known.lift
    if known.components is not None:
        return [f"component {i + 1}{STANDARDISED}" for i in range(d)] + added
    given = known.feature_names or [f"$x_{i + 1}$" for i in range(d)]
    if known.feature_names:
        given = [as_text(name) for name in given]
    return [f"{name}{STANDARDISED * standardised(solution)}" for name in given] + added


def standardised(solution: Any) -> bool:
    """Are the coordinates other numbers than the features, and so without a unit?"""
    known = solution.problem.densities.preprocessing
    return known is not None and bool(known.rescales)


def density_unit(solution: Any) -> str:
    """Of densities on a line or in a plane, in brackets."""
    if standardised(solution):
        return "(nondimensional)"
    return "(per feature unit)" if solution.problem.domain.dimension == 1 else "(per feature unit squared)"


def velocity_unit(solution: Any) -> str:
    """Of velocities, in brackets."""
    return f"({'standardised' if standardised(solution) else 'feature'} units per unit of t)"


def blend(densities: Floats, largest: float) -> NDArray[np.uint8]:
    """Densities (C, m_1, m_2) as an image (m_1, m_2, 3): hue by class, depth by the root of the total density.

    ``largest`` is the total density of full colour; pixels outside the mesh (NaN) are light grey.
    """
    palette = np.array([to_rgb(colour(c)) for c in range(len(densities))])
    parts = np.clip(densities, 0, None)
    total = parts.sum(axis=0)
    hue = np.einsum("cxy,cr->xyr", parts, palette) / np.maximum(total, 1e-300)[..., None]
    depth = np.sqrt(np.clip(total / largest, 0, 1))[..., None]
    return as_bytes(np.where(np.isnan(total)[..., None], 0.9, 1 - depth * (1 - hue)))


def as_bytes(picture: Floats) -> NDArray[np.uint8]:
    """Shades from 0 to 1 as whole numbers up to 255, which are drawn faster."""
    return np.rint(255 * picture).astype(np.uint8)
