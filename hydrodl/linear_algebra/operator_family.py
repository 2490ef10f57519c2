"""PETSc solvers for families of sparse operators with one sparsity pattern: one matrix and one KSP per slab.

Right-hand sides of all classes (or velocity components) are solved together, forward or transposed, with one
operator; what PETSc does with it is set by PETSc's own options under a prefix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.petsc_options import Options, OptionScope
from hydrodl.linear_algebra.solver_choice import EXACT, Extent
from hydrodl.linear_algebra.sparsity import Pattern


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
        self,
        domain: Extent,
        pattern: Pattern,
        columns: NDArray[np.int64],
        count: int,
        width: int,
        *,
        options: Options,
        name: str,
        adjustable: bool = False,
    ) -> None:
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
