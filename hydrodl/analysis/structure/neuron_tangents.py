"""Tangent solutions of networks of neurons: the momentum map holds for their coefficients, and not node by node.

A change dtheta of the controls changes the velocity by du = D dtheta, and tangent solutions have

    D^T F(D dtheta) + <g, d2u dtheta> + decay Delta dtheta = 0,

with F and g = dS/du of ``map_tangents``, instead of F(du) = 0. Between two layers the two-form changes by the sum over
nodes of du_V . F(du_W) - du_W . F(du_V), which then vanishes: the two-form is the same at every layer. On a patch the
sum goes over some of the nodes, and does not vanish: neurons obey no multisymplectic law in space.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from hydrodl.analysis.structure.map_law import MapLaw, random_parts
from hydrodl.analysis.structure.map_tangents import LEAST_DENSITY, MapTangents
from hydrodl.analysis.structure.multisymplectic_law import Multisymplecticity, random_data, two_form
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.analysis.structure.space_time_action import Tangent
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import summed
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.discretisation.stacks import gathered
from hydrodl.physics.neuron_derivatives import NeuronPoint
from hydrodl.problem.solution import Solution

REFINEMENTS, ENOUGH, WORST = 6, 1e-13, 1e-8
"""Solves for what the last one has left over; relative residuals at which no more is gained, and that are too large."""


RESTART, CYCLES = 200, 5
"""Of GMRES."""


class NeuronTangents(MapTangents):
    """The equations of neurons at a solution, linearised; every rank knows all controls."""

    def __init__(self, solution: Solution) -> None:
        super().__init__(solution.flow)
        control, hidden, outputs = solution.problem.control, solution.neurons, solution.coefficients
        assert control is not None and hidden is not None and outputs is not None
        domain, steps = self.flow.domain, self.flow.layers.steps
        self._point = NeuronPoint.of(hidden, outputs, domain.coordinates[: domain.owned])
        shapes = self._point.shapes
        self._rows = shapes.layers, shapes.each
        self._free = shapes.each if control.whole else shapes.dimension * shapes.width
        self._decay = control.decay * steps[:, None]
        self._exerted = self._momentum_map()
        self._inverses = np.linalg.inv(self._metric())
        self._none = np.zeros(self.flow.density.shape[1:])

    def _momentum_map(self) -> Floats:
        """g = dS/du at the solution, (N, d, owned)."""
        flow, stacks = self.flow, self.transport.stacks
        out, (u, r, q) = stacks.stack(flow.velocity.shape[1]), self.fields
        self.transport.velocity_gradient(u, r, q, out)
        cost = Recovery(flow).cost_slopes(flow)[0]
        rows = [self.transport.mass.apply(m) + g for m, g in zip(cost, gathered(stacks, out), strict=True)]
        return np.array(rows) * flow.layers.steps[:, None, None]

    def _metric(self) -> Floats:
        """Of every layer's free controls: the kinetic part of the inner product, and the decay."""
        flow, lagrangian = self.flow, self.flow.lagrangian
        total = np.maximum(flow.slab_density.sum(axis=1), LEAST_DENSITY / flow.domain.volume)
        weight = flow.layers.steps[:, None] * self.mass_product(np.ones((1, flow.domain.owned)))
        weight = (weight * (float(lagrangian.kinetic) * total + float(lagrangian.decay)))[:, None]
        found = self._point.gram(lambda stack: stack * weight, lambda table: summed(flow.domain.comm, table))
        found = found[:, : self._free, : self._free]
        small = self._decay.max() + 1e-10 * np.trace(found, axis1=1, axis2=2)
        return found + small[:, None, None] * np.eye(self._free)

    def _padded(self, x: Floats) -> Floats:
        out = np.zeros(self._rows)
        out[:, : self._free] = x.reshape(-1, self._free)
        return out.ravel()

    def equation(self, x: Floats, density: Floats, potential: Floats) -> tuple[Floats, Tangent]:
        """What controls x (N free,) leave in the equation, and the change of all fields; collective."""
        direction = self._padded(x)
        dual, tangent, _ = self.respond(self._point.change(direction), density, potential)
        local = self._point.pull_back(dual) + self._point.curvature(self._exerted, direction)
        left = summed(self.flow.domain.comm, local).reshape(self._rows)[:, : self._free]
        return (left + self._decay * x.reshape(-1, self._free)).ravel(), tangent

    def tangent(self, density: Floats, potential: Floats) -> Tangent:
        """The tangent solution of drho_0 and dphi_N, each (C, owned); collective.

        Raises:
            SolverError: the equations could not be solved.
        """
        size = self._rows[0] * self._free
        matrix = LinearOperator((size, size), lambda x: self.equation(x, self._none, self._none)[0])
        inverse = LinearOperator((size, size), self._precondition)
        x, first, missed = np.zeros(size), 0.0, 0.0
        for _ in range(REFINEMENTS):
            left, tangent = self.equation(x, density, potential)
            missed = float(np.linalg.norm(left))
            first = first or missed
            if missed <= ENOUGH * first:
                break
            x = x + gmres(matrix, -left, rtol=1e-10, restart=RESTART, maxiter=CYCLES, M=inverse)[0]
        if not missed <= WORST * first:
            raise SolverError(f"the neurons' tangent equations were solved to a residual of {missed / first:.1e} only")
        return tangent

    def _precondition(self, x: Floats) -> Floats:
        return np.einsum("kij,kj->ki", self._inverses, x.reshape(-1, self._free)).ravel()


def neuron_multisymplecticity(solution: Solution, *, patches: int = 8, seed: int = 0) -> Multisymplecticity:
    """The two-form at all layers, which is a law of neurons, and the sums on patches, which are not; collective.

    Args:
        solution: of a problem with neurons and a layer-map scheme.
        patches, seed: as in ``multisymplecticity``.

    Raises:
        InputError: a field control, or another scheme.
        SolverError: the tangent equations could not be solved.
    """
    flow = solution.flow
    if solution.neurons is None:
        raise InputError("this solution has no neurons: its control is the velocity at every node")
    if not isinstance(flow.scheme, LayerMapScheme):
        raise InputError("tangent solutions of neurons need a layer-map scheme, 'strang' or 'residual'")
    maps = NeuronTangents(solution)
    V, W = (maps.tangent(*random_data(flow, seed + j)) for j in range(2))
    law = MapLaw(maps, flow.scheme)
    return Multisymplecticity(law.sums(V, W, random_parts(law.elements, patches, seed)), *two_form(maps, V, W))
