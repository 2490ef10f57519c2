"""``hydrodl evolve``: what it says of a march is what ``march_estimate`` says, and bad files are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.application import cli
from hydrodl.application.march_sizes import march_sizes

WAVE = """
[domain]
lower = [0.0]
upper = [1.0]
nodes = 9
periodic = true
[network]
layers = 6
scheme = "midpoint"
depth = 0.15
[physics]
noise = 1e-6
stream = [0.9]
energy = {kind = "focusing", weight = 1.0}
[start]
density = "1 + 1e-5*cos(2*pi*x1)"
"""


def evolved(folder: Path, *settings: str) -> dict:
    sets = [word for setting in settings for word in ("--set", setting)]
    assert cli.invoke(["evolve", str(folder / "w.toml"), "--out", str(folder / "o"), "--quiet", *sets]) == 0
    return dict(json.loads((folder / "o/march.json").read_text()))


def test_a_march_is_certified_or_not_and_says_what_it_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.toml").write_text(WAVE)
    found = evolved(tmp_path)
    ring = hd.Domain.interval(0.0, 1.0, 9, periodic=True)
    x = ring.coordinates[: ring.owned, 0]
    gas = hd.Lagrangian(1e-6, decay=0.0, smoothness=0.0, energy=hd.Focusing(1.0), stream=[0.9])
    flow = hd.evolve(ring, hd.layers(6, 0.15), gas, [1 + 1e-5 * np.cos(2 * np.pi * x)], [0 * x], "midpoint")
    estimate = hd.analysis.march_estimate(flow)
    assert found["certified"] is True and estimate.holds
    assert found["estimate"]["limit"] == pytest.approx(estimate.limit.tolist(), rel=1e-9)
    assert found["most_nodes"] == estimate.bounds[0].most_nodes
    assert found["tolerance"] == pytest.approx(0.05 * found["moved"])
    assert found["needs_layers"] >= 1 and found["needs_nodes"] % 2 == 1
    assert (tmp_path / "o/march.png").stat().st_size > 10_000
    with np.load(tmp_path / "o/march.npz") as arrays:
        assert arrays["density"].shape == (7, 1, 9) and arrays["times"][-1] == 0.15
        order = np.argsort(arrays["nodes"][:, 0])
        np.testing.assert_allclose(arrays["density"][-1, 0, order], flow.density[-1, 0, np.argsort(x)], rtol=1e-12)
    capsys.readouterr()
    settings = ("network.scheme='euler-box'", "network.layers=1", "physics.noise=1e-5")
    sets = [word for setting in settings for word in ("--set", setting)]
    assert cli.invoke(["evolve", str(tmp_path / "w.toml"), "--out", str(tmp_path / "o"), *sets]) == 0
    said, thick = capsys.readouterr().out, json.loads((tmp_path / "o/march.json").read_text())
    assert "not certified: energy-Casimir, layers" in said and "at least" in said and "march.json" in said
    assert thick["certified"] is False and thick["needs_layers"] > 1
    other = evolved(tmp_path, "physics.decay=0.1", "network.layers=1")
    assert other["certified"] is None and "decay 0" in other["notes"]["certified"]


def test_needs_are_what_finer_marches_show() -> None:
    """Between walls, both schemes: as many layers, or nodes, as asked for, against three times as many."""

    def march(partition: hd.Layers, nodes: list[int], scheme: str) -> hd.Flow:
        line = hd.Domain.interval(0.0, 1.0, nodes[0])
        x = np.pi * line.coordinates[: line.owned, 0]
        gas = hd.Lagrangian(1e-5, decay=0.0, smoothness=0.0, energy=hd.Focusing(1.0))
        return hd.evolve(line, partition, gas, [1 + 0.02 * np.cos(x)], [0.0 * x], scheme, force=True)

    for scheme, layers in (("midpoint", 24), ("euler-box", 41)):
        flow = march(hd.layers(layers, 0.7), [9], scheme)
        found = march_sizes(flow, partial(march, scheme=scheme))
        assert found.notes == {}
        deeper, finer = found.bounds
        assert deeper.needs_layers is not None and finer.needs_nodes is not None
        pairs = [[(hd.layers(deeper.needs_layers * n, 0.7), [9]) for n in (1, 3)]]
        pairs += [[(flow.layers, [n * (finer.needs_nodes - 1) + 1]) for n in (1, 3)]]
        for few, many in pairs:
            apart = hd.analysis.parting(march(*few, scheme), march(*many, scheme)).paths
            assert 0.3 * found.tolerance < apart < found.tolerance


def test_what_is_no_march_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    for change, words in (
        (("periodic = true", ""), "where there are walls"),
        (('"midpoint"', '"strang"'), "scheme is 'strang', must be 'euler-box' or 'midpoint'"),
        (("nodes = 9", ""), "domain.lower, domain.upper and domain.nodes are needed"),
        (("layers = 6", "layers = 6\nwidth = 3"), "network.width: a march has no neurons"),
        (("cos(2*pi*x1)", "cos(2*pi*x2)"), "uses x2"),
        (("density =", "densitty ="), "unknown key start.densitty; did you mean start.density?"),
        (("stream = [0.9]", "stream = [0.9, 0.1]"), "stream has 2 numbers, must have 1"),
    ):
        text = WAVE.replace(*change)
        assert words in refused("evolve", "p.toml", "--out", tmp_path / "o", problem=text), change
    assert "--tolerance is 0" in refused("evolve", "p.toml", "--tolerance", "0", problem=WAVE)
