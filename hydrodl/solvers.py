"""PETSc solvers for families of sparse operators with one sparsity pattern: one matrix and one KSP per slab.

Right-hand sides of all classes (or velocity components) are solved together, forward or transposed, with one
operator; what PETSc does with it is set by PETSc's own options under a prefix.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.petsc_options import Options, OptionScope
from hydrodl.discretisation.sparsity import Pattern
from hydrodl.mesh.domain import Domain


class Extent(Protocol):
    """What solvers ask of a domain."""

    @property
    def owned(self) -> int:
        """Number of nodes of this rank."""
        ...

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        ...

    @property
    def dimension(self) -> int:
        """Number d of feature directions."""
        ...

    @property
    def comm(self) -> MPI.Comm:
        """The ranks that share the nodes."""
        ...


MANY_NODES = 4000
"""In d = 3 the fill of a factorisation costs more than Krylov iterations above this number of nodes."""


LAYERED_NODES = 100000
"""Up to this number of nodes a factorisation fits one rank, and ranks share out the layers instead of the nodes."""


REDUNDANT_NODES = 20000
"""Up to this number of nodes one message and a solve of one's own beat the many messages of a distributed solve."""


EXACT = 1e-12
"""Relative residual of Krylov solves for densities, potentials and gradients, which count as exact."""


TIGHT: dict[str, Any] = {"ksp_rtol": EXACT, "ksp_max_it": 1000}


def solver_defaults(domain: Extent, *, symmetric: bool = False) -> dict[str, Any]:
    """How to solve with an operator on the domain, before the caller's own options.

    A direct factorisation, across ranks each with a copy of its own up to ``REDUNDANT_NODES``; in d = 3 on many nodes
    a Krylov method with incomplete factors, solved so tightly that gradients stay exact.
    """
    comm, direct = domain.comm, factor_defaults(domain.comm, symmetric=symmetric)
    if domain.dimension == 3 and domain.nodes > MANY_NODES:
        local = "icc" if symmetric else "ilu"
        tight = TIGHT | {"ksp_type": "cg" if symmetric else "gmres"}
        return tight | ({"pc_type": local} if comm.size == 1 else {"pc_type": "bjacobi", "sub_pc_type": local})
    if comm.size > 1 and domain.nodes <= REDUNDANT_NODES:
        own = {"redundant_pc_type": direct["pc_type"], "redundant_pc_factor_mat_ordering_type": "nd"}
        return direct | own | {"pc_type": "redundant"}
    return direct


def by_layers(domain: Domain, options: Options, width: int, *, independent: bool = False) -> bool:
    """Is it better to share out operators by layers, each whole on one rank, than to share out their nodes?

    Up to ``LAYERED_NODES`` nodes, unless the caller chose a solver: yes for direct solves, and for Krylov methods where
    the ``width`` right-hand sides, one after another, keep all ranks busy, or where all are known at once.
    """
    direct = domain.dimension < 3 or domain.nodes <= MANY_NODES
    fit = domain.nodes <= LAYERED_NODES and (direct or independent or domain.comm.size <= width)
    return domain.comm.size > 1 and fit and not {"ksp_type", "pc_type"} & set(options)


def describe(settings: Options, *, layered: bool = False) -> str:
    """A linear solver in a few words, such as "lu", "lu by layers" or "gmres/bjacobi-ilu"."""
    kinds = [settings.get(key) for key in ("pc_type", "sub_pc_type", "redundant_pc_type")]
    words = "-".join(str(kind) for kind in kinds if kind)
    if "pc_factor_mat_solver_type" in settings:
        words += f" ({settings['pc_factor_mat_solver_type']})"
    if settings.get("ksp_type", "preonly") != "preonly":
        words = f"{settings['ksp_type']}/{words}"
    return words + (" by layers" if layered else "")


def factor_defaults(comm: Any, *, symmetric: bool = False) -> dict[str, Any]:
    """A direct factorisation: PETSc's own on one rank (the fastest triangular solves), MUMPS across ranks."""
    kind = "cholesky" if symmetric else "lu"
    defaults: dict[str, Any] = TIGHT | {"ksp_type": "preonly", "pc_type": kind}
    if comm.size > 1:
        defaults["pc_factor_mat_solver_type"] = "mumps"
    else:
        defaults["pc_factor_mat_ordering_type"] = "nd"
    return defaults


