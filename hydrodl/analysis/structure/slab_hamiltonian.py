"""The action of one slab as a UFL density, with all classes together, and what is recovered from nodal fields.

    A(u, r, phi, p) = - sum_c r_c (p_c - phi_c) + Delta H_h(u, r, theta phi + (1 - theta) p)
    H_h(u, r, q)    = cost(u, R) + sum_c [ V_c r_c - <L(u) r_c, q_c> ]

phi and p are the potentials below and above the slab, r its density; the space-time action is the sum of A over slabs.
The physics comes from ``Lagrangian``; every row and block below is a ``ufl.derivative`` of A.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.ghosts import Halo
from hydrodl.problem.flow import Flow


class SlabDensity:
    """Forms of A on the blocked space of y = (u, r_1 .. r_C, phi_1 .. phi_C, p_1 .. p_C), and the fields they read.

    Args:
        flow: what domain, physics, scheme and number of classes to take; its fields are not read.

    Attributes:
        size: d + 3 C, number of components of y.
        patch: chi, a cell-wise factor of the density and of all forms: 1 where a patch is, 0 elsewhere; 1 everywhere to
            begin with.
    """

    def __init__(self, flow: Flow) -> None:
        self.domain, self.halo = flow.domain, Halo(flow.domain)
        domain, mesh = flow.domain, flow.domain.mesh
        self.dimension, self.classes = domain.dimension, flow.density.shape[1]
        self.size = self.dimension + 3 * self.classes
        space = domain.space(self.size)
        self.state, self.direction = fem.Function(space), fem.Function(space)
        self.patch = fem.Function(fem.functionspace(mesh, ("DG", 0)))
        self.patch.x.array[:] = 1.0
        self._step, self._theta = fem.Constant(mesh, 1.0), fem.Constant(mesh, float(flow.theta))
        self._physics: Any = flow.lagrangian.on(mesh)
        self._potential = fem.Function(domain.space(self.classes))
        values = flow.lagrangian.potentials(domain.coordinates, self.classes)
        self._potential.x.array[:] = values.T.ravel()
        u, r, phi, p = self.parts(self.state)
        H = self._hamiltonian(u, r, self._theta * phi + (1 - self._theta) * p)
        self._energy = self.patch * H
        self._first = ufl.derivative(
            self.patch * (-ufl.inner(r, p - phi) + self._step * H) * self.domain.dx, self.state
        )

    # Compiled when first asked for, by all ranks: marching needs the rows alone, and each form takes up to a second.

    @cached_property
    def rows_1(self) -> fem.Form:
        """dA/dy."""
        return fem.form(self._first)

    @cached_property
    def rows_2(self) -> fem.Form:
        """(d2A/dy2) times ``direction``."""
        return fem.form(ufl.derivative(self._first, self.state, self.direction))

    @cached_property
    def energy(self) -> fem.Form:
        """H_h."""
        return fem.form(self._energy * self.domain.dx)

    @cached_property
    def energy_at(self) -> fem.Form:
        """H_h's density times each hat function."""
        return fem.form(self._energy * ufl.TestFunction(self.domain.V) * self.domain.dx)

    @cached_property
    def energy_along(self) -> fem.Form:
        """The derivative of ``energy_at`` along ``direction``."""
        hats = self._energy * ufl.TestFunction(self.domain.V) * self.domain.dx
        return fem.form(ufl.derivative(hats, self.state, self.direction))

    def parts(self, y: Any) -> list[Any]:
        """u, r, phi and p as UFL vectors."""
        components, d, C = ufl.split(y), self.dimension, self.classes
        ends = [0, d, d + C, d + 2 * C, d + 3 * C]
        return [ufl.as_vector(components[i:j]) for i, j in pairwise(ends)]

    def _hamiltonian(self, u: Any, r: Any, q: Any) -> Any:
        fields = ([vector[c] for c in range(self.classes)] for vector in (r, q, self._potential))
        return self._physics.hamiltonian(u, *fields, self.domain.edges)

    def load(self, function: fem.Function, fields: Floats) -> None:
        """Nodal values (d + 3 C, owned) into ``state`` or ``direction``, ghosts included."""
        function.x.array[:] = self.halo.with_ghosts(fields).T.ravel()

    def choose(self, cells: NDArray[np.bool_] | None) -> None:
        """Restrict every form to some of this rank's own cells (owned cells,), or to all of them with None."""
        values = self.patch.x.array
        values[:] = 1.0 if cells is None else 0.0
        if cells is not None:
            values[: len(cells)] = cells

    def set_step(self, step: float) -> None:
        """Load Delta_k."""
        self._step.value = step

    def vector(self, form: fem.Form) -> Floats:
        """Assembled rows of a linear form, summed over ranks: (components, owned), or (owned,) on V."""
        size = form.function_spaces[0].dofmap.index_map_bs
        out = np.zeros(size * self.halo.local)
        fem.assemble_vector(out, form)
        rows = np.ascontiguousarray(out.reshape(-1, size).T)
        self.halo.accumulate(rows)
        return rows[:, : self.halo.owned] if size > 1 else rows[0, : self.halo.owned]

    def hessian(self) -> fem.Form:
        """The form of d2A/dy2 as a matrix."""
        return fem.form(ufl.derivative(self._first, self.state))


