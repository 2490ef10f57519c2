"""Assembly of forms on nodes: one matrix for each size of block, which every form of that size shares.

Forms live on V or on blocked spaces over the same nodes, so that one sparsity structure serves them all. Entries that
vanish for every field are found by assembling with generic fields, and left out of the patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.linear_algebra.sparsity import Indices, Pattern
from hydrodl.mesh.domain import Domain

Mask = NDArray[np.bool_]


class NodeAssembler:
    """Matrices, vectors and numbers of forms on V and on blocked spaces over its nodes.

    Attributes:
        domain: where the forms live; mass: the form (w, v) on V x V.
    """

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        v, w = ufl.TestFunction(domain.V), ufl.TrialFunction(domain.V)
        self.mass = fem.form(w * v * domain.dx)
        self._matrices = {1: fem.create_matrix(self.mass)}

    def blocked(self, size: int) -> fem.Function:
        """A function with ``size`` components over the nodes of V."""
        domain = self.domain
        function = fem.Function(domain.space(size))
        if not np.array_equal(function.function_space.dofmap.list, domain.V.dofmap.list):
            raise SolverError("blocked and scalar spaces number their nodes differently; please report this")
        return function

    @property
    def structure(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row pointers and columns of an assembled matrix on V, over all local rows."""
        return self._matrices[1].indptr, self._matrices[1].indices

    def assemble(self, form: fem.Form, *, reduce: bool = False) -> Floats:
        """Data of a matrix over owned and ghost rows from this rank's cells, valid until the next call.

        Args:
            form: a bilinear form on V or on a blocked space over it.
            reduce: add other ranks' contributions to the owned rows.

        Returns:
            shape (entries,) on V, (entries, b, b) on a space with blocks of size b.
        """
        size = form.function_spaces[0].dofmap.index_map_bs
        matrix = self._matrix(form, size)
        matrix.set_value(0.0)
        fem.assemble_matrix(matrix, form)
        if reduce:
            matrix.scatter_reverse()
        return matrix.data if size == 1 else matrix.data.reshape(-1, size, size)

    def _matrix(self, form: fem.Form, size: int) -> Any:
        if size not in self._matrices:
            self._matrices[size] = fem.create_matrix(form)
            if not np.array_equal(self._matrices[1].indices, self._matrices[size].indices):
                raise SolverError("blocked and scalar spaces number their nodes differently; please report this")
        return self._matrices[size]

    def reduced(self, places: NDArray[np.int64], values: Floats) -> Floats:
        """Data of a matrix on V of which this rank has these entries, other ranks' contributions added to own rows."""
        matrix = self._matrices[1]
        matrix.set_value(0.0)
        matrix.data[places] = values
        matrix.scatter_reverse()
        return matrix.data

    def vector(self, form: fem.Form, out: Floats) -> Floats:
        """Add this rank's contributions to the vector of a linear form; ``out`` is over owned and ghost entries."""
        return fem.assemble_vector(out, form)

    def blocked_vector(self, form: fem.Form) -> Floats:
        """This rank's contributions to the vector of a linear form on a blocked space, shape (b, local nodes)."""
        space = form.function_spaces[0]
        size, nodes = space.dofmap.index_map_bs, space.dofmap.index_map
        out = np.zeros(size * (nodes.size_local + nodes.num_ghosts))
        return fem.assemble_vector(out, form).reshape(-1, size).T

    def scalar(self, form: fem.Form) -> float:
        """This rank's part of a functional."""
        return float(np.real(fem.assemble_scalar(form)))

    def column_owners(self) -> NDArray[np.int64]:
        """Global number of each local column of an assembled matrix on V."""
        columns = self._matrices[1].index_map(1)
        return columns.local_to_global(np.arange(columns.size_local + columns.num_ghosts, dtype=np.int32))

    def nonzeros(self, form: fem.Form, *, reduce: bool = False, reads: Sequence[fem.Function] = ()) -> Mask:
        """Which entries of a matrix are nonzero for generic positive fields; shape as from ``assemble``.

        Overwrites the fields.

        Args:
            form, reduce: as in ``assemble``.
            reads: functions that the form reads.
        """
        generic = np.random.default_rng(20220712)
        found: Any = False
        for _ in range(2 if reads else 1):
            for function in reads:
                function.x.array[:] = 0.5 + generic.random(len(function.x.array))
            found = found | (self.assemble(form, reduce=reduce) != 0)
        return found

    def pattern(self, keep: Mask, *, reduce: bool = False) -> Pattern:
        """The pattern with the entries marked, and the diagonal.

        Args:
            keep: mask over the entries of a matrix on V.
            reduce: pattern of the reduced owned rows, else of this rank's own contributions to all local rows.
        """
        matrix = self._matrices[1]
        pointers, columns = matrix.indptr.astype(np.int32), matrix.indices
        if reduce:
            pointers = pointers[: self.domain.owned + 1]
        rows = np.repeat(np.arange(len(pointers) - 1, dtype=np.int32), np.diff(pointers))
        columns = columns[: len(rows)]
        keep = keep[: len(rows)] | (rows == columns)
        kept: Indices = np.append(0, np.cumsum(np.bincount(rows[keep], minlength=len(pointers) - 1))).astype(np.int32)
        return Pattern(kept, columns[keep], np.flatnonzero(keep), np.flatnonzero(~keep))

    def mass_matrix(self) -> Mass:
        """M with its products and solves; collective."""
        own = self.pattern(self.nonzeros(self.mass, reduce=True), reduce=True)
        return Mass(self.domain, own, self.column_owners(), own.values(self.assemble(self.mass, reduce=True)).copy())
