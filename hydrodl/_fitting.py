"""What the estimators share: what they keep of a solution, data that scikit-learn allows and hydrodl does not, ranks
that must agree, progress."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from hydrodl.common.errors import DataError, InputError
from hydrodl.data.bandwidth import choose_bandwidth
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.samples import Samples
from hydrodl.network.network import Network
from hydrodl.physics.solution import Solution
from hydrodl.portable import PortableSolution

BANDWIDTH = 0.2
"""Width of the kernel, in standard deviations, where the samples are too few to choose one."""


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


def agreed(comm: MPI.Comm, *arrays: NDArray[Any]) -> None:
    """Raise InputError unless every rank has the same arrays; collective."""
    mark = [zlib.crc32(np.ascontiguousarray(array)) for array in arrays] + [array.shape for array in arrays]
    if any(other != mark for other in comm.allgather(mark)):
        raise InputError("the ranks were given different data; all must fit the same, or use comm='self'")


def seed_of(random_state: Any, comm: MPI.Comm) -> int:
    """A seed from scikit-learn's random_state, the same on all ranks; collective."""
    return int(comm.bcast(int(check_random_state(random_state).randint(2**31 - 1)), root=0))


def step_line(comm: MPI.Comm) -> Callable[[dict[str, Any]], None]:
    """A monitor that prints one line a step on the first rank."""

    def show(entry: dict[str, Any]) -> None:
        if comm.rank == 0:
            numbers = f"J = {entry['objective']:.8g}   gradient {entry['gradient_norm']:.1e}"
            print(f"step {entry['iteration']:3d}   {numbers}", flush=True)

    return show


def width_of(samples: Samples) -> float:
    """The bandwidth that suits the samples, ``BANDWIDTH`` where no class has two different ones."""
    try:
        return choose_bandwidth(samples)
    except DataError:
        return BANDWIDTH
