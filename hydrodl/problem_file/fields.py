"""What the sections of the problem file are made of: fields with the defaults and ranges that Python has.

A field's title says what it is. Its description completes the sentence "key is ..., must be ..." of an error message.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hydrodl.common.parameters import COORDINATE, Choice, Number


class Section(BaseModel):
    """A table of the problem file: no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def number(rule: Number, title: str, *, missing: str = "") -> Any:
    """A field for a number; ``missing`` says what its absence means, without which one with no default is required."""
    default = rule.default if rule.default is not None or missing else ...
    words = f"{rule.words} (default: {missing})" if missing else rule.words
    return Field(default, title=title, description=words, **_limits(rule))


def within(rule: Number) -> Any:
    """The range alone, for an Annotated type."""
    return Field(**_limits(rule))


def _limits(rule: Number) -> dict[str, Any]:
    limits: dict[str, Any] = {"gt": rule.above, "ge": rule.lowest, "lt": rule.below, "le": rule.most}
    return limits | ({"json_schema_extra": {"not": {"const": 0}}} if rule.nonzero else {})


def choice(rule: Choice, title: str, *, missing: str = "") -> Any:
    """A field for one of a few words; ``missing`` says what its absence means."""
    words = list(rule.options)

    def enumerated(schema: dict[str, Any]) -> None:
        schema.pop("pattern", None)
        schema.pop("anyOf", None)
        schema |= {"type": "string", "enum": words}

    pattern = f"^({'|'.join(map(re.escape, words))})$"
    allowed = f"{rule.words} (default: {missing})" if missing else rule.words
    return Field(rule.default, title=title, description=allowed, pattern=pattern, json_schema_extra=enumerated)


def optional(title: str, allowed: str, **limits: Any) -> Any:
    """A field for what may be left out."""
    return Field(default=None, title=title, description=allowed, **limits)


def excludes(*keys: str) -> dict[str, Any]:
    """JSON schema of a table that has none of the keys."""
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def one_of(*keys: str) -> ConfigDict:
    """Configuration of a section that has exactly one of the keys."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


Corner = Annotated[list[Annotated[float, within(COORDINATE)]], Field(min_length=1, max_length=3)]


POINT = f"a list of 1 to 3 numbers, {COORDINATE.words.removeprefix('a number ')}"
