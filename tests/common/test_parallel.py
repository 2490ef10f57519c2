"""Sums and extremes over ranks: numbers stay numbers, arrays are new ones. On more ranks: tests/parallel."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.common.parallel import everywhere, largest, smallest, somewhere, summed


@pytest.mark.parametrize("reduce", [summed, smallest, largest])
def test_numbers_stay_numbers_and_arrays_are_new(reduce: object) -> None:
    comm = MPI.COMM_SELF
    assert reduce(comm, 3) == 3 and type(reduce(comm, np.float64(0.5))) is float  # type: ignore[operator]
    truths = np.array([True, False])
    for given in (np.arange(6.0).reshape(2, 3).T, np.array([1, 2]), np.empty((0, 2)), truths[: 2 * (reduce != summed)]):
        found = reduce(comm, given)  # type: ignore[operator]
        assert found is not given and found.dtype == given.dtype
        np.testing.assert_array_equal(found, given)


def test_truth_is_a_python_truth() -> None:
    for value in (True, False, np.True_, np.False_):
        assert everywhere(MPI.COMM_SELF, bool(value)) is somewhere(MPI.COMM_SELF, bool(value)) is bool(value)
