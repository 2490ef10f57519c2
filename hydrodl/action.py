"""The slab action H_h and all its derivatives.

    H_h(u, rho, phi) = cost(u, R) + sum_c [ V_c rho_c - <L(u) rho_c, phi_c> ]_h

is stated once, in UFL; what the sweeps assemble comes from ``ufl.derivative``. It falls into the cost, a functional
of y = (u, R), and for each class the carried part, a functional of z = (u, rho, phi). Both live in blocked spaces
over the nodes of V, so that one kernel gives a whole gradient and one gives every block of a Hessian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from hydrodl.blocks import Indices, Pattern
from hydrodl.domain import Domain
from hydrodl.errors import SolverError
from hydrodl.lagrangian import Lagrangian

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class SlabAction:
    """Forms of one slab and the functions they read.

    Components of y and z are numbered u_0 .. u_{d-1}, then R; u_0 .. u_{d-1}, then rho (``RHO``), then phi (``PHI``).

    Attributes:
        cost, cost_1, cost_2: the cost, its gradient and Hessian in y.
        carried_1, carried_2: gradient and Hessian of one class's carried part in z.
        generator: <L(u) w, v>; metric: d2 cost/du_0^2, the same for every component; mass: (w, v); all on V x V.
        potential_1: (V_c, v).
    """

    def __init__(self, domain: Domain, lagrangian: Lagrangian) -> None:
        self.domain = domain
        d = self.dimension = domain.dimension
        self.R = self.RHO = d
        self.PHI = d + 1
        self._y, self._z = self._blocked(d + 1), self._blocked(d + 2)
        self.potential = fem.Function(domain.V)
        fitted = domain.lumped if lagrangian.fitted is None else lagrangian.fitted
        physics = replace(lagrangian, fitted=fitted).on(domain.mesh)
        y, z = ufl.split(self._y), ufl.split(self._z)
        cost = physics.running_cost(ufl.as_vector(y[:d]), y[d]) * domain.dx
        carried = -physics.transport(ufl.as_vector(z[:d]), z[d], z[d + 1], domain.edge_length) * domain.dx
        self._compile(cost, carried)
        self._matrices = {1: fem.create_matrix(self.mass)}
        self._matrices |= {d + 1: fem.create_matrix(self.cost_2), d + 2: fem.create_matrix(self.carried_2)}
        if not np.array_equal(self._matrices[1].indices, self._matrices[d + 2].indices):
            raise SolverError("blocked and scalar spaces number their nodes differently; please report this")

    def _blocked(self, size: int) -> fem.Function:
        domain = self.domain
        function = fem.Function(fem.functionspace(domain.mesh, ("Lagrange", domain.degree, (size,))))
        if not np.array_equal(function.function_space.dofmap.list, domain.V.dofmap.list):
            raise SolverError("blocked and scalar spaces number their nodes differently; please report this")
        return function

    def _compile(self, cost: Any, carried: Any) -> None:
        D, dx, d = ufl.derivative, self.domain.dx, self.dimension
        v, w = ufl.TestFunction(self.domain.V), ufl.TrialFunction(self.domain.V)
        self.cost, self.cost_1 = fem.form(cost), fem.form(D(cost, self._y))
        self.cost_2, self.carried_2 = fem.form(D(D(cost, self._y), self._y)), fem.form(D(D(carried, self._z), self._z))
        self.carried_1 = fem.form(D(carried, self._z))

        def along(component: int, size: int, argument: Any) -> Any:
            return ufl.as_vector([argument if i == component else ufl.zero() for i in range(size)])

        generator = D(D(-carried, self._z, along(self.PHI, d + 2, v)), self._z, along(self.RHO, d + 2, w))
        self.generator = fem.form(generator)
        self.metric = fem.form(D(D(cost, self._y, along(0, d + 1, v)), self._y, along(0, d + 1, w)))
        self.potential_1 = fem.form(self.potential * v * dx)
        self.mass = fem.form(w * v * dx)

    def set_slab(self, velocity: Floats, total: Floats | None = None) -> None:
        """Load u (d, local nodes) into y and z, and R (local nodes)."""
        y, z = self._y.x.array.reshape(-1, self.dimension + 1), self._z.x.array.reshape(-1, self.dimension + 2)
        y[:, : self.dimension] = velocity.T
        z[:, : self.dimension] = velocity.T
        if total is not None:
            y[:, self.R] = total

    def set_class(self, density: Floats, potential: Floats) -> None:
        """Load rho and phi of one class (local nodes)."""
        z = self._z.x.array.reshape(-1, self.dimension + 2)
        z[:, self.RHO], z[:, self.PHI] = density, potential

    def assemble(self, form: fem.Form, *, reduce: bool = False) -> Floats:
        """Data of a matrix over owned and ghost rows from this rank's cells, valid until the next call.

        Args:
            form: a bilinear form on V or on a blocked space over it.
            reduce: add other ranks' contributions to the owned rows.

        Returns:
            shape (entries,) on V, (entries, b, b) on a space with blocks of size b.
        """
        size = form.function_spaces[0].dofmap.index_map_bs
        matrix = self._matrices[size]
        matrix.set_value(0.0)
        fem.assemble_matrix(matrix, form)
        if reduce:
            matrix.scatter_reverse()
        return matrix.data if size == 1 else matrix.data.reshape(-1, size, size)

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

        Overwrites the loaded fields.

        Args:
            form, reduce: as in ``assemble``.
            reads: further functions that the form reads.
        """
        generic = np.random.default_rng(20220712)
        found: Any = False
        for _ in range(2):
            for function in (self._y, self._z, *reads):
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
