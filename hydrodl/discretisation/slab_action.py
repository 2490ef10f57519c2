"""The slab action H_h and all its derivatives.

    H_h(u, rho, phi) = cost(u, R) + sum_c [ V_c rho_c - <L(u) rho_c, phi_c> ]_h

is stated once, in UFL; what the sweeps assemble comes from ``ufl.derivative``. It falls into the cost, a functional
of y = (u, R), and for each class the carried part, a functional of z = (u, rho, phi). Both live in blocked spaces
over the nodes of V, so that one kernel gives a whole gradient and one gives every block of a Hessian. With the vertex
rule second derivatives are summed over corners instead of element matrices (``vertex_rule``), a tenth of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import ufl
from dolfinx import fem

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.assembly import Mask, NodeAssembler
from hydrodl.discretisation.edge_slots import EdgeSlots
from hydrodl.discretisation.second_derivatives import Groups
from hydrodl.discretisation.vertex_rule import CornerForm, Corners
from hydrodl.linear_algebra.sparsity import Pattern
from hydrodl.mesh.domain import Domain
from hydrodl.physics.lagrangian import Lagrangian

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

    def __init__(self, action: SlabAction, form: fem.Form, groups: Groups) -> None:
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


class SlabAction(NodeAssembler):
    """Forms of one slab and the functions they read.

    Components of y and z are numbered u_0 .. u_{d-1}, then R; u_0 .. u_{d-1}, then rho (``RHO``), then phi (``PHI``).

    Attributes:
        mass: (w, v), on V x V; potential: V_c; potential_1: (V_c, v).
    """

    def __init__(self, domain: Domain, lagrangian: Lagrangian) -> None:
        super().__init__(domain)
        d = self.dimension = domain.dimension
        self.R = self.RHO = d
        self.PHI = d + 1
        self.potential = fem.Function(domain.V)
        self._physics = lagrangian.resolved(domain.lumped).on(domain.mesh)
        self.potential_1 = fem.form(self.potential * ufl.TestFunction(domain.V) * domain.dx)

    # Made when first asked for, by all ranks: a scheme needs some of them, and each takes a few milliseconds or more.

    @cached_property
    def _y(self) -> fem.Function:
        return self.blocked(self.dimension + 1)

    @cached_property
    def _z(self) -> fem.Function:
        return self.blocked(self.dimension + 2)

    @cached_property
    def cost_density(self) -> Integrand:
        """Of the cost, and y."""
        y, d = ufl.split(self._y), self.dimension
        return self._physics.running_cost(ufl.as_vector(y[:d]), y[d]), self._y

    @cached_property
    def carried_density(self) -> Integrand:
        """Of one class's carried part, and z."""
        z, d = ufl.split(self._z), self.dimension
        return -self._physics.transport(ufl.as_vector(z[:d]), z[d], z[d + 1], self.domain.edges), self._z

    @cached_property
    def cost(self) -> fem.Form:
        """The cost."""
        return fem.form(self.cost_density[0] * self.domain.dx)

    @cached_property
    def cost_1(self) -> fem.Form:
        """Gradient of the cost in y."""
        return fem.form(ufl.derivative(self.cost_density[0] * self.domain.dx, self._y))

    @cached_property
    def carried_1(self) -> fem.Form:
        """Gradient of one class's carried part in z."""
        return fem.form(ufl.derivative(self.carried_density[0] * self.domain.dx, self._z))

    @cached_property
    def generator(self) -> fem.Form:
        """<L(u) w, v>."""
        return self._second_form(-self.carried_density[0], self._z, self.PHI, self.RHO)

    @cached_property
    def metric(self) -> fem.Form:
        """d2 cost/du_0^2 at R >= 0, the same for every component."""
        y, d = ufl.split(self._y), self.dimension
        # an inner product stays one where densities that are positive at nodes are negative between them
        seen = ufl.max_value(y[d], 0.0) if self.domain.degree > 1 else y[d]
        return self._second_form(self._physics.running_cost(ufl.as_vector(y[:d]), seen), self._y, 0, 0)

    def _second_form(self, density: Any, state: fem.Function, row: int, column: int) -> fem.Form:
        """The second derivative of an integral in two components of a state, on V x V."""
        v, w = ufl.TestFunction(self.domain.V), ufl.TrialFunction(self.domain.V)
        size = len(ufl.split(state))

        def along(component: int, argument: Any) -> Any:
            return ufl.as_vector([argument if i == component else ufl.zero() for i in range(size)])

        first = ufl.derivative(density * self.domain.dx, state, along(row, v))
        return fem.form(ufl.derivative(first, state, along(column, w)))

    @cached_property
    def cost_2(self) -> fem.Form:
        """Hessian of the cost in y, as element matrices."""
        return fem.form(ufl.derivative(ufl.derivative(self.cost_density[0] * self.domain.dx, self._y), self._y))

    @cached_property
    def carried_2(self) -> fem.Form:
        """Hessian of one class's carried part in z, as element matrices."""
        return fem.form(ufl.derivative(ufl.derivative(self.carried_density[0] * self.domain.dx, self._z), self._z))

    @cached_property
    def corners(self) -> Corners:
        """The corners of this rank's cells, for sums under the vertex rule."""
        return Corners(self.domain, self.structure)

    @cached_property
    def carried_sum(self) -> tuple[Corners, Integrand]:
        """Where the carried part is summed under the vertex rule, and its density there."""
        if not self._physics.fitted or self.domain.edges.slanting:
            return self.corners, self.carried_density
        edges = EdgeSlots(self.domain, self.structure, self._z)
        u = list(range(self.dimension))
        return edges, (-self._physics.transport(u, self.RHO, self.PHI, edges), edges.slots)

    def second_cost(self, groups: Groups) -> BlockForm:
        """Blocks (a, b) of the cost's Hessian in y, in groups that share a sparsity pattern."""
        if self.domain.lumped:
            return CornerForm(self.corners, *self.cost_density, groups)
        return ElementForm(self, self.cost_2, groups)

    def second_carried(self, groups: Groups) -> BlockForm:
        """Blocks (a, b) of the Hessian of one class's carried part in z, in groups that share a sparsity pattern."""
        if self.domain.lumped:
            corners, integrand = self.carried_sum
            return CornerForm(corners, *integrand, groups)
        return ElementForm(self, self.carried_2, groups)

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

    def nonzeros(self, form: fem.Form, *, reduce: bool = False, reads: Sequence[fem.Function] = ()) -> Mask:
        """As for any assembler, of a form that may read the slab's fields as well."""
        return super().nonzeros(form, reduce=reduce, reads=[self._y, self._z, *reads])


