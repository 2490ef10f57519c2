"""Tangent solutions of the layer-map schemes: the linearised sweeps, and the change of the velocity that they ask for.

Given changes of rho_0 and of phi_N, a change du of the velocity brings about changes of all densities and potentials by
one linearised sweep each way, and they leave

    F(du) = d/de [ Delta dl/du - Delta sum_c M r_c grad (Pi q_c)(x + Delta u) ]

in the momentum map. Tangent solutions have F(du) = 0, a linear system whose matrix is the second derivative of the
action along the sweeps. It is solved by GMRES, without a matrix, in the control inner product: the linearised sweeps
need no factorisation, so that a flow of any size can be taken whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from petsc4py import PETSc

from hydrodl.analysis.structure.space_time_action import Tangent, check_data
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.petsc_options import OptionScope
from hydrodl.discretisation.slab_action import OperatorEntries
from hydrodl.discretisation.stacks import gathered, placed
from hydrodl.linear_algebra.layered_family import operator_family
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.problem.flow import Flow

DEFAULTS: dict[str, Any] = {"ksp_type": "gmres", "ksp_rtol": 1e-12, "ksp_max_it": 600, "ksp_gmres_restart": 100}

REFINEMENTS = 4  # solves for what the last one has left over: rounding is asked for
ENOUGH = 1e-14  # relative residual at which no more is gained

LEAST_DENSITY = 1e-12  # of the mean density, in the inner product


class MapTangents:
    """The equations of a flow of a layer-map scheme, linearised at its fields.

    Attributes:
        flow: where; transport: its slabs, velocity set; fields: u, r and q where those are.
        bent: U''(R) at layers where it acts there, else 0, (N + 1, 1, owned).
    """

    def __init__(self, flow: Flow) -> None:
        self.flow, steps = flow, flow.layers.steps
        domain, (slabs, dim), classes = flow.domain, flow.velocity.shape[:2], flow.density.shape[1]
        self._classes = classes
        self.transport = flow.scheme.transport(domain, flow.lagrangian, slabs, classes, {})
        stacks = self.transport.stacks
        self.fields = [placed(stacks, f) for f in (flow.velocity, flow.slab_density, flow.slab_potential)]
        self.transport.set_velocity(self.fields[0], steps)
        self.coupling = self.transport.coupling(slabs, classes)
        self.coupling.assemble(*self.fields)
        cost = flow.layer_cost
        self.bent = np.zeros((slabs + 1, 1, domain.owned)) if cost is None else cost.curvatures(flow.density)[:, None]
        self._dual, self._source, self._response = (stacks.stack(m) for m in (dim, 2 * classes, 2 * classes))

    def respond(self, velocity: Floats, density: Floats, potential: Floats) -> tuple[Floats, Tangent, Floats]:
        """F(du) as a dual vector (N, d, owned), the changes of all fields, and the change of dH/drho (N, C, owned).

        Args:
            velocity: du, (N, d, owned); density: drho_0; potential: dphi_N, both (C, owned).
        """
        transport, C, slabs = self.transport, self._classes, len(velocity)
        stacks, mass = transport.stacks, transport.mass
        owned = stacks.owned
        direction = placed(stacks, velocity)
        self.coupling.apply(direction, self._source)
        stacks.accumulate(self._source)
        source, response = self._source[..., :owned], self._response[..., :owned]
        above = {k: np.zeros_like(density) for k in range(1, slabs + 1)}
        below = {k: np.zeros_like(density) for k in range(slabs)}
        transport.march.forward(density, source[:, :C], response[:, C:], above)
        self._add_energy(source, response)
        densities = np.stack([density, *(above[k] for k in sorted(above))])
        bent = self.bent * densities.sum(axis=1, keepdims=True)  # the change of V + U' at layers
        weighted = [w * mass.apply(f) for w, f in zip(self.flow.layers.weights[1:], bent[1:], strict=True)]
        kicks = None if self.flow.layer_cost is None else np.repeat(stacks.spread(np.array(weighted)), C, axis=1)
        ends = {slabs: -mass.apply(potential)}
        transport.march.backward(source[:, C:], ends, response[:, :C], below, kicks=kicks)
        stacks.update(self._response)
        self.coupling.transposed(self._response, direction, self._dual)
        dual = gathered(stacks, self._dual) * self.flow.layers.steps[:, None, None]
        steps = self.flow.layers.steps
        potentials = np.stack([*(mass.solve(below[k]) - steps[k] / 2 * bent[k] for k in sorted(below)), potential])
        changes, slopes = (stacks.collect(stack[:, C:]).copy() for stack in (response, source))
        return dual, Tangent(velocity.copy(), changes, densities, potentials), slopes

    def mass_product(self, fields: Floats) -> Floats:
        """M times fields (C, owned)."""
        return self.transport.mass.apply(fields)

    def _add_energy(self, source: Floats, response: Floats) -> None:
        """U''(R) dR joins the sources of every class."""
        if self.coupling.energy is None:
            return
        stacks = self.transport.stacks
        given, out = stacks.stack(1), stacks.stack(1)
        given[:, 0, : stacks.owned] = response[:, self._classes :].sum(axis=1)
        stacks.update(given)
        self.coupling.energy.apply(given, out)
        stacks.accumulate(out)
        source[:, self._classes :] += out[..., : stacks.owned]

    def tangents(
        self, data: Sequence[tuple[Floats, Floats]], options: Mapping[str, Any] | None = None
    ) -> tuple[Tangent, ...]:
        """Tangent solutions with given changes of the initial density and of phi_N, one Krylov solve each; collective.

        Args:
            data: pairs (drho0, dphi_N), each (C, owned).
            options: PETSc's options for the KSP of the change of the velocity.

        Raises:
            InputError: data of another shape, or not finite.
            SolverError: the linear solve failed, as at a conjugate point of a flow that is no strict minimum.
        """
        check_data(self.flow, data)
        solve = _VelocitySolver(self, options)
        try:
            return tuple(solve(density, potential) for density, potential in data)
        finally:
            solve.close()


class _VelocitySolver:
    """F(du) = 0 by a Krylov method, preconditioned by the control inner product at the flow's densities."""

    def __init__(self, system: MapTangents, options: Mapping[str, Any] | None) -> None:
        self._system, self._shape = system, system.flow.velocity.shape
        self._none = np.zeros(system.flow.density.shape[1:])
        self._comm = comm = system.flow.domain.comm
        self._set_metric()
        size = (int(np.prod(self._shape)), None)
        self._matrix = PETSc.Mat().createPython((size, size), context=self, comm=comm)
        self._scope = OptionScope("tangent", DEFAULTS | dict(options or {}))
        self._ksp = PETSc.KSP().create(comm)
        self._ksp.setOperators(self._matrix)
        self._ksp.getPC().setType(PETSc.PC.Type.PYTHON)
        self._ksp.getPC().setPythonContext(self)
        self._scope.apply(self._ksp)

    def _set_metric(self) -> None:
        flow, action = self._system.flow, self._system.transport.action
        entries, slabs = OperatorEntries(action, action.metric), len(flow.layers)
        velocity, density = (with_ghosts(flow.domain, stack) for stack in (flow.velocity, flow.slab_density))
        total = np.maximum(density.sum(axis=1), LEAST_DENSITY / flow.domain.volume)
        values = []
        for k, step in enumerate(flow.layers.steps):
            action.set_slab(velocity[k], total[k])
            values.append(step * entries())
        self._diagonal, self._family = np.array(values)[:, None], None
        if entries.pattern.diagonal:
            return
        self._family, _ = operator_family(
            flow.domain,
            entries.pattern,
            action.column_owners(),
            slabs,
            flow.domain.dimension,
            options={},
            name="inner product",
            symmetric=True,
            independent=True,
        )
        for k, row in enumerate(values):
            self._family.set(k, row)
        self._family.factor()

    def mult(self, _: Any, x: Any, y: Any) -> None:
        """The matrix."""
        y.array[:] = self._system.respond(x.array_r.reshape(self._shape), self._none, self._none)[0].ravel()

    def apply(self, _: Any, x: Any, y: Any) -> None:
        """The preconditioner."""
        dual = np.ascontiguousarray(x.array_r.reshape(self._shape))
        y.array[:] = (dual / self._diagonal if self._family is None else self._family.solve_all(dual)).ravel()

    def __call__(self, density: Floats, potential: Floats) -> Tangent:
        """The tangent solution of these data."""
        x, left = self._matrix.createVecs()
        velocity = np.zeros(self._shape)
        first = missed = 0.0
        for _ in range(REFINEMENTS + 1):
            dual, tangent, _ = self._system.respond(velocity, density, potential)
            left.array[:] = -dual.ravel()
            missed = left.norm()
            first = first or missed
            if missed <= ENOUGH * first:
                break
            self._ksp.solve(left, x)
            velocity = velocity + x.array_r.reshape(self._shape)
        x.destroy()
        left.destroy()
        if not missed <= 1e-9 * first:
            raise SolverError(f"the tangent equations were solved to a relative residual of {missed / first:.1e} only")
        return tangent

    def close(self) -> None:
        """Free the PETSc objects; collective."""
        if self._family is not None:
            self._family.destroy()
        self._ksp.destroy()
        self._matrix.destroy()
        self._scope.close()
