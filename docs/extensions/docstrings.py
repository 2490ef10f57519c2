"""Docstrings are written for readers of code; here they become reStructuredText that says the same.

Their formulas stand as ``|u|^2`` and ``u*``, which reStructuredText would take for markup: outside of examples and of
``literals`` such characters are escaped, and indented formulas become literal blocks.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

SECTION = re.compile(r"(Args|Attributes|Example|Examples|Note|Raises|Returns|Yields):$")
MARKUP = re.compile(r"(``.*?``)|([*|`\\]|_(?!\w))")


def escaped(line: str) -> str:
    """Without markup outside of ``literals``."""
    return MARKUP.sub(lambda found: found[1] or "\\" + found[2], line)


def translate(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText with Google's sections."""
    out: list[str] = []
    section, formula, before, last = "", False, "", ""  # before: the line above; last: the last one that is not empty
    for line in lines:
        if line and not line.startswith(" "):
            formula = False
            found = SECTION.match(line)
            section = found[1] if found else ""
        elif line and not section and not formula and not before:
            formula = True
            out += [] if last.endswith("::") else ["::", ""]
        out.append(line if formula or section.startswith("Example") else escaped(line))
        before = line.strip()
        last = before or last
    return out


def process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Sphinx's event: changes the lines in place, before Napoleon reads them."""
    lines[:] = translate(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True}
