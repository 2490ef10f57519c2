"""The demos of the analyses run at their small size, assert their numbers, and write what they say they write."""

import csv
import re
from pathlib import Path

import pytest

from tests.builders.demos import DEMOS, demo
from tests.builders.launch import launch


def written(output: str, folder: Path) -> set[str]:
    paths = [Path(path) for path in re.findall(r"^wrote (.*)", output, re.MULTILINE)]
    assert all((folder / path).stat().st_size > 2000 for path in paths)
    return {str(path) for path in paths}


def only(pattern: str, output: str) -> list[float]:
    found = re.findall(pattern, output, re.MULTILINE)
    assert len(found) == 1, output  # once, whatever the number of ranks
    return [float(number) for number in (found[0] if isinstance(found[0], tuple) else found)]


def check_map(output: str, folder: Path) -> None:
    assert written(output, folder) == {"runs/stability_map/map.png", "runs/stability_map/cells.csv"}
    kept, predictions = only(r"^stability map: (\d+) of (\d+) predictions kept$", output)
    assert kept == predictions == 36
    away = [float(number) for number in re.findall(r"^([\d.]+) from the limit, allowed 0.01", output, re.MULTILINE)]
    assert len(away) == 2 and max(away) <= 0.01
    with (folder / "runs/stability_map/cells.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    # once more, from the table alone: every prediction, and both sides of what the map shows
    for row in rows:
        assert row["below"] < 1 < row["above"] and row["newton"] <= 1 and 0 < row["moved"] <= 1, row
    for width in (False, True):
        here = [row for row in rows if (row["width"] > 0) == width]
        assert min(row["distance"] for row in here) < 0.01 < 0.1 < max(row["distance"] for row in here)
        assert min(row["slope"] for row in here) < 0 < max(row["slope"] for row in here)


def check_depth(output: str, folder: Path) -> None:
    assert written(output, folder) == {"runs/depth/depth.png"}
    order, sharper, plain = only(r"^order ([\d.]+); error below the bounds by factors of ([\d.]+) and ([\d.]+)", output)
    assert 0.9 <= order <= 1.1
    assert 1 <= sharper <= plain < 10


@pytest.mark.slow
def test_depth(tmp_path: Path) -> None:
    check_depth(demo("depth", tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.parallel
def test_stability_map_under_mpiexec(tmp_path: Path) -> None:
    done = launch(DEMOS / "stability_map.py", 2, "--small", cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    check_map(done.stdout, tmp_path)
