"""On a box of equal cells a layer is multilinear interpolation of a table of velocities.

    x -> wall(x + Delta_k u_k(x)),    u_k(x) = sum over corners of x's cell of u_k[corner] prod_i (t_i or 1 - t_i)

t in [0, 1]^d says where in its cell x lies, wall(y) = max(lower, min(upper, y)). A table needs no mesh: any program
that can sample an image can run the network.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.uniform_grid import Grid, OnGrid, spread
from hydrodl.network.inversion import invert, push
from hydrodl.network.network import Network
from hydrodl.physics.neurons import HiddenLayers, neuron_gradients


@dataclass(frozen=True, eq=False)
class TableNetwork:
    """N residual layers, each a table of velocities on a grid of equal cells.

    Attributes:
        table: velocities, shape (N, d, n_1, .., n_d).
        steps: Delta, shape (N,).
        lower, upper: corners of the grid, shape (d,).
    """

    table: Floats
    steps: Floats
    lower: Floats
    upper: Floats

    def push(self, points: ArrayLike) -> Floats:
        """Trajectories of points (n, d) through the layers, shape (N + 1, n, d), as those of ``Network.push``.

        Raises:
            InputError: points of another dimension, or not finite.
        """
        grid = Grid(self.lower, self.upper, np.array(self.table.shape[2:]))
        return PortableNetwork(grid, self.steps, self.table.reshape(*self.table.shape[:2], -1)).push(points)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, fit for JSON; floats survive exactly."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> TableNetwork:
        """The inverse of :meth:`to_dict`."""
        return cls(**{name: np.asarray(value, dtype=float) for name, value in content.items()})


def table_form(network: Network) -> TableNetwork:
    """The tables that a network on a uniform box is, equal to it to rounding. Collective.

    Raises:
        InputError: triangles, tetrahedra, a mesh file, elements of higher degree, or neuron control.
    """
    domain = network.domain
    if network.solution.coefficients is not None:
        raise InputError("this network is made of neurons, which no table equals: use neuron_form")
    if not domain.uniform_box or domain.degree > 1:
        kinds = {domain.uniform_box: "a box", bool(domain.periodic): "a periodic box"}
        found = kinds.get(True, "a mesh of other cells or from a file")
        raise InputError(
            f"the table form needs a uniform box of box cells and degree 1, this is {found} with degree "
            f"{domain.degree}; the npz format holds any mesh"
        )
    grid, order = Grid.of(domain)
    table = spread(domain, order, grid.size, network.solution.velocity)
    shape = *table.shape[:2], *(int(count) for count in grid.counts)
    return TableNetwork(table.reshape(shape), network.solution.problem.layers.steps, grid.lower, grid.upper)


@dataclass(frozen=True, eq=False)
class PortableNetwork(OnGrid):
    """The layers x -> x + Delta_k u_k(x) of a network, in mesh coordinates.

    Attributes:
        grid: the nodes.
        steps: Delta_k, shape (N,).
        table: u_k at the nodes, shape (N, d, nodes).
        hidden, outputs: the neurons and their coefficients A, shape (N, d, J), or None: the table is the network.
    """

    grid: Grid
    steps: Floats
    table: Floats
    hidden: HiddenLayers | None = None
    outputs: Floats | None = None

    @classmethod
    def of(cls, network: Network) -> PortableNetwork:
        """The same network; collective.

        Raises:
            InputError: its domain is no uniform box of degree 1.
        """
        solution, domain = network.solution, network.domain
        grid, order = Grid.of(domain)
        table = spread(domain, order, grid.size, solution.velocity)
        return cls(grid, solution.problem.layers.steps, table, network.hidden, solution.coefficients)

    def velocity(self, k: int, points: Floats) -> Floats:
        """u_k at points (n, d) of feature space, shape (n, d)."""
        if self.hidden is None or self.outputs is None:
            return self.grid.interpolate(self.table[k], points)
        return self.hidden.values(k, points) @ self.outputs[k].T

    def gradient(self, k: int, points: Floats) -> Floats:
        """du_k,i / dx_j at points (n, d) of feature space, shape (n, d, d)."""
        if self.hidden is None or self.outputs is None:
            return self.grid.gradient(self.table[k], points)
        return neuron_gradients(self.hidden, self.outputs[k], k, points)

    def push(self, points: ArrayLike) -> Floats:
        """As ``Network.push``: trajectories of points (n, d), shape (N + 1, n, d).

        Raises:
            InputError: points of another dimension, or not finite.
        """
        return push(self, points)

    def inverse(self, points: ArrayLike, *, failures: str = "warn") -> Floats:
        """As :func:`hydrodl.inverse_push`."""
        return invert(self, points, failures=failures)
