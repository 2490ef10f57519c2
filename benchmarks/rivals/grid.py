"""Two moons on a grid in JAX: discretise, then optimise with reverse mode, jit, L-BFGS or Adam.

The same discrete problem as hydrodl's: implicit Euler in layers, Q1 with the vertex rule, fitted diffusion. On equal
boxes the vertex rule couples a node to its neighbours along the axes only, so a slab operator is applied by shifts.
Linear systems are solved by BiCGSTAB with the diagonal as preconditioner; ``lax.custom_linear_solve`` inside it gives
the transposed solve of the reverse sweep. Needs jax, optax and SciPy. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from time import perf_counter, process_time
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
import scipy.optimize  # noqa: E402


def edges(field: Any, axis: int) -> tuple[Any, Any]:
    """Values at the lower and the upper end of every edge along a feature axis (the last two axes of a field)."""
    if axis == 0:
        return field[..., :-1, :], field[..., 1:, :]
    return field[..., :-1], field[..., 1:]


def spread(flux: Any, axis: int) -> Any:
    """Take what flows along each edge from its lower node and give it to its upper one."""
    gap = [(0, 0)] * (flux.ndim - 2)
    before, after = [(1, 0), (0, 0)], [(0, 1), (0, 0)]
    if axis == 1:
        before, after = before[::-1], after[::-1]
    return jnp.pad(flux, gap + before) - jnp.pad(flux, gap + after)


class Grid:
    """J_h of the two-moons problem as a function of u (N, 2, nx, ny), by JAX."""

    def __init__(self, file: str, tolerance: float) -> None:
        self.data = data = dict(np.load(file))
        self.step, self.noise, self.decay = (float(data[key]) for key in ("step", "noise", "decay"))
        self.smoothness, self.weight, self.tolerance = float(data["smoothness"]), float(data["weight"]), tolerance
        self.h = [float(x) for x in data["h"]]
        nx, ny = data["rho"].shape[1:]
        ends = [np.where(np.isin(np.arange(n), [0, n - 1]), 0.5, 1.0) for n in (nx, ny)]
        self.mass = jnp.asarray(np.outer(*ends) * self.h[0] * self.h[1])
        # an edge along x lies in two cells, at the walls in one
        self.section = [
            jnp.asarray(np.broadcast_to(ends[1][None, :], (nx - 1, ny))),
            jnp.asarray(np.broadcast_to(ends[0][:, None], (nx, ny - 1))),
        ]

    def edge_weights(self, u: Any) -> list[tuple[Any, Any]]:
        """For each axis the rates at which the lower and the upper node of an edge send mass along it."""
        rates = []
        for axis in (0, 1):
            h, across = self.h[axis], self.section[axis] * self.h[1 - axis] / 2
            along = sum(edges(u[axis], axis)) / 2
            diffusion = 2 * self.noise / h * (1 + (along * h / (2 * self.noise)) ** 4) ** 0.25
            rates.append((across * (diffusion + along), across * (diffusion - along)))
        return rates

    def generator(self, rates: Any, rho: Any) -> Any:
        """L(u) rho as a dual vector."""
        out = 0.0
        for axis, (up, down) in enumerate(rates):
            low, high = edges(rho, axis)
            out = out + spread(up * low - down * high, axis)
        return out

    def diagonal(self, rates: Any) -> Any:
        """The diagonal of L(u)."""
        out = 0.0
        for axis, (up, down) in enumerate(rates):
            lower, upper = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
            lower[axis], upper[axis] = (0, 1), (1, 0)
            out = out - jnp.pad(up, lower) - jnp.pad(down, upper)
        return out

    def slab(self, rho: Any, u: Any) -> tuple[Any, Any]:
        """Densities of the next layer, and the slab's running cost."""
        rates = self.edge_weights(u)
        scale = 1 / (self.mass - self.step * self.diagonal(rates))
        # of the scaled unknowns the operator has unit diagonal: the preconditioner, also of the transposed solve
        apply = lambda z: self.mass * scale * z - self.step * self.generator(rates, scale * z)  # noqa: E731
        solve = partial(jax.scipy.sparse.linalg.bicgstab, apply, tol=self.tolerance, maxiter=200)
        rho = scale * solve(self.mass * rho)[0]
        cost = 0.5 * (self.mass * (rho.sum(0) + self.decay) * (u**2).sum(0)).sum()
        for axis in (0, 1):
            low, high = edges(u, axis)
            stiffness = self.section[axis] * self.h[1 - axis] / self.h[axis]
            cost = cost + 0.5 * self.smoothness**2 * (stiffness * (high - low) ** 2).sum()
        return rho, self.step * cost

    def objective(self, u: Any) -> Any:
        """J_h."""
        last, costs = jax.lax.scan(self.slab, jnp.asarray(self.data["rho"]), u)
        return costs.sum() + self.weight * (self.mass * self.data["entropy"] * last).sum()


