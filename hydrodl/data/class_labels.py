"""The texts in a column of labels as classes: what is the same class, what none, and what may be either."""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hydrodl.common.arrays import Ints
from hydrodl.common.errors import DataError
from hydrodl.common.text import shown
from hydrodl.data.table_cells import MISSING, number


def classes_of(
    texts: Sequence[str], lines: Ints, table: str, column: str, decimal: str
) -> tuple[Ints, tuple[str, ...]]:
    """Class of every row (n,), and the names of the classes, sorted, numerically if all are numbers.

    Numbers are compared as numbers: 1 and 1.0 are one class, under the shorter name, with a warning.

    Args:
        texts: the labels, without blanks around them.
        lines: of the file, for messages.
        table, column: what to call them.
        decimal: of numbers.

    Raises:
        DataError: labels that stand for a missing value, or that differ in case or blanks alone.
    """
    marks = {text: unicodedata.normalize("NFC", text) for text in set(texts)}
    _check_missing(texts, lines, table, column)
    groups: dict[object, set[str]] = {}
    for mark in marks.values():
        groups.setdefault(_key(mark, decimal), set()).add(mark)
    names = {key: min(same, key=lambda mark: (len(mark), mark)) for key, same in groups.items()}
    for key, same in sorted(groups.items(), key=lambda item: names[item[0]]):
        if len(same) > 1:
            _say_same(sorted(same), key, names[key], f"{table}: column {shown(column)}")
    order = _sorted_names(list(names.values()), decimal)
    place = {name: c for c, name in enumerate(order)}
    index = {text: place[names[_key(mark, decimal)]] for text, mark in marks.items()}
    return np.array([index[text] for text in texts], dtype=np.int64), tuple(order)


def _key(mark: str, decimal: str) -> object:
    value = number(mark, decimal)
    return value if math.isfinite(value) else " ".join(mark.casefold().split())


def _check_missing(texts: Sequence[str], lines: Ints, table: str, column: str) -> None:
    found = Counter(text for text in texts if text.lower() in MISSING)
    if not found:
        return
    first = next(int(line) for text, line in zip(texts, lines, strict=True) if text.lower() in MISSING)
    kinds = ", ".join(f"{shown(text) if text else 'empty'} {count}" for text, count in found.items())
    cure = "leave such rows out" + (", or give what is a class another name" if set(found) != {""} else "")
    raise DataError(f"{table}: row {first}, column {shown(column)} has no label; missing labels: {kinds}; {cure}")


def _say_same(same: list[str], key: object, name: str, where: str) -> None:
    listed = " and ".join(map(shown, same))
    if isinstance(key, str):
        raise DataError(f"{where} has labels {listed}, which differ in case or blanks alone; write one class one way")
    warnings.warn(f"{where}: labels {listed} are one number and one class, {name!r}", RuntimeWarning, stacklevel=2)


def _sorted_names(names: list[str], decimal: str) -> list[str]:
    values = {name: number(name, decimal) for name in names}
    return sorted(names, key=values.__getitem__) if all(map(math.isfinite, values.values())) else sorted(names)
