"""The stochastic network dX = u_k(X) dt + sqrt(2 nu) dW itself, path by path.

Every rank makes the same paths from the same random numbers, so that results do not depend on the number of ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import ufl
from dolfinx import fem
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import COUNT
from hydrodl.discretisation.nodal_noise import NodalNoise
from hydrodl.mesh.bounding_box import folded
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.interpolation import checked_points, interpolate, into
from hydrodl.mesh.quadrature import moment
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.network.network import Network

Evaluator = Callable[[Floats], Floats]


PIECE = 20000
"""Points evaluated at once, at most."""


def sample_paths(
    network: Network, points: ArrayLike, paths: int = 1, seed: int = 0, *, substeps: int = 1, fitted: bool | None = None
) -> Floats:
    """Random paths of the stochastic network at all layers; collective.

    Euler-Maruyama steps of length Delta_k / substeps, reflected at the walls of boxes and stopped at the nearest point
    of other meshes. One substep is the residual network with noise, X + Delta u(X) + sqrt(2 nu Delta) xi; more
    substeps approach the diffusion.

    Args:
        network: the trained network.
        points: mesh coordinates where paths start, shape (n, d).
        paths: number of paths from each point.
        seed: of the random numbers.
        substeps: Euler-Maruyama steps a layer.
        fitted: which noise. False: the model's nu. True: the tensor B(u) of the edges' nu D(p) that the densities saw
            in training, larger by O(h^4) where the mesh resolves the flow; its divergence then joins the drift, since
            the densities obey d_t rho + div(rho u) = div(B grad rho). None: as in training, so that paths follow the
            densities.

    Returns:
        shape (N + 1, n, paths, d).

    Raises:
        InputError: points of another dimension or not finite, paths or substeps < 1, fitted noise with elements of
            degree > 1.

    Example:
        >>> hd.sample_paths(network, samples.points[:5], paths=10).shape
        (17, 5, 10, 2)
    """
    COUNT.check("paths", paths)
    start = np.repeat(into(network.domain, checked_points(points, network.domain.dimension)), paths, axis=0)
    shape = (-1, paths, network.domain.dimension)
    return np.array([x.reshape(shape) for x in _states(network, start, seed, substeps, fitted)])


def _states(network: Network, x: Floats, seed: int, substeps: int, fitted: bool | None) -> Iterator[Floats]:
    """X at t_0 .. t_N, shape (n, d) each."""
    COUNT.check("substeps", substeps)
    rng, dynamics, domain = np.random.default_rng(seed), _Dynamics(network, fitted), network.domain
    yield x
    for k, step in enumerate(network.solution.problem.layers.steps):
        drift_and_noise, length = dynamics.of(k), step / substeps
        for _ in range(substeps):
            found = drift_and_noise(x)
            kick = np.sqrt(2 * length) * dynamics.spread(found, rng.standard_normal(x.shape))
            x = reflected(domain, x + length * found[:, : x.shape[1]] + kick)
        yield x


def reflected(domain: Domain, points: Floats) -> Floats:
    """Points (n, d) folded back at the walls of a uniform box, else moved to the nearest point of the mesh."""
    if not domain.uniform_box:
        return into(domain, points)
    return folded(points, *domain.bounds)


class _Dynamics:
    """Drift and noise of a slab: u and nu, or u + div B and the tensor B (its lower triangle)."""

    def __init__(self, network: Network, fitted: bool | None) -> None:
        self._network, domain = network, network.domain
        physics = network.solution.problem.lagrangian
        self._fitted = bool(physics.fitted if fitted is None else fitted)
        self._nu, d = float(physics.noise), domain.dimension
        self._fields, self._halo = _Fields(domain), Halo(domain)
        self._triangle = np.tril_indices(d)
        if not self._fitted:
            return
        if domain.degree > 1:
            raise InputError(f"fitted noise needs elements of degree 1, these have {domain.degree}; use fitted=False")
        self._tensors = NodalNoise(domain, replace(physics, fitted=True))
        v, self._entry = ufl.TestFunction(domain.V), fem.Function(domain.V)
        self._slopes = [fem.form(self._entry.dx(i) * v * domain.dx) for i in range(d)]
        self._mass = moment(domain)

    def of(self, k: int) -> Evaluator:
        """Points (n, d) -> drift and, after it, noise (n, d + 1 or more) of slab k; collective, and so is what it
        returns."""
        network, velocity = self._network, self._network.solution.velocity[k]
        if self._fitted:
            return self._fields.evaluator(self._with_fitted(velocity))
        if network.solution.coefficients is None:
            drift = self._fields.evaluator(velocity)
        else:  # neurons are evaluated as they are, not by their interpolant

            def drift(points: Floats) -> Floats:
                return network.velocity(k, points)

        return lambda points: np.pad(drift(points), ((0, 0), (0, 1)), constant_values=self._nu)

    def spread(self, found: Floats, kicks: Floats) -> Floats:
        """The root of the noise times kicks (n, d)."""
        n, d = kicks.shape
        if not self._fitted:
            return np.sqrt(found[:, -1:]) * kicks
        tensors = np.empty((n, d, d))
        tensors[:, self._triangle[0], self._triangle[1]] = found[:, d:]
        tensors[:, self._triangle[1], self._triangle[0]] = found[:, d:]
        values, vectors = np.linalg.eigh(tensors)
        along = np.einsum("nia,ni->na", vectors, kicks) * np.sqrt(np.maximum(values, 0.0))
        moved: Floats = np.einsum("nia,na->ni", vectors, along)
        return moved

    def _with_fitted(self, velocity: Floats) -> Floats:
        """u + div B and the lower triangle of B at owned nodes, shape (d + d (d + 1) / 2, owned)."""
        tensors = self._tensors(velocity)
        drift = np.array(velocity)
        for row, column in zip(*self._triangle, strict=True):
            slopes = self._gradient(tensors[row, column])
            drift[row] += slopes[column]
            if row != column:
                drift[column] += slopes[row]
        return np.concatenate([drift, tensors[self._triangle]])

    def _gradient(self, nodal: Floats) -> Floats:
        """Averaged gradients (d, owned) of nodal values (owned,)."""
        self._entry.x.array[:] = self._halo.with_ghosts(nodal)
        out = self._halo.stack(len(self._slopes))
        for row, form in zip(out, self._slopes, strict=True):
            fem.assemble_vector(row, form)
        self._halo.accumulate(out)
        return out[:, : self._halo.owned] / self._mass


class _Fields:
    """Nodal fields of the network's domain at many points, the same on all ranks.

    On uniform boxes of degree 1 every rank interpolates on a grid of its own, much faster than the search for cells
    that other meshes need.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain, self._halo = domain, Halo(domain)
        self._grid = Grid.of(domain) if domain.uniform_box and domain.degree == 1 else None

    def evaluator(self, values: Floats) -> Evaluator:
        """Points (n, d) -> (n, m) for nodal values (m, owned); collective, and so is what it returns."""
        if self._grid is not None:
            grid, order = self._grid
            everywhere = spread(self._domain, order, grid.size, values)
            return lambda points: _in_parts(lambda part: grid.interpolate(everywhere, part), points)
        local = self._halo.with_ghosts(values)
        return lambda points: _in_parts(lambda part: interpolate(self._domain, local, part), points)


def _in_parts(evaluate: Evaluator, points: Floats) -> Floats:
    """The same in pieces that fit into the cache, and a little memory."""
    return np.concatenate([evaluate(part) for part in np.array_split(points, 1 + len(points) // PIECE)])
