"""The deterministic and the stochastic map that carry the densities of a noisy flow.

The network x + Delta u(x) alone does not: noise spreads the densities as well. In slab k they change by

    (rho_{k+1} - rho_k) / Delta = - div F_k,    F_k = u_k r_k - B_k grad r_k,

with B_k the diagonal tensor of the edges' nu D(p), so that, with rho(t) linear between the layers, the velocity
w = F_k / rho(t) carries rho_k exactly to rho_{k+1}, noise and all: the probability flow. Here w stands at the nodes of
a uniform box and is followed by the implicit midpoint rule, which run backwards is its own inverse. Noise whose drift
w + B grad log rho(t) makes up for it leaves the densities the same; run backwards it has the drift -w + B grad log
rho(t) (B. Anderson, "Reverse-time diffusion equation models", 1982). As the layers get thin the former is u: the noisy
process itself.

Where a slab is the map x + Delta u(x), w is the velocity of points on their way along it, less nu grad log rho(t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.discretisation.nodal_noise import NodalNoise
from hydrodl.mesh.bounding_box import folded
from hydrodl.mesh.interpolation import checked_points
from hydrodl.mesh.uniform_grid import Grid, OnGrid, spread
from hydrodl.network.inversion import report, solve_layer
from hydrodl.problem.solution import Solution

_SMALLEST = 1e-300  # density whose logarithm is taken
_WAYS = 8  # fixed-point steps, each of which gains the factor Delta Lip(u)


@dataclass(frozen=True, eq=False)
class ProbabilityFlow(OnGrid):
    """The maps between the ends of a flow, as plain arrays: no mesh, no MPI.

    Attributes:
        grid: the nodes.
        steps: lengths of the steps, S a slab, shape (S N,).
        table: w in the middle of each step at the nodes, shape (S N, d, nodes).
        spreading: B grad log rho + div B in the middle of each step at the nodes, of the same shape.
        diffusivity: the diagonal of B of each step at the nodes, shape (S N, d, nodes).
    """

    grid: Grid
    steps: Floats
    table: Floats
    spreading: Floats
    diffusivity: Floats

    @classmethod
    def of(cls, solution: Solution, substeps: int = 4) -> ProbabilityFlow:
        """Of a solution of one class on a uniform box of degree 1; collective.

        Raises:
            InputError: several classes (each has its own), another domain, or negative densities (0 is possible, far
                out, where nothing is left of them).
        """
        flow, domain = solution.flow, solution.problem.domain
        if solution.problem.classes != 1:
            raise InputError(f"a probability flow belongs to one class, the solution has {solution.problem.classes}")
        grid, order = Grid.of(domain)
        velocity = spread(domain, order, grid.size, flow.velocity)
        rho = spread(domain, order, grid.size, flow.density)[:, 0]
        if not rho.min() >= 0:
            raise InputError(
                f"the probability flow needs densities that are not negative, the smallest is {rho.min():.1e}"
            )
        nu = _diffusivity(solution, order, grid.size)
        parts = np.tile((np.arange(substeps) + 0.5) / substeps, len(nu))[:, None]
        below, above = np.repeat(rho[:-1], substeps, axis=0), np.repeat(rho[1:], substeps, axis=0)
        middle = np.maximum((1 - parts) * below + parts * above, _SMALLEST)
        steps = np.repeat(flow.layers.steps / substeps, substeps)
        if flow.scheme.moves_points:
            nu = np.repeat(nu, substeps, axis=0)
            falling = nu * grid.differences(np.log(middle))
            return cls(grid, steps, _on_the_way(grid, velocity, flow.layers.steps, substeps) - falling, falling, nu)
        slab = np.maximum(flow.theta * rho[1:] + (1 - flow.theta) * rho[:-1], _SMALLEST)
        carried = (velocity - nu * grid.differences(np.log(slab))) * slab[:, None]
        carried, nu = np.repeat(carried, substeps, axis=0), np.repeat(nu, substeps, axis=0)
        spreading = nu * grid.differences(np.log(middle)) + _divergence(grid, nu)
        return cls(grid, steps, carried / middle[:, None], spreading, nu)

    def velocity(self, k: int, points: Floats) -> Floats:
        """w of step k at points (n, d) of the box, shape (n, d)."""
        return self.grid.interpolate(self.table[k], points)

    def gradient(self, k: int, points: Floats) -> Floats:
        """dw_i / dx_j of step k at points (n, d) of the box, shape (n, d, d)."""
        return self.grid.gradient(self.table[k], points)

    def push(self, points: ArrayLike, *, reverse: bool = False, failures: str = "warn") -> Floats:
        """Where points (n, d) of the first layer arrive at the last, or with ``reverse`` the other way; shape (n, d).

        y = 2 m - x with m - Delta/2 w(m) = x. Points outside the box count as its nearest points. ``failures`` as in
        :func:`hydrodl.inverse_push`, which says what can go wrong at walls.
        """
        x = self.into(checked_points(points, self.grid.dimension))
        failed = np.zeros((len(self.steps), len(x)), dtype=bool)
        sign = 0.5 if reverse else -0.5
        for k in range(len(self.steps))[:: -1 if reverse else 1]:
            middle, failed[k] = solve_layer(self, k, sign * float(self.steps[k]), x)
            x = self.into(2 * middle - x)
        report(failed, failures, False)
        return x

    def draw(
        self, points: ArrayLike, rng: np.random.Generator | np.random.RandomState, *, reverse: bool = False
    ) -> Floats:
        """Random ends (n, d) of the noisy flow from points (n, d), by Euler-Maruyama, reflected at the walls."""
        x = self.into(checked_points(points, self.grid.dimension))
        sign = -1.0 if reverse else 1.0
        for k in range(len(self.steps))[:: -1 if reverse else 1]:
            fields = np.concatenate([sign * self.table[k] + self.spreading[k], self.diffusivity[k]])
            found, step = self.grid.interpolate(fields, x), float(self.steps[k])
            drift, noise = np.split(found, 2, axis=1)
            x = folded(x + step * drift + np.sqrt(2 * step * noise) * rng.standard_normal(x.shape), *self.bounds)
        return x


def _on_the_way(grid: Grid, velocity: Floats, steps: Floats, substeps: int) -> Floats:
    """The velocity at the nodes of points on their straight ways from x to x + Delta u(x), (S N, d, nodes).

    In the middle of part s of a slab the point at a node y has come from z with z + s Delta u(z) = y.
    """
    out = np.empty((len(steps) * substeps, *velocity.shape[1:]))
    nodes = grid.nodes
    for k, (u, step) in enumerate(zip(velocity, steps, strict=True)):
        for s in range(substeps):
            found = u.T
            for _ in range(_WAYS):
                found = grid.interpolate(u, grid.into(nodes - (s + 0.5) / substeps * step * found))
            out[k * substeps + s] = found.T
    return out


def _diffusivity(solution: Solution, order: Ints, size: int) -> Floats:
    """The diagonal of B at the nodes, shape (N, d, nodes); boxes have no more."""
    domain = solution.problem.domain
    tensors = NodalNoise(domain, solution.problem.lagrangian)
    own = np.array([np.diagonal(tensors(u)).T for u in solution.velocity])
    return spread(domain, order, size, own)


def _divergence(grid: Grid, nu: Floats) -> Floats:
    """d_a nu_a, shape (S N, d, nodes)."""
    d = grid.dimension
    slopes = grid.differences(nu.reshape(-1, grid.size)).reshape(-1, d, d, grid.size)
    return np.diagonal(slopes, axis1=1, axis2=2).swapaxes(1, 2)
