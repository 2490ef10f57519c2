"""How much one layer stretches feature space: proven bounds on grad u over every element.

Bernstein polynomials are non-negative and add up to 1, so a polynomial at any point of an element is a convex
combination of its Bernstein coefficients, here called its hull. The spectral norm is convex, hence

    max over the element of |grad u|_2 <= max over the hull of |G|_2.

With equality in the two cases that matter:

- P1 on simplices: grad u is constant, the hull is that constant. P2: grad u is affine, the hull its vertex values.
- Q1 on axis-parallel boxes. Column j of grad u, du/dx_j, does not depend on x_j and is multilinear in the other
  coordinates: with those at their ends it is the difference quotient along one edge in direction j, elsewhere a
  convex combination of these 2^(d-1) quotients. So grad u is affine in each single coordinate, its norm convex in
  each single coordinate, and moving one coordinate after another to the better end never lowers it: the maximum is
  taken at a vertex, and the hull (degree 1) is the 2^d vertex values. Q1 on parallelepipeds: the same.

On an element that is not affine grad u = G(xi) J(xi)^-1. Both factors are bounded: |G| by its hull, and sigma_min(J)
from below by sigma_min(J_c) - max over vertices |J_v - J_c| with J_c the mean of the vertex Jacobians J_v, because J is
a convex combination of the J_v. A proven upper bound, not the maximum; infinite for an element that is too bent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import comb, factorial

import basix
import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain


def spectral_norm(matrices: Floats) -> float:
    """The largest spectral norm of matrices (..., d, d), exact; 0 for none.

    |G|_F / sqrt(d) <= |G|_2 <= |G|_F, so only matrices whose Frobenius norm comes near the largest are decomposed.
    """
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    frobenius = np.sqrt((flat**2).sum(axis=(1, 2)))
    if not len(flat) or not np.isfinite(frobenius).all():
        return np.inf if len(flat) else 0.0
    near = flat[frobenius >= frobenius.max() / np.sqrt(flat.shape[-1]) * (1 - 1e-12)]
    return float(np.linalg.svd(near, compute_uv=False)[:, 0].max())


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of this rank, ready to differentiate nodal fields on them."""

    domain: Domain

    @cached_property
    def cells(self) -> NDArray[np.int32]:
        """Nodes of each owned cell, (cells, basis)."""
        mesh = self.domain.mesh
        return self.domain.V.dofmap.list[: mesh.topology.index_map(mesh.topology.dim).size_local]

    @cached_property
    def _boxes(self) -> bool:
        return self.domain.mesh.topology.cell_name() in ("quadrilateral", "hexahedron")

    @cached_property
    def _jacobians(self) -> Floats:
        """dx/dxi at the vertices of each cell, (cells, vertices, d, d)."""
        mesh = self.domain.mesh
        d, count = self.domain.dimension, len(self.cells)
        corners = _lattice(d, 1, self._boxes)
        shape = basix.create_element(basix.ElementFamily.P, self.domain.V.element.basix_element.cell_type, 1)
        table = shape.tabulate(1, corners)[1:, :, :, 0]
        points = mesh.geometry.x[mesh.geometry.dofmaps[0][:count]][:, :, :d]
        return np.einsum("jvb,cbi->cvij", table, points)

    @cached_property
    def affine(self) -> bool:
        """Is every element of this rank the affine image of the reference element?"""
        jacobians = self._jacobians
        if not jacobians.size:
            return True
        return bool(np.abs(jacobians - jacobians[:, :1]).max() <= 1e-10 * np.abs(jacobians).max())

    @cached_property
    def _inverse(self) -> Floats:
        """dxi/dx at the centre of each cell, (cells, d, d)."""
        return np.linalg.inv(self._jacobians.mean(axis=1))

    @cached_property
    def _stretch(self) -> Floats:
        """For cells that are not affine: a factor >= |J_c| / sigma_min(J(xi)), (cells,); else 1."""
        if self.affine:
            return np.ones(len(self.cells))
        centre = self._jacobians.mean(axis=1)
        singular = np.linalg.svd(centre, compute_uv=False)
        bend = np.linalg.norm(self._jacobians - centre[:, None], ord=2, axis=(-2, -1)).max(axis=1)
        least = singular[:, -1] - bend
        with np.errstate(divide="ignore"):
            return np.where(least > 0, singular[:, 0] / np.maximum(least, 0.0), np.inf)

    def _degree(self) -> int:
        return self.domain.degree if self._boxes else self.domain.degree - 1

    def gradients(self, velocity: Floats) -> Floats:
        """The hull of grad u on every cell, (cells, hull, d, d), G_ij = du_i/dx_j, from u (d, local).

        On a cell that is not affine, matrices whose norms bound those of grad u.
        """
        points = _lattice(self.domain.dimension, self._degree(), self._boxes)
        hull = _to_hull(points, self._degree(), self._boxes)
        table = self.domain.V.element.basix_element.tabulate(1, points)[1:, :, :, 0]
        reference = np.einsum("qp,jpb->jqb", hull, table)
        in_cells = np.einsum("jqb,icb->cqij", reference, velocity[:, self.cells])
        return (in_cells @ self._inverse[:, None]) * self._stretch[:, None, None, None]

    def lipschitz(self, velocity: Floats) -> float:
        """max |grad u|_2 over this rank's cells, u (d, local); see the module for when it is exact."""
        return spectral_norm(self.gradients(velocity))

    def layer_lipschitz(self, velocity: Floats, step: float) -> float:
        """max |I + Delta grad u|_2 over this rank's cells, as exact as :meth:`lipschitz`; bent cells: 1 + Delta Lip."""
        if not self.affine:
            return 1 + step * self.lipschitz(velocity)
        return spectral_norm(np.eye(self.domain.dimension) + step * self.gradients(velocity))

    def determinant(self, velocity: Floats, step: float) -> float:
        """The smallest det(I + Delta grad u) over the hull of this rank's cells.

        Exact for P1, and for Q1 on affine boxes with d <= 2: there det is affine in each coordinate, because column j
        of I + Delta grad u does not depend on x_j. With d = 3 and for higher degree it samples the element.
        """
        gradients = self.gradients(velocity)
        if not gradients.size:
            return np.inf
        return float(np.linalg.det(np.eye(gradients.shape[-1]) + step * gradients).min())

    def acceleration(self, velocity: Floats, rates: Floats) -> float:
        """A bound on max |w + (grad u) u| over this rank's cells, exact for P1 in d = 1; elsewhere from its hull.

        On cells that are not affine an estimate, not a bound.

        Args:
            velocity: u, (d, local).
            rates: w, several candidates for u_t, (m, d, local); the largest result counts.
        """
        degree = self._degree() + self.domain.degree
        points = _lattice(self.domain.dimension, degree, self._boxes)
        hull = _to_hull(points, degree, self._boxes)
        table = self.domain.V.element.basix_element.tabulate(1, points)[..., 0]
        u = np.einsum("pb,icb->cpi", table[0], velocity[:, self.cells])
        slopes = np.einsum("jpb,icb->cpij", table[1:], velocity[:, self.cells]) @ self._inverse[:, None]
        carried = np.einsum("cpij,cpj->cpi", slopes, u) * self._stretch[:, None, None]
        found = 0.0
        for rate in rates:
            total = carried + np.einsum("pb,icb->cpi", table[0], rate[:, self.cells])
            control = np.einsum("qp,cpi->cqi", hull, total)
            found = max(found, float(np.sqrt((control**2).sum(axis=-1)).max(initial=0.0)))
        return found


