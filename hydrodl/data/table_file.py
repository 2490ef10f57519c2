"""A CSV table as a stream of rows: its separator, its header, and what is wrong with either.

Lines are read, decoded and parted one after the other, so that memory is that of what is kept.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from hydrodl.common.errors import DataError
from hydrodl.common.given_files import open_given
from hydrodl.common.parameters import Choice
from hydrodl.common.text import printable, shown

STANDARD_INPUT = "-"


DECIMAL = Choice(".", (".", ","))


SEPARATORS = ",;\t"


_LONGEST_LINE = 1 << 24  # bytes


_LISTED, _LONGEST_NAME = 20, 60  # names of columns in a message, and characters of one


_LOOKED_AT = 30  # lines from which the separator is found


_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}  # at the beginning of a file


@dataclass(frozen=True)
class Form:
    """How a table is written.

    Attributes:
        delimiter: between cells, one character; None: comma, semicolon or tab, whichever fits.
        decimal: "." or ",".

    Raises:
        InputError: anything else, or one character as both.
    """

    delimiter: str | None = None
    decimal: str = DECIMAL.default

    def __post_init__(self) -> None:
        DECIMAL.check("decimal", self.decimal)
        given = self.delimiter
        if given is not None and (len(given) != 1 or given in '"\r\n\0' or given.isalnum()):
            raise DataError(f"delimiter is {given!r}, must be one character such as ',', ';', '|' or a tab")
        if given == self.decimal:
            raise DataError(f"delimiter and decimal are both {given!r}; they must differ")


@dataclass(frozen=True)
class Rows:
    """A table being read.

    Attributes:
        name: what to call it in messages.
        header: names of its columns.
        body: (cells, number of the line that the row ends on), as many cells as names.
        stream, size: the file, and how many bytes it has, 0 where nobody knows.
    """

    name: str
    header: list[str]
    body: Iterator[tuple[list[str], int]]
    stream: BinaryIO
    size: int

    @property
    def growth(self) -> float:
        """How many times as much as has been read the whole file is, if it goes on as it began."""
        return 1.0 if not self.size else max(1.0, self.size / max(1, self.stream.tell()))


def listed(names: Sequence[str]) -> str:
    """Names of columns in a message: on one line, the first of very many."""
    some = ", ".join(printable(name)[:_LONGEST_NAME] for name in names[:_LISTED])
    return some + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


@contextmanager
def opened(source: str | Path, form: Form) -> Iterator[Rows]:
    """A table of a file, or of standard input where the source is "-".

    Raises:
        DataError: no such file, a pipe or a device, no CSV table, or a header that does not name each column once;
            while rows are read: a ragged row, or a line that is no text.
    """
    name = "standard input" if str(source) == STANDARD_INPUT else str(source)
    with _bytes_of(source, name) as (stream, size):
        yield _rows(name, stream, size, form)


@contextmanager
def _bytes_of(source: str | Path, name: str) -> Iterator[tuple[BinaryIO, int]]:
    if str(source) == STANDARD_INPUT:
        yield sys.stdin.buffer, 0
        return
    with open_given(Path(source), name, DataError) as file:
        yield file, os.fstat(file.fileno()).st_size


def _rows(name: str, stream: BinaryIO, size: int, form: Form) -> Rows:
    lines = _lines(name, stream)
    first = list(islice(lines, _LOOKED_AT))
    skipped = 0
    while skipped < len(first) and not first[skipped].strip():
        skipped += 1
    announced = re.fullmatch(r'"?sep=(.)"?\s*', first[skipped]) if skipped < len(first) else None
    if announced:  # what some spreadsheets write before the header
        skipped += 1
    delimiter = form.delimiter or (announced[1] if announced else _separator(first[skipped:], form))
    body = _records(name, chain(first[skipped:], lines), delimiter, skipped)
    header = [cell.strip() for cell in next(body, ([], 0))[0]]
    if header and header[0].startswith("#"):
        raise DataError(f"{name}: the header begins with '#'; remove comment lines, and '#' before a name")
    second = next(body, None)
    if len(header) < 2 and second is None:
        raise DataError(
            f"{name} is not a CSV table: no columns found; a header line and rows are needed, with comma, semicolon "
            "or tab between cells, or the delimiter that is given"
        )
    if second is None:
        raise DataError(f"{name}: the table is empty, it has a header line but no rows")
    _check_names(name, header)
    return Rows(name, header, _whole(name, chain([second], body), header, delimiter), stream, size)


def _lines(name: str, stream: BinaryIO) -> Iterator[str]:
    """Lines of text with their ends, those of a bare carriage return too."""
    number = 0
    try:
        while raw := stream.readline(_LONGEST_LINE + 1):
            number += 1
            if number == 1:
                if raw[:2] in _MARKS:
                    raise DataError(f"{name} is {_MARKS[raw[:2]]} text; save it as UTF-8")
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if len(raw) > _LONGEST_LINE:
                raise DataError(f"{name} is not a CSV table: line {number} has more than {_LONGEST_LINE} bytes")
            yield from (
                re.split(r"(?<=\r)(?!\n)", _decoded(name, raw, number))
                if b"\r" in raw
                else [_decoded(name, raw, number)]
            )
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}") from None


def _decoded(name: str, raw: bytes, number: int) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not a CSV table: it is not UTF-8 text, byte {raw[error.start]:#04x} in line {number} is of "
            "another encoding, such as Latin-1, or of no text; save the table as UTF-8"
        ) from None
    if "\0" in text:
        raise DataError(f"{name} is not a CSV table: it holds binary data")
    return text


def _separator(lines: Sequence[str], form: Form) -> str:
    """What parts the first lines into equally many cells, as many as there can be."""
    found: dict[str, tuple[bool, bool, bool, int]] = {}
    for mark in SEPARATORS.replace(form.decimal, ""):
        counts = [len(row) for row in _parted(lines, mark) if any(cell.strip() for cell in row)]
        even, columns = len(set(counts)) == 1, counts[0] if counts else 0
        found[mark] = (even and columns > 1, columns > 1, even, columns)
    return max(found, key=lambda mark: found[mark])


def _parted(lines: Sequence[str], mark: str) -> list[list[str]]:
    rows = []
    try:
        for row in csv.reader(lines, delimiter=mark, skipinitialspace=True):
            rows.append(row)
    except csv.Error:  # too long a cell, said again where it matters
        pass
    return rows[:-1] if len(rows) > _LOOKED_AT // 2 else rows  # the last may go on in further lines


def _records(name: str, lines: Iterator[str], delimiter: str, skipped: int) -> Iterator[tuple[list[str], int]]:
    """Rows that are not blank, with the number of the line each ends on."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield row, reader.line_num + skipped
    except csv.Error as error:
        raise DataError(f"{name} is not a CSV table: row {reader.line_num + skipped}: {error}") from None


def _check_names(name: str, header: Sequence[str]) -> None:
    if "" in header:
        at = header.index("") + 1
        index = "; if it numbers the rows, write the table without it" if at == 1 else ""
        raise DataError(f"{name}: the header has column {at} without a name; names must be given and differ{index}")
    twice, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise DataError(f"{name}: the header has a second column {shown(twice)}; names must be given and differ")


def _whole(
    name: str, body: Iterator[tuple[list[str], int]], header: Sequence[str], delimiter: str
) -> Iterator[tuple[list[str], int]]:
    """The same rows, each of as many cells as the header has."""
    columns = len(header)
    for row, line in body:
        if len(row) != columns:
            raise DataError(f"{name}: row {line} has {len(row)} cells, the header has {columns}{_why(row, columns)}")
        yield row, line


def _why(row: Sequence[str], columns: int) -> str:
    if row[0].lstrip().startswith("#"):
        return "; it begins with '#': comment lines are not read, remove them"
    if len(row) == columns + 1 and not row[-1].strip():
        return "; it ends with a separator too many"
    if len(row) == 2 * columns:
        return "; if numbers have a decimal comma, give decimal = ','"
    if len(row) == columns + 1:
        return "; if rows begin with their number or name, give that column a name too"
    return ""
