"""TOML in and out: reading with errors that name the line, ``--set`` overrides, and writing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from hydrodl.common.errors import InputError
from hydrodl.common.given_files import read_given

_LONGEST = 10**6  # bytes of a problem file


_DEEPEST = 1000  # parts of a key; the time that reading takes grows with their square


def read(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        InputError: no such file, unreadable, too long, or a syntax error (its line is named).
    """
    try:
        text = read_given(path, f"problem file {path}", _LONGEST).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"problem file {path} is not UTF-8 text") from None
    if max(piece.count(".") for piece in re.split(r"[=,\[\]\n]", text)) > _DEEPEST:
        raise InputError(f"problem file {path} has a key of more than {_DEEPEST} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"problem file {path} is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or a number of too many digits
        raise InputError(f"problem file {path} is not valid TOML: {error}") from None


def override(tables: dict[str, Any], assignments: Iterable[str]) -> None:
    """Apply ``section.key=value`` assignments to the tables, in order and in place.

    A value is read as TOML and, failing that, taken as a string; members of arrays of tables are reached by their
    number from 0, as in ``loss.1.weight=5``.

    Raises:
        InputError: no ``=``, no section, or a path through something that is not a table.
    """
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not sign or len(keys) < 2 or not all(keys):
            raise InputError(f"--set {assignment!r}: must be section.key=value")
        place: Any = tables
        for key in keys[:-1]:
            place = _step(place, key, assignment)
        _assign(place, keys[-1], parse_value(text.strip()), assignment)


def parse_value(text: str) -> Any:
    """The value of a TOML literal, or the text itself when it is none."""
    try:
        tables = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return tables["value"] if set(tables) == {"value"} else text


def _step(place: Any, key: str, assignment: str) -> Any:
    if isinstance(place, list) and key.isdecimal() and int(key) < len(place):
        return place[int(key)]
    if isinstance(place, dict):
        return place.setdefault(key, {})
    raise InputError(f"--set {assignment!r}: there is no table {key!r} there")


def _assign(place: Any, key: str, value: Any, assignment: str) -> None:
    if isinstance(place, list) and len(place) == 1:
        place = place[0]  # [[loss]] written once is the same as [loss]
    if not isinstance(place, dict):
        raise InputError(f"--set {assignment!r}: {key!r} is not a key of a table; name one member, as in loss.0.weight")
    place[key] = value


def dumps(tables: Mapping[str, Any]) -> str:
    """TOML text of nested tables; keys whose value is None are left out."""
    return tomli_w.dumps(_present(tables))


def _present(value: Any) -> Any:
    """The same without None, which TOML does not have."""
    if isinstance(value, Mapping):
        return {key: _present(inner) for key, inner in value.items() if inner is not None}
    return [_present(inner) for inner in value] if isinstance(value, list) else value
