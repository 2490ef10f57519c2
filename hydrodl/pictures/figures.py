"""Figures: data before and after the network, decisions, trajectories, densities, velocity, convergence, calibration.

Every function is collective, rank 0 draws, and the path of the picture is returned. All raise InputError if the file
cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import on_all_ranks, raise_together
from hydrodl.common.progress import phase
from hydrodl.mesh.gathering import gather
from hydrodl.pictures.before_after import plot_transport
from hydrodl.pictures.canvas import axis_names, blend, colour, draw, few_ticks, frame, image, legend, panels
from hydrodl.pictures.decision import plot_decision
from hydrodl.pictures.raster import PIXELS, Raster, rasterise
from hydrodl.pictures.trajectories import plot_trajectories

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network
    from hydrodl.problem.solution import Solution


ARROWS = ListedColormap(colormaps["viridis"](np.linspace(0, 0.85, 256)))  # without the yellow that fades on white


def plot_all(solution: Solution, network: Network, samples: Samples, folder: str | Path) -> list[Path]:
    """Collective: every figure that the data give, as NAME.png in a folder.

    NAME is transport, trajectories, densities, velocity and convergence, and decision for a classifier. One that fails
    costs no other.

    Raises:
        InputError: files cannot be written; SolverError: a figure could not be drawn. Once all others are there.

    Example:
        >>> paths = hd.plot.plot_all(solution, network, samples, ".")
        >>> sorted(path.name for path in paths)[:2]
        ['convergence.png', 'decision.png']
    """
    folder = Path(folder)
    figures: dict[str, Callable[[Path], Path]] = {
        "transport": lambda path: plot_transport(network, samples, path),
        "trajectories": lambda path: plot_trajectories(network, samples, path),
        "densities": lambda path: plot_densities(solution, path),
        "velocity": lambda path: plot_velocity(solution, path),
        "convergence": lambda path: plot_convergence(solution, path),
    }
    if solution.problem.readout is not None:
        figures["decision"] = lambda path: plot_decision(network, samples, path)
    drawn, failed, comm = [], {}, solution.problem.domain.comm
    for name, plot in figures.items():
        try:
            with phase(f"drawing {name}.png"):
                drawn.append(plot(folder / f"{name}.png"))
        except Exception as error:
            if not on_all_ranks(error, comm):
                raise
            failed[name] = error
    raise_together(comm, _told(failed) if failed else None)
    return drawn


def _told(failed: dict[str, Exception]) -> Exception:
    """One error for the figures that failed."""
    if all(isinstance(error, InputError) for error in failed.values()):
        return InputError("; ".join(dict.fromkeys(str(error) for error in failed.values())))
    reasons = [f"{name}.png ({type(error).__name__}: {error})" for name, error in failed.items()]
    return SolverError(f"figures that could not be drawn: {', '.join(reasons)}")


def plot_densities(solution: Solution, path: str | Path, layers: int = 6) -> Path:
    """Class densities at about ``layers`` of the layers, first and last included.

    d = 1: curves; d = 2: class colours, deeper with the square root of the density, one scale for all panels; d = 3:
    the same for the marginal densities of (x_1, x_2).

    Example:
        >>> hd.plot.plot_densities(solution, "densities.png").name
        'densities.png'
    """
    problem, shown = solution.problem, _spread(len(solution.density), layers)
    domain, names, bounds = problem.domain, axis_names(solution), problem.domain.bounds
    raster, whole = rasterise(domain, PIXELS[domain.dimension]), [gather(domain, solution.density[k]) for k in shown]
    titles = [f"layer {k},  $t$ = {problem.layers.times[k]:.3g}" for k in shown]

    def paint() -> Figure:
        assert raster is not None
        fields = np.array([raster(values) for values in whole if values is not None])
        figure, axes = panels(len(shown), bounds=bounds, sharex=True, sharey=True)
        if domain.dimension == 3:
            fields = np.trapezoid(np.nan_to_num(fields), raster.axes[2], axis=-1)
        largest = float(np.nanmax(fields.sum(axis=1)))
        for ax, densities, title in zip(axes, fields, titles, strict=True):
            if domain.dimension == 1:
                _curves(ax, raster.axes[0], densities, 1.05 * float(fields.max()))
                ax.set(title=title, xlabel=names[0], ylabel="density")
            else:
                image(ax, raster, blend(densities, largest))
                frame(ax, (bounds[0][:2], bounds[1][:2]), names[:2], title)
            ax.label_outer()
        legend(figure, problem.densities.class_names, lines=True)
        return figure

    return draw(domain.comm, path, paint)


def _curves(ax: Axes, x: Floats, densities: Floats, top: float) -> None:
    for c, density in enumerate(densities):
        ax.fill_between(x, density, color=colour(c), alpha=0.25, linewidth=0)
        ax.plot(x, density, color=colour(c), linewidth=1.2)
    ax.set(xlim=(x[0], x[-1]), ylim=(min(0.0, float(densities.min())), top))
    few_ticks(ax)


def _spread(count: int, wanted: int) -> list[int]:
    """About ``wanted`` of the numbers 0 .. count - 1, evenly, ends included."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(wanted, count))})


