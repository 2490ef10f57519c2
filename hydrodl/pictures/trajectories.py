"""Pictures of samples on their way through the layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.network.random_paths import sample_paths
from hydrodl.pictures.canvas import STANDARDISED, axis_names, colour, few_ticks, frame, marker, outer, panels
from hydrodl.pictures.decision import labelled
from hydrodl.pictures.display import Display, drawn, one_or_more
from hydrodl.pictures.keys import legend, line

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network


SHOWN = 150  # paths drawn at most


@dataclass(eq=False)
class TrajectoryDisplay(Display):
    """Paths of samples through the layers.

    Attributes:
        paths: (N + 1, n, d) by the name of what moves them; labels: of the samples; times: t_0 .. t_N.
        class_names; names: of the axes; bounds: of feature space.

    Example:
        >>> shown = hd.plot.TrajectoryDisplay.from_network(network, samples, stochastic=False).plot()
        >>> shown.ax_.get_title(), shown.paths["network"].shape
        ('network', (17, 60, 2))
    """

    paths: dict[str, Floats]
    labels: np.ndarray
    times: Floats
    class_names: tuple[Any, ...]
    names: list[str]
    bounds: tuple[Floats, Floats]

    @classmethod
    def from_network(
        cls, network: Network, samples: Samples, stochastic: bool = True, seed: int = 0
    ) -> TrajectoryDisplay:
        """Of up to 150 samples, and one path of each in the stochastic network; collective."""
        samples = samples.some(SHOWN)
        points, labels = network.preprocessing.apply(samples.features), samples.labels
        paths = {"network": network.push(points)}
        if stochastic:
            paths["stochastic network"] = sample_paths(network, points, 1, seed)[:, :, 0]
        times, names = network.solution.problem.layers.times, axis_names(network.solution)
        return cls(paths, labels, times, tuple(samples.class_names), names, network.domain.bounds)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, stochastic: bool = True, seed: int = 0
    ) -> TrajectoryDisplay:
        """Of a fitted ``HydroClassifier`` and samples X (n, p), y (n,)."""
        return cls.from_network(estimator.network_, labelled(estimator, X, y), stochastic, seed)

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """One for each set of paths."""
        return (len(self.paths),)

    @property
    def in_space(self) -> bool:
        """In d = 3."""
        return len(self.names) == 3

    def _figure(self) -> tuple[Figure, list[Axes]]:
        d, count = len(self.names), len(self.paths)
        options: dict[str, Any] = {"subplot_kw": {"projection": "3d"}} if d == 3 else {}
        return panels(count, width=3.7 if count > 1 else 3.0, bounds=None if d == 1 else self.bounds, **options)

    def _paint(self, axes: list[Axes]) -> None:
        low, high = self.bounds
        for ax, (title, paths) in zip(axes, self.paths.items(), strict=True):
            if len(self.names) == 1:
                _against_time(ax, self.times, paths[..., 0], self.labels)
                ax.set(title=title, ylim=(low[0], high[0]), ylabel=self.names[0])
                few_ticks(ax)
            else:
                _in_features(ax, paths, self.labels)
                frame(ax, (low, high), self.names, title)
            outer(ax)
        if self.in_space and self.names[0].endswith(STANDARDISED):
            one_or_more("features, standardised", axes)

    def _explain(self, place: Figure | Axes) -> None:
        ring = line("input", marker="o", markerfacecolor="white", markersize=4, linestyle="")
        more = [] if len(self.names) == 1 else [ring]
        legend(place, self.class_names, lines=len(self.names) == 1, title="class (marker: output)", more=more)


def plot_trajectories(
    network: Network,
    samples: Samples,
    path: str | Path | None = None,
    stochastic: bool = True,
    seed: int = 0,
    *,
    ax: Any = None,
) -> Any:
    """The paths of samples through depth, coloured by class, beside one path each of the stochastic network.

    d = 1: position against layer time; d = 2 and 3: paths in feature space from a small ring to the class's marker.

    Args:
        network: the trained network.
        samples: up to 150 of them are shown, chosen evenly at random.
        path: a file to write; None: draw only.
        stochastic: add the panel of the stochastic network.
        seed: of its noise.
        ax: axes to draw into, one for each panel; None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> hd.plot.plot_trajectories(network, samples, "trajectories.png").name
        'trajectories.png'
    """
    display = TrajectoryDisplay.from_network(network, samples, stochastic, seed)
    return drawn(display, network.domain.comm, path, ax)


def _against_time(ax: Axes, times: Floats, paths: Floats, labels: np.ndarray) -> None:
    for c in np.unique(labels):
        own = paths[:, labels == c].T
        lines = [np.column_stack([times, one]) for one in own]
        ax.add_collection(LineCollection(lines, colors=colour(c), linewidths=0.8, alpha=0.6))
        ends = np.full(len(own), times[-1])
        ax.scatter(ends, own[:, -1], color=colour(c), marker=marker(c), s=10, zorder=3, clip_on=False)
    ax.set(xlabel="layer time t", xlim=times[[0, -1]])


def _in_features(ax: Any, paths: Floats, labels: np.ndarray) -> None:
    for c in np.unique(labels):
        own = paths[:, labels == c]
        look: dict[str, Any] = {"colors": colour(c), "linewidths": 0.7, "alpha": 0.55}
        lines = list(own.swapaxes(0, 1))
        if own.shape[-1] == 2:
            ax.add_collection(LineCollection(lines, zorder=1, **look))
        else:
            for way in lines:
                ax.plot(*way.T, color=colour(c), linewidth=0.7, alpha=0.55)
        ring: dict[str, Any] = {"s": 7, "facecolors": "white", "edgecolors": colour(c), "linewidths": 0.6}
        ax.scatter(*own[0].T, **ring)
        ax.scatter(*own[-1].T, **ring | {"s": 13, "facecolors": colour(c), "marker": marker(c)})
