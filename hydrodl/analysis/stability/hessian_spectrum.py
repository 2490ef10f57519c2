"""Extreme eigenvalues of the reduced Hessian in the control inner product: H v = lambda P v, with SLEPc.

The second variation of J_h at a stationary velocity is positive exactly when the smallest eigenvalue is: then the
trained network is a strict local minimum, and nearby data have a nearby one. P^-1 H is the identity plus a compact
operator, so its ends are found by Krylov-Schur from Hessian products alone, at a cost that does not grow with the mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc
from slepc4py import SLEPc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import summed
from hydrodl.common.parameters import Number
from hydrodl.common.petsc_options import OptionScope
from hydrodl.linear_algebra.shells import Action, Shell


class Quadratic(Protocol):
    """A Hessian H and an inner product P on controls of shape (N, d, owned), such as a linearised reduced
    functional."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of this rank's part of a control."""

    def hessian_product(self, direction: Floats) -> Floats:
        """H v, a dual vector."""

    def metric_product(self, direction: Floats) -> Floats:
        """P v, a dual vector."""

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The ends of the spectrum of P^-1 H.

    Attributes:
        smallest: eigenvalues, increasing, shape (k,); smallest_modes: (k, N, d, owned), (v, P v) = 1.
        largest: eigenvalues, decreasing, shape (k,); largest_modes: (k, N, d, owned).
        residuals: the largest |H v - lambda P v| in the norm of P^-1 at either end.
        products: Hessian products spent.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> _ = functional.linearise(solution.velocity)
        >>> found = hd.analysis.spectrum(functional, largest=False)
        >>> found.smallest.shape, found.negative_curvature
        ((1,), False)
    """

    smallest: Floats
    smallest_modes: Floats
    largest: Floats
    largest_modes: Floats
    residuals: tuple[float, float]
    products: int

    @property
    def negative_curvature(self) -> bool:
        """Is there a direction along which J_h falls to second order, beyond what the residual leaves open?"""
        return bool(self.smallest[0] < -self.residuals[0])


def spectrum(
    functional: Quadratic,
    count: int = 1,
    *,
    comm: MPI.Comm = MPI.COMM_WORLD,
    tolerance: float = 1e-9,
    smallest: bool = True,
    largest: bool = True,
    options: Mapping[str, Any] | None = None,
) -> Spectrum:
    """The ``count`` smallest and the ``count`` largest eigenvalues of H v = lambda P v; collective.

    About an equilibrium without a strong loss the eigenvalues pile up at 1 from below and the largest are slow to find.

    Args:
        functional: H and P at one point; a ``ReducedFunctional`` must be linearised there first.
        count: k >= 1, at most the number of unknowns.
        comm: the ranks that share the controls.
        tolerance: accuracy of the eigenvalues: largest |H v - lambda P v| in the norm of P^-1 for (v, P v) = 1.
        smallest, largest: find the smallest, the largest ones; else that end is empty.
        options: SLEPc's own options, all starting with "eps_".

    Returns:
        eigenvalues and eigenfunctions; the sign of an eigenfunction, and the choice within a multiple eigenvalue,
        are arbitrary and may depend on the number of ranks.

    Raises:
        InputError: a count out of range, or an option of another prefix.
        SolverError: SLEPc did not converge.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> _ = functional.linearise(solution.velocity)
        >>> bool(hd.analysis.spectrum(functional, largest=False).smallest > 0)
        True
    """
    given = dict(options or {})
    for key in given:
        if not key.startswith("eps_"):
            raise InputError(f"eigenvalue option {key!r} is unknown; options start with eps_")
    total = summed(comm, int(np.prod(functional.shape)))
    Number(least=1, most=total, whole=True).check("count", count)
    problem = _Problem(functional, comm, total)
    try:
        which = SLEPc.EPS.Which
        none = np.zeros(0), np.zeros((0, *functional.shape)), 0.0
        low = problem.solve(count, tolerance, given, which.SMALLEST_REAL) if smallest else none
        high = problem.solve(count, tolerance, given, which.LARGEST_REAL) if largest else none
    finally:
        problem.destroy()
    return Spectrum(low[0], low[1], high[0], high[1], (low[2], high[2]), problem.products)


class _Problem:
    """The two shell matrices and what they apply."""

    def __init__(self, functional: Quadratic, comm: Any, total: int) -> None:
        self.functional, self.comm, self.products = functional, comm, 0
        size = int(np.prod(functional.shape))
        self._sizes = ((size, total), (size, total))
        self._hessian, self._metric = self._shell(self._apply_hessian), self._shell(self._apply_metric)

    def _shell(self, action: Action) -> Any:
        matrix = PETSc.Mat().createPython(self._sizes, self._flat(action), comm=self.comm)
        matrix.setUp()
        return matrix

    def _flat(self, action: Action) -> Shell:
        return Shell(lambda x: action(x.reshape(self.functional.shape)).ravel())

    def _apply_hessian(self, direction: Floats) -> Floats:
        self.products += 1
        return self.functional.hessian_product(direction)

    def _apply_metric(self, direction: Floats) -> Floats:
        return self.functional.metric_product(direction)

    def solve(self, count: int, tolerance: float, options: Mapping[str, Any], end: Any) -> tuple[Floats, Floats, float]:
        """Eigenvalues, eigenfunctions and the largest residual at one end."""
        solver = SLEPc.EPS().create(self.comm)
        solver.setOperators(self._hessian, self._metric)
        solver.setProblemType(SLEPc.EPS.ProblemType.GHEP)
        solver.setDimensions(count, min(self._sizes[0][1], 2 * count + 40))
        solver.setTolerances(tolerance, 500)
        solver.setConvergenceTest(SLEPc.EPS.Conv.ABS)  # an eigenvalue near 0 is what one looks for
        solver.setWhichEigenpairs(end)
        inner = solver.getST().getKSP()
        inner.setType("preonly")
        inner.getPC().setType("python")
        inner.getPC().setPythonContext(self._flat(self.functional.precondition))
        scope = OptionScope("spectrum", options)
        try:
            scope.apply(solver)
            solver.solve()
            return self._read(solver, count)
        finally:
            solver.destroy()
            scope.close()

    def _read(self, solver: Any, count: int) -> tuple[Floats, Floats, float]:
        if solver.getConverged() < count:
            raise SolverError(
                f"{solver.getConverged()} of {count} eigenvalues of the Hessian converged after "
                f"{solver.getIterationNumber()} iterations, SLEPc reason {int(solver.getConvergedReason())}"
            )
        vector = self._hessian.createVecRight()
        values, fields, worst = [], [], 0.0
        for i in range(count):
            values.append(float(solver.getEigenpair(i, vector).real))
            field = vector.getArray(readonly=True).reshape(self.functional.shape).copy()
            weighed = self._apply_metric(field)
            field /= np.sqrt(summed(self.comm, float((field * weighed).sum())))
            miss = self.functional.hessian_product(field) - values[-1] * self._apply_metric(field)
            worst = max(worst, summed(self.comm, float((miss * self.functional.precondition(miss)).sum())))
            fields.append(field)
        vector.destroy()
        return np.array(values), np.array(fields), float(np.sqrt(max(worst, 0.0)))

    def destroy(self) -> None:
        """Free the shell matrices; collective."""
        self._hessian.destroy()
        self._metric.destroy()
