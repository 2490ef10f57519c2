"""Function spaces with the nodes in an order of ours instead of the one that DOLFINx finds.

DOLFINx numbers nodes so that neighbours are near each other on any mesh. On a grid they can be numbered as the grid is,
x_1 slowest, which is as near, and fields are then arrays on the grid as they stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dolfinx import cpp as _cpp
from dolfinx import fem, graph
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats, Ints


def grid_ranks(x: Floats) -> Ints:
    """The number on the grid, x_1 slowest, of each of the nodes x (n, d) of a uniform grid."""
    number = np.zeros(len(x), dtype=np.int64)
    for column in x.T:
        values = np.sort(column)
        starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > 1e-9 * np.ptp(values))
        middles = 0.5 * (values[starts[1:] - 1] + values[starts[1:]])
        number = number * len(starts) + np.searchsorted(middles, column)
    return number


def renumbered(space: fem.FunctionSpace, number: NDArray[np.integer], index_map: Any = None) -> fem.FunctionSpace:
    """The same space, in which local node i of ``space`` is local node number[i] of ``index_map``; None: of its own."""
    given: Any = space
    old, mesh = given.dofmap, given.mesh
    nodes = number[old.list].astype(np.int32)
    adjacency: Any = graph.adjacencylist(nodes)
    dofmap = _cpp.fem.DofMap(
        old.dof_layout, index_map or old.index_map, old.index_map_bs, adjacency._cpp_object, old.bs
    )
    made = _cpp.fem.FunctionSpace_float64(mesh._cpp_object, given.element._cpp_object, dofmap)
    return fem.FunctionSpace(mesh, given.ufl_element(), made)