def _exponents(d: int, degree: int, boxes: bool) -> list[tuple[int, ...]]:
    every = product(range(degree + 1), repeat=d)
    return [index for index in every if boxes or sum(index) <= degree]


def _lattice(d: int, degree: int, boxes: bool) -> Floats:
    """Points at which a polynomial of the degree is fixed by its values, (points, d)."""
    if degree == 0:
        return np.full((1, d), 0.5 if boxes else 1 / (d + 1))
    return np.array(_exponents(d, degree, boxes), dtype=float) / degree


def _to_hull(points: Floats, degree: int, boxes: bool) -> Floats:
    """The matrix that turns values at the lattice into Bernstein coefficients."""
    columns = [_bernstein(points, index, degree, boxes) for index in _exponents(points.shape[1], degree, boxes)]
    return np.linalg.inv(np.array(columns).T)


def _bernstein(points: Floats, index: tuple[int, ...], degree: int, boxes: bool) -> Floats:
    if boxes:
        factors = [comb(degree, i) * x**i * (1 - x) ** (degree - i) for i, x in zip(index, points.T, strict=True)]
        return np.prod(factors, axis=0)
    rest = degree - sum(index)
    out = np.full(len(points), factorial(degree) / factorial(rest)) * (1 - points.sum(axis=1)) ** rest
    for i, x in zip(index, points.T, strict=True):
        out *= x**i / factorial(i)
    return out
