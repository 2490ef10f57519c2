"""The demos of the analyses run at their small size, assert their numbers, and write what they say they write."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.launch import launch

DEMOS = Path(__file__).parents[1] / "demos"


def run(name: str, cwd: Path) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, DEMOS / f"{name}.py", "--small"]
    done = subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=600)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def written(output: str, folder: Path) -> set[str]:
    paths = [Path(path) for path in re.findall(r"^wrote (.*)", output, re.MULTILINE)]
    assert all((folder / path).stat().st_size > 2000 for path in paths)
    return {str(path) for path in paths}


def only(pattern: str, output: str) -> list[float]:
    found = re.findall(pattern, output, re.MULTILINE)
    assert len(found) == 1, output  # once, whatever the number of ranks
    return [float(number) for number in (found[0] if isinstance(found[0], tuple) else found)]


def check_map(output: str, folder: Path) -> None:
    assert written(output, folder) == {"runs/stability_map/map.png", "runs/stability_map/runs.csv"}
    assert "no run fails whose own bound holds" in output
    with (folder / "runs/stability_map/runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 48
    # soundness once more, from the table alone
    for row in rows:
        if row["invertible_holds"] == "True":
            assert float(row["determinant"]) > 0, row
        if row["positive_holds"] == "True":
            assert float(row["least_entry"]) >= -1e-12 and float(row["growth"]) <= 1 + 1e-9, row
            assert float(row["min_density"]) >= -1e-12 and row["converged"] == "True", row
        assert float(row["depth_error"]) <= float(row["deep_value"]), row
    # and the map has both sides of each boundary: a bound that never failed would not have been tested
    for bound, seen in (("invertible", "determinant"), ("positive", "least_entry")):
        for scheme in ("euler-box", "midpoint") if bound == "invertible" else ("midpoint",):
            here = [row for row in rows if row["scheme"] == scheme and row["fitted"] == "True"]
            assert {row[f"{bound}_holds"] for row in here} == {"True", "False"}
            assert min(float(row[seen]) for row in here) < -0.01
    for words in ("layer invertibility", "maximum principle"):
        steps, layers = only(rf"^sharpness of {words}: ([\d.]+) in the longest step, ([\d.]+) in", output)
        assert 1 <= steps <= 2
        assert layers >= 1


def check_depth(output: str, folder: Path) -> None:
    assert written(output, folder) == {"runs/depth/depth.png"}
    order, sharper, plain = only(r"^order ([\d.]+); error below the bounds by factors of ([\d.]+) and ([\d.]+)", output)
    assert 0.9 <= order <= 1.1
    assert 1 <= sharper <= plain < 10


@pytest.mark.slow
def test_depth(tmp_path: Path) -> None:
    check_depth(run("depth", tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.parallel
def test_stability_map_under_mpiexec(tmp_path: Path) -> None:
    done = launch(DEMOS / "stability_map.py", 2, "--small", cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    check_map(done.stdout, tmp_path)