class OperatorFamily:
    """Operators A_0 .. A_{n-1} on V that share a sparsity pattern, each with its own KSP.

    Args:
        domain: the feature domain; rows and columns are its nodes.
        pattern: pattern of the owned rows, columns numbered locally.
        columns: global number of each local column.
        count: number of operators.
        width: number of right-hand sides solved at once.
        options: PETSc's options for the KSP and PC of each.
        name: what to call an operator in an error message and in the options' prefix.
        adjustable: may ``solve_to`` change the accuracy of Krylov solves?
    """

    def __init__(
        self, domain: Extent, pattern: Pattern, columns: NDArray[np.int64], count: int, width: int, *,
        options: Options, name: str, adjustable: bool = False,
    ) -> None:  # fmt: skip
        self.pattern = pattern
        self.name = name
        self._comm = domain.comm
        self._pointers = pattern.pointers
        self._columns = columns[pattern.columns].astype(np.int32)
        self._sizes = ((domain.owned, domain.nodes), (domain.owned, domain.nodes))
        # on one rank PETSc reads the values in place; across ranks it splits them into its own two blocks
        self.data = np.zeros((count if self._comm.size == 1 else 0, pattern.size))
        if self._comm.size == 1:  # a diagonal of ones, so that the matrices are valid before they are set
            rows = np.repeat(np.arange(domain.owned), np.diff(pattern.pointers))
            self.data[:, rows == pattern.columns] = 1.0
        self.matrices = [self._matrix(k) for k in range(count)]
        self.scope = OptionScope(name.replace(" ", "_"), options)
        self.solvers = [self._solver(k) for k in range(count)]
        self._accuracy = EXACT if adjustable and options.get("ksp_type") != "preonly" else None
        self._input, self._output = np.zeros((width, domain.owned)), np.zeros((width, domain.owned))
        self.right = self._dense(self._input)
        self.left = self._dense(self._output)

    def _matrix(self, k: int) -> Any:
        if self._comm.size == 1:
            csr = (self._pointers, self._columns, self.data[k])
            matrix = PETSc.Mat().createAIJWithArrays(self._sizes, csr, comm=self._comm)
        else:
            csr = (self._pointers, self._columns, np.zeros(self.pattern.size))
            matrix = PETSc.Mat().createAIJ(self._sizes, csr=csr, comm=self._comm)
        return matrix

    def _solver(self, k: int) -> Any:
        solver = PETSc.KSP().create(self._comm)
        solver.setOperators(self.matrices[k])
        self.scope.apply(solver)
        return solver

    def _dense(self, array: Floats) -> Any:
        width, owned = array.shape
        sizes = ((owned, self._sizes[0][1]), (PETSc.DECIDE, width))
        matrix = PETSc.Mat().createDense(sizes, array=array.T, comm=self._comm)
        matrix.assemble()
        return matrix

    def set(self, k: int, values: Floats) -> None:
        """Give operator k its entries, in the order of the pattern, and factor it."""
        matrix = self.matrices[k]
        if self._comm.size == 1:
            self.data[k] = values
        else:
            matrix.setValuesCSR(self._pointers, self._columns, values)
        matrix.assemble()
        self.solvers[k].setOperators(matrix)
        self.solvers[k].setUp()

    def factor(self) -> None:
        """Nothing to do here: operators are factored as they are set."""

    def solve_to(self, accuracy: float) -> None:
        """Relative residual of Krylov solves from now on; nothing where solves are direct or the accuracy is fixed."""
        if self._accuracy is not None and accuracy != self._accuracy:
            for solver in self.solvers:
                solver.setTolerances(rtol=accuracy)
            self._accuracy = accuracy

    def solve_all(self, stack: Floats) -> Floats:
        """X_k with A_k X_k = rhs_k for every k, stack (n, width, owned)."""
        out = np.empty_like(stack)
        for k, fields in enumerate(stack):
            out[k] = self.solve(k, fields)
        return out

    def solve(self, k: int, rhs: Floats, *, transpose: bool = False) -> Floats:
        """X with A_k X = rhs, or A_k^T X = rhs; the result is valid until the next call.

        Args:
            k: operator index.
            rhs: right-hand sides, shape (width, owned).
            transpose: solve with the transposed operator.

        Raises:
            SolverError: PETSc reports that the solve did not converge.
        """
        solver = self.solvers[k]
        self._input[...] = rhs
        if transpose:
            solver.matSolveTranspose(self.right, self.left)
        else:
            solver.matSolve(self.right, self.left)
        reason = int(solver.getConvergedReason())
        if reason < 0:
            raise SolverError(f"{self.name} {k}: linear solve failed with PETSc reason {reason}")
        return self._output

    def product(self, k: int, fields: Floats) -> Floats:
        """A_k times each of the fields (width, owned); the result is valid until the next call."""
        self._input[...] = fields
        self.matrices[k].matMult(self.right, self.left)
        return self._output

    def destroy(self) -> None:
        """Free the PETSc objects; collective."""
        for item in (*self.solvers, *self.matrices, self.right, self.left):
            item.destroy()
        self.scope.close()


class Mass:
    """Products and solves with the mass matrix M of the domain's quadrature rule, for stacks of fields (m, owned)."""

    def __init__(self, domain: Domain, pattern: Pattern, columns: NDArray[np.int64], values: Floats) -> None:
        self.domain = domain
        self.diagonal: Floats | None = values if pattern.diagonal else None
        shape = (domain.owned, domain.nodes)
        self.rows = sp.csr_array((values, columns[pattern.columns], pattern.pointers), shape=shape)
        if self.diagonal is None:
            options = {"ksp_type": "cg", "pc_type": "jacobi", "ksp_rtol": 1e-14, "ksp_max_it": 500}
            self._family = OperatorFamily(domain, pattern, columns, 1, 1, options=options, name="mass matrix")
            self._family.set(0, values)
        self.ones = self.apply(np.ones((1, domain.owned)))[0]

    def apply(self, fields: Floats) -> Floats:
        """M times each field."""
        if self.diagonal is not None:
            return fields * self.diagonal
        return np.array([self._family.product(0, field[None])[0].copy() for field in fields])

    def solve(self, duals: Floats) -> Floats:
        """M^-1 times each dual vector."""
        if self.diagonal is not None:
            return duals / self.diagonal
        return np.array([self._family.solve(0, dual[None])[0].copy() for dual in duals])

    def integrals(self, fields: Floats) -> Floats:
        """int f dx of each field over all ranks, shape (m,)."""
        local = np.ascontiguousarray(fields @ self.ones)
        total = np.empty_like(local)
        self.domain.comm.Allreduce(local, total)
        return total
