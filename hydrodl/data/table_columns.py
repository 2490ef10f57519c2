"""What the columns of an unknown table look like: numbers, texts, labels, row numbers, constants, holes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydrodl.common.errors import DataError
from hydrodl.common.text import shown
from hydrodl.data.table_cells import MISSING, number
from hydrodl.data.table_file import Form, listed, opened

MOST_CLASSES = 40
"""Different values that may be classes."""


LABELS = ("label", "class", "species", "target", "kind", "type", "category", "group", "diagnosis", "outcome", "y")
"""What columns of labels are called, the likeliest first."""


@dataclass
class Column:
    """What was seen of one column.

    Attributes:
        name: in the header.
        rows: cells; missing: those that say nothing; numbers: those that are finite numbers.
        values: how often each of the first values was seen, one more than ``MOST_CLASSES`` of them at most.
        counting: does it number the rows? least, most: of the numbers.
    """

    name: str
    rows: int = 0
    missing: int = 0
    numbers: int = 0
    values: Counter[str] = field(default_factory=Counter)
    counting: bool = True
    least: float = math.inf
    most: float = -math.inf

    def add(self, cell: str, decimal: str) -> None:
        """One more cell."""
        cell, self.rows = cell.strip(), self.rows + 1
        if cell.lower() in MISSING:
            self.missing += 1
            return
        if cell in self.values or len(self.values) <= MOST_CLASSES:
            self.values[cell] += 1
        value = number(cell, decimal)
        if math.isfinite(value):
            self.counting = self.counting and value.is_integer() and self.numbers in (0, value - self.least)
            self.numbers += 1
            self.least, self.most = min(self.least, value), max(self.most, value)

    @property
    def is_numeric(self) -> bool:
        """Numbers and nothing else."""
        return self.numbers == self.rows

    @property
    def classes(self) -> int:
        """How many classes it may be: 0 where it cannot be any."""
        several = 2 <= len(self.values) <= MOST_CLASSES and self.rows >= 2 * len(self.values)
        return len(self.values) if several and not self.missing else 0

    @property
    def no_feature(self) -> str:
        """Why it is no feature; nothing if it is one."""
        if self.missing:
            return f"{self.missing} missing cell{'s' * (self.missing > 1)}"
        if not self.is_numeric:
            return "no numbers"
        if self.least == self.most:
            return "constant"
        return "numbers the rows" if self.counting and self.rows > 2 else ""


def look_at(path: Path, form: Form) -> list[Column]:
    """The columns of a table, read once from beginning to end.

    Raises:
        DataError: what ``opened`` raises.
    """
    with opened(path, form) as rows:
        found = [Column(name) for name in rows.header]
        for cells, _ in rows.body:
            for column, cell in zip(found, cells, strict=True):
                column.add(cell, form.decimal)
    return found


def label_among(columns: Sequence[Column], table: Path) -> Column:
    """The column that looks like labels: by its name, else the last one of words, else the last one of few numbers.

    Raises:
        DataError: none does.
    """
    able = [column for column in columns if column.classes]
    for name in LABELS:
        for column in able:
            if column.name.strip().lower() == name:
                return column
    words = [column for column in able if not column.is_numeric]
    whole = [c for c in able if c.is_numeric and all(value.lstrip("+-").isdigit() for value in c.values)]
    if not (words or whole):
        raise DataError(
            f"{table}: no column looks like labels; the columns are {listed([column.name for column in columns])}; "
            "name one by --label, or a column of times by --time"
        )
    return (words or whole)[-1]


def named(columns: Sequence[Column], name: str, table: Path) -> Column:
    """The column of a name.

    Raises:
        DataError: there is none.
    """
    for column in columns:
        if column.name == name:
            return column
    raise DataError(f"{table}: no column {shown(name)}; the columns are {listed([c.name for c in columns])}")
