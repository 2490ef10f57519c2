"""Weights of the edges of a mesh, and whether they let a flux along every edge obey a maximum principle.

The weight of an edge is that of the stiffness matrix of the mesh, A_e = - sum over cells of |T| grad lambda_i . grad
lambda_j on simplices, |T| / (2^(d-1) |e|^2) from every rectangular cell. It is not negative on boxes, on Delaunay
triangles and between tetrahedra without obtuse dihedral angles (Xu and Zikatanov, Math. Comp. 68, 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import basix
import numpy as np
from dolfinx import la
from dolfinx import mesh as dmesh

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.mesh.cell_edges import SIMPLICES, reference_edges

_ROUNDING = 1e-12  # of a weight in comparison with others of its cells, or of a cosine


@dataclass(frozen=True, eq=False)
class EdgeWeights:
    """Edge weights of a mesh.

    Attributes:
        shared: A_e of every edge of this rank's own cells, divided evenly among the cells around it and by their
            volumes, (cells, edges of a cell); weights that are rounding are zero.
        wrong: number of edges with a negative weight, or of cells with other than right angles; of: how many there are.
        dimension: d; simplices: are the cells triangles or tetrahedra?
        axes: the axis along which edges of the reference cell's directions lie, None where that is not one for all.
    """

    shared: Floats
    wrong: int
    of: int
    dimension: int
    simplices: bool
    axes: tuple[int, ...] | None = None

    @property
    def note(self) -> str:
        """What is wrong, in words; "" if nothing is."""
        if not self.wrong:
            return ""
        if not self.simplices:
            return f"{self.wrong} of {self.of} cells have other than right angles"
        kind = "the mesh is not Delaunay" if self.dimension == 2 else "dihedral angles are too obtuse"
        return f"{self.wrong} of {self.of} edges have negative weights ({kind})"


def edge_weights(mesh: dmesh.Mesh) -> EdgeWeights:
    """The weights of a mesh; collective."""
    count = mesh.topology.index_map(mesh.topology.dim).size_local
    corners = len(basix.geometry(mesh.basix_cell()))
    x = mesh.geometry.x[mesh.geometry.dofmaps[0][:count, :corners], : mesh.geometry.dim]
    return _of_simplices(mesh, x) if mesh.topology.cell_type in SIMPLICES else _of_boxes(mesh, x)


def _of_boxes(mesh: dmesh.Mesh, x: Floats) -> EdgeWeights:
    d = mesh.topology.dim
    sides = np.stack([x[:, 1 << a] - x[:, 0] for a in range(d)], axis=1)
    gram = np.einsum("cai,cbi->cab", sides, sides)
    lengths = np.sqrt(np.einsum("caa->ca", gram))
    cosines = np.abs(gram / (lengths[:, :, None] * lengths[:, None]) - np.eye(d)).max(axis=(1, 2), initial=0.0)
    parallel = x[:, :1] + np.einsum("va,cai->cvi", basix.geometry(mesh.basix_cell()), sides)
    bent = np.abs(x - parallel).max(axis=(1, 2), initial=0.0) / lengths.max(axis=1, initial=1e-300)
    wrong, of = summed(mesh.comm, np.array([float((np.maximum(cosines, bent) > 1e-9).sum()), float(len(x))]))
    ends = np.array(reference_edges(mesh))
    lengths = np.linalg.norm(x[:, ends[:, 1]] - x[:, ends[:, 0]], axis=-1)
    return EdgeWeights(
        0.5 ** (d - 1) / lengths**2, int(wrong), int(of), d, False, None if wrong else _axes(mesh, sides)
    )


def _axes(mesh: dmesh.Mesh, sides: Floats) -> tuple[int, ...] | None:
    """The axis of each row of ``sides`` (cells, d, d) if it is the same in all cells, and no other; collective."""
    found = np.abs(sides).argmax(axis=2)
    along = np.take_along_axis(np.abs(sides), found[:, :, None], axis=2)[:, :, 0]
    straight = bool((np.abs(sides).sum(axis=2) <= along * (1 + 1e-14)).all())
    whole: set[Any] = set()
    for part in mesh.comm.allgather({tuple(row) for row in found.tolist()} if straight else {None}):
        whole |= part
    return whole.pop() if len(whole) == 1 else None


def _of_simplices(mesh: dmesh.Mesh, x: Floats) -> EdgeWeights:
    d, topology = mesh.topology.dim, mesh.topology
    sides = x[:, 1:] - x[:, :1]  # rows of J^T
    volumes = np.abs(np.linalg.det(sides)) * basix.cell.volume(mesh.basix_cell())
    slopes = np.linalg.inv(sides).swapaxes(1, 2)  # row r: gradient of lambda_{r + 1}
    slopes = np.concatenate([-slopes.sum(axis=1, keepdims=True), slopes], axis=1)
    ends = np.array(reference_edges(mesh))
    own = -np.einsum("cei,cei->ce", slopes[:, ends[:, 0]], slopes[:, ends[:, 1]]) * volumes[:, None]
    topology.create_entities(1)
    topology.create_connectivity(d, 1)
    edges = topology.index_map(1)
    links = topology.connectivity(d, 1).array.reshape(-1, len(ends))[: len(x)]
    sums = la.vector(edges, 3)
    for column, values in enumerate((own, np.abs(own).max(axis=1, keepdims=True) + 0 * own, np.ones_like(own))):
        np.add.at(sums.array.reshape(-1, 3)[:, column], links, values)
    sums.scatter_reverse(la.InsertMode.add)
    sums.scatter_forward()
    weight, scale, cells = sums.array.reshape(-1, 3).T
    weight = np.where(np.abs(weight) < _ROUNDING * scale, 0.0, weight)
    found = np.array([float((weight[: edges.size_local] < 0).sum()), float(edges.size_local)])
    wrong, of = summed(mesh.comm, found)
    return EdgeWeights((weight / np.maximum(cells, 1))[links] / volumes[:, None], int(wrong), int(of), d, True)
