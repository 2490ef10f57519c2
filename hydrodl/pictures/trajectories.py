"""Pictures of samples on their way through the layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.network.random_paths import sample_paths
from hydrodl.pictures.canvas import MARKERS, axis_names, colour, draw, few_ticks, frame, legend, panels

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network


SHOWN = 150  # paths drawn at most


def plot_trajectories(
    network: Network, samples: Samples, path: str | Path, stochastic: bool = True, seed: int = 0
) -> Path:
    """The paths of samples through depth, coloured by class, beside one path each of the stochastic network.

    d = 1: position against layer time; d = 2 and 3: paths in feature space from a small ring to the class's marker.

    Args:
        network: the trained network.
        samples: up to 150 of them are shown, chosen evenly at random.
        path: of the picture.
        stochastic: add the panel of the stochastic network.
        seed: of its noise.

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> hd.plot.plot_trajectories(network, samples, "trajectories.png").name
        'trajectories.png'
    """
    chosen = np.random.default_rng(0).permutation(len(samples))[:SHOWN]
    points, labels = network.preprocessing.apply(samples.features[chosen]), samples.labels[chosen]
    shown = {"network": network.push(points)}
    if stochastic:
        shown["stochastic network"] = sample_paths(network, points, 1, seed)[:, :, 0]
    d = network.domain.dimension

    def paint() -> Figure:
        names, (low, high) = axis_names(network.solution), network.domain.bounds
        bounds = None if d == 1 else (low, high)
        options: dict[str, Any] = {"subplot_kw": {"projection": "3d"}} if d == 3 else {"sharey": True}
        figure, axes = panels(len(shown), width=3.7 if len(shown) > 1 else 3.0, bounds=bounds, **options)
        for ax, (title, paths) in zip(axes, shown.items(), strict=True):
            if d == 1:
                _against_time(ax, network.solution.problem.layers.times, paths[..., 0], labels)
                ax.set(title=title, ylim=(low[0], high[0]))
                few_ticks(ax)
            else:
                _in_space(ax, paths, labels)
                frame(ax, (low, high), names, title)
            if d < 3:
                ax.label_outer()
        if d == 1:
            axes[0].set_ylabel(names[0])
        legend(figure, samples.class_names, lines=d == 1)
        return figure

    return draw(network.domain.comm, path, paint)


def _against_time(ax: Axes, times: Floats, paths: Floats, labels: np.ndarray) -> None:
    for label, line in zip(labels, paths.T, strict=True):
        ax.plot(times, line, color=colour(label), linewidth=0.8, alpha=0.6)
    ax.set(xlabel="layer time $t$", xlim=times[[0, -1]])


def _in_space(ax: Axes, paths: Floats, labels: np.ndarray) -> None:
    for c in np.unique(labels):
        own = paths[:, labels == c]
        look: dict[str, Any] = {"colors": colour(c), "linewidths": 0.7, "alpha": 0.55}
        if own.shape[-1] == 2:
            ax.add_collection(LineCollection(list(own.swapaxes(0, 1)), zorder=1, **look))
        else:
            for line in own.swapaxes(0, 1):
                ax.plot(*line.T, color=colour(c), linewidth=0.7, alpha=0.55)
        ring: dict[str, Any] = {"s": 7, "facecolors": "white", "edgecolors": colour(c), "linewidths": 0.6}
        ax.scatter(*own[0].T, **ring)
        ax.scatter(*own[-1].T, **ring | {"s": 13, "facecolors": colour(c), "marker": MARKERS[c % len(MARKERS)]})
