"""``hydrodl new``: a problem file for a table that nobody has described yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI

from hydrodl.common.errors import InputError
from hydrodl.common.parallel import on_root
from hydrodl.common.text import shown
from hydrodl.data.table_columns import Column, label_among, look_at, named
from hydrodl.data.table_file import DECIMAL, STANDARD_INPUT, Form, listed
from hydrodl.problem_file import schema
from hydrodl.problem_file.template import template

_NOT_OF_TABLES = ("mixture", "snapshots", "samples", "test_samples", "noise")


def write_problem(
    table: Path,
    out: Path | None = None,
    *,
    label: str | None = None,
    time: str | None = None,
    delimiter: str | None = None,
    decimal: str = DECIMAL.default,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> list[str]:
    """Write a problem file for a table, every key in it; what to say of it, line by line. Collective.

    Args:
        table: with a header line.
        out: the file; None: the table's name with .toml, in this folder.
        label: the column of labels; None: the one that looks so, see :func:`label_among`.
        time: the column of times, of a table of snapshots, which has no labels.
        delimiter, decimal: of the table.
        comm: the ranks that call.

    Raises:
        InputError: a table that cannot be read or has no feature, no such column, or a file that is there already.
    """
    return on_root(comm, lambda: _write(table, out, label, time, Form(delimiter, decimal)))


def _write(table: Path, out: Path | None, label: str | None, time: str | None, form: Form) -> list[str]:
    if str(table) == STANDARD_INPUT:
        raise InputError("a problem file names its table: give a file, not standard input")
    if label is not None and time is not None:
        raise InputError("--label and --time exclude each other: snapshots of one population have no labels")
    path = out or Path(f"{table.stem}.toml")
    if path.exists():
        raise InputError(f"{path} is there already; give another name by --out")
    columns = look_at(table, form)
    chosen = _chosen(columns, label, time, table)
    features = [column.name for column in columns if column is not chosen and not column.no_feature]
    if not features:
        raise InputError(f"{table}: no column of numbers is left for features beside {shown(chosen.name)}")
    others = [f"{c.name} ({c.no_feature})" for c in columns if c is not chosen and c.no_feature]
    data: dict[str, Any] = {"source": _relative(table, path.parent), "time" if time else "label": chosen.name}
    data |= {"features": features} | _form(form)
    skipped = [*_NOT_OF_TABLES, *(("label", "lift", "test_fraction") if time else ("time",))]
    told = _told(table, columns, chosen, time is not None)
    head = [f"Problem file of hydrodl for {told}"]
    head += [f"Columns left out of the features: {listed(others)}"] if others else []
    head += ["A key after a '#' has its default; take the '#' away to change it.", f"  hydrodl train {path.name}"]
    text = template(head, data, skipped, schema.Density if time else schema.Classification)
    _create(path, text)
    return [f"{path}: {told}", f"next: hydrodl train {path} --dry-run"]


def _chosen(columns: Sequence[Column], label: str | None, time: str | None, table: Path) -> Column:
    """The column of labels or of times."""
    if label is None and time is None:
        return label_among(columns, table)
    column = named(columns, str(label or time), table)
    if time is not None and (not column.is_numeric or len(column.values) < 2):
        raise InputError(f"{table}: column {shown(time)} holds no times: two different numbers at least are needed")
    return column


def _told(table: Path, columns: Sequence[Column], chosen: Column, times: bool) -> str:
    features = sum(column is not chosen and not column.no_feature for column in columns)
    kinds = [f"{value} {count}" for value, count in sorted(chosen.values.items())]
    what = "times" if times else "classes"
    known = f"{len(kinds)} {what} in column {shown(chosen.name)} ({listed(kinds)})"
    return f"{table.name}: {chosen.rows} rows, {features} feature{'s' * (features > 1)}, {known}"


def _relative(table: Path, folder: Path) -> str:
    try:
        return os.path.relpath(table.resolve(), folder.resolve())
    except (OSError, ValueError):
        return str(table.resolve())


def _form(form: Form) -> dict[str, str]:
    given = {} if form.delimiter is None else {"delimiter": form.delimiter}
    return given | ({} if form.decimal == DECIMAL.default else {"decimal": form.decimal})


def _create(path: Path, text: str) -> None:
    """A new file, never in the place of another."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path} is there already; give another name by --out") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
