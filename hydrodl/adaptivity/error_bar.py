"""J with an error bar: how far it is from J of the infinitely deep network on the infinitely fine mesh.

J is stationary in the velocity. So J of the solution's own velocity on a mesh twice as fine, and then in twice the
layers too, is J of the solution there to second order in the change of the velocity; and what one step of descent in
the control inner product would still gain, g^2/2, is that second order to leading order. Two objectives and two
gradients, no training:

    J_0 at (N, h),    J_1 = J - g^2/2 at (N, h/2),    J_2 = J - g^2/2 at (2 N, h/2)

First the nodes, since the splines of layer maps want more of them for more layers. With F what noise beyond nu adds and
A what layers add to first order (``analysis.backward_error.objective_error``), both by formula on the fields at hand,

    nodes   4/3 (J_0 - J_1 - F_0 + F_1)                                    of second order
    layers  A + 4/3 (J_1 - J_2 - F_1 + F_2 - A/2)                          of first and second order
    noise   F_0

add up to J_0 - J. The bar is the size of that sum and what may be wrong with it: half of what was not measured but
extrapolated for the layers, the same for the nodes, and half of g^2/2, as the root of the sum of squares. Densities and
targets are those given, as smooth functions: what a density estimate on finer nodes would make of the samples is not
looked at, unless ``problem_on`` makes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hydrodl.adaptivity.refined_problem import finer_domain, finer_layers, on_domain, on_layers, velocity_on
from hydrodl.analysis.backward_error.objective_error import noise_error, objective_error
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.problem.flow import Flow
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution
from hydrodl.training.reduced_functional import ReducedFunctional

_SECOND = 4 / 3
"""Over the change from a step to half of it: an error of second order."""


@dataclass(frozen=True)
class ErrorBar:
    """What layers, nodes and noise add to J: J_h less J of the infinitely deep, infinitely fine problem.

    Attributes:
        objective: J_h; layers, nodes, noise: what each adds, with sign; nodes is 0 where the mesh cannot be refined.
        doubt: what may be wrong with their sum; measured: the part of the sum that was measured, the rest follows from
            orders.

    Example:
        >>> bar = hd.error_bar(solution)
        >>> bar.total > abs(solution.objective - bar.extrapolated), bar.noise > 0  # 13 x 13 nodes are few
        (True, True)
    """

    objective: float
    layers: float
    nodes: float
    noise: float
    doubt: float
    measured: float

    @property
    def extrapolated(self) -> float:
        """J of the infinitely deep network on the infinitely fine mesh."""
        return self.objective - self.layers - self.nodes - self.noise

    @property
    def total(self) -> float:
        """Half the width of the bar: J is J_h +- total."""
        return abs(self.objective - self.extrapolated) + self.doubt

    def to_dict(self) -> dict[str, float]:
        """The numbers of ``report.json``."""
        names = ("layers", "nodes", "noise", "total", "extrapolated", "doubt", "measured")
        return {name: float(getattr(self, name)) for name in names}

    def __str__(self) -> str:
        return f"J = {self.objective:.6g} +- {self.total:.2g}"


class _Seen(NamedTuple):
    """J at one place: its value after the step, what the step gains, and by formula what noise beyond nu adds."""

    value: float
    gain: float
    noise: float


def error_bar(
    solution: Solution,
    *,
    problem_on: Callable[[Domain], Problem] | None = None,
    options: Mapping[str, Any] | None = None,
) -> ErrorBar:
    """The error bar of a trained solution: two evaluations on finer meshes, the larger of 2^(d + 1) times the size.

    Collective. Neurons: what more of them could gain is no part of it; the velocity is refined as a field.

    Args:
        solution: trained; converged, or the bar is that of another point.
        problem_on: the same problem, in as many layers, on a finer domain, with its densities made anew; None:
            those of the solution, interpolated.
        options: PETSc's, as in ``train``; those of the linear solvers are used.

    Example:
        >>> bar = hd.error_bar(solution)
        >>> print(bar)  # doctest: +ELLIPSIS
        J = ... +- ...
    """
    problem, flow = solution.problem, solution.flow
    given = {key: value for key, value in (options or {}).items() if not key.startswith("tao_")}
    first = seen = _Seen(_without_penalty(solution, given), 0.0, float(noise_error(flow).sum()))
    nodes = gain = 0.0
    if refinable(problem.domain):
        domain = finer_domain(problem.domain)
        problem = on_domain(problem, domain) if problem_on is None else problem_on(domain)
        seen = _evaluated(flow, problem, given)
        nodes, gain = first.value - seen.value - first.noise + seen.noise, seen.gain
    deep = _evaluated(flow, on_layers(problem, finer_layers(problem.layers)), given)
    by_layers = seen.value - deep.value - seen.noise + deep.noise
    linear = _linear(flow, problem.domain)
    layers = linear + _SECOND * (by_layers - linear / 2)
    unsure = np.hypot(np.hypot(layers - by_layers, (_SECOND - 1) * nodes), gain + deep.gain)
    return ErrorBar(
        solution.objective, layers, _SECOND * nodes, first.noise, 0.5 * float(unsure), first.value - deep.value
    )


def refinable(domain: Domain) -> bool:
    """Can the mesh be refined: a uniform box of degree 1, or straight simplices, between walls?"""
    mesh = domain.mesh
    simplices = mesh.topology.cell_name() in ("interval", "triangle", "tetrahedron")
    straight = simplices and mesh.geometry.cmaps[0].degree == 1
    return not domain.periodic and ((domain.uniform_box and domain.degree == 1) or straight)


def _linear(flow: Flow, finer: Domain) -> float:
    """What layers add to first order on a finer mesh; 0 for the midpoint box, whose formulas give the second."""
    if flow.scheme.moves_points:
        return objective_error(flow, spacing=GridNodes(finer).spacing).layers
    return objective_error(flow).layers if flow.scheme.order == 1 else 0.0


def _without_penalty(solution: Solution, options: Mapping[str, Any]) -> float:
    """J of the velocity alone: neurons have a decay of their own, which no refinement changes."""
    if solution.coefficients is None:
        return solution.objective
    functional = ReducedFunctional(on_domain(solution.problem, solution.problem.domain), options)
    try:
        return functional.evaluate(solution.velocity)
    finally:
        functional.close()


def _evaluated(flow: Flow, problem: Problem, options: Mapping[str, Any]) -> _Seen:
    """J of the flow's velocity in a finer problem."""
    velocity = velocity_on(flow, problem.layers, problem.domain)
    functional = ReducedFunctional(problem, options)
    try:
        value = functional.evaluate(velocity)
        square = functional.square(functional.gradient(velocity), rough=True)
        gain = summed(problem.domain.comm, square) / 2
        return _Seen(value - gain, gain, _noise(functional, velocity))
    finally:
        functional.close()


def _noise(functional: ReducedFunctional, velocity: Floats) -> float:
    """What noise beyond nu adds, at the fields of the functional."""
    problem, sweeps = functional.problem, functional.sweeps
    nu = float(problem.lagrangian.noise)
    if not problem.lagrangian.fitted and problem.method.map_noise(problem.domain, problem.layers.steps) <= nu:
        return 0.0
    density = sweeps.density[..., : problem.domain.owned]
    return float(noise_error(problem.flow(velocity, density, *sweeps.layer_potentials())).sum())
