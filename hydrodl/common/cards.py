"""How objects show themselves: one line in a terminal, a small table in a notebook, never pages of arrays.

Names of strangers are escaped: no HTML of theirs is run, no control character of theirs obeyed.
"""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from hydrodl.common.text import printable

_LONGEST, _MOST = 200, 12  # characters of a value, names in a list


class Card(ABC):
    """An object with a short repr and an HTML table of its facts.

    A class gives ``__str__``, one line, and ``facts``. Neither is collective: a repr is asked for by one rank alone.
    """

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What the table shows: name and value."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_short(str(self))}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{_safe(name)}</th><td style="text-align:left">{_safe(value)}</td></tr>'
            for name, value in self.facts().items()
        )
        return f"<table><caption>{_safe(type(self).__name__)}: {_safe(self)}</caption>{rows}</table>"


def names(given: Sequence[str]) -> str:
    """The first of many names, on one line."""
    more = f" and {len(given) - _MOST} more" if len(given) > _MOST else ""
    return ", ".join(_short(str(name), 40) for name in given[:_MOST]) + more


def plural(count: int, word: str) -> str:
    """3 layers, 1 layer, 2 classes."""
    return f"{count} {word}{'' if count == 1 else 'es' if word.endswith('s') else 's'}"


def _short(text: str, longest: int = _LONGEST) -> str:
    text = printable(text)
    return text if len(text) <= longest else f"{text[:longest]}..."


def _safe(value: Any) -> str:
    return html.escape(_short(str(value)))
