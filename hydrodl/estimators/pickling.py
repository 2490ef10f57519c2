"""A trained network as plain arrays: it needs no mesh and no MPI, can be pickled, and predicts the same.

Only for what the estimators train: uniform boxes of degree 1, where a layer is multilinear interpolation of a table,
and neurons. Every rank holds the whole of it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from mpi4py import MPI
from sklearn.utils.validation import check_is_fitted

from hydrodl.common.arrays import Floats
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.network.network import Network
from hydrodl.network.table_network import PortableNetwork
from hydrodl.physics.losses import Density
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls, Solution, Statistics
from hydrodl.training.minimisation import train


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
        facts = {f.name: getattr(solution, f.name) for f in fields(Statistics)}
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
        start = Controls(network.table[..., order], network.outputs, problem.readout, network.hidden)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # given when it was trained
            swept = train(problem, initial=start, options=options, monitor=lambda entry: True)
        return replace(swept, **self.facts)


SOLVING = threading.RLock()
"""Held while PETSc is at work: it must not be called by two threads at once, as joblib's threads would."""


class KeepsSolution:
    """Estimators whose ``solution_`` and ``network_`` survive pickling as plain arrays.

    Both belong to a mesh and to MPI. They are left out of a pickle and computed again, by two sweeps, when they are
    first asked for; that is collective.
    """

    comm: str
    options: Mapping[str, Any] | None

    def _keep_solution(self, solution: Solution, preprocessing: Preprocessing) -> None:
        self._solution: Solution | None = solution
        self._network: Network | None = Network(solution, preprocessing)
        self._state = PortableSolution.of(self._network)

    @property
    def solution_(self) -> Solution:
        """What training found; collective after unpickling."""
        check_is_fitted(self)
        if self._solution is None:
            with SOLVING:
                self._solution = self._state.solution(communicator(self.comm), self.options)
        return self._solution

    @property
    def network_(self) -> Network:
        """The network on its mesh; collective after unpickling."""
        check_is_fitted(self)
        if self._network is None:
            self._network = Network(self.solution_, self._state.preprocessing)
        return self._network

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to a mesh."""
        state: Any = super().__getstate__()
        return state | dict.fromkeys({"_solution", "_network"} & set(state))


def communicator(word: str) -> MPI.Comm:
    """The ranks that work together: "world" or "self"."""
    return MPI.COMM_SELF if word == "self" else MPI.COMM_WORLD
