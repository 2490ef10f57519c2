"""Other people's tables: the right classes, or one line that says what is wrong and what to do."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hydrodl.common.errors import DataError, InputError
from hydrodl.common.text import printable
from hydrodl.data import table_cells
from hydrodl.data.samples import Samples
from hydrodl.data.tables import read_csv
from tests.hostile.tables import TABLES, Case


def by_class(samples: Samples) -> dict[str, list[list[float]]]:
    return {name: samples.features[samples.labels == c].tolist() for c, name in enumerate(samples.class_names)}


def outcome(path: Path, case: Case) -> str | None:
    """What came of a table that should not have."""
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = by_class(read_csv(path, **{"label": "kind"} | case.options))
        except InputError as error:
            one_line = printable(str(error)) == str(error)
            return None if case.classes is None and str(case.words) in str(error) and one_line else f"refused: {error}"
    words = "; ".join(str(warning.message) for warning in said)
    if found != case.classes or list(found) != list(case.classes):
        return f"read as {found}"
    return None if (case.words or "") in words and bool(words) == bool(case.words) else f"said: {words}"


def test_other_peoples_tables(tmp_path: Path) -> None:
    wrong = {name: found for name, case in TABLES.items() if (found := outcome(tmp_path / "t.csv", case)) is not None}
    assert wrong == {}
    assert len(TABLES) >= 70


def test_tables_with_bytes_lost_and_added_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "t.csv"
    whole = [case.content if isinstance(case.content, bytes) else case.content.encode() for case in TABLES.values()]
    bits = [b",", b";", b"\n", b"\r", b'"', b"\0", b"\xff", b"1", b"nan", b"-", b"#", b"\t", b"_", b"1e308", b"sep=x\n"]
    for _ in range(300):
        table = bytearray(whole[rng.integers(len(whole))])
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(len(table) + 1))
            table[at : at + int(rng.integers(0, 3))] = bits[rng.integers(len(bits))]
        path.write_bytes(bytes(table))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read_csv(path, label="kind")
        except InputError as error:
            assert printable(str(error)) == str(error), bytes(table)


@pytest.mark.parametrize("columns", [100_000])
def test_many_columns_are_read_in_time_that_grows_with_them(columns: int, tmp_path: Path) -> None:
    header = ",".join(f"c{k}" for k in range(columns)) + ",kind\n"
    numbers = np.random.default_rng(0).integers(0, 9, (6, columns))
    rows = "".join(",".join(map(str, row)) + f",{'xy'[k % 2]}\n" for k, row in enumerate(numbers))
    path = tmp_path / "wide.csv"
    path.write_text(header + rows)
    chosen = read_csv(path, label="kind", features=["c7", f"c{columns - 1}"])
    np.testing.assert_array_equal(chosen.features, numbers[:, [7, -1]])
    path.write_text(header.replace("c7,", "c6,") + rows)
    with pytest.raises(DataError, match="a second column 'c6'"):
        read_csv(path, label="kind")


def test_a_table_for_no_memory_is_refused_after_its_first_rows(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(table_cells, "free_here", lambda: 1e9)
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"a,b,kind\n" + b"1,2,x\n" * 30_000)
        file.truncate(1 << 30)  # a hole: the file is long, the disk is not full
    with pytest.raises(DataError, match="GiB of memory"):
        read_csv(path, label="kind")


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    path.write_bytes(b"a,b,kind\n" + b"1," * (1 << 23) + b"1\n")
    with pytest.raises(DataError, match="line 2 has more than"):
        read_csv(path, label="kind")
