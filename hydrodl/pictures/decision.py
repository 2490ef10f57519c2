"""Pictures of what a network predicts: regions of decision with their probability, and how far to trust it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hydrodl.common.arrays import Floats
from hydrodl.mesh.point_location import locate
from hydrodl.network.noise_average import posterior as backward_sweep
from hydrodl.network.reliability import Calibration, calibration
from hydrodl.pictures.canvas import axis_names, colour, draw, few_ticks, frame, legend, panels, scatter

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network


SHOWN = 1500  # samples drawn at most


PIXELS = {1: 601, 2: 201, 3: 101}


FULL = 0.62  # depth of colour at probability 1, so that samples of the same colour stand out


NETWORK, POSTERIOR = "network", "averaged over its noise"


def plot_decision(network: Network, samples: Samples, path: str | Path, posterior: bool = True) -> Path:
    """Where the network decides for which class, and with what probability; ``posterior`` adds its noise average.

    d = 1: the probability of each class; d = 2: hue by the most probable class, depth by its probability, with the
    lines where it is 0.75 and 0.95, and black where two classes tie; d = 3: the same on the plane through the median
    of x_3, with the samples near it.

    Raises:
        InputError: a network without a readout, or a file that cannot be written.

    Example:
        >>> hd.plot.plot_decision(network, samples, "decision.png").name
        'decision.png'
    """
    domain = network.domain
    chosen = np.random.default_rng(0).permutation(len(samples))[:SHOWN]
    points, labels = network.preprocessing.apply(samples.features[chosen]), samples.labels[chosen]
    view = _View(network, points)
    fields = [view.on_pixels(lambda x: network.readout.probabilities(network.push(x)[-1]))]
    if posterior:
        fields.append(view.on_pixels(backward_sweep(network).at))
    drawing = (_curves if domain.dimension == 1 else _regions)(network, view, fields, points, labels)

    def paint() -> Figure:
        figure = drawing()
        legend(figure, samples.class_names, lines=domain.dimension == 1)
        return figure

    return draw(domain.comm, path, paint)


class _View:
    """The pixels of a picture of feature space, or of a plane through it, the same on all ranks.

    Attributes:
        axes: of the picture; plane: x_3 of the plane, None but in d = 3.
    """

    def __init__(self, network: Network, points: Floats) -> None:
        domain = network.domain
        d, (low, high) = domain.dimension, domain.bounds
        inset = 1e-9 * (high - low)  # a point on the wall may be outside by rounding
        lines = [np.linspace(a, b, PIXELS[d]) for a, b in zip(low + inset, high - inset, strict=True)]
        self.axes, self.plane = tuple(lines[:2]), None
        if d == 3:
            self.plane = float(np.median(points[:, 2])) if len(points) else float((low + high)[2] / 2)
            lines[2] = np.array([self.plane])
        pixels = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, d)
        self._inside = np.ones(len(pixels), dtype=bool)
        self._inside[locate(domain, pixels).outside] = False
        self._pixels = pixels[self._inside]

    def on_pixels(self, function: Callable[[Floats], Floats]) -> Floats:
        """Values of points (n, d) -> (n, C) as (C, pixels along each axis), NaN outside the mesh."""
        values = function(self._pixels)
        whole = np.full((len(self._inside), values.shape[1]), np.nan)
        whole[self._inside] = values
        return whole.T.reshape(-1, *(len(axis) for axis in self.axes))


def _curves(
    network: Network, view: _View, fields: list[Floats], points: Floats, labels: np.ndarray
) -> Callable[[], Figure]:
    def paint() -> Figure:
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        ax = figure.subplots()
        for values, style, what in zip(fields, ("--", "-"), (NETWORK, POSTERIOR), strict=False):
            for c, curve in enumerate(values):
                ax.plot(view.axes[0], curve, color=colour(c), linestyle=style, linewidth=1.3)
            ax.plot([], [], color="0.3", linestyle=style, label=what)
        for c in np.unique(labels):  # a row of ticks for each class, below the curves
            rows = np.full((labels == c).sum(), -0.05 - 0.05 * c)
            ax.plot(points[labels == c, 0], rows, "|", color=colour(c), markersize=5, markeredgewidth=0.6)
        low, high = network.domain.bounds
        ax.set(xlabel=axis_names(network.solution)[0], ylabel="probability of each class", xlim=(low[0], high[0]))
        few_ticks(ax)
        ax.set_yticks(np.linspace(0, 1, 6))
        figure.legend(loc="outside upper center", ncols=2)
        return figure

    return paint


def _regions(
    network: Network, view: _View, fields: list[Floats], points: Floats, labels: np.ndarray
) -> Callable[[], Figure]:
    domain, names = network.domain, axis_names(network.solution)
    low, high = domain.bounds
    near = np.ones(len(points), dtype=bool)
    if view.plane is not None:
        near = np.abs(points[:, 2] - view.plane) < (high - low)[2] / 20

    def paint() -> Figure:
        figure, axes = panels(
            len(fields), width=3.7 if len(fields) > 1 else 3.2, bounds=(low[:2], high[:2]), sharey=True
        )
        for ax, values, title in zip(axes, fields, (NETWORK, POSTERIOR), strict=False):
            show_regions(ax, view.axes, values)
            scatter(ax, points[near, :2], labels[near])
            frame(ax, (low[:2], high[:2]), names[:2], title)
            ax.label_outer()
        if view.plane is not None:
            near_plane = f"plane {names[2]} = {view.plane:.3g}, samples within {(high - low)[2] / 20:.2g} of it"
            figure.suptitle(near_plane, fontsize=9)
        _scale(figure, axes, len(fields[0]))
        return figure

    return paint


def show_regions(ax: Axes, axes: tuple[Floats, ...], probabilities: Floats) -> None:
    """Class probabilities (C, m_1, m_2) as hue and depth of colour, and the lines between the classes."""
    classes = len(probabilities)
    winner, largest = probabilities.argmax(axis=0), probabilities.max(axis=0)
    palette = np.array([to_rgb(colour(c)) for c in range(classes)])
    depth = FULL * np.clip((largest - 1 / classes) / (1 - 1 / classes), 0, 1)[..., None]
    pixels = np.where(np.isnan(largest)[..., None], 0.9, 1 - depth * (1 - palette[winner]))
    extent = (axes[0][0], axes[0][-1], axes[1][0], axes[1][-1])
    ax.imshow(pixels.swapaxes(0, 1), origin="lower", extent=extent, interpolation="bilinear", zorder=0)
    for c, field in enumerate(probabilities):
        ax.contour(*axes, field.T, levels=[0.75, 0.95], colors=[colour(c)], linewidths=0.5, linestyles=[":", "--"])
        others = np.max(np.delete(probabilities, c, axis=0), axis=0)
        ax.contour(*axes, (field - others).T, levels=[0], colors="black", linewidths=0.9)


def _scale(figure: Figure, axes: list[Axes], classes: int) -> None:
    """The bar that says how deep a colour means how probable, in grey for all hues."""
    greys = LinearSegmentedColormap.from_list("depth", ["1.0", str(1 - FULL)])
    bar = figure.colorbar(
        ScalarMappable(Normalize(1 / classes, 1), greys),
        ax=axes,
        location="bottom",
        aspect=45,
        shrink=0.8,
        label="probability of the most probable class (dotted 0.75, dashed 0.95)",
    )
    for level, style in ((0.75, ":"), (0.95, "--")):
        if level > 1 / classes:
            bar.ax.axvline(level, color="black", linestyle=style, linewidth=0.8)


def plot_calibration(network: Network, samples: Samples, path: str | Path, bins: int = 10) -> Path:
    """Reliability diagram of the network and of its noise average on samples, best ones it was not trained on.

    Raises:
        InputError: a network without a readout, no samples, bins < 1, or a file that cannot be written.

    Example:
        >>> hd.plot.plot_calibration(network, samples, "calibration.png").name
        'calibration.png'
    """
    predictions = (network.predict_proba(samples.features), backward_sweep(network).predict_proba(samples.features))
    found = [calibration(p, samples.labels, bins) for p in predictions]

    def paint() -> Figure:
        figure = Figure(figsize=(4.2, 4.8), layout="constrained")
        ax, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        for number, (result, what) in enumerate(zip(found, (NETWORK, POSTERIOR), strict=True)):
            _reliability(ax, result, colour(number), "os"[number], f"{what}: calibration error {result.error:.3f}")
            below.stairs(result.counts, result.edges, color=colour(number), linewidth=1.2)
        edges = found[0].edges
        ax.plot(edges[[0, -1]], edges[[0, -1]], color="0.5", linewidth=0.8, linestyle="--", zorder=0)
        ax.set(ylabel="share of right predictions", ylim=(-0.02, 1.02))
        ax.set_title(
            f"reliability on {len(samples)} samples\nbars: standard error of the share if the confidence is right"
        )
        figure.legend(loc="outside lower center")
        below.set(xlabel="confidence: probability of the predicted class", ylabel="samples", xlim=edges[[0, -1]])
        below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        return figure

    return draw(network.domain.comm, path, paint)


def _reliability(ax: Axes, result: Calibration, shade: str, marker: str, label: str) -> None:
    filled = result.counts > 0
    look: dict[str, Any] = {"color": shade, "marker": marker, "markersize": 4, "linewidth": 1.2, "capsize": 2}
    x, y = result.confidence[filled], result.accuracy[filled]
    ax.errorbar(x, y, yerr=result.spread[filled], elinewidth=0.8, label=label, **look)
