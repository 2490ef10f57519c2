"""J around a trained network: what the analyses of training ask of it, whatever is trained.

At the solution stand the second derivatives and the control inner product, which never move; a functional of its own
finds gradients at points nearby, with the same data or with others.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import everywhere, summed
from hydrodl.linear_algebra.conjugate_gradients import conjugate_gradients
from hydrodl.problem.solution import Controls, Solution
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.reduced_functional import ReducedFunctional

LINEAR = ("slab_", "metric_")  # the prefixes of the linear solvers' options


class Neighbourhood:
    """The reduced functional around a solution, of velocity, neurons and readout alike; all methods collective.

    Controls are flat local vectors x, data are the densities rho_c(0) at the owned nodes, (C, owned). Lengths: that of
    a control in the control inner product P of the solution; that of a change of the data is

        |delta|^2 = sum_c int delta_c^2 / w dx,    w = (R(0) + its mean)/2,

    which is at most 2 f where other labels go to no more than a share f of the mass at any place.

    Args:
        solution: trained; its control inner product and second derivatives are those used.
        options: PETSc's options of its linear solvers, "slab_..." and "metric_...".

    Attributes:
        point: the controls x* of the solution; comm: the ranks that share them.

    Raises:
        SolverError: a density is not finite.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     found = hd.analysis.spectrum(near, comm=near.comm, largest=False)
        >>> bool(found.smallest > 0)
        True
    """

    def __init__(self, solution: Solution, options: Mapping[str, Any] | None = None) -> None:
        problem = solution.problem
        self.comm, self.solution = problem.domain.comm, solution
        linear = {key: value for key, value in (options or {}).items() if key.startswith(LINEAR)}
        with ExitStack() as stack:
            self._still, self._moving = (ControlledFunctional(ReducedFunctional(problem, linear)) for _ in range(2))
            for functional in (self._still, self._moving):
                stack.callback(functional.reduced.close)
            self.point = self._still.flat(solution.controls)
            self._still.linearise(self.point)
            self._open = stack.pop_all()
        self._data = problem.densities.values
        total = np.maximum(self._data.sum(axis=0), 0.0)
        self._mass = self._still.own.sweeps.mass
        self._root = np.sqrt((total + float(self._mass.integrals(total[None])[0]) / problem.domain.volume) / 2)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of this rank's part of the controls."""
        return self._still.shape

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Of this rank's part of the data, (C, owned)."""
        return self._data.shape

    @property
    def products(self) -> int:
        """Hessian products so far."""
        return self._still.own.products

    def hessian_product(self, direction: Floats) -> Floats:
        """J''(x*) direction."""
        return self._still.hessian_product(direction)

    def metric_product(self, direction: Floats) -> Floats:
        """P direction."""
        return self._still.metric_product(direction)

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 dual."""
        return self._still.precondition(dual)

    def gradients(self, step: Floats | None = None, change: Floats | None = None) -> tuple[Floats, Floats]:
        """dJ/dx and dJ/drho(0), dual vectors, at x* + step with the data changed by ``change``.

        Raises:
            SolverError: a density is not finite there.
        """
        self._moving.own.set_data(self._data if change is None else self._data + change)
        return self._moving.gradients(self.point if step is None else self.point + step)

    def newton_step(self, step: Floats, accuracy: float = 1e-12) -> Floats:
        """Where Newton's method without line search goes from x* + step, less x*; CG to a relative residual.

        Raises:
            SolverError: CG meets negative curvature, or does not reach the accuracy.
        """
        moving = self._moving
        moving.own.set_data(self._data)
        moving.linearise(self.point + step)
        slope = moving.gradient(self.point + step)
        return step - conjugate_gradients(self.comm, moving.hessian_product, self.precondition, slope, accuracy)

    def solve(self, dual: Floats, accuracy: float = 1e-10) -> Floats:
        """J''(x*)^-1 dual by CG, to a relative residual.

        Raises:
            SolverError: J''(x*) is not positive, or the accuracy is not reached.
        """
        return conjugate_gradients(self.comm, self.hessian_product, self.precondition, dual, accuracy)

    def rough(self) -> Floats:
        """A dual vector with a bit of everything in it, the same for any number of ranks."""
        return self._still.rough(self.point)

    def length(self, direction: Floats) -> float:
        """(v, P v)^(1/2)."""
        return float(np.sqrt(max(self.dot(direction, self.metric_product(direction)), 0.0)))

    def dual_length(self, dual: Floats) -> float:
        """(g, P^-1 g)^(1/2)."""
        return float(np.sqrt(max(self.dot(dual, self.precondition(dual)), 0.0)))

    def data_length(self, change: Floats) -> float:
        """|delta|."""
        return float(np.sqrt(self.data_dot(change, change)))

    def data_dot(self, change: Floats, other: Floats) -> float:
        """The inner product that belongs to |delta|."""
        return self.dot(change / self._root, self._mass.apply(other / self._root))

    def data_direction(self, dual: Floats) -> Floats:
        """The change of the data that a dual vector stands for in the inner product of |delta|."""
        return self._root * self._mass.solve(self._root * dual)

    def dot(self, dual: Floats, primal: Floats) -> float:
        """Sum of products over all ranks."""
        return float(summed(self.comm, float((dual * primal).sum())))

    def step_to(self, controls: Controls) -> Floats:
        """x - x* of other controls.

        Raises:
            InputError: they do not fit the problem.
        """
        return self._still.flat(controls) - self.point

    def controls(self, step: Floats) -> Controls:
        """Those of x* + step."""
        return self._still.controls(self.point + step)

    def change_to(self, densities: Floats) -> Floats:
        """delta to other data (C, owned).

        Raises:
            InputError: another shape, or not finite.
        """
        given = np.asarray(densities, dtype=float)
        if not everywhere(self.comm, given.shape == self.data_shape and bool(np.isfinite(given).all())):
            raise InputError(f"densities have shape {given.shape}, must be finite and {self.data_shape} on this rank")
        return given - self._data

    def close(self) -> None:
        """Free the PETSc solvers."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
