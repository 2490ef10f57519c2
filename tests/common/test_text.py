"""Names of others on a terminal and in tables."""

from __future__ import annotations

import pytest

from hydrodl.common.text import printable, shown, table_cell


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Iris setosa, ± 2 µm", "Iris setosa, ± 2 µm"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("two\nlines\r\tand\x7f", r"two\nlines\r\tand\x7f"),
        ("right\u202eto left", r"right\u202eto left"),
        ("half \ud800 of a pair", r"half \ud800 of a pair"),
    ],
)
def test_text_for_a_terminal(text: str, safe: str) -> None:
    assert printable(text) == safe and printable(text).encode()


def test_values_in_messages_are_short() -> None:
    assert shown(True) == "true" and shown("\x1b") == r"'\x1b'" and len(shown("x" * 10**6)) < 70


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("setosa", "setosa"),
        ("-1", "-1"),
        ("+1.5e3", "+1.5e3"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-x", "'-x"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        (" =1+1", "' =1+1"),
        ("\t=1+1", "'\t=1+1"),
    ],
)
def test_names_in_tables_are_no_formulas(name: str, cell: str) -> None:
    assert table_cell(name) == cell
