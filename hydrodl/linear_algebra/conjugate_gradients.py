"""PETSc's conjugate gradients for operators that are functions of flat local vectors."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import summed
from hydrodl.linear_algebra.shells import Action, Shell

MOST = 1000
"""Steps."""


ROUNDING = 1e-14
"""Relative residual of which nothing is known."""


def conjugate_gradients(
    comm: MPI.Comm, product: Action, precondition: Action, right: Floats, accuracy: float = 1e-10
) -> Floats:
    """The solution of A x = b, preconditioned by P^-1; collective.

    Args:
        comm: the ranks that share the vectors.
        product: A, symmetric; precondition: P^-1, symmetric and positive.
        right: b, this rank's part, flat.
        accuracy: of the residual in the norm of P^-1, relative to b.

    Raises:
        SolverError: A is not positive, or the accuracy is not reached.
    """
    size = summed(comm, right.size)
    matrix = PETSc.Mat().createPython(((right.size, size),) * 2, Shell(product), comm=comm)
    matrix.setUp()
    b, x = matrix.createVecs()
    solver = PETSc.KSP().create(comm)
    try:
        solver.setOperators(matrix)
        solver.setType("cg")
        solver.setNormType(PETSc.KSP.NormType.NATURAL)
        solver.setTolerances(rtol=accuracy, atol=1e-300, max_it=MOST)
        solver.getPC().setType("python")
        solver.getPC().setPythonContext(Shell(precondition))
        b.array[:] = right
        solver.solve(b, x)
        reason = int(solver.getConvergedReason())
        found = x.getArray(readonly=True).copy()
    finally:
        for item in (solver, matrix, b, x):
            item.destroy()
    if reason == PETSc.KSP.ConvergedReason.DIVERGED_INDEFINITE_MAT:
        raise SolverError("the Hessian is not positive here: conjugate gradients meet negative curvature")
    if reason <= 0 or not np.isfinite(summed(comm, float(found.sum()))):
        raise SolverError(f"conjugate gradients do not reach {accuracy:g} in {MOST} steps, PETSc reason {reason}")
    return found


def negative_direction(
    comm: MPI.Comm, product: Action, precondition: Action, right: Floats, steps: int
) -> Floats | None:
    """A direction v with v.A v <= 0 in the Krylov space of P^-1 b, None if it has none; collective.

    PETSc's solvers end there too, but keep the direction to themselves.

    Args:
        comm, product, precondition, right: as in :func:`conjugate_gradients`.
        steps: the most products, which is the dimension of the space.
    """
    residual, direction, before, least = right.copy(), np.zeros_like(right), np.inf, 0.0
    for _ in range(steps):
        image = precondition(residual)
        square = summed(comm, float(residual @ image))
        if not square > least:  # b lies in a space that A maps to itself; what is left is rounding
            return None
        least = least or ROUNDING**2 * square
        direction = image + square / before * direction
        image = product(direction)
        curvature = summed(comm, float(direction @ image))
        if curvature <= 0:
            return direction
        residual -= square / curvature * image
        before = square
    return None
