"""hydrodl: train a deep residual network as a compressible fluid.

Layers are time, features are space, each class is a density, the residual function is a velocity with a little noise.
Training is a mean-field control problem, posed in DOLFINx, discretised by one discrete action, solved by PETSc.
"""

from hydrodl import _platform  # noqa: F401, I001  (first: it orders the compiled libraries)

from hydrodl.data import DATASETS, load_dataset, read_csv
from hydrodl.densities import Densities, Gaussian, densities, densities_from_function, mixture, sample_mixture
from hydrodl.domain import Domain, Layers, layers
from hydrodl.errors import DataError, InputError, MeshError, SolverError
from hydrodl.evolve import evolve
from hydrodl.flow import Flow
from hydrodl.lagrangian import Entropy, Focusing, Lagrangian, Power
from hydrodl.losses import Classification, Density, Position
from hydrodl.network import Network
from hydrodl.problem import Problem
from hydrodl.readout import Readout
from hydrodl.recommend import recommend
from hydrodl.reduced import ReducedFunctional
from hydrodl.samples import Preprocessing, Samples
from hydrodl.solution import Solution
from hydrodl.train import train
from hydrodl.verification import hessian_symmetry, taylor_orders

__version__ = "0.1.0"

__all__ = [
    "DATASETS",
    "Classification",
    "DataError",
    "Densities",
    "Density",
    "Domain",
    "Entropy",
    "Flow",
    "Focusing",
    "Gaussian",
    "InputError",
    "Lagrangian",
    "Layers",
    "MeshError",
    "Network",
    "Position",
    "Power",
    "Preprocessing",
    "Problem",
    "Readout",
    "ReducedFunctional",
    "Samples",
    "Solution",
    "SolverError",
    "densities",
    "densities_from_function",
    "evolve",
    "hessian_symmetry",
    "layers",
    "load_dataset",
    "mixture",
    "read_csv",
    "recommend",
    "sample_mixture",
    "taylor_orders",
    "train",
]
