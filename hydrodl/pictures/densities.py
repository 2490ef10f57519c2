"""Pictures of class densities, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.mesh.gathering import gather
from hydrodl.mesh.ghosts import cut_open
from hydrodl.pictures.canvas import (
    axis_names,
    blend,
    colour,
    density_unit,
    few_ticks,
    frame,
    image,
    marker,
    outer,
    panels,
)
from hydrodl.pictures.display import Display, drawn, one_or_more, shared, spread
from hydrodl.pictures.keys import density_bar, legend
from hydrodl.pictures.raster import PIXELS, Raster, rasterise

if TYPE_CHECKING:
    from hydrodl.problem.solution import Solution


PEAK = "class (marker: where its density is largest)"


@dataclass(eq=False)
class DensityDisplay(Display):
    """Class densities at some layers.

    Attributes:
        raster: the grid of the picture; fields: densities on it, shape (layers, C, m_1, ...), in d = 3 the marginal
            densities of (x_1, x_2); titles: of the panels.
        names: of the axes; unit: of densities, in brackets; class_names; bounds: of feature space.

    Example:
        >>> shown = hd.plot.DensityDisplay.from_solution(solution, layers=2).plot()
        >>> shown.ax_.shape, shown.figure_ is shown.ax_[0].figure
        ((2,), True)
    """

    raster: Raster
    fields: Floats
    titles: list[str]
    names: list[str]
    unit: str
    class_names: tuple[Any, ...]
    bounds: tuple[Floats, Floats]

    @classmethod
    def from_solution(cls, solution: Solution, layers: int = 6) -> DensityDisplay:
        """At about ``layers`` of the layers, first and last included; collective."""
        problem, shown = solution.problem, spread(len(solution.density), layers)
        domain, cut = cut_open(problem.domain)
        raster, whole = (
            rasterise(domain, PIXELS[domain.dimension]),
            [gather(domain, cut(solution.density[k])) for k in shown],
        )
        fields = None
        if raster is not None:
            fields = np.array([raster(values) for values in whole if values is not None])
            if domain.dimension == 3:
                fields = np.trapezoid(np.nan_to_num(fields), raster.axes[2], axis=-1)
        titles = [f"layer {k},  t = {problem.layers.times[k]:.3g}" for k in shown]
        raster, fields = shared(domain.comm, (raster, fields))
        names, unit = axis_names(solution), density_unit(solution)
        return cls(raster, fields, titles, names, unit, tuple(problem.densities.class_names), domain.bounds)

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """One a layer."""
        return (len(self.titles),)

    def _figure(self) -> tuple[Figure, list[Axes]]:
        below = 0.5 if len(self.names) == 1 else 0.9
        return panels(len(self.titles), bounds=self.bounds, below=below)

    def _paint(self, axes: list[Axes]) -> None:
        largest = float(np.nanmax(self.fields.sum(axis=1)))
        for ax, densities, title in zip(axes, self.fields, self.titles, strict=True):
            if len(self.names) == 1:
                curves(ax, self.raster.axes[0], densities, 1.08 * float(self.fields.max()))
                ax.set(title=title, xlabel=self.names[0], ylabel=f"density {self.unit}")
            else:
                clouds(ax, self.raster, densities, largest)
                frame(ax, (self.bounds[0][:2], self.bounds[1][:2]), self.names[:2], title)
            outer(ax)
        if len(self.names) == 1:
            return
        marginal = "marginal " if len(self.names) == 3 else ""
        density_bar(axes, largest, f"total {marginal}density {self.unit}")
        if marginal:
            one_or_more(f"marginal densities: integrated over {self.names[2]}", axes)

    def _explain(self, place: Figure | Axes) -> None:
        legend(place, self.class_names, lines=len(self.names) == 1, title=PEAK)


def plot_densities(solution: Solution, path: str | Path | None = None, layers: int = 6, *, ax: Any = None) -> Any:
    """Class densities at about ``layers`` of the layers, first and last included.

    d = 1: curves; d = 2: class colours, deeper with the square root of the density, one scale for all panels; d = 3:
    the same for the marginal densities of (x_1, x_2). A marker stands where the density of its class is largest.

    Args:
        solution: a trained solution.
        path: a file to write; None: draw only.
        layers: number of panels.
        ax: axes to draw into, one for each panel; None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Example:
        >>> hd.plot.plot_densities(solution, "densities.png").name
        'densities.png'
        >>> len(hd.plot.plot_densities(solution, layers=3).axes)  # the third panel, and the bar
        4
    """
    return drawn(DensityDisplay.from_solution(solution, layers), solution.problem.domain.comm, path, ax)


def clouds(ax: Axes, raster: Raster, densities: Floats, largest: float) -> None:
    """Densities (C, m_1, m_2) in class colours, with each class's marker where its density is largest."""
    image(ax, raster, blend(densities, largest))
    for c, density in enumerate(densities):
        if np.nanmax(density, initial=0.0) > 0:
            i, j = np.unravel_index(np.nanargmax(density), density.shape)
            look: dict[str, Any] = {"color": colour(c), "edgecolors": "white", "linewidths": 0.6, "s": 26}
            ax.scatter(raster.axes[0][i], raster.axes[1][j], marker=marker(c), **look)


def curves(ax: Axes, x: Floats, densities: Floats, top: float) -> None:
    """Densities (C, m) on a line, with each class's marker at its peak."""
    for c, density in enumerate(densities):
        ax.fill_between(x, density, color=colour(c), alpha=0.2, linewidth=0)
        peak = [int(np.argmax(density))]
        ax.plot(x, density, color=colour(c), linewidth=1.2, marker=marker(c), markersize=4.5, markevery=peak)
    ax.set(xlim=(x[0], x[-1]), ylim=(min(0.0, float(densities.min())), top))
    few_ticks(ax)
