"""hydrodl: train a deep residual network as a compressible fluid.

Layers are time, features are space, each class is a density, the residual function is a velocity with a little noise.
Training is a mean-field control problem, posed in DOLFINx, discretised by one discrete action, solved by PETSc.
"""

from hydrodl.common import import_order  # noqa: F401, I001  (first: it orders the compiled libraries)

from typing import TYPE_CHECKING, Any

from hydrodl.adaptivity.adaptive_training import adapt
from hydrodl.adaptivity.velocity_transfer import transfer
from hydrodl.transport.schroedinger_bridge import Bridge, bridge
from hydrodl.network.reliability import Calibration, calibration
from hydrodl.physics.solution import Controls
from hydrodl.data.datasets import DATASETS, load_dataset
from hydrodl.data.tables import read_csv
from hydrodl.data.class_densities import Densities, densities, densities_from_function, mixture, sample_mixture
from hydrodl.data.gaussian import Gaussian
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers, layers
from hydrodl.common.errors import DataError, InputError, MeshError, SolverError
from hydrodl.solver.marching import evolve
from hydrodl.physics.flow import Flow
from hydrodl.physics.internal_energy import Entropy, Focusing, Power
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.losses import Classification, Density, Position
from hydrodl.data.density_sampling import sample_density
from hydrodl.transport.held_out import HeldOut, leave_one_out
from hydrodl.network.network import inverse_push
from hydrodl.network.network import Network
from hydrodl.physics.neurons import Neurons
from hydrodl.network.exact_form import exact_form
from hydrodl.files.onnx_file import write_onnx
from hydrodl.adaptivity.layer_placement import adapted_layers
from hydrodl.network.noise_average import Posterior, posterior
from hydrodl.network.markov_chain import sample_chain
from hydrodl.network.random_paths import sample_paths
from hydrodl.data.snapshot_sets import Snapshots, read_snapshots, snapshots
from hydrodl.transport.wasserstein_distance import wasserstein
from hydrodl.physics.problem import Problem
from hydrodl.physics.readout import Readout
from hydrodl.analysis.stability.recommendation import recommend
from hydrodl.training.reduced_functional import ReducedFunctional
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.samples import Samples
from hydrodl.physics.solution import Solution
from hydrodl.training.minimisation import train
from hydrodl.training.derivative_tests import hessian_symmetry, taylor_orders

if TYPE_CHECKING:
    from hydrodl.estimators.classifier import HydroClassifier
    from hydrodl.estimators.transport_estimator import HydroTransport

__version__ = "0.1.0"

__all__ = [
    "DATASETS",
    "Bridge",
    "Calibration",
    "Classification",
    "Controls",
    "DataError",
    "Densities",
    "Density",
    "Domain",
    "Entropy",
    "Flow",
    "Focusing",
    "Gaussian",
    "HeldOut",
    "HydroClassifier",
    "HydroTransport",
    "InputError",
    "Lagrangian",
    "Layers",
    "MeshError",
    "Network",
    "Neurons",
    "Position",
    "Posterior",
    "Power",
    "Preprocessing",
    "Problem",
    "Readout",
    "ReducedFunctional",
    "Samples",
    "Snapshots",
    "Solution",
    "SolverError",
    "adapt",
    "adapted_layers",
    "bridge",
    "calibration",
    "densities",
    "densities_from_function",
    "evolve",
    "exact_form",
    "hessian_symmetry",
    "inverse_push",
    "layers",
    "leave_one_out",
    "load_dataset",
    "mixture",
    "posterior",
    "read_csv",
    "read_snapshots",
    "recommend",
    "sample_chain",
    "sample_density",
    "sample_mixture",
    "sample_paths",
    "snapshots",
    "taylor_orders",
    "train",
    "transfer",
    "wasserstein",
    "write_onnx",
]

_LATER = {
    "HydroClassifier": "hydrodl.estimators.classifier",
    "HydroTransport": "hydrodl.estimators.transport_estimator",
}


def __getattr__(name: str) -> Any:
    """The estimators when they are first asked for: scikit-learn is slow to import and the command line has no use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