def slab_states(flow: Flow) -> Floats:
    """y_k = (u_k, r_k, phi_k, p_k) of every slab, shape (N, d + 3 C, owned)."""
    return np.concatenate([flow.velocity, flow.slab_density, flow.potential[:-1], flow.upper_potential], axis=1)


class Recovery:
    """Nodal derivatives of nodal fields: M^-1 (d_i f, v) and -M^-1 (grad f, grad v), natural at the walls.

    On uniform boxes inside the walls these are centred differences.

    Attributes:
        action: the forms of the slab Hamiltonian; mass: products and solves with M.
    """

    def __init__(self, flow: Flow) -> None:
        domain = self.domain = flow.domain
        self.halo, self.action = Halo(domain), SlabAction(domain, flow.slab_lagrangian)
        self.mass = self.action.mass_matrix()
        self._field, v = fem.Function(domain.V), ufl.TestFunction(domain.V)
        f = self._field
        self._slopes = [fem.form(f.dx(i) * v * domain.dx) for i in range(domain.dimension)]
        self._stiffness = [fem.form(f.dx(i) * v.dx(i) * domain.dx) for i in range(domain.dimension)]

    def _duals(self, forms: list[fem.Form], fields: Floats) -> Floats:
        out = self.halo.stack(len(fields), len(forms))
        for m, values in enumerate(self.halo.with_ghosts(fields)):
            self._field.x.array[:] = values
            for i, form in enumerate(forms):
                fem.assemble_vector(out[m, i], form)
        self.halo.accumulate(out)
        return out[..., : self.halo.owned]

    def slope_duals(self, fields: Floats) -> Floats:
        """(d_i f, v) of fields (m, owned), shape (m, d, owned)."""
        return self._duals(self._slopes, fields)

    def gradients(self, fields: Floats) -> Floats:
        """M^-1 (d_i f, v) of fields (m, owned), shape (m, d, owned)."""
        return np.array([self.mass.solve(duals) for duals in self.slope_duals(fields)])

    def curvatures(self, fields: Floats) -> Floats:
        """-M^-1 (d_i f, d_i v) of fields (m, owned), shape (m, d, owned)."""
        return -np.array([self.mass.solve(duals) for duals in self._duals(self._stiffness, fields)])

    def laplacians(self, fields: Floats) -> Floats:
        """-M^-1 (grad f, grad v) of fields (m, owned), shape (m, owned)."""
        return self.curvatures(fields).sum(axis=1)

    def cost_slopes(self, flow: Flow) -> tuple[Floats, Floats]:
        """Momentum dl/du (N, d, owned) and dl/drho_c (N, C, owned) of every slab, as nodal fields.

        Without V and U where they act at layers: those are ``flow.layer_slopes``.
        """
        action, halo, d = self.action, self.halo, self.domain.dimension
        velocity, total = halo.with_ghosts(flow.velocity), halo.with_ghosts(flow.slab_density.sum(axis=1))
        out = halo.stack(len(velocity), d + 1)
        for k in range(len(velocity)):
            action.set_slab(velocity[k], total[k])
            out[k] = action.blocked_vector(action.cost_1)
        halo.accumulate(out)
        nodal = np.array([self.mass.solve(rows) for rows in out[..., : halo.owned]])
        points = self.domain.coordinates[: halo.owned]
        potentials = flow.slab_lagrangian.potentials(points, flow.density.shape[1])
        return nodal[:, :d], nodal[:, d:] + potentials[None]
