"""Snapshots: sample sets at several times, the layers between them, problem files, and a snapshot held out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ot
import pytest

import hydrodl as hd
from hydrodl.application.run_directory import load
from hydrodl.application.train_run import train_into
from hydrodl.common.errors import DataError, InputError
from hydrodl.data.snapshot_sets import Snapshots, read_snapshots, snapshots
from hydrodl.problem_file import reading as config
from hydrodl.transport.held_out import HeldOut, leave_one_out
from hydrodl.transport.snapshot_targets import snapshot_layers, snapshot_losses
from hydrodl.transport.wasserstein_distance import displacement, wasserstein


def clouds(shifts: tuple[float, ...], n: int = 60, scale: float = 1.0, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [scale * (0.5 * rng.standard_normal((n, 2)) + [shift, 0.0]) for shift in shifts]


def test_one_preprocessing_for_all_that_keeps_proportions() -> None:
    sets = snapshots([0, 3, 10], clouds((0.0, 1.0, 2.0), scale=7.0))
    pooled = np.concatenate(sets.points)
    assert len(sets) == 3 and sets.preprocessing.one_unit
    assert pooled.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert pooled.var(axis=0).mean() == pytest.approx(1.0)
    assert sets.preprocessing.scale[0] == sets.preprocessing.scale[1]  # ways measure the same in every direction
    each = snapshots([0, 3, 10], clouds((0.0, 1.0, 2.0)), one_unit=False)
    assert np.concatenate(each.points).var(axis=0) == pytest.approx([1, 1])
    assert sets.raw_map(2) @ sets.points[1].T == pytest.approx((sets.features[1] - sets.preprocessing.mean).T)


def test_without_keeps_the_units_and_pooled_the_order() -> None:
    sets = snapshots([0, 1, 2], clouds((0.0, 1.0, 2.0)))
    rest = sets.without(1)
    assert rest.times.tolist() == [0, 2] and rest.preprocessing is sets.preprocessing
    assert np.array_equal(rest.points[1], sets.points[2])
    assert sets.pooled.counts.tolist() == [60, 60, 60] and sets.pooled.class_names == ("t = 0", "t = 1", "t = 2")


@pytest.mark.parametrize("layers", [3, 4, 7, 16, 33])
def test_every_snapshot_is_a_layer_and_layers_are_nearly_equal(layers: int) -> None:
    partition, at = snapshot_layers([10.0, 11.0, 13.0, 17.0], layers, depth=2.0)
    assert len(partition) == layers and partition.depth == 2.0
    assert partition.times[at] == pytest.approx([0, 2 / 7, 6 / 7, 2.0])
    if layers >= 7:
        assert partition.steps.max() <= 2.01 * partition.steps.min()
    if layers == 7:
        assert partition.steps == pytest.approx(np.full(7, 2 / 7))


def test_densities_and_losses() -> None:
    sets = snapshots([0, 1, 2], clouds((0.0, 1.0, 2.0)))
    domain = hd.Domain.around(sets.pooled, nodes=21)
    rho = sets.densities(domain, bandwidth=0.3)
    assert [found.masses.tolist() for found in rho] == [pytest.approx([1.0])] * 3
    for found, points in zip(rho, sets.points, strict=True):
        assert found.means[0] == pytest.approx(points.mean(axis=0), abs=1e-2)
    losses = snapshot_losses({2: rho[1], 4: rho[2]}, weight=3.0, divergence="l2")
    assert [(loss.layer, loss.weight, loss.divergence) for loss in losses] == [(2, 3.0, "l2"), (4, 3.0, "l2")]


BAD: dict[str, tuple[Any, str]] = {
    "one": (([0], clouds((0.0,))), "at least 2 are needed, there are 1"),
    "order": (([0, 2, 1], clouds((0, 1, 2))), r"snapshot times are \[0.0, 2.0, 1.0\], must be finite and increase"),
    "nan time": (([0, np.nan], clouds((0, 1))), "must be finite and increase"),
    "counts": (([0, 1, 2], clouds((0, 1))), "3 times and 2 sample sets"),
    "columns": (([0, 1], [np.zeros((5, 2)), np.ones((5, 3))]), r"shapes \[\(5, 2\), \(5, 3\)\]"),
    "text": (([0, 1], [[["a", "b"]], [["c", "d"]]]), "not a table of numbers"),
    "nan": (([0, 1], [np.full((5, 2), np.nan), np.ones((5, 2))]), "must be a finite number"),
    "constant": (([0, 1], [np.ones((5, 2)), np.ones((5, 2))]), "constant"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_snapshots_are_refused(case: str) -> None:
    given, message = BAD[case]
    with pytest.raises(DataError, match=message):
        snapshots(*given)


def test_bad_parts_are_refused() -> None:
    same = hd.Preprocessing.identity(2)
    with pytest.raises(DataError, match=r"snapshot at time 1: samples have shape \(0, 2\)"):
        Snapshots(np.array([0.0, 1.0]), (np.ones((3, 2)), np.empty((0, 2))), same)
    with pytest.raises(InputError, match="layers is 2, must be a whole number of at least 3"):
        snapshot_layers([0, 1, 2, 3], 2)
    with pytest.raises(InputError, match="depth is 0"):
        snapshot_layers([0, 1], 2, depth=0.0)


def write_tables(folder: Path, sets: list[np.ndarray], header: str = "x,y") -> dict[float, Path]:
    found = {}
    for k, table in enumerate(sets):
        found[float(k)] = folder / f"t{k}.csv"
        np.savetxt(found[float(k)], table, delimiter=",", header=header, comments="")
    return found


def test_tables(tmp_path: Path) -> None:
    sets = clouds((0.0, 1.0))
    files = write_tables(tmp_path, sets)
    found = read_snapshots(dict(reversed(files.items())))  # any order
    assert found.times.tolist() == [0, 1] and found.preprocessing.feature_names == ("x", "y")
    assert found.features[1] == pytest.approx(sets[1])
    assert read_snapshots(files, features=["y"]).preprocessing.dimension == 1
    with pytest.raises(DataError, match="no column 'z'; the columns are x, y"):
        read_snapshots(files, features=["z"])
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        read_snapshots({0: tmp_path / "gone.csv", 1: files[1.0]})


def test_wasserstein_distance() -> None:
    x = clouds((0.0,))[0]
    assert wasserstein(x, x + np.array([3.0, 4.0])) == pytest.approx(5.0)
    assert wasserstein(x, x[::-1]) == pytest.approx(0.0, abs=1e-7)
    y = clouds((1.0,), n=45, seed=3)[0]
    even = [np.full(len(p), 1 / len(p)) for p in (x, y)]
    assert wasserstein(x, y) == pytest.approx(np.sqrt(ot.emd2(*even, ot.dist(x, y))))
    assert wasserstein(x[:2], x[:1], weights=[1.0, 3.0]) == pytest.approx(np.sqrt(0.75) * np.linalg.norm(x[1] - x[0]))
    large = np.random.default_rng(0).random((5000, 1))
    assert wasserstein(large, large + 1.0) == pytest.approx(1.0)  # thinned alike
    for wrong, message in ((np.zeros((0, 2)), "shape"), (np.full((3, 2), np.inf), "finite"), ([["a"]], "table")):
        with pytest.raises(InputError, match=message):
            wasserstein(wrong, x)
    with pytest.raises(InputError, match="dimension 2 and 1"):
        wasserstein(x, x[:, :1])
    with pytest.raises(InputError, match="weights must be 60 numbers"):
        wasserstein(x, y, weights=[1.0])


def test_displacement_interpolation() -> None:
    x = clouds((0.0,))[0]
    for share in (0.0, 0.25, 1.0):
        points, weights = displacement(x, x + np.array([4.0, 0.0]), share)
        assert weights.sum() == pytest.approx(1.0)
        assert wasserstein(points, x + np.array([4.0 * share, 0.0]), weights=weights) == pytest.approx(0.0, abs=1e-6)


def test_a_clear_word_where_pot_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(InputError, match=r"pip install 'hydrodl\[transport\]'"):
        wasserstein(np.zeros((2, 1)), np.ones((2, 1)))
    with pytest.raises(InputError, match=r"hydrodl\[transport\]"):  # before the long computation
        leave_one_out(snapshots([0, 1, 2], clouds((0, 1, 2))), 1)


@pytest.fixture(scope="module")
def held() -> HeldOut:
    sets = snapshots([0, 1, 3], [cloud[:, :1] for cloud in clouds((0.0, 0.6, 1.8), n=150, scale=10.0)])
    choices = {"tolerance": 0.1, "floor": 1e-3, "options": {"tao_gatol": 1e-4}}
    return leave_one_out(sets, 1, 0.1, layers=12, nodes=121, bandwidth=0.25, draws=300, **choices)


def test_a_held_out_snapshot_is_interpolated(held: HeldOut) -> None:
    """A cloud that moves at constant speed: near the truth in raw units, far from either neighbour."""
    assert held.index == 1 and held.time == 1.0 and held.layer == 4
    assert held.baselines["previous"] == pytest.approx(6.0, rel=0.2)
    assert held.baselines["next"] == pytest.approx(12.0, rel=0.2)
    assert held.distance < 0.5 * held.baselines["previous"]
    assert held.density_distance < 0.5 * held.baselines["previous"]
    assert held.baselines["linear"] < 0.5 * held.baselines["previous"]
    assert "held out t = 1" in str(held)


def test_it_never_saw_the_held_out_snapshot(held: HeldOut) -> None:
    assert set(held.bridge.targets) == {12}
    assert held.paths.shape == (13, 300, 1)
    ends = held.paths[[0, 4, 12]].mean(axis=1)[:, 0]
    assert (ends[1] - ends[0]) / (ends[2] - ends[0]) == pytest.approx(1 / 3, abs=0.07)


@pytest.mark.parametrize("index", [0, 2, -1, 1.0, True])
def test_only_snapshots_between_others_are_held_out(index: Any) -> None:
    sets = snapshots([0, 1, 2], clouds((0, 1, 2)))
    with pytest.raises(InputError, match=r"held is .*, must lie in 1\.\.1: a snapshot between"):
        leave_one_out(sets, index)


def problem(**changes: Any) -> dict[str, Any]:
    entries = [{"time": t, "mixture": [{"mean": [0.3 * t], "std": 0.5}]} for t in (0.0, 1.0, 3.0)]
    usual = {
        "data": {"snapshots": entries, "samples": 50},
        "network": {"layers": 6},
        "domain": {"nodes": 31},
        "physics": {"noise": 0.2},
    }
    return usual | changes


@pytest.mark.slow
def test_a_problem_file_with_mixtures(tmp_path: Path) -> None:
    read = config.from_tables(problem(), tmp_path)
    assert [loss.kind for loss in read.loss] == ["density"] and read.loss[0].divergence == "l2"
    read = config.from_tables(problem(loss={"kind": "density", "divergence": "kl"}), tmp_path)
    report = train_into(tmp_path / "run", read)
    assert report["converged"] and report["test_accuracy"] is None
    assert [(entry["time"], entry["layer"]) for entry in report["snapshots"]] == [(1.0, 2), (3.0, 6)]
    for entry in report["snapshots"]:
        assert 0 < entry["l1"] < 0.1
        assert 0 < entry["w2"] < 0.35  # 50 samples of deviation 0.5 are that far from their own density
    assert json.loads((tmp_path / "run/report.json").read_text()) == report
    assert not any("snapshots are not met" in note for note in report["warnings"])
    again = load(tmp_path / "run")
    terms = again.solution.problem.terms
    assert [loss.layer for loss in terms] == [2, 6]
    assert again.solution.problem.layers.times == pytest.approx([0, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1])
    sharper = config.from_tables(problem(loss={"kind": "density", "weight": 100.0, "divergence": "kl"}), tmp_path)
    closer = train_into(tmp_path / "sharper", sharper)
    assert closer["snapshots"][1]["l1"] < 0.5 * report["snapshots"][1]["l1"]


def test_snapshots_that_are_not_met_are_told(tmp_path: Path, no_figures: None) -> None:
    """A short span between times 0, 1 and 10, and a weight too small for it: converged, and far from the snapshot."""
    entries = [{"time": t, "mixture": [{"mean": [m], "std": 0.5}]} for t, m in ((0.0, -1.0), (1.0, 0.5), (10.0, 1.0))]
    wanted = config.from_tables(problem(data={"snapshots": entries, "samples": 50}, network={"layers": 4}), tmp_path)
    with pytest.warns(UserWarning, match=r"2 of 2 snapshots are not met: at time 1 the density is \d.* a larger loss"):
        report = train_into(tmp_path / "run", wanted)
    worst = report["snapshots"][0]
    assert report["converged"] and worst["w2"] > 0.5 and worst["l1"] > 0.5
    (note,) = (words for words in report["warnings"] if "not met" in words)
    assert f"W2 {worst['w2']:.2g} where" in note and f"is {worst['l1']:.2g} from" in note


@pytest.mark.slow
def test_a_problem_file_with_tables(tmp_path: Path) -> None:
    write_tables(tmp_path, clouds((0.0, 0.5, 1.0)))
    entries = [{"time": float(k), "source": f"t{k}.csv"} for k in range(3)]
    tables = problem(data={"snapshots": entries, "bandwidth": 0.4}, network={"layers": 2}, domain={"nodes": 15})
    report = train_into(tmp_path / "run", config.from_tables(tables, tmp_path))
    assert report["converged"] and [entry["layer"] for entry in report["snapshots"]] == [1, 2]
    assert load(tmp_path / "run").preprocessing.feature_names == ("x", "y")
    text = (tmp_path / "run/problem.toml").read_text()
    assert 'source = "../t1.csv"' in text  # a folder that can be moved
    reread = config.load(tmp_path / "run/problem.toml")
    assert [Path(str(e.source)).name for e in reread.data.snapshots or []] == ["t0.csv", "t1.csv", "t2.csv"]


MIXTURE = [{"mean": [0.0], "std": 0.5}]
FILES: dict[str, tuple[dict[str, Any], str]] = {
    "two kinds": (problem(data={"source": "iris", "snapshots": problem()["data"]["snapshots"]}), "give either source"),
    "one": (problem(data={"snapshots": problem()["data"]["snapshots"][:1]}), "snapshots is .*at least 2"),
    "order": (problem(data={"snapshots": problem()["data"]["snapshots"][::-1]}), "times .* must increase"),
    "neither": (problem(data={"snapshots": [{"time": 0}, {"time": 1}]}), "give either source or"),
    "mixed": (
        problem(data={"snapshots": [{"time": 0.0, "source": "a.csv"}, {"time": 1.0, "mixture": MIXTURE}]}),
        "all tables or all mixtures",
    ),
    "label": (problem(data=problem()["data"] | {"label": "y"}), "label and lift do not apply"),
    "classes": (
        problem(data={"snapshots": [{"time": t, "mixture": [MIXTURE[0] | {"label": "a"}]} for t in (0.0, 1.0)]}),
        "one population",
    ),
    "loss": (problem(loss={"kind": "classification"}), "the loss must be one of kind = 'density'"),
    "target": (problem(loss={"kind": "density", "target": MIXTURE}), "without target and layer"),
    "layers": (problem(network={"layers": 1}), "network.layers of at least 2"),
    "times": (problem(network={"times": [0.0, 0.5, 1.0]}), "and no times"),
    "no target": ({"data": {"mixture": MIXTURE}, "loss": {"kind": "density"}}, "loss.target is missing"),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_problem_files_are_refused(tmp_path: Path, case: str) -> None:
    tables, message = FILES[case]
    with pytest.raises(InputError, match=message):
        config.from_tables(tables, tmp_path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "problem.toml"
    path.write_text('[[data.snapshots]]\ntime = 0\nsource = "a.csv"\n[[data.snapshots]]\ntime = 1\nsource = "b.csv"\n')
    with pytest.raises(InputError, match=r"data\.snapshots\.source: no such file .*a\.csv"):
        config.load(path)
