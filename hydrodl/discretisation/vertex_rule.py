"""The vertex rule as a sum over corners: bilinear forms without their structural zeros.

A corner is a vertex of a cell. Under the vertex rule an integral of f(z, grad z) is a sum over corners c,

    sum_c w_c f(z(c), grad z(c)),      grad z(c) = sum_n b_n(c) z_n,

where n runs over the corner and its neighbours along edges. Its second derivative in z_a and z_b has the entries

    sum_c w_c sum_{p, q} B_m^p(c) f_{ap, bq}(c) B_n^q(c),      B_n^0 = 1 at the corner n = c else 0, B_n^i = (b_n)_i.

f_{ap, bq} comes from ``second_derivatives`` and is evaluated at all corners by one compiled expression; w and B are
geometry and make one constant sparse matrix. Element matrices would be (b 2^d)^2 numbers a cell, most of them zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import basix
import numpy as np
import scipy.sparse as sp
import ufl
from dolfinx import fem
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.discretisation.second_derivatives import Groups, Kind, entries_of
from hydrodl.linear_algebra.sparsity import Pattern
from hydrodl.mesh.domain import Domain

Places = NDArray[np.int64]


_NEGLIGIBLE = 1e-12  # a slope below this part of the largest is the rounding of a zero


class Corners:
    """The corners of this rank's cells.

    Args:
        domain: with the vertex rule.
        structure: row pointers and sorted columns of a matrix on V with an entry for any two nodes of a cell, over all
            local rows.

    Attributes:
        points: of the reference cell, its vertices; nodes: (cells, corners of a cell) numbers of the nodes there.
        weights: w, (cells, points of a cell).
    """

    def __init__(self, domain: Domain, structure: tuple[Places, Places], points: Floats | None = None) -> None:
        mesh, d = domain.mesh, domain.dimension
        pointers, columns = structure
        self.entries, self._width = len(columns), int(columns.max(initial=0)) + 1
        rows = np.repeat(np.arange(len(pointers) - 1, dtype=np.int64), np.diff(pointers))
        self._keys = rows * self._width + columns
        self._places: dict[tuple[int, int], NDArray[np.int32]] = {}
        self.mesh, self.dimension = mesh, d
        self.points = basix.geometry(mesh.basix_cell()) if points is None else points
        self.cells = np.arange(mesh.topology.index_map(mesh.topology.dim).size_local, dtype=np.int32)
        self.nodes = domain.V.dofmap.list[: len(self.cells)].astype(np.int64)
        inverse = ufl.JacobianInverse(mesh)
        entries = [abs(ufl.JacobianDeterminant(mesh)), *(inverse[r, i] for r in range(d) for i in range(d))]
        geometry = fem.Expression(ufl.as_vector(entries), self.points).eval(mesh, self.cells)
        self.weights = geometry[..., 0] * (basix.cell.volume(mesh.basix_cell()) / len(self.points))
        self._inverse = geometry[..., 1:].reshape(*geometry.shape[:2], d, d)
        # reference gradients of the basis functions at the vertices: (d, corner, node of the cell)
        self._slopes = domain.V.element.basix_element.tabulate(1, self.points)[1:, :, :, 0]

    def split(self, slot: tuple[int, int]) -> tuple[int, int]:
        """(component, kind) of the value (a, 0) or slope (a, i) of a component of the state."""
        return slot

    def load(self) -> None:
        """Take the state from elsewhere; here it is the state itself."""

    def stencil(self, kind: int, corner: int) -> dict[int, Floats]:
        """B^p at one corner of every cell: node of the cell -> (cells,), without the nodes where it vanishes."""
        if kind == 0:
            return {corner: np.ones(len(self.cells))}
        found = np.einsum("cr,rn->nc", self._inverse[:, corner, :, kind - 1], self._slopes[:, corner])
        found[np.abs(found) < _NEGLIGIBLE * np.abs(self._inverse[:, corner]).max(axis=(1, 2))] = 0.0
        return {n: slope for n, slope in enumerate(found) if slope.any()}

    def _place(self, m: int, n: int) -> NDArray[np.int32]:
        """Number of the matrix entry of nodes m and n of every cell."""
        if (m, n) not in self._places:
            keys = self.nodes[:, m] * self._width + self.nodes[:, n]
            self._places[m, n] = np.searchsorted(self._keys, keys).astype(np.int32)
        return self._places[m, n]

    def scatter(self, kinds: Sequence[Kind], used: NDArray[np.bool_]) -> Any:
        """The sparse matrix w B^p B^q from coefficients (cells, corners of a cell, kinds), where used, to entries."""
        count = len(self.points)
        width = len(self.cells) * count * len(kinds)
        parts: list[tuple[NDArray[np.int32], NDArray[np.int32], Floats]] = []
        for corner in range(count):
            for number, (p, q) in enumerate(kinds):
                if not used[number]:
                    continue
                source = ((np.arange(len(self.cells)) * count + corner) * len(kinds) + number).astype(np.int32)
                for m, left in self.stencil(p, corner).items():
                    weighted = self.weights[:, corner] * left
                    for n, right in self.stencil(q, corner).items():
                        factor = weighted * right
                        kept = np.flatnonzero(factor)
                        parts.append((self._place(m, n)[kept], source[kept], factor[kept]))
        if not parts:
            return sp.csr_array((self.entries, width))
        places, sources, factors = (np.concatenate(column) for column in zip(*parts, strict=True))
        return sp.coo_array((factors, (places, sources)), shape=(self.entries, width)).tocsr()


class CornerForm:
    """Blocks of the second derivative of an integral under the vertex rule.

    Args:
        corners: those of the mesh.
        density, state: the integrand f(z, grad z), and z, a function in a blocked space over the nodes.
        groups: blocks (a, b), together where they share a sparsity pattern.

    Attributes:
        masks: which of the structure's entries can be nonzero, one mask a group.
    """

    def __init__(self, corners: Corners, density: Any, state: fem.Function, groups: Groups) -> None:
        self._corners = corners
        found = entries_of(density, state, groups, corners.split)
        ends = np.cumsum([0, *(len(group) * len(used) for group, used in zip(groups, found.kinds, strict=True))])
        self._parts = [slice(*pair) for pair in pairwise(ends)]
        self._blocks = [len(group) for group in groups]
        # an expression cannot be empty
        self._expression = None if found.vector is None else fem.Expression(found.vector, corners.points)
        self._values = np.zeros((*corners.weights.shape, ends[-1]))
        used = self._used(state, found.kinds)
        self._scatter = [corners.scatter(*pair) for pair in zip(found.kinds, used, strict=True)]
        self.masks = [np.diff(matrix.indptr) > 0 for matrix in self._scatter]

    def _used(self, state: fem.Function, kinds: Sequence[Sequence[Kind]]) -> list[NDArray[np.bool_]]:
        """Which coefficients are not zero for generic positive fields, as they are where a constant is zero."""
        kept, generic = state.x.array.copy(), np.random.default_rng(20220712)
        state.x.array[:] = 0.5 + generic.random(len(kept))
        self._evaluate()
        state.x.array[:] = kept
        found = []
        for part, own, blocks in zip(self._parts, kinds, self._blocks, strict=True):
            values = self._values[..., part].reshape(self._corners.weights.size, len(own), blocks)
            found.append((values != 0).any(axis=(0, 2)))
        return found

    def _evaluate(self) -> None:
        if self._expression is not None:
            self._expression.eval(self._corners.mesh, self._corners.cells, self._values)

    def bind(self, patterns: Sequence[Pattern]) -> None:
        """Patterns, one a group, in whose order ``assemble`` gives entries from now on.

        Raises:
            SolverError: a pattern does not contain its group's mask.
        """
        for mask, pattern in zip(self.masks, patterns, strict=True):
            if mask.sum() != mask[pattern.places].sum():
                raise SolverError("a pattern leaves out entries that are not zero; please report this")
        self._scatter = [matrix[pattern.places] for matrix, pattern in zip(self._scatter, patterns, strict=True)]

    def assemble(self) -> list[Floats]:
        """This rank's contributions, for every group an array (entries, blocks)."""
        self._corners.load()
        self._evaluate()
        out = []
        for part, blocks, matrix in zip(self._parts, self._blocks, self._scatter, strict=True):
            out.append(matrix @ np.ascontiguousarray(self._values[..., part]).reshape(-1, blocks))
        return out
