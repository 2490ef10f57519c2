"""The table of keys in docs/problem_file.md, from the JSON schema: python -m tests.builders.key_table."""

from __future__ import annotations

from typing import Any

from hydrodl.problem_file.json_schema import json_schema

HEADING = ["| key | what it is | must be | default |", "|---|---|---|---|"]
SECTIONS = {
    "[data]": "Data",
    "[[data.snapshots]]": "Snapshot",
    "[[data.mixture]], [[data.snapshots.mixture]], [[loss.target]]": "Component",
    "[domain]": "Domain",
    "[network]": "Network",
    "[physics]": "Physics",
    "[physics.energy] of kind 'entropy'": "Entropy",
    "[physics.energy] of kind 'power'": "Power",
    "[physics.energy] of kind 'focusing'": "Focusing",
    "[loss] of kind 'classification'": "Classification",
    "[loss] of kind 'position'": "Position",
    "[loss] of kind 'density'": "Density",
}


def row(key: str, field: dict[str, Any]) -> str:
    allowed = f"'{field['const']}'" if "const" in field else field["description"]
    default = field.get("default", "")
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"| `{key}` | {field['title']} | {allowed} | {shown} |"


def key_table() -> str:
    sections = json_schema()["$defs"]
    lines = []
    for heading, name in SECTIONS.items():
        lines += [f"### {heading}", "", *HEADING]
        lines += [row(key, field) for key, field in sections[name]["properties"].items()] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(key_table().rstrip())
