"""The layer map "strang" on a grid in JAX: scan over layers, scatter-add, jit, reverse mode, L-BFGS or Adam.

The same discrete problem as hydrodl's: every node's mass moves to x + Delta u, where quadratic splines share it out to
the nodes around (``.at[].add``, images folded at the walls), between two implicit heat steps along each axis, by
tridiagonal solves (``jax.lax.linalg.tridiagonal_solve``) or products with their dense inverses, whichever is faster
here. Needs jax, optax and SciPy. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
from time import process_time
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from grid import adam, edges, lbfgs  # noqa: E402


class LayerMap:
    """J_h of the two-moons problem as a function of u (N, 2, nx, ny), by JAX."""

    def __init__(self, file: str, dense: bool) -> None:
        self.data = data = dict(np.load(file))
        self.step, self.noise, self.decay = (float(data[key]) for key in ("step", "noise", "decay"))
        self.smoothness, self.weight = float(data["smoothness"]), float(data["weight"])
        self.h, self.shape, self.dense = [float(x) for x in data["h"]], data["rho"].shape[1:], dense
        self.ends = [np.r_[0.5, np.ones(n - 2), 0.5] * h for n, h in zip(self.shape, self.h, strict=True)]
        self.mass = jnp.asarray(np.outer(*self.ends))
        self.noises = []
        for h in self.h:
            rest = max(self.noise - h * h / (8 * self.step), 0.0)
            first = min(self.noise / 2, rest)
            self.noises.append((first, rest - first))
        self.rows = jnp.arange(self.shape[0])[:, None] * jnp.ones((1, self.shape[1]))
        self.columns = jnp.arange(self.shape[1])[None, :] * jnp.ones((self.shape[0], 1))
        self.inverses = [[np.linalg.inv(self._heat(a, part)) for part in (0, 1)] for a in (0, 1)]

    def _heat(self, axis: int, part: int) -> np.ndarray:
        """Mass and noise of a heat step along an axis."""
        h, ends, n = self.h[axis], self.ends[axis], self.shape[axis]
        slopes = np.diff(np.eye(n), axis=0)
        return np.diag(ends) + self.step * self.noises[axis][part] * slopes.T @ slopes / h

    def smooth(self, masses: Any, part: int) -> Any:
        """Masses (C, nx, ny) to densities: a heat step along each axis."""
        if self.dense:
            first, second = (jnp.asarray(self.inverses[axis][part]) for axis in (0, 1))
            return jnp.einsum("ij,cjk,kl->cil", first, masses, second)
        for axis in (0, 1):
            matrix = self._heat(axis, part)
            lower, upper = np.r_[0.0, np.diag(matrix, -1)], np.r_[np.diag(matrix, 1), 0.0]
            columns = jnp.moveaxis(masses, 1 + axis, 0)
            flat = columns.reshape(self.shape[axis], -1)
            solved = jax.lax.linalg.tridiagonal_solve(*map(jnp.asarray, (lower, np.diag(matrix), upper)), flat)
            masses = jnp.moveaxis(solved.reshape(columns.shape), 0, 1 + axis)
        return masses

    def weights(self, places: Any, n: int) -> list[tuple[Any, Any]]:
        """Nodes and weights of the quadratic spline at places in spacings."""
        places = jnp.clip(places, 0.0, n - 1.0)
        nearest = jnp.floor(places + 0.5).astype(int)
        f = places - nearest
        parts = (0.5 * (0.5 - f) ** 2, 0.75 - f * f, 0.5 * (0.5 + f) ** 2)
        nodes = [jnp.abs(nearest + offset) for offset in (-1, 0, 1)]
        return [(jnp.minimum(node, 2 * (n - 1) - node), w) for node, w in zip(nodes, parts, strict=True)]

    def slab(self, rho: Any, u: Any) -> tuple[Any, Any]:
        """Densities of the next layer, and the slab's running cost."""
        rho = self.smooth(self.mass * rho, 0)
        masses = self.mass * rho
        rows = self.weights(self.rows + self.step * u[0] / self.h[0], self.shape[0])
        columns = self.weights(self.columns + self.step * u[1] / self.h[1], self.shape[1])
        carried = jnp.zeros_like(rho)
        for i, v in rows:
            for j, w in columns:
                carried = carried.at[:, i, j].add(masses * (v * w))
        cost = 0.5 * (self.mass * (rho.sum(0) + self.decay) * (u**2).sum(0)).sum()
        for axis in (0, 1):
            low, high = edges(u, axis)
            across = self.ends[1 - axis][:, None] if axis == 1 else self.ends[1 - axis][None, :]
            cost = cost + 0.5 * self.smoothness**2 * (jnp.asarray(across) * (high - low) ** 2).sum() / self.h[axis]
        return self.smooth(carried, 1), self.step * cost

    def objective(self, u: Any) -> Any:
        """J_h."""
        last, costs = jax.lax.scan(self.slab, jnp.asarray(self.data["rho"]), u)
        return costs.sum() + self.weight * (self.mass * self.data["entropy"] * last).sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the problem, from against_jax.py")
    parser.add_argument("--goal", type=float, required=True, help="J at which to stop")
    parser.add_argument("--limit", type=float, required=True, help="CPU seconds for each optimiser")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.03, 0.1], help="Adam's, each tried")
    given = parser.parse_args()
    found: dict[str, Any] = {"runs": {}, "version": jax.__version__}
    for name, dense in (("tridiagonal", False), ("dense", True)):
        problem = LayerMap(given.file, dense)
        optimum = jnp.asarray(problem.data["velocity"])
        function = jax.jit(jax.value_and_grad(problem.objective))
        cpu = process_time()
        check, slope = jax.block_until_ready(function(optimum))
        compiled, cpu = process_time() - cpu, process_time()
        for _ in range(3):
            jax.block_until_ready(function(optimum + 0.0))
        each = (process_time() - cpu) / 3
        if "each" in found and each > found["each"]:
            continue  # the slower of the two heat steps is left out
        found |= {"compile": compiled, "each": each, "check": float(check), "slope": float(jnp.abs(slope).max())}
        found["heat"], fastest = name, function
    shape = optimum.shape
    found["runs"]["L-BFGS"] = lbfgs(fastest, shape, given.goal, given.limit)
    for rate in given.rates:
        found["runs"][f"Adam {rate:g}"] = adam(fastest, shape, given.goal, given.limit, rate)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
