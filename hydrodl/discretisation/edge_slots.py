"""The carried part as a sum over the edges of cells: bilinear forms that couple the two ends of an edge, and no more.

Along an edge e from i to j of a cell K the transport is a function of the means and differences of the fields there,

    sum_K |K| sum_e w_e f_e(m_e z, d_e z),      m_e z = (z_i + z_j)/2,    d_e z = z_j - z_i,

the same ``Lagrangian.transport`` as in weak forms, with other words for "value" and "difference". Its second
derivatives are taken by UFL in all m_e z and d_e z, and scattered with the weights 1/2, 1/2 and -1, 1, which are exact:
what two ends do not share is zero, and a sum of rates keeps its sign in floating point. Simplices have as many slots as
edges; a corner of a box would see each of its edges twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import basix
import numpy as np
import ufl
from dolfinx import fem

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.vertex_rule import Corners, Places
from hydrodl.mesh.cell_edges import jacobian, pushed, reference_edges
from hydrodl.mesh.domain import Domain


@dataclass(frozen=True, eq=False)
class SlotEdge:
    """An edge of a cell, seen by slots; fields are numbers of components.

    Attributes:
        weight: w_e; tangent: t_e; means, differences: the slots of this edge, one a component.
    """

    weight: Any
    tangent: Any
    means: list[Any]
    differences: list[Any]

    def flow(self, u: list[int]) -> Any:
        """u . t_e."""
        return sum(self.means[a] * t for a, t in zip(u, self.tangent, strict=True))

    def value(self, f: int) -> Any:
        """(f_i + f_j) / 2."""
        return self.means[f]

    def difference(self, f: int) -> Any:
        """f_j - f_i."""
        return self.differences[f]


class EdgeSlots(Corners):
    """One point in every cell of this rank that sees means and differences along all edges.

    Args:
        domain: with the vertex rule, on simplices or rectangular boxes.
        structure: as for corners.
        fields: a function in a blocked space over the nodes, whose components the slots are of.

    Attributes:
        slots: the function that holds them, constant on every cell.
    """

    def __init__(self, domain: Domain, structure: tuple[Places, Places], fields: fem.Function) -> None:
        super().__init__(domain, structure, basix.geometry(domain.mesh.basix_cell()).mean(axis=0, keepdims=True))
        mesh, self._fields = domain.mesh, fields
        self._axes = domain.edge_weights.axes
        self.ends = reference_edges(mesh)
        self._size = fields.function_space.dofmap.index_map_bs
        count = len(self.ends)
        self.slots = fem.Function(fem.functionspace(mesh, ("DG", 0, (2 * count * self._size,))))
        self._weights = fem.Function(fem.functionspace(mesh, ("DG", 0, (count,))))
        weights = domain.edge_weights.shared
        self._weights.x.array[: weights.size] = weights.ravel()
        self._first, self._second = np.array(self.ends).T

    def __iter__(self) -> Iterator[SlotEdge]:
        """The edges of a cell, for ``Lagrangian.transport``."""
        corners, J = basix.geometry(self.mesh.basix_cell()), jacobian(self.mesh, self._axes)
        for e, (i, j) in enumerate(self.ends):
            kinds = [[self.slots[self._slot(a, p, e)] for a in range(self._size)] for p in range(2)]
            yield SlotEdge(self._weights[e], pushed(J, corners[j] - corners[i]), *kinds)

    def remainder(self, f: int, g: int) -> Any:
        """None on these cells."""
        return ufl.zero()

    def _slot(self, component: int, kind: int, edge: int) -> int:
        return (component * 2 + kind) * len(self.ends) + edge

    def split(self, slot: tuple[int, int]) -> tuple[int, int]:
        """(component, kind) of a slot of the function: kind e is the mean along edge e, count + e the difference."""
        return divmod(slot[0], 2 * len(self.ends))

    def load(self) -> None:
        """Take the slots from the fields."""
        z = self._fields.x.array.reshape(-1, self._size)[self.nodes]
        low, high = z[:, self._first], z[:, self._second]
        slots = np.stack([(low + high) / 2, high - low], axis=1)  # (cells, 2, edges, components)
        self.slots.x.array[: slots.size] = slots.transpose(0, 3, 1, 2).ravel()

    def stencil(self, kind: int, corner: int) -> dict[int, Floats]:
        """Weights of the two ends."""
        difference, edge = divmod(kind, len(self.ends))
        i, j = self.ends[edge]
        ones = np.ones(len(self.cells))
        return {i: -ones, j: ones} if difference else {i: ones / 2, j: ones / 2}
