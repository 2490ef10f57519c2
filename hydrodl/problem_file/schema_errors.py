"""Turns pydantic's list of errors into one line in the words of the problem file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hydrodl.common.text import shown


@dataclass(frozen=True)
class _Place:
    """Where an error is: the keys as the user wrote them, the model that owns the last one, its name and its value."""

    path: tuple[str, ...]
    owner: type[BaseModel]
    name: str
    value: Any

    @property
    def key(self) -> str:
        return ".".join(self.path)

    @property
    def allowed(self) -> str:
        field = self.owner.model_fields.get(self.name)
        return (field.description or "a table") if field else "a table"


def explain(error: ValidationError, root: type[BaseModel], tables: dict[str, Any]) -> str:
    """One line naming every wrong key, what was found and what is allowed."""
    messages: dict[str, str] = {}
    for one in error.errors(include_url=False):
        place = _locate(root, one["loc"], tables)
        messages.setdefault(place.key, _message(root, place, dict(one)))
    return "; ".join(messages.values())


def _message(root: type[BaseModel], place: _Place, one: dict[str, Any]) -> str:
    key, context = place.key, one.get("ctx", {})
    match one["type"]:
        case "extra_forbidden":
            return _unknown(root, place)
        case "missing":
            return f"{key} is missing, must be {place.allowed}"
        case "union_tag_invalid":
            return f"{key}.kind is {context['tag']!r}, must be one of {context['expected_tags']}"
        case "union_tag_not_found":
            return f"{key}.kind is missing, must be given"
        case _ if reason := str(context.get("error", "")):
            return f"{key}: {reason}" if key else reason
    found = place.value if place.value is not None else one["input"]
    return f"{key} is {shown(found)}, must be {place.allowed}"


def _locate(root: type[BaseModel], loc: tuple[int | str, ...], tables: Any) -> _Place:
    """Walk pydantic's location, which also holds union members and kinds, as far as the file has tables."""
    place, models = _Place((), root, "", tables), [root]
    for part in loc:
        if isinstance(part, int):
            if not models:  # inside a plain list: the whole list is what the user wrote
                break
            if isinstance(place.value, list):  # else a single [loss], a list of one only inside
                value = place.value[part] if part < len(place.value) else None
                place = replace(place, path=(*place.path[:-1], f"{place.path[-1]}[{part}]"), value=value)
        elif tagged := [model for model in models if _tag(model) == part]:
            models = tagged
        elif models:
            value = place.value.get(part) if isinstance(place.value, dict) else None
            place = _Place((*place.path, part), models[0], part, value)
            field = models[0].model_fields.get(part)
            models = _models(field.annotation) if field else []
        elif isinstance(place.value, dict) and part in place.value:  # [solver]
            place = replace(place, path=(*place.path, part), value=place.value[part])
    return place


def _tag(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return get_args(field.annotation)[0] if field else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside a field's type, through unions, lists and annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _unknown(root: type[BaseModel], place: _Place) -> str:
    key, owner, name = place.key, place.owner, place.path[-1]
    prefix = "".join(part + "." for part in place.path[:-1])
    if close := get_close_matches(name, owner.model_fields, n=1):
        return f"unknown key {key}; did you mean {prefix}{close[0]}?"
    everywhere = _keys(root, "")
    if same := [known for known in everywhere if known.rpartition(".")[2] == name]:
        return f"unknown key {key}; did you mean {_with_kind(same[0], everywhere)}?"
    if prefix and (close := get_close_matches(key, everywhere, n=1)):
        return f"unknown key {key}; did you mean {_with_kind(close[0], everywhere)}?"
    return f"unknown key {key}; known here are {', '.join(owner.model_fields)}"


def _with_kind(key: str, everywhere: dict[str, Any]) -> str:
    tag = everywhere[key]
    return f"{key} (of kind = {tag!r})" if tag else key


def _keys(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Every known key below a model, with the ``kind`` of the table that holds it."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        found.setdefault(prefix + name, _tag(model))
        for inner in _models(field.annotation):
            for key, tag in _keys(inner, f"{prefix}{name}.").items():
                found.setdefault(key, tag)
    return found
