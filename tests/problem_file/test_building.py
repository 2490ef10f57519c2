"""From the file to its objects in one pass: tables are read once, and what was built is what is written down."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hydrodl.application import cli, train_run
from hydrodl.application.run_directory import load
from hydrodl.common.errors import InputError
from hydrodl.problem_file import reading
from hydrodl.problem_file.building import Setup, setup
from tests.builders.cli_runs import GAUSSIANS, MOONS, TABLE

PROBLEMS = {
    "moons": MOONS,
    "moons lifted": MOONS.replace("samples = 60", "samples = 60\nlift = 1").replace("nodes = 11", ""),
    "neurons": MOONS.replace("layers = 3", "layers = 3\nwidth = 7"),
    "simplices of degree 2": MOONS.replace("nodes = 11", 'nodes = [7, 6]\ncells = "simplex"\ndegree = 2'),
    "line": GAUSSIANS.replace("layers = 6", "times = [0.0, 0.1, 0.5, 2.0]"),
    "ring": GAUSSIANS.replace("nodes = 61", "nodes = 20\nperiodic = true\nlower = [-2.0]\nupper = [2.0]"),
    "table": '[data]\nsource = "t.csv"\nlabel = "kind"\n[domain]\nnodes = 9\nmargin = [0.3, 1.0]\n',
}
TIMES = """
[data]
source = "times.csv"
time = "day"
decimal = ","
[domain]
nodes = 31
[network]
layers = 4
"""
SNAPSHOTS = """
[[data.snapshots]]
time = 0.0
source = "a.csv"
[[data.snapshots]]
time = 2.0
source = "b.csv"
[domain]
nodes = 31
[network]
layers = 4
"""


def built(text: str, folder: Path) -> Setup:
    (folder / "p.toml").write_text(text)
    return setup(reading.load(folder / "p.toml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(TABLE)
    rows = [f"{day};{x}".replace(".", ",") for x in np.linspace(-1, 1, 20) for day in (2.5, 0, 1)]
    (tmp_path / "times.csv").write_text("\n".join(["day;x", *rows]))
    for k, name in enumerate("ab"):
        np.savetxt(tmp_path / f"{name}.csv", k + np.linspace(-1, 1, 20), header="x", comments="")
    return tmp_path


@pytest.mark.parametrize("name", [*PROBLEMS, "snapshots", "times"])
def test_what_is_written_builds_the_same_problem(name: str, folder: Path) -> None:
    first = built((PROBLEMS | {"snapshots": SNAPSHOTS, "times": TIMES})[name], folder)
    again = built(reading.dumps(first.config, folder), folder)
    assert again.config == first.config
    one, two = first.problem, again.problem
    np.testing.assert_array_equal(two.domain.coordinates, one.domain.coordinates)
    np.testing.assert_array_equal(two.layers.times, one.layers.times)
    np.testing.assert_array_equal(two.densities.values, one.densities.values)
    assert two.lagrangian == one.lagrangian and two.control == one.control
    for loss, other in zip(two.terms, one.terms, strict=True):
        fields = (each.field(one.domain, one.classes) for each in (loss, other))
        np.testing.assert_array_equal(*fields)


def test_every_table_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[str] = Counter()
    opened = Path.open

    def counted(path: Path, mode: str = "r", *others: Any, **named: Any) -> Any:
        reads[path.name] += mode == "rb"
        return opened(path, mode, *others, **named)

    monkeypatch.setattr(Path, "open", counted)
    built(PROBLEMS["table"], folder)
    built(SNAPSHOTS, folder)
    built(TIMES, folder)
    assert +reads == {"p.toml": 3, "t.csv": 1, "a.csv": 1, "b.csv": 1, "times.csv": 1}


def test_a_table_with_times_is_a_series_of_snapshots(folder: Path) -> None:
    found = built(TIMES, folder)
    data, sets = found.config.data, found.given.snapshots
    assert data.source is None and data.time == "day" and data.snapshots is not None and sets is not None
    assert [entry.time for entry in data.snapshots] == sets.times.tolist() == [0.0, 1.0, 2.5]
    for table in sets.features:
        np.testing.assert_array_equal(table[:, 0], np.linspace(-1, 1, 20))
    with pytest.raises(InputError, match=r"network\.layers of at least 2"):
        built(TIMES.replace("layers = 4", "layers = 1"), folder)
    (folder / "times.csv").write_text("day;x\n0;1\n0;2\n7;1\n7;3\n")
    written = reading.dumps(found.config, folder)
    with pytest.raises(InputError, match=r"column 'day' has the times \[0.0, 7.0\], not \[0.0, 1.0, 2.5\]"):
        built(written, folder)


def test_what_does_not_go_with_a_column_of_times(folder: Path) -> None:
    for change, words in [
        ('source = "times.csv"\ntime = "week"\ndecimal = ","', "no column of times 'week'"),
        ('source = "times.csv"\ntime = "day"\nlabel = "x"', "label and lift do not apply"),
        ('source = "times.csv"\ntime = "day"\nfeatures = ["day"]', "is among the features"),
        ('source = "two_moons"\ntime = "day"', "column of times of a CSV table"),
        ('source = "two_moons"\ndecimal = ","', "for CSV tables only"),
        ('source = "times.csv"\ntime = "day"\ndelimiter = ";;"', "must be one character"),
    ]:
        with pytest.raises(InputError, match=words):
            built("[data]\n" + change + "\n[domain]\nnodes = 5\n", folder)


@pytest.mark.slow
def test_a_ring_trained_from_its_file_opens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_run, "plot_all", lambda *_: None)
    (tmp_path / "p.toml").write_text(PROBLEMS["ring"].replace("weight = 50.0", "weight = 3.0"))
    (tmp_path / "q.csv").write_text("x1\n0.5\n-0.5\n4.5\n")
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "run")]) == 0
    found = load(tmp_path / "run").solution
    assert found.problem.domain.periodic == (0,) and found.problem.scheme == "euler-box"
    capsys.readouterr()
    assert cli.invoke(["predict", str(tmp_path / "run"), str(tmp_path / "q.csv")]) == 0
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["b", "a", "b"]
    assert float(rows[0][2]) == pytest.approx(float(rows[2][2]), abs=1e-9)  # one period further on
