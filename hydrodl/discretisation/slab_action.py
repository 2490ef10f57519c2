"""The slab action H_h and all its derivatives.

    H_h(u, rho, phi) = cost(u, R) + sum_c [ V_c rho_c - <L(u) rho_c, phi_c> ]_h

is stated once, in UFL; what the sweeps assemble comes from ``ufl.derivative``. It falls into the cost, a functional
of y = (u, R), and for each class the carried part, a functional of z = (u, rho, phi). Both live in blocked spaces
over the nodes of V, so that one kernel gives a whole gradient and one gives every block of a Hessian. With the vertex
rule second derivatives are summed over corners instead of element matrices (``vertex_rule``), a tenth of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.discretisation.sparsity import Indices, Pattern
from hydrodl.discretisation.vertex_rule import Block, CornerForm, Corners
from hydrodl.mesh.domain import Domain
from hydrodl.physics.lagrangian import Lagrangian

Mask = NDArray[np.bool_]


Integrand = tuple[Any, fem.Function]
"""A UFL density and the function by which it is derived."""


class BlockForm(Protocol):
    """Blocks of a Hessian over this rank's local rows, from its own cells.

    Attributes:
        masks: for each group of blocks, which entries of a matrix on V can be nonzero.
    """

    masks: list[Mask]

    def bind(self, patterns: Sequence[Pattern]) -> None:
        """Patterns, one a group, in whose order ``assemble`` gives entries; they contain the masks."""

    def assemble(self) -> list[Floats]:
        """For every group an array (entries, blocks), at the fields now loaded."""
        ...


class ElementForm:
    """Blocks of a Hessian taken out of assembled element matrices; see :class:`BlockForm`."""

    def __init__(self, action: SlabAction, form: fem.Form, groups: Sequence[Sequence[Block]]) -> None:
        self._action, self._form, self._groups = action, form, groups
        found = action.nonzeros(form)
        self.masks = [np.any([found[:, a, b] for a, b in group], axis=0) for group in groups]
        self._patterns: Sequence[Pattern] = [action.pattern(np.ones_like(mask)) for mask in self.masks]

    def bind(self, patterns: Sequence[Pattern]) -> None:
        """See :class:`BlockForm`."""
        self._patterns = patterns

    def assemble(self) -> list[Floats]:
        """See :class:`BlockForm`."""
        data = self._action.assemble(self._form)
        return [
            np.stack([pattern.values(data[:, a, b]) for a, b in group], axis=1)
            for group, pattern in zip(self._groups, self._patterns, strict=True)
        ]


class SlabAction:
    """Forms of one slab and the functions they read.

    Components of y and z are numbered u_0 .. u_{d-1}, then R; u_0 .. u_{d-1}, then rho (``RHO``), then phi (``PHI``).

    Attributes:
        cost, cost_1, cost_2: the cost, its gradient and Hessian in y.
        carried_1, carried_2: gradient and Hessian of one class's carried part in z.
        generator: <L(u) w, v>; metric: d2 cost/du_0^2, the same for every component; mass: (w, v); all on V x V.
        potential_1: (V_c, v).
        cost_density, carried_density: the integrands with the functions they are derived by, for sums over corners.
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
        self.cost_density: Integrand = (physics.running_cost(ufl.as_vector(y[:d]), y[d]), self._y)
        transport = physics.transport(ufl.as_vector(z[:d]), z[d], z[d + 1], domain.edge_length)
        self.carried_density: Integrand = (-transport, self._z)
        self._compile(self.cost_density[0] * domain.dx, self.carried_density[0] * domain.dx)
        self._matrices = {1: fem.create_matrix(self.mass)}
        self._bound: dict[tuple[fem.Form, Pattern], tuple[CornerForm, Any]] = {}

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
        self.carried_1 = fem.form(D(carried, self._z))

        def along(component: int, size: int, argument: Any) -> Any:
            return ufl.as_vector([argument if i == component else ufl.zero() for i in range(size)])

        generator = D(D(-carried, self._z, along(self.PHI, d + 2, v)), self._z, along(self.RHO, d + 2, w))
        self.generator = fem.form(generator)
        self.metric = fem.form(D(D(cost, self._y, along(0, d + 1, v)), self._y, along(0, d + 1, w)))
        self.potential_1 = fem.form(self.potential * v * dx)
        self.mass = fem.form(w * v * dx)

    @cached_property
    def cost_2(self) -> fem.Form:
        """Hessian of the cost in y, as element matrices."""
        return fem.form(ufl.derivative(ufl.derivative(self.cost_density[0] * self.domain.dx, self._y), self._y))

    @cached_property
    def carried_2(self) -> fem.Form:
        """Hessian of one class's carried part in z, as element matrices."""
        return fem.form(ufl.derivative(ufl.derivative(self.carried_density[0] * self.domain.dx, self._z), self._z))

    @cached_property
    def _corners(self) -> Corners:
        matrix = self._matrices[1]
        return Corners(self.domain, (matrix.indptr, matrix.indices))

    def _at_corners(self, form: fem.Form) -> CornerForm:
        generator = -self.carried_density[0], self._z, [[(self.PHI, self.RHO)]]
        parts = {self.generator: generator, self.metric: (*self.cost_density, [[(0, 0)]])}
        return CornerForm(self._corners, *parts[form])

    def second_cost(self, groups: Sequence[Sequence[Block]]) -> BlockForm:
        """Blocks (a, b) of the cost's Hessian in y, in groups that share a sparsity pattern."""
        return self._second(self.cost_density, groups, lambda: self.cost_2)

    def second_carried(self, groups: Sequence[Sequence[Block]]) -> BlockForm:
        """Blocks (a, b) of the Hessian of one class's carried part in z, in groups that share a sparsity pattern."""
        return self._second(self.carried_density, groups, lambda: self.carried_2)

    def _second(self, density: Integrand, groups: Sequence[Sequence[Block]], form: Callable[[], fem.Form]) -> BlockForm:
        if self.domain.lumped:
            return CornerForm(self._corners, *density, groups)
        return ElementForm(self, form(), groups)

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

    def entries(self, form: fem.Form, pattern: Pattern) -> Floats:
        """Owned rows of the generator or the metric, reduced over ranks, in the order of their pattern.

        The same numbers as ``assemble`` gives, sooner where there is the vertex rule.
        """
        if not self.domain.lumped:
            return pattern.values(self.assemble(form, reduce=True))
        alone = self.domain.comm.size == 1
        if (form, pattern) not in self._bound:
            corners = self._at_corners(form)
            own = pattern if alone else self.pattern(corners.masks[0])
            corners.bind([own])
            self._bound[form, pattern] = corners, own.places
        corners, places = self._bound[form, pattern]
        values = corners.assemble()[0][:, 0]
        if alone:
            return values
        matrix = self._matrices[1]
        matrix.set_value(0.0)
        matrix.data[places] = values
        matrix.scatter_reverse()
        return matrix.data[pattern.places]

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
