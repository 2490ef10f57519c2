"""How far a trained flow is from that of more layers, without training it: relative energy from one gradient.

The relative energy of a flow around the optimal one is what J has above its optimum, and in the control inner product
P, w sum_k Delta_k (R, |v|^2) <= (v, P v), the distance to an optimum near by is at most

    |u - u'|_P <= |g|_{P^-1} / lambda,      g the gradient of the deeper problem at u,

lambda > 0 the least eigenvalue of its Hessian on the way there. So the velocities of both make paths part by no more
than (T |g|^2/(w mass))^(1/2)/lambda in the mean square, to leading order. lambda is taken at the flow that is there,
and the limit of infinitely many layers by the scheme's order: an estimate, not a proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, sqrt
from typing import Any

from hydrodl.adaptivity.refined_problem import finer_layers, on_layers, velocity_on
from hydrodl.analysis.stability.bounds import Bound, at_least
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import POSITIVE
from hydrodl.problem.solution import Solution
from hydrodl.training.reduced_functional import ReducedFunctional

SOURCE = "Lasry, Lions (2007); Newton-Kantorovich: relative energy from the gradient in twice as many layers"


def deeper_flow(
    solution: Solution, curvature: float = 1.0, tolerance: float = 0.05, options: Mapping[str, Any] | None = None
) -> Bound:
    """How far paths are from those of the infinitely deep trained network, and the layers that bring it to a tolerance.

    Collective. One objective and one gradient in twice as many layers.

    Args:
        solution: trained, with kinetic > 0, and no neurons: more layers would draw others.
        curvature: lambda, the smallest eigenvalue of the Hessian in the control inner product; not positive says
            nothing.
        tolerance: in feature units; options: PETSc's, as in ``train``; those of the linear solvers are used.

    Raises:
        InputError: the kinetic weight is 0, neurons, or a tolerance that is not positive.

    Example:
        >>> bound = hd.deeper_flow(solution)
        >>> bound.name, bound.value > 0
        ('relative energy', True)
    """
    POSITIVE.check("tolerance", tolerance)
    problem, flow = solution.problem, solution.flow
    weight = float(problem.lagrangian.kinetic)
    if not weight > 0:
        raise InputError("kinetic is 0: the control inner product says nothing of the paths of the population")
    if solution.coefficients is not None:
        raise InputError("the velocity is made of neurons, which more layers would draw anew")
    deeper = on_layers(problem, finer_layers(problem.layers))
    given = {key: value for key, value in (options or {}).items() if not key.startswith("tao_")}
    functional = ReducedFunctional(deeper, given)
    try:
        velocity = velocity_on(flow, deeper.layers, problem.domain)
        functional.evaluate(velocity)
        size = functional.norm(functional.gradient(velocity))
    finally:
        functional.close()
    depth, mass, order = problem.layers.depth, float(problem.densities.masses.sum()), flow.scheme.order
    change = size * sqrt(depth / (weight * mass)) / curvature if curvature > 0 else inf
    limit = change / (1 - 0.5**order)
    return Bound(
        name="relative energy",
        value=limit,
        bound=tolerance,
        holds=limit <= tolerance,
        needs_layers=at_least(len(problem.layers) * max(limit / tolerance, 1e-300) ** (1 / order)),
        needs_nodes=None,
        inequality="(T/(w mass))^(1/2) |g|/lambda/(1 - 2^-order) <= tolerance",
        sufficient_only=True,
        source=SOURCE,
        note=f"an estimate: lambda = {curvature:.3g} at this flow, order {order} in layers",
    )
