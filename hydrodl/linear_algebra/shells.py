"""PETSc's view of functions of flat local vectors, as matrices and as preconditioners."""

from __future__ import annotations

from collections.abc import Callable

from petsc4py import PETSc

from hydrodl.common.arrays import Floats

Action = Callable[[Floats], Floats]


class Shell:
    """Python context of a Mat or a PC that is a linear function.

    Args:
        action: of this rank's part of a vector, flat, to that of another.

    Attributes:
        shift_by: s of A + s 1, where PETSc shifts the matrix.
    """

    def __init__(self, action: Action) -> None:
        self._action, self.shift_by = action, 0.0

    def mult(self, matrix: PETSc.Mat, x: PETSc.Vec, y: PETSc.Vec) -> None:
        """y = A x."""
        y.array[:] = self._action(x.getArray(readonly=True).copy())
        if self.shift_by:
            y.axpy(self.shift_by, x)

    def shift(self, matrix: PETSc.Mat, by: float) -> None:
        """A + by 1."""
        self.shift_by += by

    def apply(self, preconditioner: PETSc.PC, x: PETSc.Vec, y: PETSc.Vec) -> None:
        """y = P^-1 x."""
        y.array[:] = self._action(x.getArray(readonly=True).copy())
