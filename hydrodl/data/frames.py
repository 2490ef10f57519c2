"""Data frames of pandas, Polars and what else narwhals knows: columns by name, and results of the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import DataError
from hydrodl.common.text import shown
from hydrodl.data.table_file import listed

KINDS = ("pandas", "polars", "pyarrow")


def is_frame(thing: Any) -> bool:
    """Whether it is a data frame, rather than an array."""
    if isinstance(thing, np.ndarray | Sequence) or not hasattr(thing, "shape"):
        return False
    from narwhals.dependencies import is_into_dataframe  # here: most programs have arrays alone

    return bool(is_into_dataframe(thing))


def columns_of(frame: Any) -> list[str]:
    """Names of its columns.

    Raises:
        DataError: it is no data frame.
    """
    return [str(name) for name in _eager(frame).columns]


def numbers_of(frame: Any, names: Sequence[str]) -> Floats:
    """The named columns as a table, shape (n, p).

    Raises:
        DataError: no data frame, a column that is not there or holds no numbers, or a missing value.
    """
    eager = _eager(frame)
    table = np.empty((len(eager), len(names)))
    for j, name in enumerate(names):
        column = _column(eager, name)
        if not (column.dtype.is_numeric() or str(column.dtype) == "Boolean"):
            raise DataError(f"frame: column {shown(name)} holds {column.dtype}, not numbers")
        missing = column.is_null().to_numpy()
        if missing.any():
            raise DataError(
                f"frame: row {int(np.argmax(missing)) + 1}, column {shown(name)} is missing, as are "
                f"{int(missing.sum())} of {len(table)} there; fill them, or leave such rows out"
            )
        table[:, j] = column.to_numpy()
    return table


def values_of(frame: Any, name: str) -> list[Any]:
    """The values of one column, None where one is missing.

    Raises:
        DataError: no data frame, or a column that is not there.
    """
    return _column(_eager(frame), name).to_list()  # type: ignore[no-any-return]


def like(frame: Any, content: Mapping[str, Any]) -> Any:
    """A frame of the same kind with these columns; a pandas one has the index of the other."""
    import narwhals as nw

    given = _eager(frame)
    made = nw.from_dict(dict(content), backend=given.implementation).to_native()
    if given.implementation.is_pandas_like():
        made.index = given.to_native().index
    return made


def made_frame(kind: str, content: Mapping[str, Any]) -> Any:
    """A frame of a kind, see ``KINDS``.

    Raises:
        DataError: another kind, or one that is not installed.
    """
    if kind not in KINDS:
        raise DataError(f"kind of frame is {kind!r}, must be one of {', '.join(KINDS)}")
    import narwhals as nw

    backend: Any = kind
    try:
        return nw.from_dict(dict(content), backend=backend).to_native()
    except ImportError:
        raise DataError(f"frames of {kind} need the package {kind}, which is not installed") from None


def predictions_like(frame: Any, class_names: Sequence[str], probabilities: Floats) -> Any:
    """Label and class probabilities (n, C) of the rows of a frame, as such a frame: columns label, p_NAME."""
    labels = [class_names[k] for k in probabilities.argmax(axis=1)]
    chances = {f"p_{name}": column for name, column in zip(class_names, probabilities.T, strict=True)}
    return like(frame, {"label": labels} | chances)


def _eager(frame: Any) -> Any:
    import narwhals as nw

    try:
        return nw.from_native(frame, eager_only=True)
    except TypeError:
        lazy = "; collect a lazy one first" if hasattr(frame, "collect") else ""
        raise DataError(f"{type(frame).__name__} is no data frame of pandas, Polars or their like{lazy}") from None


def _column(eager: Any, name: str) -> Any:
    if name not in eager.columns:
        raise DataError(f"frame: no column {shown(name)}; the columns are {listed([str(c) for c in eager.columns])}")
    return eager[name]
