"""A problem file to begin with: what is given stands in it, every other key as a comment with its default and range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hydrodl.common.text import printable
from hydrodl.problem_file import schema
from hydrodl.problem_file.toml_text import dumps

_WIDTH = 34  # of a key and its value, before what it means


def template(head: Sequence[str], data: Mapping[str, Any], left_out: Sequence[str], loss: type[BaseModel]) -> str:
    """TOML text.

    Args:
        head: lines of comment at the top.
        data: the keys of [data] that are given, each with its value.
        left_out: keys of [data] that mean nothing for such data.
        loss: the section of the loss.
    """
    sections: list[tuple[str, type[BaseModel], Mapping[str, Any], Sequence[str]]] = [
        ("data", schema.Data, data, left_out),
        ("domain", schema.Domain, {}, ()),
        ("network", schema.Network, {}, ()),
        ("physics", schema.Physics, {}, ()),
        ("loss", loss, {"kind": loss.__name__.lower()}, ("target",)),
    ]
    lines = [_comment(line) for line in head]
    for name, model, given, skipped in sections:
        lines += ["", f"[{name}]"]
        lines += [_given(key, value, model.model_fields[key]) for key, value in given.items()]
        rest = {key: about for key, about in model.model_fields.items() if key not in given and key not in skipped}
        lines += [_left(key, about) for key, about in rest.items()]
    lines += ["", "[solver]", _comment("PETSc's options by their names, such as tao_gatol = 1e-6 or tao_max_it = 100")]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return f"# {printable(text)}"


def _given(key: str, value: Any, about: FieldInfo) -> str:
    return f"{_assigned(key, value):{_WIDTH}}  # {printable(str(about.title))}"


def _left(key: str, about: FieldInfo) -> str:
    default = None if about.is_required() else about.default
    text = f"# {key} =" if default is None else f"# {_assigned(key, default)}"
    return f"{text:{_WIDTH}}  # {about.title}: {about.description}"


def _assigned(key: str, value: Any) -> str:
    """One line of TOML."""
    if isinstance(value, list):
        items = ", ".join(_assigned("x", item).removeprefix("x = ") for item in value)
        return f"{key} = [{items}]"
    return dumps({key: value}).strip()
