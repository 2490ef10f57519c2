"""The diffusion kernel of density estimates: deposit point masses on a mesh, smooth them, integrate nodal values."""

from __future__ import annotations

import dolfinx.fem.petsc
import numpy as np
import ufl
from dolfinx import fem, la
from petsc4py import PETSc

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError, SolverError
from hydrodl.data.samples import Samples
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.point_location import locate
from hydrodl.mesh.quadrature import moment, point_text

# Above this many nodes in d = 3 the fill of a factorisation costs more than conjugate gradients do.
_DIRECT_NODES = 10_000


def deposit(domain: Domain, samples: Samples) -> tuple[Floats, Ints]:
    """b_ci = sum over samples s of class c of w_s psi_i(x_s) / sum of all w, shape (C, owned), of degree 1.

    And the cells of this rank's samples.
    """
    points = samples.points
    if points.shape[1] != domain.dimension:
        raise DataError(f"the samples have dimension {points.shape[1]}, the mesh has dimension {domain.dimension}")
    found = locate(domain, points)
    if len(found.outside):
        row, (low, high) = int(found.outside[0]), domain.bounds
        raise DataError(
            f"row {row + 1} of the samples lies outside the mesh, at {point_text(points[row])} in its units; "
            f"the mesh lies between {point_text(low)} and {point_text(high)}"
        )
    hats = domain.V.element.basix_element.tabulate(0, found.reference)[0, :, :, 0]
    dofs = domain.V.dofmap.list[found.cells]
    labels = samples.labels[found.rows]
    hats = hats * (samples.amounts / samples.amounts.sum())[found.rows, None]
    charges = np.empty((samples.classes, domain.owned))
    vector = la.vector(domain.V.dofmap.index_map)
    for c in range(samples.classes):
        mine = labels == c
        vector.array[:] = np.bincount(dofs[mine].ravel(), hats[mine].ravel(), len(vector.array))
        vector.scatter_reverse(la.InsertMode.add)
        charges[c] = vector.array[: domain.owned]
    return charges, found.cells.astype(np.int64)


def diffuse(domain: Domain, charges: Floats, tau: float, steps: int) -> Floats:
    """rho after ``steps`` solves of (M + tau K) rho = M rho_old, the first with M rho_old = charges."""
    mass = moment(domain)
    operator = _heat_operator(domain, mass, tau)
    solver = _heat_solver(domain, operator)
    rho, right = operator.createVecs()
    values = np.empty_like(charges)
    for c, charge in enumerate(charges):
        right.array[:] = charge
        for step in range(steps):
            if step:
                right.array[:] = mass * rho.array
            solver.solve(right, rho)
            if solver.getConvergedReason() < 0:
                raise SolverError(f"the heat step of the densities failed (PETSc reason {solver.getConvergedReason()})")
        # Factors of an M-matrix cannot produce a negative number; conjugate gradients may, below their tolerance.
        values[c] = rho.array if solver.getType() == "preonly" else np.maximum(rho.array, 1e-30 * rho.max()[1])
    for thing in (solver, operator, rho, right):
        thing.destroy()
    return values


def _heat_operator(domain: Domain, mass: Floats, tau: float) -> PETSc.Mat:
    """M + tau K, an M-matrix: positive off-diagonal entries of K are moved to the diagonal."""
    trial, test = ufl.TrialFunction(domain.V), ufl.TestFunction(domain.V)
    # The vertex rule makes K an M-matrix on every box (the exact rule fails on long quadrilaterals); on simplices
    # gradients are constant and the rules agree.
    rule = {"quadrature_rule": "vertex", "quadrature_degree": 1}
    dx = ufl.Measure("dx", domain=domain.mesh, metadata=rule)
    stiffness = dolfinx.fem.petsc.assemble_matrix(fem.form(ufl.inner(ufl.grad(trial), ufl.grad(test)) * dx))
    stiffness.assemble()
    starts, columns, entries = stiffness.getValuesCSR()
    first, _ = stiffness.getOwnershipRange()
    rows = np.repeat(np.arange(domain.owned), np.diff(starts))
    diagonal = columns == rows + first
    entries = np.where(diagonal, 0.0, np.minimum(entries, 0.0))
    row_sums = np.bincount(rows, entries, domain.owned)
    entries = tau * np.where(diagonal, -row_sums[rows], entries) + np.where(diagonal, mass[rows], 0.0)
    sizes = stiffness.getSizes()
    stiffness.destroy()
    operator = PETSc.Mat().createAIJ(sizes, csr=(starts, columns, entries), comm=domain.comm)
    operator.setOption(PETSc.Mat.Option.SPD, True)
    return operator


def _heat_solver(domain: Domain, operator: PETSc.Mat) -> PETSc.KSP:
    """A Cholesky factorisation, or conjugate gradients where that would not fit; PETSc options under "densities_"."""
    solver = PETSc.KSP().create(domain.comm)
    solver.setOperators(operator)
    if domain.dimension < 3 or domain.nodes <= _DIRECT_NODES:
        solver.setType("preonly")
        solver.getPC().setType("cholesky")
        solver.getPC().setFactorSolverType("mumps")
    else:
        solver.setType("cg")
        solver.getPC().setType("jacobi")
        solver.setTolerances(rtol=1e-13, max_it=10_000)
    solver.setOptionsPrefix("densities_")
    solver.setFromOptions()
    solver.setUp()
    return solver
