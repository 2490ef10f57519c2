"""Pictures of the velocity: the residual functions of the layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.mesh.gathering import gather
from hydrodl.mesh.ghosts import cut_open
from hydrodl.pictures.canvas import Picture, axis_names, frame, image, outer, panels, velocity_unit
from hydrodl.pictures.display import Display, drawn, one_or_more, shared, spread
from hydrodl.pictures.keys import line, patch
from hydrodl.pictures.raster import PIXELS, Raster, rasterise

if TYPE_CHECKING:
    from hydrodl.problem.solution import Solution


ARROWS = ListedColormap(colormaps["viridis"](np.linspace(0, 0.85, 256)))  # without the yellow that fades on white


SHADE = 0.62  # of the largest density, from white


@dataclass(eq=False)
class VelocityDisplay(Display):
    """The velocity of some layers: an image over (t, x) in d = 1, arrows over the total density in d = 2 and 3.

    Attributes:
        raster: the grid of the picture; velocity: (layers, d, m_1, ...) on it and total: (layers, m_1, ...), in d = 3
            on the plane x_3 = ``plane``; titles: of the panels; times: t_0 .. t_N.
        names: of the axes; unit: of velocities, in brackets; bounds: of feature space.

    Example:
        >>> hd.plot.VelocityDisplay.from_solution(solution, layers=1).plot().ax_.get_title()
        'layer 0,  t = 0 to 0.0625'
    """

    raster: Raster
    velocity: Floats
    total: Floats
    titles: list[str]
    times: Floats
    names: list[str]
    unit: str
    bounds: tuple[Floats, Floats]
    plane: float | None = None

    @classmethod
    def from_solution(cls, solution: Solution, layers: int = 6) -> VelocityDisplay:
        """Of about ``layers`` of the layers, in d = 1 of all; collective."""
        problem = solution.problem
        domain, cut = cut_open(problem.domain)
        d, times = domain.dimension, problem.layers.times
        shown = spread(len(problem.layers), layers if d > 1 else len(problem.layers))
        raster = rasterise(domain, PIXELS[d])
        velocity = [gather(domain, cut(solution.velocity[k])) for k in shown]
        total = [gather(domain, cut(solution.density[k].sum(axis=0))) for k in shown]
        u, r, plane = None, None, None
        if raster is not None:
            u, r = (np.array([raster(v) for v in values if v is not None]) for values in (velocity, total))
            if d == 3:
                middle = len(raster.axes[2]) // 2
                u, r, plane = u[..., middle], r[..., middle], round(float(raster.axes[2][middle]), 3) + 0.0
        raster, u, r, plane = shared(domain.comm, (raster, u, r, plane))
        titles = [f"layer {k},  t = {times[k]:.3g} to {times[k + 1]:.3g}" for k in shown]
        return cls(raster, u, r, titles, times, axis_names(solution), velocity_unit(solution), domain.bounds, plane)

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """One a layer, in d = 1 one for all."""
        return (1 if len(self.names) == 1 else len(self.titles),)

    def _figure(self) -> tuple[Figure, list[Axes]]:
        if len(self.names) == 1:
            figure = Picture(figsize=(5.6, 3.6), layout="constrained")
            return figure, [figure.subplots()]
        return panels(len(self.titles), bounds=self.bounds, below=1.5)

    def _paint(self, axes: list[Axes]) -> None:
        if len(self.names) == 1:
            self._image(axes[0])
        else:
            self._arrows(axes)

    def _image(self, ax: Axes) -> None:
        x, u = self.raster.axes[0], self.velocity[:, 0]
        largest = max(float(np.abs(u).max()), 1e-300)
        walls = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
        look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "rasterized": True}
        drawing = ax.pcolormesh(self.times, walls, u.T, shading="flat", **look)
        ax.figure.colorbar(drawing, ax=ax, label=f"velocity u {self.unit}")
        ax.set(xlabel="layer time t", ylabel=self.names[0], title="residual function of every layer")

    def _arrows(self, axes: list[Axes]) -> None:
        step = max(1, len(self.raster.axes[0]) // 20)
        pick = slice(step // 2, None, step)
        arrows = self.velocity[:, :, pick, pick]
        speed = np.sqrt((arrows**2).sum(axis=1))  # of all components, also of one that leaves the plane
        fastest = max(float(np.nanmax(speed)), 1e-300)
        x, y = (axis[pick] for axis in self.raster.axes[:2])
        longest = fastest / (1.7 * (x[1] - x[0]))
        dot = 0.3 if len(self.names) == 2 else 2.0  # in widths: shorter arrows are dots, seen where u leaves the plane
        darkest = max(float(np.sqrt(np.nanmax(self.total))), 1e-300) / SHADE
        for ax, (ux, uy, *_), colours, density, title in zip(axes, arrows, speed, self.total, self.titles, strict=True):
            image(ax, self.raster, np.sqrt(np.clip(density, 0, None)), cmap="Greys", vmin=0, vmax=darkest)
            seen = np.greater(colours.T, 0.03 * fastest)  # NaN and stillness are not drawn
            look: dict[str, Any] = {"cmap": ARROWS, "norm": Normalize(0, fastest), "width": 0.008, "minlength": dot}
            centre = [values[seen] for values in np.meshgrid(x, y)]
            parts = ux.T[seen], uy.T[seen], colours.T[seen]
            drawing = ax.quiver(*centre, *parts, angles="xy", scale_units="xy", scale=longest, **look)
            frame(ax, (self.bounds[0][:2], self.bounds[1][:2]), self.names[:2], title)
            outer(ax)
        what = "speed |u| of all three components" if len(self.names) == 3 else "speed |u|"
        options: dict[str, Any] = {"location": "bottom", "aspect": 45, "label": f"{what} {self.unit}"}
        axes[0].figure.colorbar(drawing, ax=axes, **options)
        if self.plane is not None:
            one_or_more(f"plane {self.names[2]} = {self.plane:g}; arrows: the part of u in it", axes)

    def _explain(self, place: Figure | Axes) -> None:
        if len(self.names) == 1:
            return
        entries = [
            line("velocity (length, colour: speed)", marker=">", markersize=4),
            patch("total density (square root)", "0.65"),
        ]
        if len(self.names) == 3:
            entries.append(line("across the plane", marker=".", linestyle=""))
        where: dict[str, Any] = {"loc": "best"}
        if isinstance(place, Figure):
            where = {"loc": "outside lower center", "ncols": 3 if place.get_figwidth() > 7 else 1}
        place.legend(handles=entries, **where)


def plot_velocity(solution: Solution, path: str | Path | None = None, layers: int = 6, *, ax: Any = None) -> Any:
    """The velocity u_k, the residual function of layer k: the vector field by layer.

    d = 1: an image over (t, x); d = 2: arrows coloured by speed over the total density (grey) of about ``layers`` of
    the layers, one scale for all; d = 3: the same on the plane through the middle of x_3: arrows are the part of u in
    the plane, their colours the speed of all three components; where there is no such part stands a dot.

    Args:
        solution: a trained solution.
        path: a file to write; None: draw only.
        layers: number of panels.
        ax: axes to draw into, one for each panel (d = 1: one); None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Example:
        >>> hd.plot.plot_velocity(solution, "velocity.png").name
        'velocity.png'
    """
    return drawn(VelocityDisplay.from_solution(solution, layers), solution.problem.domain.comm, path, ax)
