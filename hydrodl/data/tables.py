"""Tables: CSV files of features and labels."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.parallel import on_root
from hydrodl.common.text import shown
from hydrodl.data.class_labels import classes_of
from hydrodl.data.preprocessing import LIFT, Preprocessing, check_constant
from hydrodl.data.samples import Samples, check_classes
from hydrodl.data.table_cells import Cells, number, read_cells
from hydrodl.data.table_file import DECIMAL, Form, Rows, listed, opened

_FEW = 40  # rows in which any values may be classes


_INDEX_NAMES = frozenset({"id", "index", "idx", "row", "rowname", "rownames", "row_names", "nr", "no", "unnamed: 0"})
"""What a column is called, in small letters, that some programs write before the others to number the rows."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a table.

    Attributes:
        names: of the columns of numbers.
        numbers: shape (n, p).
        texts: the cells of the columns of texts, by name.
    """

    names: list[str]
    numbers: Floats
    texts: dict[str, list[str]]


def read_csv(
    path: str | Path,
    *,
    label: str,
    features: Sequence[str] | None = None,
    dimensions: int | None = None,
    one_unit: bool | None = None,
    lift: int = LIFT.default,
    delimiter: str | None = None,
    decimal: str = DECIMAL.default,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> Samples:
    r"""A table with a header line; collective, every rank gets the same.

    Labels that are numbers are compared as numbers. What a table may be and what is refused: docs/tables.md.

    Args:
        path: the file.
        label: name of the column of class labels (any text; classes are sorted, numerically if all are numbers).
        features: names of the feature columns, all others by default.
        dimensions, lift: as in :func:`load_dataset`.
        one_unit: the features share a unit; keep them in proportion; None or False: standardise each.
        delimiter: between cells; None: comma, semicolon or tab, as the first lines show.
        decimal: "." or ",", of numbers.
        comm: the ranks that call.

    Raises:
        DataError: see :func:`read_columns`; also a label that is missing, or differs from another in case or blanks
            alone; a single class, a class of one sample, a constant feature, one named twice or equal to the label, a
            column that numbers the rows among features that were not named, or dimensions or lift out of range.

    Example:
        >>> _ = Path("plants.csv").write_text("height,kind\n1.0,fern\n2.0,moss\n3.0,fern\n4.0,moss\n")
        >>> hd.read_csv("plants.csv", label="kind").class_names
        ('fern', 'moss')
    """

    def read() -> Samples:
        form = Form(delimiter, decimal)
        with opened(path, form) as rows:
            columns = _features(rows, label, features)
            cells = read_cells(rows, _places(rows, columns, "column"), _places(rows, [label], "label column"), decimal)
        where = f"{path}: column {shown(label)}"
        labels, names = classes_of(cells.texts[0], cells.lines, str(path), label, decimal)
        if features is None:
            _check_index(rows, columns, cells)
        if 2 * len(names) > max(len(labels), _FEW):
            raise DataError(f"{where} has {len(names)} different values in {len(labels)} rows, which are no classes")
        check_classes(labels, names, where)
        check_constant(cells.numbers, columns, f"{path}: feature")
        _warn_of_labels(cells.numbers, columns, labels, names, f"{path}: feature", decimal)
        return fitted_samples(cells.numbers, labels, names, columns, dimensions, bool(one_unit), lift)

    return on_root(comm, read)


def read_columns(
    path: str | Path,
    wanted: Sequence[str] | None = None,
    kept: Sequence[str] = (),
    *,
    delimiter: str | None = None,
    decimal: str = DECIMAL.default,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> Table:
    """Columns of a CSV table; collective, every rank gets the same.

    Args:
        path: the file; "-": standard input of rank 0.
        wanted: names of the columns of numbers; None: all but those that are kept.
        kept: names of columns to have as texts.
        delimiter, decimal, comm: as in :func:`read_csv`.

    Raises:
        DataError: a missing or unreadable file, not a CSV, a ragged row, an empty table, a missing column (the
            columns that exist are listed), cells that are empty, no number or not finite (the first by its row and
            column, all of them counted by column), more rows than memory can take.
    """

    def read() -> Table:
        with opened(path, Form(delimiter, decimal)) as rows:
            if wanted is None:
                _check_header(rows)
            chosen = [name for name in rows.header if name not in set(kept)] if wanted is None else list(wanted)
            cells = read_cells(rows, _places(rows, chosen, "column"), _places(rows, kept, "column"), decimal)
        return Table(chosen, cells.numbers, dict(zip(kept, cells.texts, strict=True)))

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


def _features(rows: Rows, label: str, features: Sequence[str] | None) -> list[str]:
    """The names of the feature columns."""
    if features is None:
        _check_header(rows)
    _places(rows, [label], "label column")
    columns = [name for name in rows.header if name != label] if features is None else list(features)
    if not columns or label in columns:
        raise DataError(f"{rows.name}: {'the label is among the features' if columns else 'no feature columns'}")
    return columns


def _places(rows: Rows, names: Sequence[str], what: str) -> list[int]:
    """Where columns are in the header."""
    at = {name: place for place, name in enumerate(rows.header)}
    if absent := [name for name in names if name not in at]:
        hint = "; is the header line missing?" if any(map(_is_number, rows.header)) else ""
        if len(rows.header) == 1 and len(rows.header[0].replace("|", " ").split()) > 1:
            hint = "; if these are several, give the delimiter between them"
        found = f"no {what} {shown(absent[0])}; the columns are {listed(rows.header)}{hint}"
        raise DataError(f"{rows.name}: {found}")
    twice, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise DataError(f"{rows.name}: column {shown(twice)} is named {times} times")
    return [at[name] for name in names]


def _is_number(name: str) -> bool:
    return bool(np.isfinite(number(name, ".")) or np.isfinite(number(name, ",")))


def _check_header(rows: Rows) -> None:
    """Raise DataError if what was taken for the header may be the first row of a table without one."""
    if all(map(_is_number, rows.header)):
        raise DataError(
            f"{rows.name}: the first line holds numbers ({listed(rows.header)}), where names of columns are needed; "
            "add a header line, or name all columns that are used"
        )


def _check_index(rows: Rows, columns: Sequence[str], cells: Cells) -> None:
    """Raise DataError if a column among features that nobody named numbers the rows."""
    count = np.arange(len(cells.numbers))
    for name, values in zip(columns, cells.numbers.T, strict=True):
        if name.lower() in _INDEX_NAMES and np.array_equal(values - values[0], count):
            raise DataError(f"{rows.name}: column {shown(name)} numbers the rows; name the features that are used")


def _warn_of_labels(
    features: Floats, columns: Sequence[str], labels: Ints, names: Sequence[str], where: str, decimal: str
) -> None:
    """A warning if a feature is the label over again."""
    values = np.array([number(name, decimal) for name in names])[labels]
    for name, column in zip(columns, features.T, strict=True):
        if np.array_equal(column, values):
            warnings.warn(f"{where} {shown(name)} holds the labels themselves", RuntimeWarning, stacklevel=2)
