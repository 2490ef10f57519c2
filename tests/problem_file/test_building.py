"""From the file to its objects in one pass: tables are read once, and what was built is what is written down."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hydrodl.problem_file import reading
from hydrodl.problem_file.building import Setup, setup
from tests.builders.cli_runs import GAUSSIANS, MOONS, TABLE

PROBLEMS = {
    "moons": MOONS,
    "moons lifted": MOONS.replace("samples = 60", "samples = 60\nlift = 1").replace("nodes = 11", ""),
    "neurons": MOONS.replace("layers = 3", "layers = 3\nwidth = 7"),
    "simplices of degree 2": MOONS.replace("nodes = 11", 'nodes = [7, 6]\ncells = "simplex"\ndegree = 2'),
    "line": GAUSSIANS.replace("layers = 6", "times = [0.0, 0.1, 0.5, 2.0]"),
    "table": '[data]\nsource = "t.csv"\nlabel = "kind"\n[domain]\nnodes = 9\nmargin = [0.3, 1.0]\n',
}
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
    for k, name in enumerate("ab"):
        np.savetxt(tmp_path / f"{name}.csv", k + np.linspace(-1, 1, 20), header="x", comments="")
    return tmp_path


@pytest.mark.parametrize("name", [*PROBLEMS, "snapshots"])
def test_what_is_written_builds_the_same_problem(name: str, folder: Path) -> None:
    first = built(PROBLEMS.get(name, SNAPSHOTS), folder)
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
    assert +reads == {"p.toml": 2, "t.csv": 1, "a.csv": 1, "b.csv": 1}
