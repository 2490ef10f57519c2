"""Multilinear interpolation on the nodes of a uniform box, in NumPy alone: no mesh, no MPI.

On a box of degree 1 every field of hydrodl is such an interpolant, so nothing is lost. Nodes are sorted by x_1, then
x_2, then x_3, as in the archives of ``write_npz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats, Ints, lattice
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import smallest, summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather, gather_nodes, lexicographic


@dataclass(frozen=True, eq=False)
class Grid:
    """The nodes of a uniform box.

    Attributes:
        lower, upper: opposite corners, shape (d,).
        counts: nodes per direction, shape (d,).
    """

    lower: Floats
    upper: Floats
    counts: Ints

    @classmethod
    def of(cls, domain: Domain) -> tuple[Grid, Ints]:
        """The grid of a domain and, for each node that this rank owns, its number in the grid; collective.

        Raises:
            InputError: the domain is no uniform box of degree 1.
        """
        if not domain.uniform_box or domain.degree != 1:
            raise InputError("a grid needs a domain that is a uniform box with elements of degree 1")
        lower, upper = domain.bounds
        found = np.rint((upper - lower) / _spacing(domain)).astype(np.int64) + 1
        grid = cls(lower, upper, found)
        place = np.rint((domain.coordinates[: domain.owned] - lower) / grid.spacing).astype(np.int64)
        return grid, np.ravel_multi_index(tuple(place.T), tuple(found))

    @property
    def dimension(self) -> int:
        """Number d of directions."""
        return len(self.counts)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(np.prod(self.counts))

    @cached_property
    def spacing(self) -> Floats:
        """Edges of a cell, shape (d,)."""
        return (self.upper - self.lower) / (self.counts - 1)

    @property
    def nodes(self) -> Floats:
        """Coordinates of all nodes, shape (size, d)."""
        axes = [np.linspace(a, b, n) for a, b, n in zip(self.lower, self.upper, self.counts, strict=True)]
        return lattice(axes)

    def into(self, points: Floats) -> Floats:
        """Points (n, d), those outside the box moved to its nearest point."""
        return np.clip(points, self.lower, self.upper)

    def draw(self, density: Floats, n: int, rng: np.random.Generator | np.random.RandomState) -> Floats:
        """n independent points (n, d) of the multilinear density with nodal values (size,), not negative; exact.

        It is the mixture of the nodes' hat functions, and a hat is a product of triangles, halved at walls.
        """
        ends = [np.r_[0.5, np.ones(count - 2), 0.5] for count in self.counts]
        masses = density * np.prod(np.meshgrid(*ends, indexing="ij"), axis=0).ravel()
        node = rng.choice(self.size, size=n, p=masses / masses.sum())
        place = np.column_stack(np.unravel_index(node, tuple(self.counts)))
        inwards = np.where(place == 0, 1, np.where(place == self.counts - 1, -1, 0))
        side = np.where(inwards, inwards, np.where(rng.uniform(size=place.shape) < 0.5, -1, 1))
        return self.lower + self.spacing * (place + side * (1 - np.sqrt(rng.uniform(size=place.shape))))

    def interpolate(self, fields: Floats, points: Floats) -> Floats:
        """Values of nodal fields (m, size) at points (n, d) of the box, shape (n, m)."""
        nodes, fractions = self._stencil(points)
        weights = np.where(self._corners, fractions[:, None], 1 - fractions[:, None]).prod(axis=2)
        return np.einsum("nk,mnk->nm", weights, fields[:, nodes])

    def gradient(self, fields: Floats, points: Floats) -> Floats:
        """Gradients of nodal fields (m, size) at points (n, d) of the box, shape (n, m, d); cell by cell."""
        nodes, fractions = self._stencil(points)
        factors = np.where(self._corners, fractions[:, None], 1 - fractions[:, None])
        result = np.empty((len(points), len(fields), self.dimension))
        for i in range(self.dimension):
            slopes = np.delete(factors, i, axis=2).prod(axis=2) * np.where(self._corners[:, i], 1, -1) / self.spacing[i]
            result[..., i] = np.einsum("nk,mnk->nm", slopes, fields[:, nodes])
        return result

    def differences(self, fields: Floats) -> Floats:
        """Gradients of nodal fields (m, size) at the nodes, second order up to the walls, shape (m, d, size)."""
        table = fields.reshape(-1, *self.counts)
        axes = range(1, self.dimension + 1)
        order = [2 if n > 2 else 1 for n in self.counts]
        slope: Any = np.gradient  # whose hints know no shape of unknown length
        parts = [slope(table, h, axis=i, edge_order=o) for i, h, o in zip(axes, self.spacing, order, strict=True)]
        return np.stack(parts, axis=1).reshape(len(fields), self.dimension, self.size)

    @cached_property
    def _corners(self) -> NDArray[np.bool_]:
        """The corners of a cell, shape (2^d, d): lower (False) or upper in each direction."""
        return np.array(list(product((False, True), repeat=self.dimension)))

    def _stencil(self, points: Floats) -> tuple[Ints, Floats]:
        """Nodes (n, 2^d) of the cell of each point, and where in the cell it lies (n, d), from 0 to 1."""
        steps = (points - self.lower) / self.spacing
        cells = np.clip(np.floor(steps).astype(np.int64), 0, self.counts - 2)
        strides = np.cumprod([1, *self.counts[:0:-1]])[::-1]
        return cells @ strides[:, None] + self._corners @ strides, np.clip(steps - cells, 0.0, 1.0)


class OnGrid:
    """What maps on the box of a grid share: its corners, and its nearest point to one outside."""

    grid: Grid

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Corners of the box."""
        return self.grid.lower, self.grid.upper

    def into(self, points: Floats) -> Floats:
        """Points (n, d), those outside the box moved to its nearest point."""
        return self.grid.into(points)


