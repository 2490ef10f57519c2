"""What a bridge costs: its work in mesh units and in raw units, and Sinkhorn's regularised cost from it."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.quadrature import integrals, moment
from hydrodl.problem.solution import Solution


def kinetic_cost(solution: Solution, metric: Floats) -> float:
    """int_0^T int R u.(metric u) / 2 dx dt in the scheme's own rule; collective."""
    flow, domain = solution.flow, solution.problem.domain
    d = domain.dimension
    fields = with_ghosts(domain, np.concatenate([flow.velocity, flow.slab_density.sum(axis=1, keepdims=True)], axis=1))
    functions = [fem.Function(domain.V) for _ in range(d + 1)]
    u, total = ufl.as_vector(functions[:d]), functions[d]
    weights = fem.Constant(domain.mesh, np.asarray(metric, dtype=float))
    form = fem.form(0.5 * total * ufl.dot(u, weights * u) * domain.dx)
    cost = 0.0
    for step, values in zip(flow.layers.steps, fields, strict=True):
        for function, nodal in zip(functions, values, strict=True):
            function.x.array[:] = nodal
        cost += step * fem.assemble_scalar(form)
    return float(summed(domain.comm, cost))


def sinkhorn_cost(solution: Solution, cost: float, reg: float) -> float:
    """T cost - reg (int b log b + d/2 log(2 pi reg)) with b the last density; collective."""
    problem, last = solution.problem, np.maximum(solution.density[-1], 0.0)
    content = np.where(last > 0, last * np.log(np.where(last > 0, last, 1.0)), 0.0)
    entropy = float(integrals(problem.domain, moment(problem.domain), content).sum())
    return problem.layers.depth * cost - reg * (entropy + problem.domain.dimension / 2 * np.log(2 * np.pi * reg))
