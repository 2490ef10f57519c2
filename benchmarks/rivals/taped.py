"""Two moons of ``moons.py`` on a pyadjoint tape with dolfinx-adjoint, minimised by SciPy's L-BFGS-B.

Written as dolfinx-adjoint's own demos of time-dependent control are: one LinearProblem a class, used in every slab and
recorded by its tape, LU factors, one control Function a slab, ``pyadjoint.minimize``. hydrodl gives the mesh, the
initial densities and the readout's cross-entropy, and measures every iterate while the clock stands still.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import hydrodl as hd  # first: it loads the compiled stack  # isort: skip
import dolfinx_adjoint as dxa
import numpy as np
import pyadjoint
import ufl
from dolfinx import fem
from moons import two_moons

from rivals.clock import Clock

LU = {"ksp_type": "preonly", "pc_type": "lu"}


def record(problem: hd.Problem) -> tuple[pyadjoint.ReducedFunctional, list[Any]]:
    """J_h on the tape at u = 0, one control a slab; and its solvers, to be kept alive or they are built again."""
    domain, physics, loss = problem.domain, problem.lagrangian, problem.terms[0]
    space = fem.functionspace(domain.mesh, ("Lagrange", 1, (domain.dimension,)))
    noise, decay, smoothness = (
        fem.Constant(domain.mesh, x) for x in (physics.noise, physics.decay, physics.smoothness)
    )
    middle = fem.Function(fem.functionspace(domain.mesh, ("DG", 0, (domain.dimension,))))
    middle.interpolate(lambda x: x[: domain.dimension])
    away = ufl.SpatialCoordinate(domain.mesh) - middle  # half an edge along each axis at a corner
    dx, step = domain.dx, float(problem.layers.steps[0])
    velocities = [dxa.Function(space, name=f"u{k}") for k in range(len(problem.layers))]
    u = dxa.Function(space, name="u")
    r, v = ufl.TrialFunction(domain.V), ufl.TestFunction(domain.V)
    rho = [dxa.Function(domain.V, name=f"rho{c}") for c in range(problem.classes)]
    solvers = []
    for c, values in enumerate(problem.densities.values):
        rho[c].x.array[:] = values
        before = dxa.Function(domain.V, name=f"before{c}")
        transport = 0
        for a in range(domain.dimension):
            along = u[a] - away[a] * u[a].dx(a)  # the mean of u over an edge
            spread = noise * (1 + (along * away[a] / noise) ** 4) ** 0.25
            transport += (along * r - spread * r.dx(a)) * v.dx(a)
        lhs, rhs = (r * v - step * transport) * dx, before * v * dx
        solvers.append((before, dxa.LinearProblem(lhs, rhs, u=rho[c], petsc_options=LU, adjoint_petsc_options=LU)))
    J: Any = 0.0
    for control in velocities:
        dxa.assign(control, u)
        for c, (before, solver) in enumerate(solvers):
            dxa.assign(rho[c], before)
            solver.solve()
        cost = 0.5 * (sum(rho) + decay) * ufl.inner(u, u) + 0.5 * smoothness**2 * ufl.inner(ufl.grad(u), ufl.grad(u))
        J += step * dxa.assemble_scalar(cost * dx)
    for c, values in enumerate(loss.field(domain, problem.classes)):
        entropy = dxa.Function(domain.V, name=f"entropy{c}")
        entropy.x.array[:] = values
        J += loss.weight * dxa.assemble_scalar(entropy * rho[c] * dx)
    return pyadjoint.ReducedFunctional(J, [pyadjoint.Control(control) for control in velocities]), solvers


def gradient(taped: pyadjoint.ReducedFunctional, exact: hd.ReducedFunctional, repeat: int = 2) -> dict[str, float]:
    """CPU seconds of J and its gradient once, and how far the gradient is from hydrodl's, relative."""
    numpy_form = pyadjoint.reduced_functional_numpy.ReducedFunctionalNumPy(taped)
    point = 0.1 * np.random.default_rng(0).standard_normal(exact.shape)
    flat = np.swapaxes(point, 1, 2).ravel()
    numpy_form(flat)
    wanted = np.swapaxes(exact.gradient(point), 1, 2).ravel()
    difference = np.abs(numpy_form.derivative() - wanted).max() / np.abs(wanted).max()
    clock = Clock()
    for _ in range(repeat):
        numpy_form(flat), numpy_form.derivative()
    return {"gradient": clock.cpu / repeat, "gradient_difference": float(difference)}


def minimise(
    taped: pyadjoint.ReducedFunctional, exact: hd.ReducedFunctional, goal: float, limit: float
) -> dict[str, Any]:
    """L-BFGS-B until the gradient in the control inner product has fallen by ``goal``, or the limit of CPU seconds."""
    slabs, d, nodes = exact.shape
    start = np.zeros(exact.shape)
    first = exact.norm(exact.gradient(start))
    found: dict[str, Any] = {"history": [(0.0, 0.0, exact.evaluate(start), 1.0)], "difference": 0.0}
    clock = Clock()

    def look(intermediate_result: Any) -> None:
        with clock.halted():
            u = np.swapaxes(intermediate_result.x.reshape(slabs, nodes, d), 1, 2).copy()
            norm, value = exact.norm(exact.gradient(u)) / first, exact.evaluate(u)
            found["history"].append((clock.wall, clock.cpu, value, norm))
            found["difference"] = max(found["difference"], abs(value - intermediate_result.fun))
        if norm <= goal or clock.cpu > limit:
            raise StopIteration

    limits = {"maxiter": 100000, "maxfun": 100000, "ftol": 0.0, "gtol": 0.0}
    try:
        pyadjoint.minimize(taped, method="L-BFGS-B", options=limits, callback=look)
    except pyadjoint.optimization.optimization.SciPyConvergenceError as error:
        found["end"] = str(error)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("layers", int), ("nodes", int), ("goal", float), ("limit", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    given = parser.parse_args()
    problem = two_moons(given.layers, given.nodes)
    exact = hd.ReducedFunctional(problem)
    warm, _kept = record(problem)
    once = gradient(warm, exact)  # compiles its forms first
    pyadjoint.set_working_tape(pyadjoint.Tape())
    clock = Clock()
    taped, _alive = record(problem)
    tape = clock.cpu
    print(json.dumps({"tape": tape} | once | minimise(taped, exact, given.goal, given.limit)))


if __name__ == "__main__":
    main()
