"""What a slab of twice the thickness does otherwise than two slabs: the first term of any scheme's modified system.

A slab with its best velocity is a symplectic map from (R_k, p_k) on, exp(delta (X + delta Y + ...)). Between the same
R_k and p_{k+2} one slab of 2 delta and two of delta differ by

    R_{k+2}' - R_{k+2} = 2 delta^2 Y_R,        phi_k' - phi_k = - 2 delta^2 Y_phi        + O(delta^3),

and the one slab is a training problem of one layer: R_k to begin with, the linear loss -(p_{k+2}, R)_h at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution
from hydrodl.training.minimisation import train


@dataclass(frozen=True, eq=False)
class LinearLoss:
    """G = sum_c (g_c, R_c)_h; see :class:`~hydrodl.physics.losses.Loss`.

    Attributes:
        values: g_c at owned nodes, (C, owned).
    """

    values: Floats
    layer: int | None = None
    name = "linear"
    penalty = 0.0
    constants: tuple[float, ...] = ()

    def density(self, rho: Any, field: Any, constants: Sequence[Any]) -> Any:
        """g rho."""
        return field * rho

    def field(self, domain: Domain, classes: int) -> Floats:
        """g."""
        return self.values


def differences(solution: Solution, options: Mapping[str, Any] | None) -> tuple[Floats, Floats]:
    """R' - R above and phi' - phi below a slab of twice the thickness, from slab to slab, each (N, C, owned).

    Collective. Slabs meet two such pairs of layers, and have the mean of both; the first and the last extrapolate.
    """
    problem, flow = solution.problem, solution.flow
    upper, step = flow.upper_potential, float(flow.layers.steps.mean())
    above, below = [], []
    for k in range(len(flow.layers) - 1):
        one = _one_slab(problem, flow.density[k], upper[k + 1], 2 * step)
        start = 0.5 * (flow.velocity[k : k + 1] + flow.velocity[k + 1 : k + 2])
        found = train(one, options=options, initial=start).flow
        above.append(found.density[1] - flow.density[k + 2])
        below.append(found.potential[0] - flow.potential[k])
    given = problem.correction
    if given is not None:  # what it does to two slabs is none of theirs
        above = [field - (b + c) for field, b, c in zip(above, given.growth, given.growth[1:], strict=False)]
        below = [field - (b + c) for field, b, c in zip(below, given.decline, given.decline[1:], strict=False)]
    return _at_slabs(np.array(above)), _at_slabs(np.array(below))


def _one_slab(problem: Problem, density: Floats, potential: Floats, step: float) -> Problem:
    start = replace(problem.densities, values=density)
    layers, loss = Layers(np.array([0.0, step])), LinearLoss(-potential)
    return replace(problem, layers=layers, densities=start, losses=loss, correction=None)


def _at_slabs(pairs: Floats) -> Floats:
    """From the layer between two slabs, (N - 1, ...), to slabs, (N, ...)."""
    ends = 1.5 * pairs[:1] - 0.5 * pairs[1:2], 1.5 * pairs[-1:] - 0.5 * pairs[-2:-1]
    return np.concatenate([ends[0], 0.5 * (pairs[1:] + pairs[:-1]), ends[1]])
