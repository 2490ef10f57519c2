"""Tables: CSV files of features and labels."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.given_files import read_given
from hydrodl.common.parallel import on_root
from hydrodl.data.preprocessing import LIFT, Preprocessing, check_constant
from hydrodl.data.samples import Samples, check_classes

# A table as read: column names, rows of cells, and the line of the file each row ends on.
Table = tuple[list[str], list[list[str]], list[int]]


def read_csv(
    path: str | Path,
    *,
    label: str,
    features: Sequence[str] | None = None,
    dimensions: int | None = None,
    one_unit: bool | None = None,
    lift: int = LIFT.default,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> Samples:
    r"""A table with a header line (separated by comma, semicolon or tab); collective, every rank gets the same.

    Args:
        path: the file.
        label: name of the column of class labels (any text; classes are sorted, numerically if all are numbers).
        features: names of the feature columns, all others by default.
        dimensions, lift: as in :func:`load_dataset`.
        one_unit: the features share a unit; keep them in proportion; None or False: standardise each.
        comm: the ranks that call.

    Raises:
        DataError: see :func:`read_points`; also an empty label, a single class, a class of one sample, a constant
            feature, or dimensions or lift out of range.

    Example:
        >>> _ = Path("plants.csv").write_text("height,kind\n1.0,fern\n2.0,moss\n3.0,fern\n4.0,moss\n")
        >>> hd.read_csv("plants.csv", label="kind").class_names
        ('fern', 'moss')
    """
    return on_root(comm, lambda: _samples_from_csv(Path(path), label, features, dimensions, bool(one_unit), lift))


def read_points(path: str | Path, feature_names: Sequence[str], *, comm: MPI.Comm = MPI.COMM_WORLD) -> Floats:
    """The named columns of a CSV table, shape (n, p); further columns are ignored; collective.

    Raises:
        DataError: a missing or unreadable file, not a CSV, a ragged row, an empty table, a missing column (the
            columns that exist are listed), a cell that is empty, not a number or not finite (row and column named).
    """
    return read_columns(path, feature_names, comm=comm)[1]


def read_columns(
    path: str | Path, wanted: Sequence[str] | None = None, *, comm: MPI.Comm = MPI.COMM_WORLD
) -> tuple[list[str], Floats]:
    """As :func:`read_points`, of all columns unless some are named; with their names."""

    def read() -> tuple[list[str], Floats]:
        names, rows, lines = _read_table(Path(path))
        chosen = list(wanted or names)
        return chosen, _numbers(Path(path), names, rows, lines, chosen)

    return on_root(comm, read)


def fitted_samples(
    features: Floats,
    labels: Ints,
    class_names: Sequence[str],
    feature_names: Sequence[str],
    dimensions: int | None,
    one_unit: bool,
    lift: int,
) -> Samples:
    """Samples with the preprocessing fitted to them; arguments as in ``Preprocessing.fit``."""
    preprocessing = Preprocessing.fit(features, dimensions, feature_names, one_unit, lift)
    return Samples(features, labels.astype(np.int64), tuple(class_names), tuple(feature_names), preprocessing)


def _samples_from_csv(
    path: Path, label: str, features: Sequence[str] | None, dimensions: int | None, one_unit: bool, lift: int
) -> Samples:
    table = names, rows, lines = _read_table(path)
    at = _find_column(path, names, label, "label column")
    columns = [name for name in names if name != label] if features is None else list(features)
    if not columns or label in columns:
        raise DataError(f"{path}: {'the label is among the features' if columns else 'no feature columns'}")
    raw = _numbers(path, *table, columns)
    marks = [row[at].strip() for row in rows]
    for line, mark in zip(lines, marks, strict=True):
        if mark.lower() in ("", "nan"):
            raise DataError(f"{path}: row {line}, column {label!r} has no label")
    class_names = _sorted_names(marks)
    index = {name: c for c, name in enumerate(class_names)}
    labels = np.array([index[mark] for mark in marks], dtype=np.int64)
    check_classes(labels, class_names, f"{path}: column {label!r}")
    check_constant(raw, columns, f"{path}: feature")
    return fitted_samples(raw, labels, class_names, columns, dimensions, one_unit, lift)


def _sorted_names(marks: Sequence[str]) -> tuple[str, ...]:
    names = sorted(set(marks))
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(names)


def _read_table(path: Path) -> Table:
    try:
        text = read_given(path, str(path), wrong=DataError).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a CSV table: it is not UTF-8 text") from None
    if "\0" in text:
        raise DataError(f"{path} is not a CSV table: it holds binary data")
    return _parse(path, text)


def _parse(path: Path, text: str) -> Table:
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        content = [(row, reader.line_num) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV table: row {reader.line_num}: {error}") from None
    names = [cell.strip() for cell in content[0][0]] if content else []
    if len(names) < 2 and len(content) < 2:
        raise DataError(f"{path} is not a CSV table: no columns found; a header line and rows are needed")
    if len(content) < 2:
        raise DataError(f"{path}: the table is empty, it has a header line but no rows")
    for position, name in enumerate(names):
        if not name or name in names[:position]:
            found = f"a second column {name!r}" if name else f"column {position + 1} without a name"
            raise DataError(f"{path}: the header has {found}; names must be given and differ")
    for row, line in content[1:]:
        if len(row) != len(names):
            raise DataError(f"{path}: row {line} has {len(row)} cells, the header has {len(names)}")
    return names, [row for row, _ in content[1:]], [line for _, line in content[1:]]


def _find_column(path: Path, names: Sequence[str], name: str, what: str) -> int:
    if name not in names:
        raise DataError(f"{path}: no {what} {name!r}; the columns are {', '.join(names)}")
    return names.index(name)


def _numbers(path: Path, names: list[str], rows: list[list[str]], lines: list[int], wanted: list[str]) -> Floats:
    columns = [_find_column(path, names, name, "column") for name in wanted]
    values = np.empty((len(rows), len(columns)))
    for i, (row, line) in enumerate(zip(rows, lines, strict=True)):
        for j, column in enumerate(columns):
            values[i, j] = _number(path, row[column].strip(), line, names[column])
    return values


def _number(path: Path, cell: str, line: int, name: str) -> float:
    try:
        value = math.nan if "_" in cell else float(cell)  # float() takes 1_000, no table means that
    except ValueError:
        found = f"{cell!r}, not a number" if cell else "empty"
        raise DataError(f"{path}: row {line}, column {name!r} is {found}") from None
    if not math.isfinite(value):
        found = f"{cell!r}, not a finite number"
        raise DataError(f"{path}: row {line}, column {name!r} is {found}")
    return value
