"""On any number of ranks a finished run opens without the tables and the mesh file it came from."""

from __future__ import annotations

import copy
import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from hydrodl.application import cli
from tests.builders.run_inputs import KINDS, write_inputs
from tests.hostile import crafted
from tests.parallel.launch import launch

pytestmark = pytest.mark.parallel

COMMAND = "from hydrodl.application.cli import main; main()"


def test_ranks_read_the_mesh_and_the_targets_of_the_checkpoint(tmp_path: Path) -> None:
    for name, problem in (("s", "snapshots, mesh"), ("m", "mesh")):
        write_inputs(tmp_path, KINDS[problem][0])
        arguments = ["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / name), "--set", "network.layers=2"]
        assert cli.invoke(arguments) == 0
    for path in tmp_path.iterdir():
        if path.is_file():
            path.unlink()
    (tmp_path / "q.csv").write_text("length,width\n2.9,31\n5.1,11\n3.9,20\n")
    assert cli.invoke(["predict", str(tmp_path / "m"), str(tmp_path / "q.csv"), "--out", str(tmp_path / "1.csv")]) == 0
    for ranks, *command in ((2, "predict", "m", "q.csv", "--out", "2.csv"), (3, "export", "s"), (2, "plot", "s")):
        done = launch(COMMAND, int(ranks), *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    alone, shared = (list(csv.reader((tmp_path / f"{n}.csv").read_text().splitlines())) for n in (1, 2))
    assert [row[0] for row in alone] == [row[0] for row in shared]
    numbers = [np.array([[float(p) for p in row[1:]] for row in rows[1:]]) for rows in (alone, shared)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["velocity not finite", "masses that change", "no JSON", "readout of other classes", "no nodes"]
)
def test_what_one_rank_finds_wrong_every_rank_refuses_once(name: str, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "o")
    change, words = crafted.LIES[name]
    held = copy.deepcopy(crafted.contents(trained / "solution.h5"))
    change(held)
    crafted.write(tmp_path / "o/solution.h5", held)
    done = launch(COMMAND, 2, "analyze", "o", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert done.stderr.count("hydrodl: error: ") == 1 and words in done.stderr, done.stderr
