"""Extreme eigenvalues kappa of the discrete Laplacian M^-1 K, K = (grad ., grad .)_h, of a feature mesh, by SLEPc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray
from slepc4py import SLEPc

from hydrodl.common.errors import SolverError
from hydrodl.mesh.domain import Domain


def largest_eigenvalue(domain: Domain, tolerance: float = 1e-10) -> float:
    """kappa_max, collective: 4/h^2 on a uniform lumped line.

    Raises:
        SolverError: it did not converge to the relative tolerance.
    """

    def settle(solver: Any) -> None:
        solver.setWhichEigenpairs(SLEPc.EPS.Which.LARGEST_REAL)
        inner = solver.getST().getKSP()
        inner.setType("cg")
        inner.getPC().setType("jacobi")
        inner.setTolerances(rtol=1e-13)

    # eigenvalues crowd at the top: a wide subspace
    return float(_eigenvalues(domain, 1, min(48, domain.nodes), tolerance, settle)[0])


def smallest_eigenvalue(domain: Domain) -> float:
    """kappa_1, the smallest beside 0, collective.

    Raises:
        SolverError: it did not converge.
    """
    low, high = domain.bounds
    target = -1.0 / float(((high - low) ** 2).sum())

    def settle(solver: Any) -> None:
        solver.setTarget(target)
        solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
        transform = solver.getST()
        transform.setType("sinvert")
        transform.setShift(target)
        factor = transform.getKSP()
        factor.setType("preonly")
        factor.getPC().setType("lu")
        if domain.comm.size > 1:
            factor.getPC().setFactorSolverType("mumps")

    return float(np.sort(_eigenvalues(domain, 2, None, 1e-10, settle))[1])


def _eigenvalues(
    domain: Domain, count: int, subspace: int | None, tolerance: float, settle: Callable[[Any], None]
) -> NDArray[np.float64]:
    v, w = ufl.TestFunction(domain.V), ufl.TrialFunction(domain.V)
    forms = fem.form(ufl.inner(ufl.grad(v), ufl.grad(w)) * domain.dx), fem.form(v * w * domain.dx)
    pencil = [fem_petsc.assemble_matrix(form) for form in forms]
    for matrix in pencil:
        matrix.assemble()
    solver = SLEPc.EPS().create(domain.comm)
    solver.setOperators(*pencil)
    solver.setProblemType(SLEPc.EPS.ProblemType.GHEP)
    solver.setDimensions(count, subspace)
    solver.setTolerances(tolerance, 2000)
    settle(solver)
    solver.solve()
    found = solver.getConverged()
    values = np.array([solver.getEigenvalue(i).real for i in range(min(found, count))])
    for item in (solver, *pencil):
        item.destroy()
    if found < count:
        raise SolverError("eigenvalues of the feature mesh's Laplacian did not converge")
    return values
