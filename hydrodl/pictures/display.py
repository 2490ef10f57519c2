"""What every picture is: an object that holds what is drawn and draws it where it is told, like scikit-learn's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpi4py import MPI

from hydrodl.common.errors import InputError
from hydrodl.pictures.canvas import Picture, draw, styled


class Display(ABC):
    """A picture: made from results by ``from_...`` (collective), drawn by ``plot`` (on any rank).

    Attributes:
        figure_: the figure, once it is drawn; ax_: its panel, or an array of them.
    """

    figure_: Figure
    ax_: Any

    @property
    @abstractmethod
    def panel_counts(self) -> tuple[int, ...]:
        """How many axes ``plot`` takes."""

    @property
    def in_space(self) -> bool:
        """Do the axes have three directions?"""
        return False

    @abstractmethod
    def _figure(self) -> tuple[Figure, list[Axes]]:
        """A new figure and its axes."""

    @abstractmethod
    def _paint(self, axes: list[Axes]) -> None:
        """Draw."""

    @abstractmethod
    def _explain(self, place: Figure | Axes) -> None:
        """The keys of what is drawn."""

    def plot(self, ax: Any = None) -> Self:
        """Draw into a new figure, or into the axes given: one, or a sequence of as many as there are panels.

        Raises:
            InputError: another number of axes, or flat ones for a picture in space.
        """
        with styled() if ax is None else nullcontext():
            figure, axes = self._figure() if ax is None else (None, self._given(ax))
            self._paint(axes)
            self._explain(axes[-1] if figure is None else figure)
            for one in figure.axes if figure is not None else ():
                _words_only(one)
        found = axes[0].get_figure(root=True) if figure is None else figure
        assert found is not None
        self.figure_ = found
        self.ax_ = axes[0] if len(axes) == 1 else np.array(axes, dtype=object)
        return self

    def _given(self, ax: Any) -> list[Axes]:
        axes = list(np.ravel(np.array(ax, dtype=object)))
        counts = " or ".join(map(str, self.panel_counts))
        if len(axes) not in self.panel_counts or not all(isinstance(one, Axes) for one in axes):
            raise InputError(f"ax: this picture takes {counts} of matplotlib's axes, given are {len(axes)} object(s)")
        if self.in_space and not all(hasattr(one, "get_zlim") for one in axes):
            raise InputError("ax: this picture takes axes with projection='3d'")
        return axes

    def _repr_png_(self) -> bytes | None:
        """In a notebook: the picture, drawn if it was not yet; one in the user's own axes shows with their figure."""
        if not hasattr(self, "figure_"):
            self.plot()
        return self.figure_._repr_png_() if isinstance(self.figure_, Picture) else None


def _words_only(ax: Axes) -> None:
    """Let the layout look at axes and words alone, which is all that it makes room for, and a third of its time."""
    if not hasattr(ax, "zaxis"):
        for part in (*ax.spines.values(), *ax.lines, *ax.collections, *ax.images, *ax.patches):
            part.set_in_layout(False)


def drawn(display: Display, comm: MPI.Comm, path: str | Path | None, ax: Any) -> Any:
    """What the functions ``plot_...`` return: the path of the file if one is asked for, else the axes or the figure.

    Raises:
        InputError: both a file and axes, or a file that cannot be written.
    """
    if path is not None and ax is not None:
        raise InputError("path and ax: a picture goes into a file of its own or into your axes; give one of them")
    if path is not None:
        return draw(comm, path, lambda: display.plot().figure_)
    display.plot(ax)
    return display.figure_ if ax is None else ax


def shared(comm: MPI.Comm, value: Any) -> Any:
    """Collective: what rank 0 holds, on every rank."""
    return value if comm.size == 1 else comm.bcast(value)


def spread(count: int, wanted: int) -> list[int]:
    """About ``wanted`` of the numbers 0 .. count - 1, evenly, ends included."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(wanted, count))})


def one_or_more(title: str, axes: Sequence[Axes]) -> None:
    """A title over all panels: of the figure if it is ours, else of the first of the user's axes."""
    figure = axes[0].figure
    if isinstance(figure, Picture):
        figure.suptitle(title, fontsize=9)
    else:
        axes[0].set_title(f"{title}\n{axes[0].get_title()}".strip())
