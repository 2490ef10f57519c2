"""What the estimators share: what they keep of a solution, data that scikit-learn allows and hydrodl does not, ranks
that must agree, progress."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from hydrodl.bandwidth import choose_bandwidth
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import DataError, InputError
from hydrodl.network import Network
from hydrodl.portable import PortableSolution
from hydrodl.samples import Preprocessing, Samples
from hydrodl.solution import Solution

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


def features_of(preprocessing: Preprocessing, points: Floats) -> Floats:
    """The table (n, p) whose ``apply`` gives the points (n, d); constant features at their constant.

    Only for preprocessing that keeps every feature that varies, each in a coordinate of its own.
    """
    if preprocessing.components is None or preprocessing.component_scale is None:
        return preprocessing.mean + preprocessing.scale * points
    return preprocessing.mean + preprocessing.scale * (
        points * preprocessing.component_scale @ preprocessing.components.T
    )


def preprocess(
    features: Floats, dimensions: int | None, names: tuple[str, ...], one_unit: bool, lift: int
) -> Preprocessing:
    """As ``Preprocessing.fit``, for any finite table: constant features are left out, and with dimensions=None
    features that span fewer directions than would be kept give as many coordinates as they span.

    Raises:
        DataError: every feature is constant, or what ``Preprocessing.fit`` raises.
    """
    varies = ~_constant(features)
    if not varies.any():
        raise DataError(f"all {features.shape[1]} feature(s) are constant over {len(features)} sample(s)")
    kept = features[:, varies]
    if dimensions is None and kept.shape[1] > 3 and _rank(kept) < 2:
        dimensions = 1
    known = [name for name, used in zip(names, varies, strict=True) if used]
    found = Preprocessing.fit(kept, dimensions, known, one_unit, lift)
    return found if varies.all() else _widened(found, varies, features[0], names)


def _constant(features: Floats) -> NDArray[np.bool_]:
    """Columns that hold one value, up to rounding."""
    rounding = max(1e-12, len(features) * np.finfo(float).eps)
    with np.errstate(over="ignore"):
        return np.ptp(features, axis=0) <= rounding * np.abs(features).max(axis=0)


def _rank(features: Floats) -> int:
    with np.errstate(over="ignore", invalid="ignore"):
        unit = (features - features.mean(axis=0)) / features.std(axis=0)
    # values too large to standardise are reported, with their feature, by Preprocessing.fit
    return int(np.linalg.matrix_rank(unit, rtol=1e-8)) if np.isfinite(unit).all() else features.shape[1]


def _widened(
    narrow: Preprocessing, varies: NDArray[np.bool_], constants: Floats, names: tuple[str, ...]
) -> Preprocessing:
    """The same coordinates from tables that have the constant features too."""
    p, d = len(varies), narrow.dimension - narrow.lift
    mean, scale, components = constants.copy(), np.ones(p), np.zeros((p, d))
    mean[varies], scale[varies] = narrow.mean, narrow.scale
    components[varies] = np.eye(d) if narrow.components is None else narrow.components
    spread = np.ones(d) if narrow.component_scale is None else narrow.component_scale
    return replace(narrow, mean=mean, scale=scale, components=components, component_scale=spread, feature_names=names)
