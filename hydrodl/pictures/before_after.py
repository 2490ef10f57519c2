"""The picture of samples before and after the network, in d = 1, 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.pictures.canvas import axis_names, blend, colour, draw, frame, image, legend, panels, scatter
from hydrodl.pictures.raster import PIXELS, Raster, rasterise

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network


SHOWN = 1500  # samples drawn at most


def plot_transport(network: Network, samples: Samples, path: str | Path) -> Path:
    """The samples before and after the network.

    d = 1: paths through the layers between histograms of both ends; d = 2: with the grid of feature space that the
    flow carries along and the decision regions (at the input: pulled back through the network); d = 3: two clouds.

    Example:
        >>> hd.plot.plot_transport(network, samples, "transport.png").name
        'transport.png'
    """
    solution = network.solution
    chosen = np.random.default_rng(0).permutation(len(samples.labels))[:SHOWN]
    preprocessing = getattr(network, "preprocessing", None)
    points = samples.points if preprocessing is None else preprocessing.apply(samples.features)
    paths, labels = network.push(points[chosen]), samples.labels[chosen]
    paint = {1: _transport_line, 2: _transport_plane, 3: _transport_space}[solution.problem.domain.dimension]
    drawing = paint(network, paths, labels)

    def finish() -> Figure:
        figure = drawing()
        legend(figure, samples.class_names, lines=paths.shape[-1] == 1)
        return figure

    return draw(solution.problem.domain.comm, path, finish)


def _transport_line(network: Network, paths: Floats, labels: np.ndarray) -> Callable[[], Figure]:
    problem = network.solution.problem
    low, high = problem.domain.bounds
    edges = np.linspace(low[0], high[0], 61)
    grid = network.push(np.linspace(edges[0], edges[-1], 31)[:, None])[..., 0]
    times, name = problem.layers.times, axis_names(network.solution)[0]

    def paint() -> Figure:
        figure = Figure(figsize=(7.2, 3.9), layout="constrained")
        before, middle, after = figure.subplots(1, 3, sharey=True, width_ratios=[1, 3.2, 1])
        middle.plot(times, grid, color="0.75", linewidth=0.6)
        few = slice(None, 120)
        for label, line in zip(labels[few], paths[:, few, 0].T, strict=True):
            middle.plot(times, line, color=colour(label), linewidth=0.8, alpha=0.6)
        for ax, end, title in ((before, paths[0], "input"), (after, paths[-1], _after(network))):
            for c in np.unique(labels):
                look: dict[str, Any] = {"color": colour(c), "alpha": 0.6, "orientation": "horizontal"}
                ax.hist(end[labels == c, 0], bins=edges, **look)
            ax.set(title=title, xlabel="samples")
        if problem.readout is not None:
            _decision_line(after, problem.readout, edges)
        before.set_ylabel(name)
        before.set_ylim(edges[0], edges[-1])
        middle.set(
            title="paths of samples (colour) and of the grid (grey)", xlabel="layer time $t$", xlim=times[[0, -1]]
        )
        return figure

    return paint


def _decision_line(ax: Axes, readout: Any, edges: Floats) -> None:
    fine = np.linspace(edges[0], edges[-1], 2001)
    winner = readout.logits(fine[:, None]).argmax(axis=1)
    for place in fine[1:][np.diff(winner) != 0]:
        ax.axhline(place, color="black", linewidth=0.9, linestyle="--")


def _transport_plane(network: Network, paths: Floats, labels: np.ndarray) -> Callable[[], Figure]:
    problem = network.solution.problem
    raster = problem.domain.comm.bcast(rasterise(problem.domain, PIXELS[2]))
    lines = _grid_lines(raster)
    ends = network.push(lines.reshape(-1, 2))[[0, -1]].reshape(2, *lines.shape)
    ends[:, ~raster.contains(lines.reshape(-1, 2)).reshape(lines.shape[:-1])] = np.nan
    logits: list[Floats] = []
    if problem.readout is not None:
        inside = raster.points[raster.inside]
        logits = [problem.readout.logits(x) for x in network.push(inside)[[-1, 0]]]

    def paint() -> Figure:
        figure, axes = panels(2, width=3.7, bounds=problem.domain.bounds)
        for side, ax in enumerate(axes):
            if logits:
                _regions(ax, raster, logits[side])
            ax.add_collection(LineCollection(list(ends[side]), colors="0.5", linewidths=0.45, zorder=1.5))
            scatter(ax, paths[-side], labels)
            frame(ax, problem.domain.bounds, axis_names(network.solution), "")
        axes[0].set_title("input")
        axes[1].set_title(_after(network))
        return figure

    return paint


def _grid_lines(raster: Raster, count: int = 25, points: int = 151) -> Floats:
    """Horizontal and vertical lines of a box, shape (2 count, points, 2)."""
    (x, y) = ((axis[0], axis[-1]) for axis in raster.axes)
    across = np.stack(np.meshgrid(np.linspace(*x, count), np.linspace(*y, points), indexing="ij"), axis=-1)
    along = np.stack(np.meshgrid(np.linspace(*x, points), np.linspace(*y, count), indexing="ij"), axis=-1)
    return np.concatenate([across, np.swapaxes(along, 0, 1)])


def _regions(ax: Axes, raster: Raster, logits: Floats) -> None:
    """Faint class colours where each class wins, and the lines between them."""
    whole = np.full((len(raster.inside), logits.shape[1]), np.nan)
    whole[raster.inside] = logits
    fields = whole.T.reshape(-1, *(len(axis) for axis in raster.axes))
    winner = np.where(np.isnan(fields), np.nan, fields == np.max(fields, axis=0))
    image(ax, raster, blend(winner, 25.0))
    for c, field in enumerate(fields):
        others = np.max(np.delete(fields, c, axis=0), axis=0)
        ax.contour(*raster.axes, (field - others).T, levels=[0], colors="black", linewidths=0.8)


def _transport_space(network: Network, paths: Floats, labels: np.ndarray) -> Callable[[], Figure]:
    problem = network.solution.problem
    bounds = problem.domain.bounds

    def paint() -> Figure:
        figure, axes = panels(2, width=3.9, subplot_kw={"projection": "3d"})
        for ax, end, title in zip(axes, paths[[0, -1]], ("input", _after(network)), strict=True):
            scatter(ax, end, labels)
            frame(ax, bounds, axis_names(network.solution), title)
            ax.tick_params(labelsize=7)
        return figure

    return paint


def _after(network: Network) -> str:
    count = len(network.solution.problem.layers)
    return f"after {count} layer{'s' if count > 1 else ''}"
