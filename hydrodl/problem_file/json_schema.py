"""The JSON schema of a problem file, for editors that complete and check it."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from hydrodl.problem_file.schema import Config


class _InToml(GenerateJsonSchema):
    """What TOML can say: it has no null, a key that means nothing is left out."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """Only what is not null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        """With the default where it is a number, a word or true or false; those of a section stand at its keys."""
        made = self.generate_inner(schema["schema"])
        default = schema.get("default")
        return made | {"default": default} if isinstance(default, str | int | float) else made


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of PROBLEM.toml.

    It knows keys, types, ranges, words, and which keys need or exclude each other; what several sections say together
    only the reader checks.
    """
    found = Config.model_json_schema(schema_generator=_InToml)
    return {"$schema": _InToml.schema_dialect} | found | {"title": "Problem file of hydrodl"}
