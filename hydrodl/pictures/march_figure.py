"""A march: the density over place and depth, and its energy against the estimate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hydrodl.common.arrays import Floats
from hydrodl.pictures.canvas import Picture, colour


def march_figure(march: Mapping[str, Any], times: Floats, nodes: Floats, density: Floats) -> Figure:
    """From what march.json holds, layer times (N + 1,), nodes (n, d) and density (N + 1, C, n).

    Left the total density over x_1 and depth, at the lower end of other directions; right N and E of the estimate and
    what bounds E, relative to E at the start, where there is an estimate.
    """
    estimate = march["estimate"]
    figure = Picture(figsize=(7.2 if estimate else 3.8, 3.2), layout="constrained")
    axes: Any = figure.subplots(1, 2 if estimate else 1, squeeze=False)
    _density(axes[0, 0], times, nodes, density.sum(axis=1))
    if estimate:
        _estimate(axes[0, 1], march, times)
    return figure


def _density(ax: Axes, times: Floats, nodes: Floats, total: Floats) -> None:
    """Over the first direction and depth, at the lower end of the others: means would cancel what is a wave there."""
    line = (nodes[:, 1:] <= nodes[:, 1:].min(axis=0) + 1e-9 * np.ptp(nodes)).all(axis=1)
    places, values = nodes[line, 0], total[:, line]
    middle = float(f"{values.mean():.6g}")
    drawing = ax.pcolormesh(places, times, values - middle, shading="gouraud", cmap="cividis", rasterized=True)
    ax.figure.colorbar(drawing, ax=ax)
    where = "" if nodes.shape[1] == 1 else ", others at their lower end"
    ax.set(xlabel=f"$x_1${where}", ylabel="depth t")
    ax.set_title(f"density less {middle:g}", loc="left")


def _estimate(ax: Axes, march: Mapping[str, Any], times: Floats) -> None:
    """By layer or slab."""
    found = march["estimate"]
    energy = np.array(found["functional"])
    at = times if len(energy) == len(times) else (times[1:] + times[:-1]) / 2
    first = abs(energy[0]) or 1.0
    ax.plot(at, energy / first, color=colour(0), label="energy E")
    if found["share"] is not None and found["share"] > 0:
        least = found["share"] / 2 * np.array(found["norms"]) / first
        ax.plot(at, least, ":", color=colour(2), label=f"{found['share']:.2g} N/2, at most E")
    limit = np.array([np.nan if value is None else value for value in found["limit"]], dtype=float) / first
    if np.isfinite(limit).sum() > 1:
        ax.plot(at, limit, "--", color=colour(1), label="what bounds E")
    known = "certified" if march["certified"] else "not certified"
    ax.set(xlabel="depth t", ylabel="over E at the start", title=f"{known}: size of the perturbation")
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.legend(loc="best")
