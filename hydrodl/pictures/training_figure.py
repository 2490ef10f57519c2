"""Stability of training: how far two descents are from the minimum, observed over predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hydrodl.pictures.canvas import MARKERS, Picture, colour


def training_figure(training: Mapping[str, Any]) -> Figure:
    """Distance from the minimum by step, below and above the limit, from what analysis.json holds under "training"."""
    found, figure = training["descents"], Picture(figsize=(5.6, 3.4), layout="constrained")
    ax = figure.subplots()
    for n, (step, seen, factor) in enumerate(zip(found["steps"], found["distances"], found["predicted"], strict=True)):
        steps = np.arange(len(seen))
        ax.plot(steps, seen, MARKERS[n], color=colour(n), markersize=3.5, label=f"step {step:.3g}: observed")
        label = f"predicted: {factor:.3g} a step"
        ax.plot(steps, _last(seen, factor, steps), color=colour(n), linewidth=1.0, label=label)
    ax.axhline(1.0, color="0.6", linewidth=0.6, zorder=0)
    limit = training["step_limit"]
    ax.set(yscale="log", xlabel="step", ylabel="distance from the minimum, relative")
    ax.set_title(f"descent on both sides of its limit $2/\\lambda_n$ = {limit:.3g}")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _last(seen: list[float], factor: float, steps: Any) -> Any:
    """The predicted line through the middle of what is seen: where the slowest direction has taken over."""
    middle = len(seen) // 2
    return seen[middle] * factor ** (steps - middle)
