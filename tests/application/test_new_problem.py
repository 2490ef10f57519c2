"""``hydrodl new``: what a table looks like becomes a problem file that says every key, and no file is lost."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from hydrodl.application import cli
from hydrodl.problem_file import schema
from hydrodl.problem_file.reading import load
from tests.builders.cli_runs import TABLE

ROWS = TABLE.splitlines()


def widened() -> str:
    """The table of plants with columns that are no features."""
    header = f"nr,{ROWS[0]},site,holes,same"
    return "\n".join([header, *(f"{k},{row},s{k},{'' if k == 3 else k * k},1" for k, row in enumerate(ROWS[1:]))])


def test_the_columns_of_a_table_become_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plants.csv").write_text(widened())
    assert cli.invoke(["new", "plants.csv"]) == 0
    out = capsys.readouterr().out
    assert "24 rows, 2 features, 2 classes in column 'kind'" in out and "hydrodl train plants.toml --dry-run" in out
    text = Path("plants.toml").read_text()
    for reason in ("nr (numbers the rows)", "site (no numbers)", "holes (1 missing cell)", "same (constant)"):
        assert reason in text
    tables = tomllib.loads(text)
    data = {"source": "plants.csv", "label": "kind", "features": ["length", "width"]}
    assert tables == {"data": data, "domain": {}, "network": {}, "physics": {}, "loss": tables["loss"], "solver": {}}
    assert load("plants.toml").data.features == ["length", "width"]
    assert cli.invoke(["train", "plants.toml", "--dry-run"]) == 0


def test_every_key_that_a_table_can_use_is_there_with_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    assert cli.invoke(["new", "t.csv", "--out", "p.toml"]) == 0
    text = Path("p.toml").read_text()
    sections: list[tuple[type[BaseModel], set[str]]] = [
        (schema.Data, {"mixture", "snapshots", "samples", "test_samples", "noise", "time"}),
        (schema.Domain, set()),
        (schema.Network, set()),
        (schema.Physics, set()),
        (schema.Classification, set()),
    ]
    for section, other in sections:
        for key in set(section.model_fields) - other:
            assert re.search(rf"^(# )?{key} =.*  # \S", text, re.M), key
    open_keys = re.sub(r"^# (\w+ = [^\s#])", r"\1", text, flags=re.M)
    assert len(tomllib.loads(open_keys)["network"]) > 4
    Path("q.toml").write_text(open_keys)
    assert load("q.toml") == load("p.toml")


def test_times_decimal_commas_and_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cells").mkdir()
    Path("cells/all.csv").write_text("day;x;y\n" + "".join(f"{k % 3};{k},5;{k * k}\n" for k in range(12)))
    assert cli.invoke(["new", "cells/all.csv", "--time", "day", "--decimal", ",", "--out", "cells/c.toml"]) == 0
    found = load("cells/c.toml")
    assert found.data.time == "day" and found.data.features == ["x", "y"] and found.data.decimal == ","
    assert found.loss[0].kind == "density" and "label =" not in Path("cells/c.toml").read_text()
    assert cli.invoke(["train", "cells/c.toml", "--dry-run"]) == 0


def test_names_of_others_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ['a"]\n[solver]\ntao_type = "x', "#b", "class"]
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    Path("t.csv").write_text(quoted + "\n" + "".join(f"{k}.5,{k * k % 7},{'uv'[k % 2]}\x1b[31m\n" for k in range(8)))
    assert cli.invoke(["new", "t.csv"]) == 0
    text = Path("t.toml").read_text()
    assert "\x1b" not in text and tomllib.loads(text)["solver"] == {}
    assert tomllib.loads(text)["data"]["features"] == names[:2]


def test_what_cannot_be_described_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "t.toml").write_text("mine")
    (tmp_path / "numbers.csv").write_text("u,v\n" + "".join(f"{k}.5,{k * k}.25\n" for k in range(50)))
    (tmp_path / "words.csv").write_text("u,class\n" + "a,b\nc,d\n" * 4)
    assert "t.toml is there already" in refused("new", "t.csv")
    assert (tmp_path / "t.toml").read_text() == "mine"
    assert "no such file" in refused("new", "none.csv")
    elsewhere = ("--out", "q.toml")
    assert "no column 'sort'; the columns are length" in refused("new", "t.csv", "--label", "sort", *elsewhere)
    assert "holds no times" in refused("new", "t.csv", "--time", "kind", *elsewhere)
    assert "exclude each other" in refused("new", "t.csv", "--time", "kind", "--label", "kind", *elsewhere)
    assert "no column looks like labels; the columns are u, v; name one by --label" in refused("new", "numbers.csv")
    assert "no column of numbers is left for features" in refused("new", "words.csv")
    assert "not standard input" in refused("new", "-")
    assert "cannot be written" in refused("new", "t.csv", "--out", "nowhere/p.toml")
