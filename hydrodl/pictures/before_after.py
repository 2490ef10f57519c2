"""The picture of samples before and after the network, in d = 1, 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.mesh.point_location import locate
from hydrodl.network.network import Network
from hydrodl.pictures.canvas import (
    STANDARDISED,
    Picture,
    as_bytes,
    axis_names,
    colour,
    frame,
    marker,
    outer,
    panels,
    scatter,
)
from hydrodl.pictures.decision import between, labelled
from hydrodl.pictures.display import Display, drawn, one_or_more
from hydrodl.pictures.keys import legend, line, patch
from hydrodl.pictures.raster import Pixels

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.problem.solution import Solution


SHOWN = 1500  # samples drawn at most


SIZE = 101  # pixels of the decision regions along each direction


FAINT = 0.2  # depth of their colour


@dataclass(eq=False)
class TransportDisplay(Display):
    """Samples before and after the layers, with the grid of feature space that the layers carry along.

    Attributes:
        paths: of the samples, (N + 1, n, d); labels: their classes; class_names.
        grid: d = 1: paths of grid points (N + 1, m); d = 2: lines before and after (2, lines, points, 2); else None.
        regions: d = 2: coordinates of pixels, and logits (C, m_1, m_2) before and after; d = 1: where the decision
            changes at the output; None without a readout and in d = 3.
        times: t_0 .. t_N; names: of the axes; bounds: of feature space.

    Example:
        >>> shown = hd.plot.TransportDisplay.from_solution(solution, samples).plot()
        >>> [ax.get_title() for ax in shown.ax_]
        ['input', 'after 16 layers']
    """

    paths: Floats
    labels: np.ndarray
    class_names: tuple[Any, ...]
    grid: Floats | None
    regions: Any
    times: Floats
    names: list[str]
    bounds: tuple[Floats, Floats]

    @classmethod
    def from_network(cls, network: Network, samples: Samples) -> TransportDisplay:
        """Of a network and up to 1500 samples; collective."""
        samples = samples.some(SHOWN)
        paths, labels = network.push(network.preprocessing.apply(samples.features)), samples.labels
        made = {1: _line_and_readout, 2: _lines_and_regions, 3: lambda _: (None, None)}[network.domain.dimension]
        times, names = network.solution.problem.layers.times, axis_names(network.solution)
        return cls(paths, labels, tuple(samples.class_names), *made(network), times, names, network.domain.bounds)

    @classmethod
    def from_solution(cls, solution: Solution, samples: Samples) -> TransportDisplay:
        """Of the network of a solution; collective."""
        return cls.from_network(Network(solution), samples)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any) -> TransportDisplay:
        """Of a fitted ``HydroClassifier`` and samples X (n, p), y (n,)."""
        return cls.from_network(estimator.network_, labelled(estimator, X, y))

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """Before and after, in d = 1 with the paths between them."""
        return (3 if len(self.names) == 1 else 2,)

    @property
    def in_space(self) -> bool:
        """In d = 3."""
        return len(self.names) == 3

    def _figure(self) -> tuple[Figure, list[Axes]]:
        if len(self.names) == 1:
            figure = Picture(figsize=(7.4, 4.2), layout="constrained")
            return figure, list(figure.subplots(1, 3, sharey=True, width_ratios=[1, 3.2, 1]))
        if self.in_space:
            return panels(2, width=3.9, subplot_kw={"projection": "3d"})
        return panels(2, width=3.7, bounds=self.bounds, below=1.0)

    def _paint(self, axes: list[Axes]) -> None:
        if len(self.names) == 1:
            self._on_a_line(*axes)
            return
        for side, (ax, title) in enumerate(zip(axes, ("input", self._after), strict=True)):
            if self.regions is not None:
                _regions(ax, self.regions[0], self.regions[1][side])
            if self.grid is not None:
                ax.add_collection(LineCollection(list(self.grid[side]), colors="0.5", linewidths=0.45, zorder=1.5))
            scatter(ax, self.paths[-side], self.labels)
            frame(ax, self.bounds, self.names, title)
            outer(ax)
        if self.in_space and self.names[0].endswith(STANDARDISED):
            one_or_more("features, standardised", axes)

    @property
    def _after(self) -> str:
        count = len(self.times) - 1
        return f"after {count} layer{'s' if count > 1 else ''}"

    def _on_a_line(self, before: Axes, middle: Axes, after: Axes) -> None:
        low, high = self.bounds
        few, edges = slice(None, 120), np.linspace(low[0], high[0], 61)
        if self.grid is not None:
            middle.plot(self.times, self.grid, color="0.75", linewidth=0.6)
        classes = np.unique(self.labels)
        for c in classes:
            own = self.paths[:, few, 0][:, self.labels[few] == c].T
            lines = [np.column_stack([self.times, one]) for one in own]
            middle.add_collection(LineCollection(lines, colors=colour(c), linewidths=0.8, alpha=0.6, zorder=2))
            look: dict[str, Any] = {"color": colour(c), "marker": marker(c), "s": 9, "zorder": 3, "clip_on": False}
            middle.scatter(np.full(len(own), self.times[-1]), own[:, -1], **look)
        for ax, end, title in ((before, self.paths[0], "input"), (after, self.paths[-1], self._after)):
            heaps = [end[self.labels == c, 0] for c in classes]
            shades = [colour(c) for c in classes]
            ax.hist(heaps, bins=edges.tolist(), color=shades, stacked=True, orientation="horizontal")
            ax.set(title=title, xlabel="samples")
        for place in self.regions if self.regions is not None else ():
            after.axhline(place, color="black", linewidth=0.9, linestyle="--")
        before.set(ylabel=self.names[0], ylim=(low[0], high[0]))
        middle.set(title="paths through the layers", xlabel="layer time t", xlim=self.times[[0, -1]])

    def _explain(self, place: Figure | Axes) -> None:
        more: list[Any] = []
        if self.grid is not None:
            more.append(line("grid, carried along", color="0.6", linewidth=0.8))
        if self.regions is not None:
            more.append(line("decision", color="black", linestyle="--" if len(self.names) == 1 else "-"))
        if len(self.names) == 2 and self.regions is not None:
            more.append(patch("faint: predicted", "0.85"))
        legend(place, self.class_names, lines=len(self.names) == 1, more=more)


def plot_transport(network: Network, samples: Samples, path: str | Path | None = None, *, ax: Any = None) -> Any:
    """The samples before and after the network.

    d = 1: paths through the layers between histograms of both ends, stacked by class; d = 2: with the grid of feature
    space that the flow carries along and the decision regions (at the input: pulled back through the network); d = 3:
    two clouds.

    Args:
        network: the trained network.
        samples: up to 1500 of them are shown, chosen evenly at random.
        path: a file to write; None: draw only.
        ax: axes to draw into, three in d = 1, else two; None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Example:
        >>> hd.plot.plot_transport(network, samples, "transport.png").name
        'transport.png'
    """
    return drawn(TransportDisplay.from_network(network, samples), network.domain.comm, path, ax)


def _line_and_readout(network: Network) -> tuple[Floats, Any]:
    """Paths of points of the line, and where the decision changes."""
    low, high = network.domain.bounds
    grid = network.push(np.linspace(low[0], high[0], 31)[:, None])[..., 0]
    readout = network.solution.readout
    if readout is None:
        return grid, None
    fine = np.linspace(low[0], high[0], 2001)
    winner = readout.logits(fine[:, None]).argmax(axis=1)
    return grid, fine[1:][np.diff(winner) != 0]


def _lines_and_regions(network: Network) -> tuple[Floats, Any]:
    """Grid lines before and after, NaN outside the mesh, and the logits of pixels before and after."""
    domain, readout = network.domain, network.solution.readout
    lines = _grid_lines(*domain.bounds)
    flat = lines.reshape(-1, 2)
    outside = locate(domain, flat).outside
    pixels = None if readout is None else Pixels(domain, SIZE)
    pushed = network.push(flat if pixels is None else np.concatenate([flat, pixels.points]))  # once for both
    ends = pushed[[0, -1], : len(flat)]
    ends[:, outside] = np.nan
    ends = ends.reshape(2, *lines.shape)
    if pixels is None or readout is None:
        return ends, None
    logits = [pixels.image(readout.logits(points)) for points in (pushed[-1, len(flat) :], pixels.points)]
    return ends, (pixels.axes, logits)


def _grid_lines(low: Floats, high: Floats, count: int = 25, points: int = 61) -> Floats:
    """Horizontal and vertical lines of a box, shape (2 count, points, 2)."""
    inset = 1e-9 * (high - low)
    (x, y) = zip(low + inset, high - inset, strict=True)
    across = np.stack(np.meshgrid(np.linspace(*x, count), np.linspace(*y, points), indexing="ij"), axis=-1)
    along = np.stack(np.meshgrid(np.linspace(*x, points), np.linspace(*y, count), indexing="ij"), axis=-1)
    return np.concatenate([across, np.swapaxes(along, 0, 1)])


def _regions(ax: Axes, axes: tuple[Floats, ...], logits: Floats) -> None:
    """Faint class colours where each class wins, and the lines between them."""
    palette = np.array([to_rgb(colour(c)) for c in range(len(logits))])
    hidden = np.isnan(logits).any(axis=0)[..., None]
    pixels = np.where(hidden, 0.9, 1 - FAINT * (1 - palette[logits.argmax(axis=0)]))
    extent = (axes[0][0], axes[0][-1], axes[1][0], axes[1][-1])
    ax.imshow(as_bytes(pixels).swapaxes(0, 1), origin="lower", extent=extent, interpolation="bilinear", zorder=0)
    for c in range(len(logits)):
        between(ax, axes, logits, c, 0.8)