def lbfgs(value_and_gradient: Any, shape: tuple[int, ...], goal: float, limit: float) -> list[list[float]]:
    """SciPy's L-BFGS-B with JAX's gradient: rows [wall s, CPU s, J]."""
    wall, cpu, rows = perf_counter(), process_time(), []

    def function(x: Any) -> tuple[float, Any]:
        value, gradient = value_and_gradient(x.reshape(shape))
        return float(value), np.asarray(gradient, dtype=float).ravel()

    def look(intermediate_result: Any) -> None:
        rows.append([perf_counter() - wall, process_time() - cpu, float(intermediate_result.fun)])
        if rows[-1][2] <= goal or rows[-1][1] > limit:
            raise StopIteration

    limits = {"maxiter": 100000, "maxfun": 100000, "ftol": 0.0, "gtol": 0.0}
    start = np.zeros(int(np.prod(shape)))
    scipy.optimize.minimize(function, start, jac=True, method="L-BFGS-B", options=limits, callback=look)
    return rows


def adam(value_and_gradient: Any, shape: tuple[int, ...], goal: float, limit: float, rate: float) -> list[list[float]]:
    """optax.adam with a constant rate: rows [wall s, CPU s, J]."""
    method = optax.adam(rate)
    u = jnp.zeros(shape)
    state = method.init(u)

    @jax.jit
    def step(u: Any, state: Any) -> tuple[Any, Any, Any]:
        value, gradient = value_and_gradient(u)
        update, state = method.update(gradient, state)
        return optax.apply_updates(u, update), state, value

    jax.block_until_ready(step(u, state))  # compiles
    wall, cpu, rows = perf_counter(), process_time(), []
    while not rows or (rows[-1][2] > goal and rows[-1][1] < limit):
        u, state, value = step(u, state)
        value = float(value)
        rows.append([perf_counter() - wall, process_time() - cpu, value])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="the problem, from against_jax.py")
    parser.add_argument("--goal", type=float, required=True, help="J at which to stop")
    parser.add_argument("--limit", type=float, required=True, help="CPU seconds for each optimiser")
    parser.add_argument("--tolerance", type=float, default=1e-10, help="of the linear solves")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.03, 0.1], help="Adam's, each tried")
    given = parser.parse_args()
    grid = Grid(given.file, given.tolerance)
    optimum = jnp.asarray(grid.data["velocity"])
    shape = optimum.shape
    value_and_gradient = jax.jit(jax.value_and_grad(grid.objective))
    cpu = process_time()
    check, slope = jax.block_until_ready(value_and_gradient(optimum))
    compiled, cpu = process_time() - cpu, process_time()
    for _ in range(3):
        jax.block_until_ready(value_and_gradient(optimum + 0.0))
    each = (process_time() - cpu) / 3
    runs = {"L-BFGS": lbfgs(value_and_gradient, shape, given.goal, given.limit)}
    for rate in given.rates:
        runs[f"Adam {rate:g}"] = adam(value_and_gradient, shape, given.goal, given.limit, rate)
    found = {"compile": compiled, "each": each, "check": float(check), "slope": float(jnp.abs(slope).max())}
    print(json.dumps(found | {"runs": runs, "version": jax.__version__}))


if __name__ == "__main__":
    main()