def spread(domain: Domain, order: Ints, size: int, values: Floats) -> Floats:
    """Nodal values (..., owned) of all ranks as one array (..., size) on each of them; collective.

    Args:
        order: the number in the grid of each owned node, from :meth:`Grid.of`.
        size: number of nodes of the grid.
    """
    result = np.zeros((*values.shape[:-1], size))
    result[..., order] = values
    return summed(domain.comm, result)  # each node has one owner: a sum of one term


def _spacing(domain: Domain) -> Floats:
    """Edges of a cell of a uniform box, shape (d,); collective."""
    lower, upper = domain.bounds
    spacing = np.full(domain.dimension, np.inf)
    for i, x in enumerate(domain.coordinates.T):
        gaps = np.diff(np.sort(x))
        spacing[i] = gaps[gaps > 1e-9 * (upper - lower)[i]].min(initial=np.inf)
    return smallest(domain.comm, spacing)


class GatheredGrid:
    """The nodes of a uniform box, perhaps without walls.

    Attributes:
        shape: nodes per direction; spacing: h_a, (d,); periodic: axes without walls; the same on every rank.
        here: is this the rank that holds the arrays.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        nodes = gather_nodes(domain)
        self.here = nodes is not None
        counts = None
        if nodes is not None:
            self._order = lexicographic(nodes)
            gaps = 1e-9 * np.ptp(nodes, axis=0)
            counts = [1 + int((np.diff(np.sort(x)) > gap).sum()) for x, gap in zip(nodes.T, gaps, strict=True)]
        self.shape: tuple[int, ...] = tuple(domain.comm.bcast(counts))
        low, high = domain.bounds
        self.periodic = domain.periodic
        walls = ~np.isin(np.arange(len(low)), domain.periodic)
        self.spacing: Floats = (high - low) / (np.array(self.shape) - walls)

    def gather(self, owned: Floats) -> Floats:
        """Fields (m, owned) -> (m, *shape) on the rank that holds the arrays, (0,) elsewhere; collective."""
        everything = gather(self._domain, owned)
        return np.empty(0) if everything is None else everything[:, self._order].reshape(-1, *self.shape)
