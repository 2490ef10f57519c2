"""All figures of a run at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import on_all_ranks, raise_together
from hydrodl.common.progress import phase
from hydrodl.pictures.before_after import plot_transport
from hydrodl.pictures.calibration import plot_calibration
from hydrodl.pictures.convergence import plot_convergence
from hydrodl.pictures.decision import plot_decision
from hydrodl.pictures.densities import plot_densities
from hydrodl.pictures.trajectories import plot_trajectories
from hydrodl.pictures.velocity import plot_velocity

if TYPE_CHECKING:
    from hydrodl.data.samples import Samples
    from hydrodl.network.network import Network
    from hydrodl.problem.solution import Solution


LAYERS = 3  # shown of densities and velocity: before, half the way, after; drawing must not take longer than solving


def plot_all(
    solution: Solution, network: Network, samples: Samples, folder: str | Path, test: Samples | None = None
) -> list[Path]:
    """Collective: every figure that the data give, as NAME.png in a folder.

    NAME is transport, trajectories, densities and velocity (of three layers), convergence, for a classifier decision,
    and calibration if there are samples to test it on. One that fails costs no other.

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
        "densities": lambda path: plot_densities(solution, path, LAYERS),
        "velocity": lambda path: plot_velocity(solution, path, LAYERS),
        "convergence": lambda path: plot_convergence(solution, path),
    }
    if solution.problem.readout is not None:
        figures["decision"] = lambda path: plot_decision(network, samples, path)
    if solution.problem.readout is not None and test is not None:
        figures["calibration"] = lambda path: plot_calibration(network, test, path)
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