class OperatorEntries:
    """Owned rows of the generator or of the metric, in the order of a pattern, reduced over ranks.

    With the vertex rule they are summed over corners: the same numbers as ``assemble`` gives, sooner.

    Args:
        action: whose fields are read; form: ``action.generator`` or ``action.metric``.
        also: entries that the pattern of the owned rows has beside the form's own.
    """

    def __init__(self, action: SlabAction, form: fem.Form, also: Mask | None = None) -> None:
        self._action, self._form = action, form
        self._corners = self._sum() if action.domain.lumped else None
        kept = self._nonzeros() if also is None else self._nonzeros() | also
        self.pattern = action.pattern(kept, reduce=True)
        if self._corners is None:
            return
        self._own = self.pattern if action.domain.comm.size == 1 else action.pattern(self._corners.masks[0])
        self._corners.bind([self._own])

    def _sum(self) -> CornerForm:
        action = self._action
        if self._form is not action.generator:
            return CornerForm(action.corners, *action.cost_density, [[(0, 0)]])
        corners, (density, state) = action.carried_sum
        return CornerForm(corners, -density, state, [[(action.PHI, action.RHO)]])

    def _nonzeros(self) -> Mask:
        action = self._action
        if self._corners is None:
            return action.nonzeros(self._form, reduce=True)
        places = np.flatnonzero(self._corners.masks[0])
        return action.reduced(places, np.ones(len(places))) != 0

    def __call__(self) -> Floats:
        """The entries at the fields now loaded, valid until the next call; collective."""
        if self._corners is None:
            return self.pattern.values(self._action.assemble(self._form, reduce=True))
        values = self._corners.assemble()[0][:, 0]
        if self._own is self.pattern:
            return values
        return self._action.reduced(self._own.places, values)[self.pattern.places]
