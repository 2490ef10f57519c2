"""The reduced functional J_h(u): its gradient, Hessian products and the control inner product, for stacks.

gradient      g_k = Delta_k dH/du(u_k, r_k, q_k)                         one forward, one backward sweep
Hessian       one linearised forward and one linearised backward sweep with the factors at hand
inner product P_k = Delta_k ((w R_k + eps) M + alpha^2 K), block-diagonal over slabs and components
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parallel import smallest
from hydrodl.linear_algebra.solver_choice import EXACT
from hydrodl.physics.losses import Loss
from hydrodl.problem.problem import Problem
from hydrodl.solver.linearised_sweeps import Response, Tangent
from hydrodl.solver.sweeps import Sweeps
from hydrodl.training.inner_products import inner_product

_LEAST_DENSITY = 1e-12  # of the mean density, in the control inner product


@dataclass(eq=False)
class Point:
    """What is known of the functional at one velocity.

    Attributes:
        velocity: u, a copy that nobody changes.
        parts: of J, None until they are asked for; gradient: dJ/du, the same.
    """

    velocity: Floats
    parts: Mapping[str, float] | None = None
    gradient: Floats | None = None


class StackFunctional:
    """J_h and its derivatives at velocities where the scheme has its stacks, (slabs here, d, owned).

    Three points are kept apart: that of the fields in the sweeps, that of the slabs built last, that of the second
    derivatives. A Hessian product after a rejected trial step builds the slabs of its own point again first.

    Attributes:
        sweeps: the fields at the point last evaluated; stacks: where velocities are, and how they get there.
        metric: the control inner product.
        products: number of Hessian products so far; restored: how often slabs had to be built again for one.
    """

    def __init__(self, problem: Problem, options: Mapping[str, Any] | None = None) -> None:
        options = dict(options or {})
        self.problem = problem
        self.sweeps = sweeps = Sweeps(problem, options)
        self.stacks = sweeps.stacks
        self.products = self.restored = 0
        self._fields: Point | None = None
        self._built: Point | None = None
        self._linearised: Point | None = None
        self.tangent: Tangent | None = None
        self.metric = inner_product(problem, sweeps.action, sweeps.mass, options, sweeps.stacks)

    @contextmanager
    def inexact(self, accuracy: float) -> Iterator[None]:
        """Within, Krylov solves with slab operators and control inner product stop at this relative residual.

        For the inner iterations of Newton's method, which ask for little: densities, potentials, gradients and norms
        are exact. Nothing changes where solves are direct or the caller's options name an accuracy.
        """
        solvers = self.sweeps.transport, self.metric
        for solver in solvers:
            solver.solve_to(max(accuracy, EXACT))
        try:
            yield
        finally:
            for solver in solvers:
                solver.solve_to(EXACT)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (slabs here, d, owned) of this rank's part of a velocity."""
        return len(self.stacks.layers), self.problem.domain.dimension, self.stacks.owned

    @property
    def parts(self) -> Mapping[str, float]:
        """Parts of the objective last evaluated."""
        return {} if self._fields is None or self._fields.parts is None else self._fields.parts

    def evaluate(self, velocity: Floats) -> float:
        """J_h(u); a repeated call at the same u costs nothing.

        Raises:
            SolverError: a density is not finite.
        """
        point = self._at(velocity)
        if point.parts is None:
            self._build(point)
            point.parts = self.sweeps.objective()
        return sum(point.parts.values())

    def _at(self, velocity: Floats) -> Point:
        """The point of a velocity, its densities in the sweeps; collective."""
        known = (self._fields, self._built)
        same = np.array([p is not None and np.array_equal(p.velocity, velocity) for p in known])
        fields, built = smallest(self.problem.domain.comm, same)
        if fields and self._fields is not None:
            return self._fields
        point = self._built if built and self._built is not None else Point(velocity.copy())
        self._fields, point.parts, point.gradient = None, None, None
        self._build(point)
        self.sweeps.forward()
        self._fields = point
        return point

    def _build(self, point: Point) -> None:
        if self._built is not point:
            self._built = None
            self.sweeps.set_velocity(point.velocity)
            self._built = point

    def gradient(self, velocity: Floats) -> Floats:
        """dJ_h/du as a dual vector; the inner product moves to this point too."""
        self.evaluate(velocity)
        point = self._at(velocity)
        self._build(point)  # a Hessian product may have put the slabs of its own point in place
        if point.gradient is None:
            point.gradient = self._sweep_back({})
        return point.gradient.copy()

    def gradients(self, velocity: Floats) -> tuple[Floats, Floats]:
        """dJ_h/du and, by nodes, dJ_h/drho(0), (C, owned), as dual vectors: the data as controls too."""
        self.evaluate(velocity)
        point = self._at(velocity)
        self._build(point)
        first = np.zeros_like(self.problem.densities.values)
        point.gradient = self._sweep_back({0: first})
        return point.gradient.copy(), -first

    def _sweep_back(self, layers: Mapping[int, Floats]) -> Floats:
        """dJ/du of the fields at hand, the inner product moved there; M phi_j into ``layers``."""
        sweeps = self.sweeps
        out = sweeps.backward(layers)
        start = perf_counter()
        sweeps.transport.velocity_gradient(sweeps.velocity, sweeps.slab_density, sweeps.slab_potential, out)
        out *= sweeps.own_steps[:, None, None]
        sweeps.stacks.accumulate(out)
        # an inner product stays one where a scheme without maximum principle lets R turn negative, or R underflows
        least = _LEAST_DENSITY / self.problem.domain.volume
        self.metric.move(sweeps.velocity, np.maximum(sweeps.total, least), sweeps.steps)
        sweeps.seconds["assembly"] += perf_counter() - start
        return out[..., : sweeps.stacks.owned].copy()

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector, P at the point of the last gradient."""
        start = perf_counter()
        out = self.metric.solve(dual)
        self.sweeps.seconds["sweeps"] += perf_counter() - start
        return out

    def metric_product(self, direction: Floats) -> Floats:
        """P times directions (slabs here, m, owned), dual vectors; P at the point of the last gradient."""
        return self.metric.product(direction)

    def square(self, dual: Floats, rough: bool = False) -> float:
        """(g, P^-1 g), this rank's part; rough: to a percent, which is sooner had."""
        start = perf_counter()
        out = self.metric.square(dual, rough)
        self.sweeps.seconds["sweeps"] += perf_counter() - start
        return out

    def linearise(self, velocity: Floats) -> None:
        """Assemble every second derivative of the action at u."""
        self.gradient(velocity)
        start = perf_counter()
        if self.tangent is None:
            self.tangent = Tangent(self.sweeps)
        self.tangent.assemble()
        self._linearised = self._fields
        self.sweeps.seconds["assembly"] += perf_counter() - start

    def set_loss(self, number: int, loss: Loss) -> None:
        """Put a loss of the same kind and weight in the place of one, such as one with a new readout; collective."""
        self.sweeps.losses[number].set(loss)
        if self._fields is not None:
            self._fields.parts = self._fields.gradient = None

    def set_data(self, densities: Floats) -> None:
        """Put other densities (C, owned) at the first layer; what is linearised stays as it was; collective."""
        self.sweeps.set_data(densities)
        self._fields = None

    def response(self, direction: Floats, pulls: Mapping[int, Floats]) -> Response:
        """The Hessian product with a change of the velocity and of other controls, see ``Tangent.product``.

        Raises:
            SolverError: called before ``linearise``.
        """
        if self.tangent is None or self._linearised is None:
            raise SolverError("hessian_product needs a point: call linearise first")
        if self._built is not self._linearised:  # a trial step has been here since
            self._build(self._linearised)
            self.restored += 1
        self.products += 1
        return self.tangent.product(direction, pulls)

    def unread_options(self) -> list[str]:
        """Options for the linear solvers that PETSc has not asked for so far, with their prefixes."""
        return self.sweeps.transport.unread_options() + self.metric.unread_options()

    def close(self) -> None:
        """Free the PETSc solvers; collective."""
        self.sweeps.transport.close()
        self.metric.close()
