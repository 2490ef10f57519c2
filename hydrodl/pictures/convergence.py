"""The picture of how the optimiser got to its solution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from hydrodl.common.arrays import Floats
from hydrodl.pictures.canvas import Picture, colour, decades
from hydrodl.pictures.display import Display, drawn

if TYPE_CHECKING:
    from hydrodl.problem.solution import Solution


@dataclass(eq=False)
class ConvergenceDisplay(Display):
    """Objective, gradient norm and CG iterations by Newton step.

    Attributes:
        steps, above, gradient, products: one number a step: its own, J above its best value, the gradient norm, and
            CG iterations. ``above`` is 0 where J was that of an easier problem.

    Example:
        >>> shown = hd.plot.ConvergenceDisplay.from_solution(solution).plot()
        >>> shown.ax_.get_xlabel()
        'Newton step'
    """

    steps: Floats
    above: Floats
    gradient: Floats
    products: Floats

    @classmethod
    def from_solution(cls, solution: Solution) -> ConvergenceDisplay:
        """From the history of a solution."""
        steps, objective, gradient, products = (
            np.array([entry[key] for entry in solution.history], dtype=float)
            for key in ("iteration", "objective", "gradient_norm", "cg_iterations")
        )
        stage = np.array([entry.get("stage", 0) for entry in solution.history])
        last = stage == stage.max(initial=0)  # before it J was another one's
        above = np.where(last, objective - objective[last].min(initial=np.inf), 0.0)
        return cls(steps, above, gradient, products)

    @property
    def panel_counts(self) -> tuple[int, ...]:
        """One."""
        return (1,)

    def _figure(self) -> tuple[Figure, list[Axes]]:
        figure = Picture(figsize=(5.6, 3.6), layout="constrained")
        return figure, [figure.subplots()]

    def _paint(self, axes: list[Axes]) -> None:
        (ax,) = axes
        bars = ax.twinx()
        bars.bar(self.steps, self.products, color="0.85", width=0.6, label="CG iterations (right)")
        ax.set_zorder(bars.get_zorder() + 1)
        ax.patch.set_visible(False)
        curves = ((self.above, 0, "o", "objective − best"), (self.gradient, 1, "s", "gradient norm"))
        for values, c, shape, label in curves:
            kept = values > 0  # the best step itself has no place on a logarithmic axis
            ax.plot(self.steps[kept], values[kept], color=colour(c), marker=shape, markersize=4, label=label)
        if (self.gradient > 0).any():
            decades(ax, np.concatenate([self.above, self.gradient]))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set(xlabel="Newton step", ylabel="objective − best,  gradient norm")
        bars.set_ylabel("CG iterations")
        for axis in (ax.xaxis, bars.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
        self._entries = [part for one in (ax, bars) for part in one.get_legend_handles_labels()[0]]

    def _explain(self, place: Figure | Axes) -> None:
        where: dict[str, Any] = {"loc": "best"}
        if isinstance(place, Figure):
            where = {"loc": "outside upper center", "ncols": 3}
        place.legend(handles=self._entries, **where)


def plot_convergence(solution: Solution, path: str | Path | None = None, *, ax: Any = None) -> Any:
    """Objective above its best value and gradient norm by Newton step, CG iterations as bars.

    Args:
        solution: a trained solution.
        path: a file to write; None: draw only.
        ax: axes to draw into; None: a new figure.

    Returns:
        The path if one was given, else the axes that were given, else the figure, which a notebook shows.

    Example:
        >>> hd.plot.plot_convergence(solution, "convergence.png").name
        'convergence.png'
    """
    return drawn(ConvergenceDisplay.from_solution(solution), solution.problem.domain.comm, path, ax)
