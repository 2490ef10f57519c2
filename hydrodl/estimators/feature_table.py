"""Features that an estimator is given: one line says where they are no finite numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import DataError
from hydrodl.data.frames import columns_of, is_frame, numbers_of


@contextmanager
def placed(what: str, table: Any) -> Iterator[None]:
    """Around scikit-learn's checks of a table: what it refuses is said in one line, with row and column.

    Raises:
        DataError: in the place of scikit-learn's error, where the table has entries that are not finite, or is a frame
            with columns that hold no numbers; other errors pass.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        if words := unusable(table):
            raise DataError(f"{what}: {words}") from error
        raise


def unusable(table: Any) -> str:
    """What entry or column of a table is no finite number; nothing where that is not what is wrong with it."""
    names: list[str] = []
    if is_frame(table):
        try:
            names = columns_of(table)
            table = numbers_of(table, names)
        except DataError as error:
            return str(error).removeprefix("frame: ")
    try:
        numbers: Floats = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError):
        return ""
    if numbers.ndim != 2 or np.isfinite(numbers).all():
        return ""
    bad = np.argwhere(~np.isfinite(numbers))
    row, column = (int(i) for i in bad[0])
    found = "NaN" if np.isnan(numbers[row, column]) else "infinite"
    rows = len(np.unique(bad[:, 0]))
    return (
        f"row {row + 1}, column {names[column] if names else column + 1} is {found}, as are entries of {rows} of "
        f"{len(numbers)} rows; fill them (sklearn.impute), or leave such rows out"
    )
