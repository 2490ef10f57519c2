"""The reduced functional J_h(u): its gradient, Hessian products and the control inner product, for arrays and PETSc.

gradient      g_k = Delta_k dH/du(u_k, r_k, q_k)                         one forward, one backward sweep
Hessian       one linearised forward and one linearised backward sweep with the factors at hand
inner product P_k = Delta_k ((w R_k + eps) M + alpha^2 K), block-diagonal over slabs and components
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.petsc_options import subset
from hydrodl.physics.losses import Loss
from hydrodl.physics.problem import Problem
from hydrodl.solver.layered_family import LayeredFamily, operator_family
from hydrodl.solver.linearised_sweeps import Tangent
from hydrodl.solver.operator_family import OperatorFamily
from hydrodl.solver.solver_choice import EXACT
from hydrodl.solver.sweeps import Sweeps

_LEAST_DENSITY = 1e-12  # of the mean density, in the control inner product


class ReducedFunctional:
    """J_h and its derivatives at controls u of shape (N, d, owned).

    The point last evaluated (``evaluate``) and the point of linearisation (``linearise``) are kept apart: a Hessian
    product after a rejected trial step restores the slab operators of its own point first.

    Attributes:
        sweeps: the fields at the point last evaluated.
        products: number of Hessian products so far; restored: how often operators had to be rebuilt for one.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> bool(np.isclose(functional.evaluate(solution.velocity), solution.objective))
        True
    """

    def __init__(self, problem: Problem, options: Mapping[str, Any] | None = None) -> None:
        options = dict(options or {})
        self.problem = problem
        self.sweeps = sweeps = Sweeps(problem, options)
        self.products = self.restored = 0
        self.parts: dict[str, float] = {}
        self._operators_at: Floats | None = None  # velocity whose slab operators are factored
        self._fields_at: Floats | None = None  # velocity whose densities are in the sweeps
        self._visit = self._linearised = 0  # numbers of the factored and of the linearised point
        self._have_potential = self._have_parts = False
        self._gradient: Floats | None = None  # at the point of the potentials
        self.tangent: Tangent | None = None
        action, domain = sweeps.action, problem.domain
        pattern = action.pattern(action.nonzeros(action.metric, reduce=True), reduce=True)
        self._metric_pattern = pattern
        self._metric_diagonal: Floats | None = None
        self._metric: OperatorFamily | LayeredFamily | None = None
        if pattern.diagonal:
            self._metric_diagonal = np.ones((len(problem.layers), 1, domain.owned))
        else:
            self._metric, _ = operator_family(
                domain,
                pattern,
                action.column_owners(),
                len(problem.layers),
                domain.dimension,
                options=subset(options, "metric_"),
                name="control inner product",
                symmetric=True,
                independent=True,
            )

    @contextmanager
    def inexact(self, accuracy: float) -> Iterator[None]:
        """Within, Krylov solves with slab operators and control inner product stop at this relative residual.

        For the inner iterations of Newton's method, which ask for little: densities, potentials, gradients and norms
        are exact. Nothing changes where solves are direct or the caller's options name an accuracy.
        """
        families = [self.sweeps.operators] + ([self._metric] if self._metric else [])
        for family in families:
            family.solve_to(max(accuracy, EXACT))
        try:
            yield
        finally:
            for family in families:
                family.solve_to(EXACT)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (N, d, owned) of this rank's part of a control."""
        return len(self.problem.layers), self.problem.domain.dimension, self.problem.domain.owned

    def evaluate(self, velocity: Floats) -> float:
        """J_h(u); a repeated call at the same u costs nothing.

        Raises:
            SolverError: a density is not finite.
        """
        if not self._same(self._fields_at, velocity):
            self._fields_at = None
            self._factor(velocity)
            self.sweeps.forward()
            self._fields_at = velocity.copy()
            self._have_potential = self._have_parts = False
        if not self._have_parts:
            self._factor(velocity)
            self.parts = self.sweeps.objective()
            self._have_parts = True
        return sum(self.parts.values())

    def _same(self, stored: Floats | None, velocity: Floats) -> bool:
        same = stored is not None and np.array_equal(stored, velocity)
        comm = self.problem.domain.comm
        return bool(comm.allreduce(int(same)) == comm.size)

    def _factor(self, velocity: Floats) -> None:
        if self._same(self._operators_at, velocity):
            return
        self._operators_at = None
        self.sweeps.set_velocity(velocity)
        self._operators_at = velocity.copy()
        self._visit += 1

    def gradient(self, velocity: Floats) -> Floats:
        """dJ_h/du as a dual vector, shape (N, d, owned); the inner product moves to this point too."""
        self.evaluate(velocity)
        sweeps = self.sweeps
        self._factor(velocity)  # a Hessian product may have put the operators of its own point in place
        if not self._have_potential:
            sweeps.backward()
            self._have_potential = True
        elif self._gradient is not None:
            return self._gradient.copy()
        start = perf_counter()
        action, total = sweeps.action, sweeps.total
        out = sweeps.halo.stack(*self.shape[:2])
        for k, step in enumerate(sweeps.steps):
            action.set_slab(sweeps.velocity[k], total[k])
            out[k] = action.blocked_vector(action.cost_1)[: action.dimension]
            for c in range(self.problem.classes):
                action.set_class(sweeps.slab_density[k, c], sweeps.slab_potential[k, c])
                out[k] += action.blocked_vector(action.carried_1)[: action.dimension]
            out[k] *= step
        sweeps.halo.accumulate(out)
        self._set_metric(total)
        sweeps.seconds["assembly"] += perf_counter() - start
        self._gradient = out[..., : sweeps.halo.owned].copy()
        return self._gradient.copy()

    def _set_metric(self, total: Floats) -> None:
        # an inner product stays one where a scheme without maximum principle lets R turn negative, or R underflows
        total = np.maximum(total, _LEAST_DENSITY / self.problem.domain.volume)
        action = self.sweeps.action
        for k, step in enumerate(self.sweeps.steps):
            action.set_slab(self.sweeps.velocity[k], total[k])
            values = action.entries(action.metric, self._metric_pattern) * step
            if self._metric is not None:
                self._metric.set(k, values)
            elif self._metric_diagonal is not None:
                self._metric_diagonal[k, 0] = values
        if self._metric is not None:
            self._metric.factor()

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector (N, d, owned), P at the point of the last gradient."""
        if self._metric_diagonal is not None:
            return dual / self._metric_diagonal
        assert self._metric is not None
        start = perf_counter()
        out = self._metric.solve_all(dual)
        self.sweeps.seconds["sweeps"] += perf_counter() - start
        return out

    def metric_product(self, direction: Floats) -> Floats:
        """P times a direction (N, d, owned), a dual vector; P at the point of the last gradient."""
        if self._metric_diagonal is not None:
            return direction * self._metric_diagonal
        assert self._metric is not None
        return np.array([self._metric.product(k, fields).copy() for k, fields in enumerate(direction)])

    def metric_gram(self, k: int, basis: Floats) -> Floats:
        """This rank's part of B P_k B^T for fields B (J, owned) as control of one component of slab k, shape (J, J)."""
        if self._metric_diagonal is not None:
            return (basis * self._metric_diagonal[k, 0]) @ basis.T
        assert self._metric is not None
        width = self.shape[1]
        padded = np.zeros((-(-len(basis) // width) * width, basis.shape[1]))
        padded[: len(basis)] = basis
        products = [self._metric.product(k, fields).copy() for fields in padded.reshape(-1, width, basis.shape[1])]
        return np.concatenate(products)[: len(basis)] @ basis.T

    def norm(self, dual: Floats) -> float:
        """(g, P^-1 g)^(1/2), the norm of a dual vector in the control inner product, over all ranks."""
        square = self.problem.domain.comm.allreduce(float((dual * self.precondition(dual)).sum()))
        return float(np.sqrt(square)) if square >= 0 else np.inf  # also where it is not a number

    def linearise(self, velocity: Floats) -> None:
        """Assemble every second derivative of the action at u."""
        self.gradient(velocity)
        start = perf_counter()
        if self.tangent is None:
            self.tangent = Tangent(self.sweeps)
        self.tangent.assemble()
        self._linearised_at, self._linearised = velocity.copy(), self._visit
        self.sweeps.seconds["assembly"] += perf_counter() - start

    def set_loss(self, number: int, loss: Loss) -> None:
        """Put a loss of the same kind and weight in the place of one, such as one with a new readout; collective."""
        self.sweeps.losses[number].set(loss)
        self._have_potential = False
        self._have_parts = False

    def hessian_product(self, direction: Floats, extra: Mapping[int, Floats] | None = None) -> Floats:
        """J_h''(u) direction at the point of the last ``linearise``, shape (N, d, owned).

        Args:
            direction: change of the velocity, (N, d, owned).
            extra: changes of dG/drho by other controls, see ``Tangent.product``.

        Raises:
            SolverError: called before ``linearise``.
        """
        if self.tangent is None:
            raise SolverError("hessian_product needs a point: call linearise first")
        if self._visit != self._linearised:  # a trial step has been here since
            self._factor(self._linearised_at)
            self._linearised = self._visit
            self.restored += 1
        self.products += 1
        return self.tangent.product(direction, extra)

    def unread_options(self) -> list[str]:
        """Options for the linear solvers that PETSc has not asked for so far, with their prefixes."""
        unread = ["slab_" + key for key in self.sweeps.operators.scope.unread()]
        return unread + (["metric_" + key for key in self._metric.scope.unread()] if self._metric else [])

    def close(self) -> None:
        """Free the PETSc solvers; collective."""
        self.sweeps.operators.destroy()
        if self._metric is not None:
            self._metric.destroy()
