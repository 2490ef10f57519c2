"""Every demo runs from an empty directory at its small size, asserts its number and writes what it says it writes.

In this process, which has loaded everything; what runs under mpiexec is a program of its own.
"""

import json
import re
from pathlib import Path

import pytest

from hydrodl.application import cli
from tests.builders.demos import DEMOS, demo
from tests.builders.launch import launch

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
    check(name, demo(name, tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.parallel
def test_two_moons_under_mpiexec(tmp_path: Path) -> None:
    done = launch(DEMOS / "two_moons.py", 2, "--small", cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    check("two_moons", done.stdout, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("two_moons", 0.985), ("iris", 0.91)])
def test_problem_file(
    name: str, least: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "iris":
        request.getfixturevalue("no_figures")  # one set of figures is enough
    assert cli.invoke(["train", str(DEMOS / f"{name}.toml"), "--out", "run", "--set", "network.layers=8"]) == 0
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["converged"] is True
    assert report["test_accuracy"] >= least
    assert report["min_density"] > 0
    assert {path.name for path in (tmp_path / "run").iterdir()} >= (FILES if name == "two_moons" else FILES - PLANE)
    if name == "iris":
        assert cli.invoke(["predict", "run", str(DEMOS / "iris.csv"), "--out", "labels.csv"]) == 0
        table = Path("labels.csv").read_text().splitlines()
        truth = [line.split(",")[-1] for line in (DEMOS / "iris.csv").read_text().splitlines()[1:]]
        said = [line.split(",")[0] for line in table[1:]]
        assert len(said) == len(truth)
        assert sum(a == b for a, b in zip(said, truth, strict=True)) >= 0.93 * len(truth)
