"""What can be drawn, in one place: ``hd.plot``.

A function ``plot_...`` draws at once: into a file, your axes, or a figure that it returns and a notebook shows.
A ``...Display`` holds what is drawn, as in scikit-learn: made by ``from_solution``, ``from_network`` or
``from_estimator``, drawn by ``plot(ax=...)``, then with attributes ``figure_`` and ``ax_``.
"""

from hydrodl.pictures.animation import animate
from hydrodl.pictures.before_after import TransportDisplay, plot_transport
from hydrodl.pictures.calibration import CalibrationDisplay, plot_calibration
from hydrodl.pictures.convergence import ConvergenceDisplay, plot_convergence
from hydrodl.pictures.decision import DecisionDisplay, plot_decision
from hydrodl.pictures.densities import DensityDisplay, plot_densities
from hydrodl.pictures.figures import plot_all
from hydrodl.pictures.trajectories import TrajectoryDisplay, plot_trajectories
from hydrodl.pictures.velocity import VelocityDisplay, plot_velocity

__all__ = [
    "CalibrationDisplay",
    "ConvergenceDisplay",
    "DecisionDisplay",
    "DensityDisplay",
    "TrajectoryDisplay",
    "TransportDisplay",
    "VelocityDisplay",
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
