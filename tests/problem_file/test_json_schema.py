"""The JSON schema says what the reader does, as far as a schema can."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hydrodl.application import cli
from hydrodl.common.errors import InputError
from hydrodl.problem_file import reading
from hydrodl.problem_file.json_schema import json_schema
from tests.builders.key_table import key_table
from tests.builders.problem_files import FULL, MOONS, UNKNOWN, WRONG, WRONG_DATA

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
DEMOS = sorted((Path(__file__).parents[2] / "demos").glob("*.toml"))

GOOD = [
    MOONS,
    FULL,
    *(path.read_text() for path in DEMOS),
    MOONS + "[loss]\nweight = 3\n",
    MOONS + "[[loss]]\nlayer = 2\n[[loss]]\nreadout = 'trained'\n",
    MOONS + "[domain]\nnodes = [5, 6]\nmargin = 0\nlower = [0.0, 0.0]\nupper = [1.0, 1.0]\n",
    MOONS + "[domain]\nperiodic = [true, false]\nlower = [0.0, 0.0]\nupper = [1.0, 1.0]\n",
    MOONS + "[domain]\nperiodic = [false, false]\n",
    MOONS + "[network]\nwidth = 3\nactivation = 'relu'\nscheme = 'midpoint'\n",
    MOONS + "[physics]\npotential = 'x1**2'\nenergy = {kind = 'entropy', weight = -1.0, floor = 1e-6}\n",
    MOONS + "[solver]\ntao_max_it = 3\nslab_pc_type = 'lu'\n",
    "[[data.snapshots]]\ntime = 0\nmixture = [{mean = [0.0], std = 1.0}]\n"
    "[[data.snapshots]]\ntime = 1\nmixture = [{mean = [1.0], std = 1.0}]\n",
]
# What only the reader sees: where several keys or sections, an order, or the text of a value is what is wrong
BEYOND = (
    "[network]\ntimes = [0.0, 0.5, 0.5]",
    "[domain]\nlower = [0.0, 1.0]\nupper = [1.0, 0.5]",
    "[network]\nscheme = 'strang'",
    "[network]\nwidth = 3",
    "[physics]\nnoise = nan",  # no JSON
    "[physics]\ndecay = 0.0\nkinetic = 0.0",
    "[physics]\npotential = 'x1 +'",
    "[physics]\npotential = '__import__(\"os\")'",
    "[loss]\nlayer = 17",
    "[data]\nsource = 'two_moon'",
    "[data]\nsource = 'missing.csv'\nlabel = 'y'",
    "[data]\nsource = 'missing.csv'",
    "[data]\nsource = 'iris'\nlabel = 'y'",
    "[[data.mixture]]\nmean = [0.0, 1.0]\ncovariance = [[1.0]]",
    "[[data.mixture]]\nmean=[0.0]\nstd=1.0\n[[data.mixture]]\nmean=[0.0, 1.0]\nstd=1.0",
)


def valid(text: str) -> bool:
    return VALIDATOR.is_valid(tomllib.loads(text))


def readable(text: str, folder: Path) -> bool:
    (folder / "p.toml").write_text(text)
    try:
        reading.load(folder / "p.toml")
    except InputError:
        return False
    return True


def test_it_is_a_schema_of_the_draft_it_names() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def tables(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a table, at any depth."""
    if isinstance(part, dict) and "properties" in part and part.get("type") == "object":  # else a condition
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from tables(inner)


def test_every_key_says_what_it_is_and_what_is_allowed_and_no_other_key_is() -> None:
    assert len(list(tables(SCHEMA))) == 13
    for table in tables(SCHEMA):
        assert table["additionalProperties"] is False and table["title"] and table["description"]
        for key, field in table["properties"].items():
            told = "$ref" in field or (field["title"] and ("const" in field or field["description"]))
            assert told, (table["title"], key)


def test_schema_and_reader_agree_on_good_files(tmp_path: Path) -> None:
    assert len(DEMOS) >= 2
    for text in GOOD:
        assert valid(text), (text, [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))])
        (tmp_path / "iris.csv").write_text("only its name is looked at")
        assert readable(text, tmp_path), text


def test_a_problem_as_written_by_a_run_is_valid(tmp_path: Path) -> None:
    for text in (MOONS, FULL):
        (tmp_path / "p.toml").write_text(text)
        assert valid(reading.dumps(reading.load(tmp_path / "p.toml"), tmp_path))


def test_schema_and_reader_agree_on_bad_files(tmp_path: Path) -> None:
    sections = [text for text, _ in [*UNKNOWN, *WRONG]]
    whole = [text if text.startswith("physics =") else MOONS + text for text in sections]
    whole = [text + "\n" + MOONS if text.startswith("physics =") else text for text in whole]
    for text in [*whole, *(text for text, _ in WRONG_DATA)]:
        assert not readable(text, tmp_path), text
        assert valid(text) == text.endswith(BEYOND), text


def test_the_documentation_has_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "problem_file.md").read_text()
    assert text.partition("## Keys\n\n")[2] == key_table().rstrip() + "\n", "python -m tests.builders.key_table"


@pytest.mark.parametrize("to_file", [False, True])
def test_the_command_writes_it(to_file: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "problem.schema.json"
    assert cli.invoke(["schema", *(["--out", str(out)] if to_file else [])]) == 0
    printed = capsys.readouterr().out
    assert json.loads(out.read_text() if to_file else printed) == SCHEMA
    assert cli.invoke(["schema", "--out", str(tmp_path / "nowhere" / "s.json")]) == 2
