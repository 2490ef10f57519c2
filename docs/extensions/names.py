"""``.. names:: ROOM ...``: every public name whose home is in one of these rooms, with its docstring.

Names and homes stand in ``hydrodl/__init__.pyi`` and ``hydrodl/analysis/__init__.pyi``, so that a new name is on its
page by itself. The pictures' face, ``hd.plot``, has no list of homes: its room is called ``plot``.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import hydrodl

LOG = logging.getLogger(__name__)
PACKAGE = Path(hydrodl.__file__).parent


def homes() -> dict[str, str]:
    """Public name, as users write it after ``hydrodl.``, to the room where it lives; in the order of the faces."""
    found = {}
    for face, inside in (("", ""), ("analysis.", "analysis.")):
        stub = (PACKAGE / face.replace(".", "/") / "__init__.pyi").read_text()
        for home, name in re.findall(r"^from \.(\S*) import (\w+) as", stub, re.MULTILINE):
            if home and home != "pictures":
                found.setdefault(face + name, inside + home)
    for name in import_module("hydrodl").plot.__all__:
        found[f"plot.{name}"] = "plot"
    return {name: home for name, home in found.items() if name.partition(".")[2] not in found}


def line(name: str) -> list[str]:
    """What autodoc is asked for."""
    thing = hydrodl
    for part in name.split("."):
        thing = getattr(thing, part)
    kind = "autoclass" if isinstance(thing, type) else "autofunction"
    inherited = ["   :inherited-members:"] if name.endswith("Display") else []  # what draws is theirs in common
    return [f".. {kind}:: hydrodl.{name}", *inherited, ""] if callable(thing) else []


class Names(SphinxDirective):
    """The directive."""

    required_arguments = 1
    optional_arguments = 20

    def run(self) -> list[nodes.Node]:
        """The documentation of the names."""
        rooms = tuple(f"{room}." for room in self.arguments)
        chosen = [name for name, home in homes().items() if f"{home}.".startswith(rooms)]
        if not chosen:
            raise self.error(f"no public name lives in {' '.join(self.arguments)}")
        parent = nodes.Element()
        text = [asked for name in chosen for asked in line(name)]
        self.state.nested_parse(StringList(text, source="names"), self.content_offset, parent)
        return parent.children


def check(app: Sphinx) -> None:
    """Sphinx's event: a name that no page shows, or two do, is a warning."""
    text = "".join(page.read_text() for page in (Path(app.srcdir) / "api").glob("*.md"))
    shown = [room for line in re.findall(r"^\.\. names:: (.+)$", text, re.MULTILINE) for room in line.split()]
    for name, home in homes().items():
        if (pages := sum(f"{home}.".startswith(f"{room}.") for room in shown)) != 1:
            LOG.warning("hydrodl.%s, of %s, is on %d pages of docs/api", name, home, pages)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("names", Names)
    app.connect("builder-inited", check)
    return {"parallel_read_safe": True}
