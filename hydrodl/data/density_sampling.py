"""Independent points drawn from a finite-element density."""

from __future__ import annotations

from typing import Any

import basix
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import raise_together
from hydrodl.common.parameters import COUNT
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.point_location import geometry_element


def sample_density(domain: Domain, values: ArrayLike, n: int, seed: int = 0) -> Floats:
    """n independent points of the density max(rho, 0), in its own scale; the same on all ranks; collective.

    Exact: a cell is drawn by its mass, then a point of it by rejection from the uniform density, so that what comes out
    is distributed as the finite-element function itself, not as its nodal values. Cost: O(cells + n); all cells are
    gathered on every rank.

    Args:
        domain: the mesh and elements of the density.
        values: its nodal values, shape (owned,).
        n: number of points.
        seed: of the random numbers.

    Returns:
        shape (n, d).

    Raises:
        InputError: n < 1, values of another shape or not finite, or a density that is nowhere positive.

    Example:
        >>> points = hd.sample_density(domain, rho.values[0], n=100)
        >>> points.shape, bool(np.abs(points).max() <= np.abs(domain.bounds).max())
        ((100, 2), True)
    """
    COUNT.check("n", n)
    nodal = np.asarray(values, dtype=float)
    error = None
    if nodal.shape != (domain.owned,):
        error = InputError(f"density has shape {nodal.shape}, must be ({domain.owned},) on this rank")
    elif not np.isfinite(nodal).all():
        error = InputError("density is not finite")
    raise_together(domain.comm, error)
    cells = _Cells(domain, nodal)
    if not cells.masses.sum() > 0:
        raise InputError("density is nowhere positive: there is nothing to draw from")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(cells.masses), size=n, p=cells.masses / cells.masses.sum())
    points = np.empty((n, domain.dimension))
    waiting = np.arange(n)
    while len(waiting):
        taken, where = cells.attempt(chosen[waiting], rng)
        points[waiting[taken]] = where
        waiting = waiting[~taken]
    return points


class _Cells:
    """All cells of a mesh on every rank, in the order of the file or generator that made them, and a density on them.

    Attributes:
        masses: int max(rho, 0) dx over each cell, shape (cells,).
    """

    def __init__(self, domain: Domain, values: Floats) -> None:
        mesh, kind = domain.mesh, domain.mesh.topology.cell_type
        self._element = domain.V.element.basix_element
        self._map = geometry_element(kind, mesh.geometry.cmaps[0])
        self._box = domain.dimension == 1 or basix.geometry(self._map.cell_type)[-1].sum() > 1.5
        self._corners, self._values = _gathered(domain, values)
        points, weights = basix.make_quadrature(self._map.cell_type, 3 * domain.degree)
        density = np.array([self._density(np.arange(len(self._values)), point[None]) for point in points])
        self.masses: Floats = weights @ density
        self._ceiling = self._bounds(points)

    def _bounds(self, points: Floats) -> Floats:
        """Upper bounds of max(rho, 0) |det J| over each cell."""
        corners = basix.geometry(self._map.cell_type)
        lattice = basix.create_lattice(self._map.cell_type, 12, basix.LatticeType.equispaced, True)
        shapes = np.abs(self._element.tabulate(0, lattice)[0, :, :, 0]).sum(axis=1).max()
        every = np.arange(len(self._values))
        stretch = np.array([self._stretch(every, point[None]) for point in np.concatenate([corners, points])])
        largest = stretch.max(axis=0)
        # det J is largest in a corner of a bilinear cell; it may be a little larger inside a trilinear or curved one.
        largest = np.where(np.ptp(stretch, axis=0) > 1e-12 * largest, 1.2 * largest, largest)
        slack = 1.0 if self._element.degree == 1 else 1.02  # of higher shape functions between the lattice points
        return slack * shapes * np.abs(self._values).max(axis=1) * largest

    def _stretch(self, cells: NDArray[np.int64], reference: Floats) -> Floats:
        """|det J| at one reference point for all cells, or at one each; shape (k,)."""
        slopes = np.broadcast_to(
            self._map.tabulate(1, reference)[1:, :, :, 0], (reference.shape[1], len(cells), self._corners.shape[1])
        )
        return np.abs(np.linalg.det(np.einsum("gki,kij->kjg", slopes, self._corners[cells])))

    def _density(self, cells: NDArray[np.int64], reference: Floats) -> Floats:
        """max(rho, 0) |det J| at one reference point for all cells, or at one each; shape (k,)."""
        shapes = np.broadcast_to(self._element.tabulate(0, reference)[0, :, :, 0], (len(cells), self._values.shape[1]))
        height = np.einsum("ki,ki->k", shapes, self._values[cells])
        return np.maximum(height, 0.0) * self._stretch(cells, reference)

    def attempt(self, cells: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
        """One trial for each of the cells: which were accepted, and the points of those, shape (accepted, d)."""
        d = self._corners.shape[2]
        if self._box:
            reference = rng.random((len(cells), d))
        else:  # uniform barycentric coordinates
            shares = rng.exponential(size=(len(cells), d + 1))
            reference = shares[:, :d] / shares.sum(axis=1, keepdims=True)
        taken = rng.random(len(cells)) * self._ceiling[cells] < self._density(cells, reference)
        shapes = self._map.tabulate(0, reference[taken])[0, :, :, 0]
        return taken, np.einsum("ki,kij->kj", shapes, self._corners[cells[taken]])


def _gathered(domain: Domain, values: Floats) -> tuple[Floats, Floats]:
    """Geometry nodes (cells, g, d) and nodal values (cells, k) of all cells, in the original order, on every rank."""
    mesh = domain.mesh
    count = mesh.topology.index_map(mesh.topology.dim).size_local
    corners = mesh.geometry.x[mesh.geometry.dofmaps[0][:count]][:, :, : domain.dimension]
    nodal = with_ghosts(domain, values)[domain.V.dofmap.list[:count]]
    pieces: Any = domain.comm.allgather((mesh.topology.original_cell_index[:count], corners, nodal))
    order = np.argsort(np.concatenate([piece[0] for piece in pieces]))
    return np.concatenate([piece[1] for piece in pieces])[order], np.concatenate([piece[2] for piece in pieces])[order]
