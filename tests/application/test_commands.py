"""What every command has: examples that can be typed, completion, quiet and speaking runs, JSON for scripts."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from hydrodl.application import analysis_summary, analyze_run, cli
from tests.builders.cli_runs import MOONS

Captured = pytest.CaptureFixture[str]
GROUP: Any = typer.main.get_command(cli.app)


def test_every_help_has_examples_that_can_be_typed() -> None:
    for name, command in GROUP.commands.items():
        lines = re.findall(r"hydrodl [a-z].*", command.help.partition("Example")[2])
        assert lines, name
        for line in lines:
            words = shlex.split(re.split(r"[|>]|&&", line)[0])[1:]
            with GROUP.commands[words[0]].make_context("hydrodl", words[1:]):  # raises where an option is unknown
                assert words[0] == name


def test_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "bash"))  # whoever has started the tests
    assert cli.invoke(["--install-completion", "bash"]) == 0
    assert "hydrodl" in (tmp_path / ".bashrc").read_text()
    assert "_HYDRODL_COMPLETE=complete_bash" in (tmp_path / ".bash_completions" / "hydrodl.sh").read_text()
    monkeypatch.setenv("_HYDRODL_COMPLETE", "complete_bash")
    for words, expected in (("hydrodl p", {"predict", "plot"}), ("hydrodl train --check", {"--checkpoint-every"})):
        capsys.readouterr()
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert cli.invoke([]) == 0
        assert set(capsys.readouterr().out.split()) == expected


@pytest.mark.usefixtures("no_figures")
def test_quiet_and_speaking_runs_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text(MOONS)
    quick = ["train", "p.toml", "--set", "network.layers=2", "--set", "domain.nodes=[9, 8]"]
    capsys.readouterr()
    assert cli.invoke([*quick, "--out", "o", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert cli.invoke([*quick, "--out", "o", "--verbose", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads(Path("o/report.json").read_text()) | {"directory": "o"}
    lines = said.err.splitlines()
    for start in (
        "loading libraries: ",
        "reading the data and building the problem: ",
        "newton   1 ",
        "compiling forms: ",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert cli.invoke(["train", "p.toml", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == 121


def test_json_of_analyses_and_data_sets(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(analyze_run, "analyze_run", lambda *_, **__: {"energy_drift": 0.5, "notes": {}})
    monkeypatch.setattr(analysis_summary, "summary", lambda found: ["Use at least 3 layers."])
    assert cli.invoke(["analyze", "o", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"energy_drift": 0.5, "notes": {}}
    assert cli.invoke(["analyze", "o"]) == 0
    assert capsys.readouterr().out.startswith("Use at least 3 layers.\n")
    assert cli.invoke(["analyze", "o", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert cli.invoke(["datasets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "two_moons"


@pytest.mark.slow
def test_predictions_as_json_with_the_ids_of_rows(table_run: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "points.csv").write_text("nr,width,length\n=7,29,3.1\n8,11,5.2\n")
    capsys.readouterr()
    assert cli.invoke(["predict", str(table_run), str(tmp_path / "points.csv"), "--id", "nr", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == ["oak, old", "reed"]
    assert [(row["kept"], row["label"]) for row in found["rows"]] == [({"nr": "=7"}, "reed"), ({"nr": "8"}, "oak, old")]
    assert all(sum(row["probabilities"].values()) == pytest.approx(1) for row in found["rows"])
    words = ["predict", str(table_run), str(tmp_path / "points.csv"), "--certify"]
    assert cli.invoke([*words, "--json"]) == 0
    radii = [row["radius"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert cli.invoke(words) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.endswith(",radius") and [float(line.split(",")[-1]) for line in lines] == radii
    assert all(0 < radius < 20 for radius in radii)
