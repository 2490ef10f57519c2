"""The numbers of report.json that are known from a solution alone, and the versions they may depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import dolfinx
import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from hydrodl.problem.solution import Solution


def report(solution: Solution) -> dict[str, Any]:
    """The numbers of report.json that are known from a solution alone."""
    problem = solution.problem
    names = (
        "converged",
        "reason",
        "objective",
        "gradient_norm",
        "iterations",
        "hessian_products",
        "saddles",
        "warnings",
        "mass_error",
        "min_density",
        "peclet",
        "effective_noise",
        "largest_noise",
        "linear_solver",
    )
    sizes = {"layers": len(problem.layers), "nodes": problem.domain.nodes, "unknowns": problem.unknowns}
    numbers = {name: getattr(solution, name) for name in names}
    return numbers | sizes | {"ranks": problem.domain.comm.size, "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of everything that the numbers of a run may depend on."""
    return {
        "hydrodl": version("hydrodl"),
        "dolfinx": dolfinx.__version__,
        "petsc": ".".join(str(part) for part in PETSc.Sys.getVersion()),
        "mpi": " ".join(MPI.Get_library_version().strip("\0\n").splitlines()[0].replace("Version:", "").split()),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
