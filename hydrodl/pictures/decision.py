"""Pictures of what a network predicts: regions of decision with their probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.data.samples import Samples
from hydrodl.network.noise_average import posterior as backward_sweep
from hydrodl.pictures.calibration import NETWORK, POSTERIOR
from hydrodl.pictures.canvas import (
    Picture,
    as_bytes,
    axis_names,
    colour,
    few_ticks,
    frame,
    marker,
    outer,
    panels,
    scatter,
)
from hydrodl.pictures.display import Display, drawn, one_or_more
from hydrodl.pictures.keys import legend, line
from hydrodl.pictures.raster import Pixels

if TYPE_CHECKING:
    from hydrodl.network.network import Network


SHOWN = 1500  # samples drawn at most


PIXELS = {1: 601, 2: 121, 3: 101}


FULL = 0.62  # depth of colour at probability 1, so that samples of the same colour stand out


@dataclass(eq=False)
class DecisionDisplay(Display):
    """Class probabilities over feature space, or over a plane through it, with samples.

    Attributes:
        axes: coordinates of the pixels; fields: probabilities by the name of the predictor, (C, m_1[, m_2]), NaN
            outside the mesh.
        points, labels: the samples that are shown; class_names; names: of the axes; bounds: of feature space.
        plane: x_3 of the plane in d = 3, else None.

    Example:
        >>> shown = hd.plot.DecisionDisplay.from_network(network, samples).plot()
        >>> [ax.get_title() for ax in shown.ax_]
        ['network', 'averaged over its noise']
    """

    axes: tuple[Floats, ...]
    fields: dict[str, Floats]
    points: Floats
    labels: np.ndarray
    class_names: tuple[Any, ...]
    names: list[str]
    bounds: tuple[Floats, Floats]
    plane: float | None = None

    @classmethod
    def from_network(cls, network: Network, samples: Samples, posterior: bool = True) -> DecisionDisplay:
        """Of a network, and with ``posterior`` of its noise average; collective.

        Raises:
            InputError: a network without a readout.
        """
        domain, readout = network.domain, network.readout
        low, high = domain.bounds
        samples = samples.some(SHOWN)
        points, labels = network.preprocessing.apply(samples.features), samples.labels
        plane = None
        if domain.dimension == 3:
            plane = float(np.median(points[:, 2])) if len(points) else float((low + high)[2] / 2)
            near = np.abs(points[:, 2] - plane) < (high - low)[2] / 20
            points, labels = points[near], labels[near]
        view = Pixels(domain, PIXELS[domain.dimension], plane)
        fields = {NETWORK: view.image(readout.probabilities(network.home(network.push(view.points)[-1])))}
        if posterior:
            fields[POSTERIOR] = view.image(backward_sweep(network).at(view.points))
        names = axis_names(network.solution)
        return cls(view.axes, fields, points, labels, tuple(samples.class_names), names, domain.bounds, plane)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any, posterior: bool = True) -> DecisionDisplay:
        """Of a fitted ``HydroClassifier`` and samples X (n, p), y (n,)."""
        return cls.from_network(estimator.network_, labelled(estimator, X, y), posterior)

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """One a predictor, in d = 1 one for both."""
        return (1 if len(self.names) == 1 else len(self.fields),)

    def _figure(self) -> tuple[Figure, list[Axes]]:
        if len(self.names) == 1:
            figure = Picture(figsize=(5.6, 3.8), layout="constrained")
            return figure, [figure.subplots()]
        low, high = self.bounds
        width = 3.7 if len(self.fields) > 1 else 3.2
        return panels(len(self.fields), width=width, bounds=(low[:2], high[:2]), below=1.6)

    def _paint(self, axes: list[Axes]) -> None:
        if len(self.names) == 1:
            self._curves(axes[0])
        else:
            self._regions(axes)

    def _curves(self, ax: Axes) -> None:
        x, rows = self.axes[0], max(1, int(self.labels.max(initial=0)) + 1)
        height = min(0.05, 0.3 / rows)
        for (what, values), style in zip(self.fields.items(), ("--", "-"), strict=False):
            for c, curve in enumerate(values):
                marks = (10 * c, len(x) // 6) if style == "-" or len(self.fields) == 1 else []
                look: dict[str, Any] = {"marker": marker(c), "markersize": 4, "markevery": marks}
                ax.plot(x, curve, color=colour(c), linestyle=style, linewidth=1.3, **look)
            ax.plot([], [], color="0.3", linestyle=style, label=what)
        for c in np.unique(self.labels):  # a row of ticks for each class, below the curves
            places = np.full((self.labels == c).sum(), -0.03 - height * (c + 0.5))
            ax.plot(self.points[self.labels == c, 0], places, "|", color=colour(c), markersize=4, markeredgewidth=0.6)
        low, high = self.bounds
        ax.set(xlabel=self.names[0], ylabel="probability of each class", xlim=(low[0], high[0]))
        ax.set_ylim(-0.06 - height * rows, 1.03)
        few_ticks(ax)
        ax.set_yticks(np.linspace(0, 1, 6))

    def _regions(self, axes: list[Axes]) -> None:
        low, high = self.bounds
        for ax, (title, values) in zip(axes, self.fields.items(), strict=True):
            show_regions(ax, self.axes, values)
            scatter(ax, self.points[:, :2], self.labels)
            frame(ax, (low[:2], high[:2]), self.names[:2], title)
            outer(ax)
        if self.plane is not None:
            near = (high - low)[2] / 20
            one_or_more(f"plane {self.names[2]} = {self.plane:.3g}, samples within {near:.2g} of it", axes)
        _scale(axes, len(next(iter(self.fields.values()))))

    def _explain(self, place: Figure | Axes) -> None:
        if len(self.names) > 1:
            legend(place, self.class_names, more=[line("two classes tie", color="black")])
            return
        styles = [line(what, linestyle=s) for what, s in zip(self.fields, ("--", "-"), strict=False)]
        ticks = line("samples", marker="|", linestyle="")
        legend(place, self.class_names, lines=True, more=[*styles, ticks])


def plot_decision(
    network: Network, samples: Samples, path: str | Path | None = None, posterior: bool = True, *, ax: Any = None
) -> Any:
    """Where the network decides for which class, and with what probability; ``posterior`` adds its noise average.

    d = 1: the probability of each class; d = 2: hue by the most probable class, depth by its probability, with the
    lines where it is 0.75 and 0.95, and black where two classes tie; d = 3: the same on the plane through the median
    of x_3, with the samples near it.

    Args:
        network: with a readout.
        samples: to show with it.
        path: a file to write; None: draw only.
        posterior: show the noise average too.
        ax: axes to draw into: in d = 1 one, else one for each predictor; None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Raises:
        InputError: a network without a readout, or a file that cannot be written.

    Example:
        >>> hd.plot.plot_decision(network, samples, "decision.png").name
        'decision.png'
    """
    return drawn(DecisionDisplay.from_network(network, samples, posterior), network.domain.comm, path, ax)


def labelled(estimator: Any, X: Any, y: Any) -> Samples:
    """Samples of a table and labels, for the network of a fitted classifier."""
    known = estimator.preprocessing_
    classes = tuple(str(name) for name in estimator.classes_)
    features = np.asarray(X, dtype=float).reshape(len(np.asarray(y)), -1)
    labels = np.searchsorted(estimator.classes_, np.asarray(y))
    return Samples(features, labels, classes, known.feature_names, known)


def show_regions(ax: Axes, axes: tuple[Floats, ...], probabilities: Floats) -> None:
    """Class probabilities (C, m_1, m_2) as hue and depth of colour, and the lines between the classes."""
    classes = len(probabilities)
    winner, largest = probabilities.argmax(axis=0), probabilities.max(axis=0)
    palette = np.array([to_rgb(colour(c)) for c in range(classes)])
    depth = FULL * np.clip((largest - 1 / classes) / (1 - 1 / classes), 0, 1)[..., None]
    pixels = np.where(np.isnan(largest)[..., None], 0.9, 1 - depth * (1 - palette[winner]))
    extent = (axes[0][0], axes[0][-1], axes[1][0], axes[1][-1])
    ax.imshow(as_bytes(pixels).swapaxes(0, 1), origin="lower", extent=extent, interpolation="bilinear", zorder=0)
    for c, field in enumerate(probabilities):
        levels = [level for level in (0.75, 0.95) if np.nanmax(field) > level]
        if levels:
            styles = [":", "--"][: len(levels)]
            ax.contour(*axes, field.T, levels=levels, colors=[colour(c)], linewidths=0.5, linestyles=styles)
        between(ax, axes, probabilities, c, 0.9)


def between(ax: Axes, axes: tuple[Floats, ...], fields: Floats, c: int, width: float) -> None:
    """The line where class c ties with the best of the others; of two classes it is drawn once."""
    if c == 0 and len(fields) == 2:
        return
    gap = fields[c] - np.max(np.delete(fields, c, axis=0), axis=0)
    if np.nanmin(gap) < 0 < np.nanmax(gap):
        ax.contour(*axes, gap.T, levels=[0], colors="black", linewidths=width)


def _scale(axes: list[Axes], classes: int) -> None:
    """The bar that says how deep a colour means how probable, in grey for all hues."""
    greys = LinearSegmentedColormap.from_list("depth", ["1.0", str(1 - FULL)])
    words = "probability of the most probable class (dotted 0.75, dashed 0.95)"
    look: dict[str, Any] = {"location": "bottom", "aspect": 45, "shrink": 0.8, "label": words}
    bar = axes[0].figure.colorbar(ScalarMappable(Normalize(1 / classes, 1), greys), ax=axes, **look)
    for level, style in ((0.75, ":"), (0.95, "--")):
        if level > 1 / classes:
            bar.ax.axvline(level, color="black", linestyle=style, linewidth=0.8)
