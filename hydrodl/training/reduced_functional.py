"""The reduced functional J_h(u) of velocities by nodes: what callers have, and what analysis and the Taylor tests take.

The work is in ``stack_functional``, where stacks are where the scheme has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.problem.problem import Problem
from hydrodl.training.stack_functional import StackFunctional


class ReducedFunctional:
    """J_h and its derivatives at controls u of shape (N, d, owned).

    Args:
        problem: of which; options: PETSc's for the slab operators and the control inner product.

    Attributes:
        own: the same for stacks where the scheme has them.

    Example:
        >>> functional = hd.ReducedFunctional(problem)
        >>> bool(np.isclose(functional.evaluate(solution.velocity), solution.objective))
        True
    """

    def __init__(self, problem: Problem, options: Mapping[str, Any] | None = None) -> None:
        self.own, self.problem = StackFunctional(problem, options), problem
        self.sweeps, self._stacks = self.own.sweeps, self.own.stacks

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (N, d, owned) of this rank's part of a control."""
        return len(self.problem.layers), self.problem.domain.dimension, self.problem.domain.owned

    @property
    def parts(self) -> Mapping[str, float]:
        """Parts of the objective last evaluated."""
        return self.own.parts

    @property
    def products(self) -> int:
        """Hessian products so far."""
        return self.own.products

    @property
    def restored(self) -> int:
        """How often slabs had to be built again for a Hessian product."""
        return self.own.restored

    def evaluate(self, velocity: Floats) -> float:
        """J_h(u); a repeated call at the same u costs nothing.

        Raises:
            SolverError: a density is not finite.
        """
        return self.own.evaluate(self._stacks.spread(velocity))

    def gradient(self, velocity: Floats) -> Floats:
        """dJ_h/du as a dual vector, shape (N, d, owned); the inner product moves to this point too."""
        return self._stacks.collect(self.own.gradient(self._stacks.spread(velocity)))

    def gradients(self, velocity: Floats) -> tuple[Floats, Floats]:
        """dJ_h/du and dJ_h/drho(0) as dual vectors, shapes (N, d, owned) and (C, owned): the data as controls too."""
        dual, data = self.own.gradients(self._stacks.spread(velocity))
        return self._stacks.collect(dual), data

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector (N, d, owned), P at the point of the last gradient."""
        return self._stacks.collect(self.own.precondition(self._stacks.spread(dual)))

    def metric_product(self, direction: Floats) -> Floats:
        """P times a direction (N, d, owned), a dual vector; P at the point of the last gradient."""
        return self._stacks.collect(self.own.metric_product(self._stacks.spread(direction)))

    def square(self, dual: Floats, rough: bool = False) -> float:
        """(g, P^-1 g), this rank's part; rough: to a percent, which is sooner had."""
        return self.own.square(self._stacks.spread(dual), rough)

    def norm(self, dual: Floats) -> float:
        """(g, P^-1 g)^(1/2), the norm of a dual vector in the control inner product, over all ranks."""
        square = summed(self.problem.domain.comm, self.square(dual))
        return float(np.sqrt(square)) if square >= 0 else np.inf  # also where it is not a number

    def linearise(self, velocity: Floats) -> None:
        """Assemble every second derivative of the action at u."""
        self.own.linearise(self._stacks.spread(velocity))

    def hessian_product(self, direction: Floats) -> Floats:
        """J_h''(u) direction at the point of the last ``linearise``, shape (N, d, owned).

        Raises:
            SolverError: called before ``linearise``.
        """
        return self._stacks.collect(self.own.response(self._stacks.spread(direction), {}).dual)

    def close(self) -> None:
        """Free the PETSc solvers; collective."""
        self.own.close()
