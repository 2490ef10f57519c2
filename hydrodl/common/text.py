"""Names and values of others in messages: on one line, of a bearable length, without what a terminal would obey."""

from __future__ import annotations

from typing import Any

_LONGEST = 60  # characters of a value that are shown


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    return shortened(repr(value))


def shortened(text: str) -> str:
    """As much of it as a message shows."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def printable(text: str) -> str:
    """The text with escape codes in place of control characters, line breaks and marks that turn its direction."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def table_cell(text: str) -> str:
    """A name as a cell of a table: with a quote before it where a spreadsheet would take it for a formula.

    Numbers stay numbers.
    """
    if not text.lstrip().startswith(("=", "+", "-", "@")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
