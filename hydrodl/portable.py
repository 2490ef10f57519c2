"""A trained network as plain arrays: it needs no mesh and no MPI, can be pickled, and predicts the same.

Only for what the estimators train: uniform boxes of degree 1, where a layer is multilinear interpolation of a table,
and neurons. Every rank holds the whole of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray

from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.inverse import invert
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.interpolation import checked_points
from hydrodl.mesh.uniform_grid import Grid, OnGrid, spread
from hydrodl.network import Network
from hydrodl.physics.losses import Density
from hydrodl.physics.neurons import HiddenLayers, neuron_gradients
from hydrodl.physics.problem import Problem
from hydrodl.physics.solution import Controls, Solution
from hydrodl.training.minimisation import train

Floats = NDArray[np.float64]

_FIELDS = ("problem", "velocity", "density", "potential", "jumps", "coefficients")
"""Of a solution: what :class:`PortableSolution` keeps in another form or computes again."""


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
        return cls(grid, solution.problem.layers.steps, table, network._hidden, solution.coefficients)

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
        x = checked_points(points, self.grid.dimension)
        path = np.empty((len(self.steps) + 1, *x.shape))
        path[0] = self.into(x)
        for k, step in enumerate(self.steps):
            path[k + 1] = self.into(path[k] + step * self.velocity(k, path[k]))
        return path

    def inverse(self, points: ArrayLike, *, failures: str = "warn") -> Floats:
        """As :func:`~hydrodl.inverse.inverse_push`."""
        return invert(self, points, failures=failures)


@dataclass(frozen=True, eq=False)
class PortableSolution:
    """What makes a solution again: its controls, its initial densities, and everything that is not a field.

    Attributes:
        network: the layers.
        densities: rho_c(0) at the nodes, shape (C, nodes); targets: those of each density loss, (C, nodes), by the
            number of the loss.
        class_names, preprocessing: of the densities.
        parts: layers, lagrangian, losses, scheme and control of the problem.
        facts: the solution's numbers and words.
    """

    network: PortableNetwork
    densities: Floats
    targets: Mapping[int, Floats]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing | None
    parts: Mapping[str, Any]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, network: Network) -> PortableSolution:
        """From a network and its solution; collective.

        Raises:
            InputError: the domain is no uniform box of degree 1.
        """
        solution, problem = network.solution, network.solution.problem
        portable = PortableNetwork.of(network)
        grid, order = Grid.of(problem.domain)
        targets = {
            j: spread(problem.domain, order, grid.size, loss.target.values)
            for j, loss in enumerate(problem.terms)
            if isinstance(loss, Density)
        }
        terms: list[Any] = list(problem.terms)
        losses = [replace(loss, target=None) if j in targets else loss for j, loss in enumerate(terms)]
        parts = {name: getattr(problem, name) for name in ("layers", "lagrangian", "scheme", "control")}
        facts = {f.name: getattr(solution, f.name) for f in fields(Solution) if f.name not in _FIELDS}
        rho = problem.densities
        initial = spread(problem.domain, order, grid.size, rho.values)
        return cls(
            portable, initial, targets, rho.class_names, network.preprocessing, parts | {"losses": losses}, facts
        )

    def solution(self, comm: MPI.Comm, options: Mapping[str, Any] | None = None) -> Solution:
        """The solution: two sweeps give its densities and potentials again; collective.

        Args:
            comm: the ranks that share it; they may be others than those that trained it.
            options: PETSc's options, of which those of the slab operators matter.
        """
        grid, network = self.network.grid, self.network
        domain = Domain.box(grid.lower, grid.upper, grid.counts.tolist(), comm=comm)
        _, order = Grid.of(domain)

        def densities(values: Floats) -> Densities:
            return Densities(domain, values[:, order], self.class_names, self.preprocessing)

        losses = list(self.parts["losses"])
        for j, target in self.targets.items():
            losses[j] = replace(losses[j], target=densities(target))
        problem = Problem(domain, densities=densities(self.densities), **dict(self.parts) | {"losses": losses})
        start = Controls(network.table[..., order], network.outputs, problem.readout)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # given when it was trained
            swept = train(problem, initial=start, options=options, monitor=lambda entry: True)
        return replace(swept, **self.facts)
