"""What can be drawn, in one place: ``hd.plot``."""

from hydrodl.pictures.animation import animate
from hydrodl.pictures.before_after import plot_transport
from hydrodl.pictures.decision import plot_calibration, plot_decision
from hydrodl.pictures.figures import plot_all, plot_convergence, plot_densities, plot_velocity
from hydrodl.pictures.trajectories import plot_trajectories

__all__ = [
    "animate",
    "plot_all",
    "plot_calibration",
    "plot_convergence",
    "plot_decision",
    "plot_densities",
    "plot_trajectories",
    "plot_transport",
    "plot_velocity",
]
