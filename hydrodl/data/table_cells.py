"""Cells of a table as numbers; of those that are none, how many there are in each column and where the first is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.memory import address_space_left, free_here
from hydrodl.common.text import shown
from hydrodl.data.table_file import Rows

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "."})
"""What a cell says, in small letters, that says nothing."""


_CELLS = 200_000  # that are turned into numbers at once


_COPIES = 4.0  # of its numbers that a table takes while they are put together and standardised


_LISTED = 8  # columns in a message


@dataclass(frozen=True, eq=False)
class Cells:
    """Columns of a table.

    Attributes:
        numbers: shape (n, columns).
        texts: the cells of each column of texts, without blanks around them.
        lines: number of the line each row ends on, shape (n,).
    """

    numbers: Floats
    texts: list[list[str]]
    lines: Ints


def read_cells(rows: Rows, numbers: Sequence[int], texts: Sequence[int], decimal: str) -> Cells:
    """Columns of numbers and columns of texts, by their places in the header.

    Raises:
        DataError: cells that are empty, no number or not finite, all of them counted; more than memory can take.
    """
    wrong, room = _Wrong(rows, numbers, decimal), min(free_here(), address_space_left())
    parts, lines, held = [], [], 0.0
    words: list[list[str]] = [[] for _ in texts]
    known: dict[str, str] = {}  # equal texts are one object
    for chunk in _chunks(rows.body, max(1, len(numbers))):
        cells = [row for row, _ in chunk]
        at = np.fromiter((line for _, line in chunk), dtype=np.int64, count=len(chunk))
        parts.append(_numbers(cells, at, numbers, decimal, wrong))
        lines.append(at)
        for column, into in zip(texts, words, strict=True):
            into.extend(known.setdefault(text, text) for text in (row[column].strip() for row in cells))
        held += parts[-1].nbytes + at.nbytes * (1 + len(texts))
        if (needed := held * rows.growth * _COPIES) > room:
            raise DataError(
                f"{rows.name}: {len(numbers)} columns of so many rows need about {needed / 2**30:.2g} GiB of memory, "
                f"there are {room / 2**30:.2g} GiB free; take fewer rows or columns"
            )
    wrong.tell()
    return Cells(np.concatenate(parts), words, np.concatenate(lines))


def number(cell: str, decimal: str) -> float:
    """The number a cell holds; NaN where it holds none, and an infinite one if that is what it says."""
    if decimal != ".":
        cell = "" if "." in cell else cell.replace(decimal, ".")
    try:
        return math.nan if "_" in cell else float(cell)  # float() takes 1_000, no table means that
    except ValueError:
        return math.nan


def _chunks(body: Iterator[tuple[list[str], int]], columns: int) -> Iterator[list[tuple[list[str], int]]]:
    rows = max(1, _CELLS // columns)
    while chunk := list(islice(body, min(rows, 20_000))):
        yield chunk


def _numbers(rows: Sequence[list[str]], lines: Ints, columns: Sequence[int], decimal: str, wrong: _Wrong) -> Floats:
    """The cells of some rows; what is no number is counted, and NaN here."""
    if not columns:
        return np.empty((len(rows), 0))
    take = itemgetter(*columns) if len(columns) > 1 else (lambda row: (row[columns[0]],))
    flat = [cell for row in rows for cell in take(row)]
    text = "".join(flat)
    try:
        if "_" in text or (decimal != "." and "." in text):
            raise ValueError
        plain = flat if decimal == "." else [cell.replace(decimal, ".") for cell in flat]
        values = np.fromiter(map(float, plain), dtype=np.float64, count=len(flat))
    except ValueError:
        values = np.array([number(cell, decimal) for cell in flat])
    for k in np.flatnonzero(~np.isfinite(values)):
        row, column = divmod(int(k), len(columns))
        wrong.add(column, int(lines[row]), flat[k].strip())
    return values.reshape(len(rows), len(columns))


@dataclass(eq=False)
class _Wrong:
    """The cells that are no numbers: the first one, and how many there are in each column."""

    rows: Rows
    columns: Sequence[int]
    decimal: str
    first: tuple[int, int, str] | None = None
    counts: Counter[int] = field(default_factory=Counter)
    missing: Counter[int] = field(default_factory=Counter)

    def add(self, column: int, line: int, cell: str) -> None:
        self.first = self.first or (line, column, cell)
        self.counts[column] += 1
        self.missing[column] += cell.lower() in MISSING

    def tell(self) -> None:
        """Raise DataError, if there are any."""
        if self.first is None:
            return
        line, column, cell = self.first
        what, several = self._what(cell), sum(self.counts.values()) > 1
        others = self._others(told=" give " in what) if several else ""
        raise DataError(f"{self.rows.name}: row {line}, column {shown(self._name(column))} is {what}{others}")

    def _what(self, cell: str) -> str:
        if not cell:
            return "empty"
        if cell.lower() in MISSING:
            return f"{shown(cell)}, a missing value"
        if self.decimal == "." and "," in cell and math.isfinite(number(cell, ",")):
            return f"{shown(cell)}, not a number; for a decimal comma give decimal = ','"
        if self.decimal == "," and math.isfinite(number(cell, ".")):
            return f"{shown(cell)}, but the decimal is ','"
        infinite = math.isinf(number(cell, self.decimal))
        return f"{shown(cell)}, not a finite number" if infinite else f"{shown(cell)}, not a number"

    def _others(self, told: bool) -> str:
        listed = [f"{shown(self._name(column))} {count}" for column, count in self.counts.most_common(_LISTED)]
        more = f" and {len(self.counts) - _LISTED} columns more" if len(self.counts) > _LISTED else ""
        kind = "missing cells" if self.missing == self.counts else "cells without a number"
        cure = "fill them, or leave out such rows or columns" if kind == "missing cells" else "name the features"
        return f"; {kind} by column: {', '.join(listed)}{more}" + ("" if told else f"; {cure}")

    def _name(self, column: int) -> str:
        return self.rows.header[self.columns[column]]
