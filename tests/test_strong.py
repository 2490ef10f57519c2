"""Strong losses at small noise converge from the identity network, without the user's help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hydrodl as hd
from benchmarks.strong import spirals

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_two_spirals_at_weight_100_and_noise_0_005() -> None:
    problem = spirals(8, 21, weight=100.0, noise=0.005)
    found = hd.train(problem, options={"tao_gatol": 1e-5})
    assert found.converged, found.reason
    assert found.min_density > 0 and found.mass_error < 1e-11
    assert found.objective < 0.8 * found.history[0]["objective"]


def test_ways_to_a_strong_loss_end_at_one_optimum() -> None:
    command = [sys.executable, ROOT / "benchmarks/strong.py", "--layers", "4", "--nodes", "13", "--weight", "10"]
    ways = ["direct", "nested", "weight and noise", "forcing 0.5"]
    said = subprocess.run([*command, "--only", *ways], check=True, capture_output=True, text=True, timeout=300).stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("| ")]
    header, *rows = rows
    assert [row[0] for row in rows] == ways
    assert {row[header.index("converged")] for row in rows} == {"yes"}
    assert len({row[header.index("J")] for row in rows}) == 1
