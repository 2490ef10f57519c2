"""Plain descent in the control inner product: u <- u - s P^-1 dJ/du with one step s, and nothing to save it.

TAO's methods search along lines or keep to trust regions, so that they converge whatever the step. This one shows what
its step does: near a minimum it converges exactly when s < 2 / lambda_n, the largest eigenvalue of the Hessian in the
control inner product (``analysis.step_limit``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydrodl.common.errors import SolverError
from hydrodl.common.parameters import COUNT, POSITIVE, Number
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls
from hydrodl.training.controlled_functional import ControlledFunctional
from hydrodl.training.reduced_functional import ReducedFunctional

TOLERANCE = Number(1e-7, least=0)


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent went.

    Attributes:
        step: s.
        objective: J before the first step and after every one; gradient_norm: the same, in the control inner product.
        controls: the last point.
        converged: did the gradient norm pass the tolerance; reason: why it ended, in words.

    Example:
        >>> descent = hd.descend(problem, step=0.2, steps=3)
        >>> descent.objective[-1] < descent.objective[0], descent.converged
        (True, False)
    """

    step: float
    objective: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    controls: Controls
    converged: bool
    reason: str


def descend(
    problem: Problem,
    step: float,
    *,
    steps: int = 100,
    initial: Controls | None = None,
    tolerance: float = TOLERANCE.default,
) -> Descent:
    """u <- u - s P^-1 dJ/du, P the control inner product where u is; collective.

    Args:
        problem: what to solve.
        step: s > 0, nondimensional: 1 would be Newton's step if nothing but the velocity's own cost mattered.
        steps: the most of them.
        initial: where to start; by default the identity network.
        tolerance: on the gradient norm.

    Returns:
        the last point, also where the descent ran away: then ``converged`` is False and ``reason`` says so.

    Raises:
        InputError: a number out of range, or controls that do not fit the problem.
        SolverError: the objective is not finite at the start.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     step = hd.analysis.step_limit(near).best
        >>> hd.descend(problem, step, initial=hd.Controls(solution.velocity)).converged
        True
    """
    POSITIVE.check("step", step)
    COUNT.check("steps", steps)
    TOLERANCE.check("tolerance", tolerance)
    functional = ReducedFunctional(problem)
    try:
        return _descend(ControlledFunctional(functional), step, steps, initial, tolerance)
    finally:
        functional.close()


def _descend(
    functional: ControlledFunctional, step: float, steps: int, initial: Controls | None, tolerance: float
) -> Descent:
    x = functional.flat(initial)
    objective, norms, reason = [functional.evaluate(x)], [np.inf], ""
    if not np.isfinite(objective[0]):
        raise SolverError(f"the objective is {objective[0]} at the starting velocity")
    norms = [functional.norm(gradient := functional.gradient(x))]
    while not (converged := norms[-1] <= tolerance) and len(norms) <= steps:
        trial = x - step * functional.precondition(gradient)
        try:
            value, gradient = functional.evaluate(trial), functional.gradient(trial)
        except SolverError as error:
            reason = f"runs away: {error}"
            break
        if not np.isfinite(value):
            reason = "runs away: the objective is not finite"
            break
        x = trial
        objective.append(value)
        norms.append(functional.norm(gradient))
    reason = reason or ("gradient norm below the tolerance" if converged else f"limit of {steps} steps reached")
    return Descent(step, tuple(objective), tuple(norms), functional.controls(x), bool(converged), reason)
