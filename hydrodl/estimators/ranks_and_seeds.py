"""What the estimators share: what they keep of a solution, data that scikit-learn allows and hydrodl does not, ranks
that must agree."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from hydrodl.common.errors import DataError, InputError
from hydrodl.common.parameters import Choice
from hydrodl.data.bandwidth import choose_bandwidth
from hydrodl.data.class_densities import BANDWIDTH
from hydrodl.data.samples import Samples

COMM = Choice("world", ("world", "self"))
"""Whose work a fit is: of all ranks together, or of each alone."""


def check_choices(estimator: Any, choices: Mapping[str, Choice]) -> None:
    """Raise InputError unless each parameter is one of its words."""
    for name, choice in choices.items():
        choice.check(name, getattr(estimator, name))


def agreed(comm: MPI.Comm, *arrays: NDArray[Any]) -> None:
    """Raise InputError unless every rank has the same arrays; collective."""
    mark = [zlib.crc32(np.ascontiguousarray(array)) for array in arrays] + [array.shape for array in arrays]
    if any(other != mark for other in comm.allgather(mark)):
        raise InputError("the ranks were given different data; all must fit the same, or use comm='self'")


def seed_of(random_state: Any, comm: MPI.Comm) -> int:
    """A seed from scikit-learn's random_state, the same on all ranks; collective."""
    return int(comm.bcast(int(check_random_state(random_state).randint(2**31 - 1)), root=0))


def width_of(samples: Samples) -> float:
    """The bandwidth that suits the samples; the default one where no class has two different ones."""
    try:
        return choose_bandwidth(samples)
    except DataError:
        return float(BANDWIDTH.default)
