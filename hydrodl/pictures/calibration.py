"""The reliability diagram: how far to trust the probabilities that are predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hydrodl.network.noise_average import posterior
from hydrodl.network.reliability import Calibration, calibration
from hydrodl.pictures.canvas import Picture, colour
from hydrodl.pictures.display import Display, drawn

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network


NETWORK, POSTERIOR = "network", "averaged over its noise"


@dataclass(eq=False)
class CalibrationDisplay(Display):
    """Confidence against the share of right predictions, and how many samples there are of each confidence.

    Attributes:
        results: what was found, by the name of the predictor; samples: how many there were.

    Example:
        >>> shown = hd.plot.CalibrationDisplay.from_network(network, samples, bins=5).plot()
        >>> list(shown.results), len(shown.ax_)
        (['network', 'averaged over its noise'], 2)
    """

    results: Mapping[str, Calibration]
    samples: int

    @classmethod
    def from_network(cls, network: Network, samples: Samples, bins: int = 10) -> CalibrationDisplay:
        """Of a network and of its noise average on samples; collective.

        Raises:
            InputError: a network without a readout, no samples, or bins < 1.
        """
        X, y = samples.features, samples.labels
        predictions = {NETWORK: network.predict_proba(X), POSTERIOR: posterior(network).predict_proba(X)}
        return cls({name: calibration(p, y, bins) for name, p in predictions.items()}, len(samples))

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any, bins: int = 10) -> CalibrationDisplay:
        """Of a fitted classifier, ours or scikit-learn's, on a table X (n, p) with labels y (n,).

        Raises:
            InputError: labels that the estimator does not know, no samples, or bins < 1.
        """
        labels = np.asarray(y)
        places = np.searchsorted(estimator.classes_, labels).clip(0, len(estimator.classes_) - 1)
        places = np.where(estimator.classes_[places] == labels, places, -1)  # which ``calibration`` refuses
        return cls({type(estimator).__name__: calibration(estimator.predict_proba(X), places, bins)}, len(labels))

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """The diagram, or with the histogram below it."""
        return 1, 2

    def _figure(self) -> tuple[Figure, list[Axes]]:
        figure = Picture(figsize=(4.6, 5.0), layout="constrained")
        return figure, list(figure.subplots(2, 1, sharex=True, height_ratios=[3, 1]))

    def _paint(self, axes: list[Axes]) -> None:
        ax = axes[0]
        for number, (name, found) in enumerate(self.results.items()):
            filled = found.counts > 0
            look: dict[str, Any] = {"color": colour(number), "linewidth": 1.2}
            x, y = found.confidence[filled], found.accuracy[filled]
            label = f"{name}: calibration error {found.error:.3f}"
            ax.plot(x, y, marker="os^D"[number % 4], markersize=4, label=label, **look)
            # where a calibrated predictor would be, and how far chance would put it from there
            bars: dict[str, Any] = {"fmt": "none", "ecolor": colour(number), "elinewidth": 0.8, "capsize": 2}
            ax.errorbar(x, x, yerr=found.spread[filled], alpha=0.6, zorder=1, **bars)
        edges = found.edges
        ax.plot(edges[[0, -1]], edges[[0, -1]], color="0.5", linewidth=0.8, linestyle="--", zorder=0)
        ax.plot([], [], color="0.5", linewidth=0.8, linestyle="--", label="calibrated; bars: standard error by chance")
        ax.set(ylabel="share of right predictions", ylim=(-0.02, 1.02), xlim=edges[[0, -1]])
        ax.set_title(f"reliability on {self.samples} samples")
        words = "confidence: probability of the predicted class"
        if len(axes) == 1:
            ax.set_xlabel(words)
            return
        for number, found in enumerate(self.results.values()):
            axes[1].stairs(found.counts, found.edges, color=colour(number), linestyle=("-", "--")[number % 2])
        axes[1].set(xlabel=words, ylabel="samples", ylim=(0, None))
        axes[1].yaxis.set_major_locator(MaxNLocator(3, integer=True))

    def _explain(self, place: Figure | Axes) -> None:
        if isinstance(place, Figure):
            place.legend(loc="outside lower center")
        else:
            place.legend(loc="best")


def plot_calibration(
    network: Network, samples: Samples, path: str | Path | None = None, bins: int = 10, *, ax: Any = None
) -> Any:
    """Reliability diagram of the network and of its noise average on samples, best ones it was not trained on.

    Bars stand on the diagonal, where a calibrated predictor would be: the standard error by chance of the share of
    right predictions among as many samples.

    Args:
        network: with a readout.
        samples: with the classes of the training data.
        path: a file to write; None: draw only.
        bins: of confidence.
        ax: axes to draw into, one, or two of which the second gets the histogram; None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Raises:
        InputError: a network without a readout, no samples, bins < 1, or a file that cannot be written.

    Example:
        >>> hd.plot.plot_calibration(network, samples, "calibration.png").name
        'calibration.png'
    """
    return drawn(CalibrationDisplay.from_network(network, samples, bins), network.domain.comm, path, ax)
