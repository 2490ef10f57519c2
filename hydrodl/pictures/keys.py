"""Keys of pictures: the legend of the classes and of whatever else is drawn, and the bar of a density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hydrodl.pictures.canvas import as_text, colour, marker

_MOST_NAMES = 40  # in a legend
_LETTER, _HANDLE, _ROW = 0.07, 0.6, 0.2  # inches that a letter, a handle and a row take, about

GREYS = LinearSegmentedColormap.from_list("greys", ["1.0", "0.2"])


def line(label: str, **look: Any) -> Line2D:
    """An entry of a legend for a line or a marker."""
    drawn: dict[str, Any] = {"color": "0.3", "linewidth": 1.0} | look
    return Line2D([], [], label=label, **drawn)


def patch(label: str, shade: Any) -> Patch:
    """An entry of a legend for a surface."""
    return Patch(label=label, color=shade)


def class_entries(class_names: Sequence[Any], *, lines: bool = False) -> tuple[list[Line2D], list[str]]:
    """Entries of the classes, the first of very many, and what they are called."""
    shown = [as_text(name) for name in class_names[:_MOST_NAMES]]
    if more := len(class_names) - len(shown):
        shown.append(f"and {more} more")
    look: dict[str, Any] = {"linestyle": "-" if lines else "", "linewidth": 1.6}
    return [Line2D([], [], color=colour(c), marker=marker(c), **look) for c in range(len(shown))], shown


def legend(
    place: Figure | Axes,
    class_names: Sequence[Any],
    *,
    lines: bool = False,
    title: str = "class",
    more: Sequence[Any] = (),
) -> None:
    """The classes, and ``more`` that is drawn, below the panels of a figure or in the corner of some axes.

    As many columns as the figure is wide enough for.
    """
    handles, shown = class_entries(class_names, lines=lines)
    entries = [*handles, *more]
    names = [*shown, *(str(entry.get_label()) for entry in more)]
    figure = place if isinstance(place, Figure) else place.get_figure(root=True)
    assert figure is not None
    width = _HANDLE + _LETTER * max(map(len, names), default=0)
    columns = int(min(max(figure.get_figwidth() / width, 1), 5, max(len(entries), 1)))
    where: dict[str, Any] = {"loc": "best"}
    if isinstance(place, Figure):
        where = {"loc": "outside lower center", "ncols": columns}
        place.set_figheight(place.get_figheight() + _ROW * (-(-len(entries) // columns) - 1))
    drawn = place.legend(handles=entries, labels=["class"] * len(names), title=title, **where)
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set_text(name)  # as a label a name that begins with "_" would be left out


def density_bar(axes: Sequence[Axes], largest: float, label: str) -> None:
    """The bar that says how deep a colour means how dense, in grey for all hues."""
    figure = axes[0].figure
    shades = ScalarMappable(PowerNorm(0.5, 0, largest), GREYS)
    bar = figure.colorbar(shades, ax=list(axes), location="right", aspect=40, pad=0.02, label=label)
    bar.ax.yaxis.set_ticks([largest * share for share in (0, 0.04, 0.16, 0.36, 0.64, 1)])
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