def plot_velocity(solution: Solution, path: str | Path, layers: int = 6) -> Path:
    """The velocity u_k, the residual function of layer k: the vector field by layer.

    d = 1: an image over (t, x); d = 2: arrows coloured by speed over the total density (grey) of about ``layers`` of
    the slabs, one scale for all; d = 3: the same on the plane through the middle of x_3: arrows are the part of u in
    the plane, their colours the speed of all three components; where there is no such part stands a dot.

    Example:
        >>> hd.plot.plot_velocity(solution, "velocity.png").name
        'velocity.png'
    """
    problem, domain = solution.problem, solution.problem.domain
    shown = _spread(len(problem.layers), layers if domain.dimension > 1 else len(problem.layers))
    raster, bounds = rasterise(domain, PIXELS[domain.dimension]), domain.bounds
    velocity = [gather(domain, solution.velocity[k]) for k in shown]
    total = [gather(domain, solution.density[k].sum(axis=0)) for k in shown]

    def paint() -> Figure:
        assert raster is not None
        u, r = (np.array([raster(v) for v in values if v is not None]) for values in (velocity, total))
        if domain.dimension == 1:
            return _velocity_image(raster.axes[0], problem.layers.times, u[:, 0], axis_names(solution)[0])
        plane = None
        if domain.dimension == 3:
            middle = len(raster.axes[2]) // 2
            u, r = u[..., middle], r[..., middle]
            height = round(float(raster.axes[2][middle]), 3) + 0.0
            plane = f"plane {axis_names(solution)[2]} = {height:g}; arrows: the part of $u$ in it"
        titles = [f"slab {k},  $t$ = {problem.layers.times[k]:.3g}" for k in shown]
        figure = _velocity_panels(raster, u, r, titles, bounds, axis_names(solution))
        if plane is not None:
            figure.suptitle(plane, fontsize=9)
        return figure

    return draw(domain.comm, path, paint)


def _velocity_image(x: Floats, times: Floats, u: Floats, name: str) -> Figure:
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    ax, largest = figure.subplots(), max(float(np.abs(u).max()), 1e-300)
    walls = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    image = ax.pcolormesh(
        times, walls, u.T, cmap="RdBu_r", vmin=-largest, vmax=largest, shading="flat", rasterized=True
    )
    figure.colorbar(image, ax=ax, label="velocity $u$ (feature units per unit of $t$)")
    ax.set(xlabel="layer time $t$", ylabel=name, title="residual function of every layer")
    return figure


def _velocity_panels(
    raster: Raster, u: Floats, total: Floats, titles: list[str], bounds: tuple[Floats, Floats], names: list[str]
) -> Figure:
    step = max(1, len(raster.axes[0]) // 20)
    pick = slice(step // 2, None, step)
    arrows = u[:, :, pick, pick]
    speed = np.sqrt((arrows**2).sum(axis=1))  # of all components, also of one that leaves the plane
    fastest = max(float(np.nanmax(speed)), 1e-300)
    x, y = (axis[pick] for axis in raster.axes[:2])
    figure, axes = panels(len(u), bounds=bounds, sharex=True, sharey=True)
    norm, longest = Normalize(0, fastest), fastest / (1.7 * (x[1] - x[0]))
    dot = 0.3 if u.shape[1] == 2 else 2.0  # in widths: shorter arrows are dots, to be seen where u leaves the plane
    darkest = 1.6 * max(float(np.sqrt(np.nanmax(total))), 1e-300)
    for ax, (ux, uy, *_), colours, density, title in zip(axes, arrows, speed, total, titles, strict=True):
        image(ax, raster, np.sqrt(np.clip(density, 0, None)), cmap="Greys", vmin=0, vmax=darkest)
        seen = np.greater(colours.T, 0.03 * fastest)  # NaN and stillness are not drawn
        look: dict[str, Any] = {"cmap": ARROWS, "norm": norm, "scale": longest, "width": 0.008, "minlength": dot}
        centre = [values[seen] for values in np.meshgrid(x, y)]
        drawn = ax.quiver(*centre, ux.T[seen], uy.T[seen], colours.T[seen], angles="xy", scale_units="xy", **look)
        frame(ax, (bounds[0][:2], bounds[1][:2]), names[:2], title)
        ax.label_outer()
    what = "speed $|u|$ of all three components" if u.shape[1] == 3 else "speed $|u|$"
    figure.colorbar(drawn, ax=axes, location="bottom", aspect=45, label=f"{what} (feature units per unit of $t$)")
    return figure


def plot_convergence(solution: Solution, path: str | Path) -> Path:
    """Objective above its best value and gradient norm by Newton step, CG iterations as bars.

    Example:
        >>> hd.plot.plot_convergence(solution, "convergence.png").name
        'convergence.png'
    """
    history = [dict(entry) for entry in solution.history]

    def paint() -> Figure:
        steps, objective, gradient, products = (
            np.array([entry[key] for entry in history], dtype=float)
            for key in ("iteration", "objective", "gradient_norm", "cg_iterations")
        )
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        ax = figure.subplots()
        bars = ax.twinx()
        bars.bar(steps, products, color="0.85", width=0.6, label="CG iterations (right)")
        ax.set_zorder(bars.get_zorder() + 1)
        ax.patch.set_visible(False)
        stage = np.array([entry.get("stage", 0) for entry in history])
        last = stage == stage.max(initial=0)  # before it J was another one's
        above = np.where(last, objective - objective[last].min(initial=np.inf), 0.0)
        for values, c, marker, label in ((above, 0, "o", "objective $-$ best"), (gradient, 1, "s", "gradient norm")):
            kept = values > 0  # the best step itself has no place on a logarithmic axis
            ax.plot(steps[kept], values[kept], color=colour(c), marker=marker, markersize=4, label=label)
        if (gradient > 0).any():
            ax.set_yscale("log")
        ax.set(xlabel="Newton step", ylabel="objective $-$ best,  gradient norm")
        bars.set_ylabel("CG iterations")
        for axis in (ax.xaxis, bars.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
        figure.legend(loc="outside upper center", ncols=3)
        return figure

    return draw(solution.problem.domain.comm, path, paint)
