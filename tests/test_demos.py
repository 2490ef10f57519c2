"""Every demo runs from an empty directory at its small size, asserts its number and writes what it says it writes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.cli_runs import WITHOUT_FIGURES
from tests.builders.launch import launch

DEMOS = Path(__file__).parents[1] / "demos"
CURVES = {"densities.png", "velocity.png", "convergence.png", "fields.pvd"}
PLANE = CURVES | {"transport.png", "trajectories.png", "decision.png"}
# name: (headline, its number, what the number must be, files)
SCRIPTS = {
    "two_moons": (r"^test accuracy ([\d.]+), smallest density", lambda value: value >= 0.99, PLANE),
    "two_spirals": (r"^test accuracy ([\d.]+), smallest density", lambda value: value >= 0.95, PLANE),
    "circles_lifted": (r"^test accuracy ([\d.]+) lifted", lambda value: value >= 0.985, PLANE),
    "iris": (r"^held-out accuracy, median of \d+ splits: ([\d.]+)", lambda value: value >= 0.93, PLANE),
    "digits3d": (r"^test accuracy ([\d.]+) with three components", lambda value: value >= 0.68, PLANE),
    "width": (r"^width \d+ closes ([\d.]+) of the gap", lambda value: value >= 0.8, PLANE | {"width.png"}),
    "generate": (
        r"^generate: largest ratio ([\d.]+), allowed",
        lambda value: value <= 1.8,
        {"eight_gaussians.png", "checkerboard.png"},
    ),
    "trajectory": (
        r"^trajectory: held-out W2 ([\d.]+) of the nearest",
        lambda value: value <= 0.7,
        {"trajectory.png", "fields.pvd"},
    ),
    "bridge_1d": (r"^bridge: largest error (\S+), allowed", lambda value: value <= 0.02, CURVES),
}
FILES = {"report.json", "problem.toml", "solution.h5", *PLANE}


def run(*command: object, cwd: Path) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, env=environment, text=True, capture_output=True, timeout=600
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def check(name: str, output: str, folder: Path) -> None:
    headline, holds, files = SCRIPTS[name]
    found = re.findall(headline, output, re.MULTILINE)
    assert len(found) == 1, output  # once, whatever the number of ranks
    assert holds(float(found[0])), found
    assert len(re.findall(r"^ *(newton +\d+ +objective |\w+ +\d+ +0\.\d+ )", output, re.MULTILINE)) > 3
    written = {Path(path) for path in re.findall(r"^wrote (.*)", output, re.MULTILINE)}
    assert written == {Path("runs") / name / file for file in files}
    for path in written:
        assert (folder / path).stat().st_size > 300, path


def test_every_demo_is_tested_and_listed() -> None:
    analyses = {"stability_map", "depth"}  # tests/test_demos_analysis.py
    scripts = {path.stem for path in DEMOS.glob("*.py")} - {"stability_picture"}  # the stability map's drawing
    assert scripts == set(SCRIPTS) | analyses
    assert {path.stem for path in DEMOS.glob("*.toml")} == {"two_moons", "iris"}
    listed = set(re.findall(r"\[`([\w.]+)`\]", (DEMOS / "README.md").read_text()))
    assert listed == {f"{name}.py" for name in scripts} | {path.name for path in DEMOS.glob("*.toml")}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "two_moons"])
def test_demo(name: str, tmp_path: Path) -> None:
    check(name, run(DEMOS / f"{name}.py", "--small", cwd=tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.parallel
def test_two_moons_under_mpiexec(tmp_path: Path) -> None:
    done = launch(DEMOS / "two_moons.py", 2, "--small", cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    check("two_moons", done.stdout, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("two_moons", 0.985), ("iris", 0.91)])
def test_problem_file(name: str, least: float, tmp_path: Path) -> None:
    command = ("-m", "hydrodl") if name == "two_moons" else ("-c", WITHOUT_FIGURES)  # one set of figures is enough
    run(*command, "train", DEMOS / f"{name}.toml", "--out", "run", "--set", "network.layers=8", cwd=tmp_path)
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["converged"] is True
    assert report["test_accuracy"] >= least
    assert report["min_density"] > 0
    assert {path.name for path in (tmp_path / "run").iterdir()} >= (FILES if name == "two_moons" else FILES - PLANE)
    if name == "iris":
        table = run("-m", "hydrodl", "predict", "run", DEMOS / "iris.csv", cwd=tmp_path).splitlines()
        truth = [line.split(",")[-1] for line in (DEMOS / "iris.csv").read_text().splitlines()[1:]]
        said = [line.split(",")[0] for line in table[1:]]
        assert len(said) == len(truth)
        assert sum(a == b for a, b in zip(said, truth, strict=True)) >= 0.93 * len(truth)
