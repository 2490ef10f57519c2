"""Strong losses at small noise converge from the identity network, without the user's help."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from petsc4py import PETSc

import hydrodl as hd
from benchmarks.strong import spirals
from hydrodl.application import cli
from hydrodl.common.displays import line
from hydrodl.pictures.figures import plot_convergence
from hydrodl.training.continuation import easier
from hydrodl.training.optimiser import Optimiser
from tests.builders.launch import AT_MOST

ROOT = Path(__file__).parents[2]


STRONG = spirals(4, 13, weight=40.0, noise=0.004, scheme="euler-box")
"""J is not convex; of this problem, all ways known find the same optimum."""
IDENTITY = np.zeros((4, 2, STRONG.domain.owned))
TOLERANCE = {"tao_gatol": 1e-6}


@pytest.mark.slow
def test_two_spirals_at_weight_100_and_noise_0_005() -> None:
    found = hd.train(spirals(8, 21, weight=100.0, noise=0.005), options={"tao_gatol": 1e-5})
    assert found.converged, found.reason
    assert found.min_density > 0 and found.mass_error < 1e-11
    assert found.objective < 41.4  # J of the identity is 68


@pytest.mark.slow
def test_a_strong_loss_goes_through_easier_ones() -> None:
    seen = []
    found = hd.train(STRONG, options=TOLERANCE, monitor=lambda entry: seen.append(entry))
    direct = hd.train(STRONG, options=TOLERANCE, initial=IDENTITY)
    assert found.converged and found.objective == pytest.approx(direct.objective, rel=1e-10)
    assert found.problem is STRONG
    assert [entry["stage"] for entry in found.history] == sorted(entry["stage"] for entry in found.history)
    assert {entry["stage"] for entry in found.history} == {0, 1, 2, 3}
    steps = [entry["iteration"] for entry in found.history]
    assert steps == list(range(found.iterations + 1))
    assert [entry["iteration"] for entry in seen] == sorted(entry["iteration"] for entry in seen)
    assert seen[-1]["iteration"] == found.iterations and seen[-1]["objective"] == pytest.approx(found.objective)
    assert [entry["seconds"] for entry in seen] == sorted(entry["seconds"] for entry in seen)
    assert {entry["easier"] for entry in seen if entry["stage"] < 3} == {True} and not seen[-1]["easier"]
    assert line(seen[0], 1.0).endswith("(easier problem 1)") and not line(seen[-1], 1.0).endswith(")")
    assert "stage" not in direct.history[0] and direct.history[0]["objective"] > 10 * found.history[0]["objective"] / 2


@pytest.mark.parametrize("options", [{"tao_max_it": 3}, {"tao_type": "bntr", "tao_max_it": 3}], ids=str)
def test_who_chooses_the_optimiser_gets_one_solve(options: dict[str, Any]) -> None:
    found = hd.train(STRONG, options=options)
    assert found.iterations == 3 and not found.converged and "stage" not in found.history[0]


@pytest.mark.parametrize(
    "given",
    [
        replace(STRONG, losses=[hd.Classification(15.9)]),
        replace(STRONG, losses=[hd.Classification(40.0, trained=True)]),
        replace(STRONG, control=hd.Neurons(4)),
        replace(STRONG, losses=[hd.Classification(40.0), hd.Classification(1.0, layer=2)]),
        replace(STRONG, lagrangian=replace(STRONG.lagrangian, fitted=None), scheme="strang"),
    ],
    ids=["weaker", "trained readout", "neurons", "two losses", "layer maps on few nodes"],
)
def test_others_do_not(given: hd.Problem) -> None:
    assert easier(given) == [] != easier(STRONG)


def test_layer_maps_do_where_nodes_carry_the_noise() -> None:
    assert len(easier(spirals(2, 61, weight=100.0, noise=0.005))) == 3
    assert not easier(spirals(2, 61, weight=40.0, noise=0.005))  # 8e3
    assert not easier(spirals(8, 61, weight=100.0, noise=0.005))  # the splines bring 0.007


@pytest.mark.slow
def test_the_picture_shows_one_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, drawn = hd.train(STRONG, options=TOLERANCE), []
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, *a, **k: drawn.append(a) or plot(self, *a, **k))
    plot_convergence(found, tmp_path / "steps.png")
    steps, above = drawn[0]
    assert set(steps) <= {entry["iteration"] for entry in found.history if entry["stage"] == 3}
    assert len(drawn[1][0]) == len(found.history) and above.min() > 0


def test_a_monitor_that_stops_stops_all_stages() -> None:
    found = hd.train(STRONG, monitor=lambda entry: entry["iteration"] >= 2)
    assert not found.converged and found.reason == "stopped by the monitor"
    assert found.iterations == 2 and np.abs(found.velocity).max() > 0
    assert found.problem is STRONG


@pytest.mark.slow
def test_the_command_line_goes_through_easier_ones_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = '[data]\nsource = "two_spirals"\n[domain]\nnodes = 11\n[network]\nlayers = 3\nscheme = "euler-box"\n'
    (tmp_path / "p.toml").write_text(words + "[physics]\nnoise = 0.004\n[loss]\nweight = 20.0\n")
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o")]) == 0
    assert "(easier problem 3)" in capsys.readouterr().out


def test_what_fails_on_the_way_is_not_blamed_on_options_that_nobody_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Optimiser, *_: Any) -> None:
        PETSc.KSP().create().setType("nonsense")

    monkeypatch.setattr(Optimiser, "run", fail)
    with pytest.raises(hd.SolverError, match=r"^PETSc failed"):
        hd.train(STRONG)
    with pytest.raises(hd.InputError, match="refused the solver options tao_gatol = 1e-06:"):
        hd.train(STRONG, options=TOLERANCE)


def test_bad_options_are_refused_before_the_first_stage() -> None:
    with pytest.raises(hd.InputError, match="tao_gatol"):
        hd.train(STRONG, options={"tao_gatol": "small"}, monitor=lambda entry: pytest.fail("too late"))


@pytest.mark.slow
def test_ways_to_a_strong_loss_end_at_one_optimum() -> None:
    command = [sys.executable, ROOT / "benchmarks/strong.py", "--layers", "4", "--nodes", "13", "--weight", "10"]
    command += ["--noise", "0.05", "--scheme", "euler-box"]  # at less noise there are two optima
    ways = ["default", "direct", "nested", "weight and noise", "forcing 0.5"]
    said = subprocess.run(
        [*command, "--only", *ways], check=True, capture_output=True, text=True, timeout=AT_MOST
    ).stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("| ")]
    header, *rows = rows
    assert [row[0] for row in rows] == ways
    assert {row[header.index("converged")] for row in rows} == {"yes"}
    assert len({row[header.index("J")] for row in rows}) == 1
