"""Samples far outside the others count as lying at their edge; nothing else is touched."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier

from hydrodl.application import cli
from hydrodl.data.outliers import edges
from hydrodl.data.resolution import spread_within
from hydrodl.estimators.classifier import HydroClassifier


def test_no_sample_of_usual_sets_is_an_outlier() -> None:
    for name in ("two_moons", "circles", "two_spirals", "gaussians", "checkerboard", "iris", "wine", "digits"):
        samples = hd.load_dataset(name)
        same, found = samples.clamped()
        assert not len(found.rows) and not found.words(), name
        np.testing.assert_array_equal(same.points, samples.points)
    rng = np.random.default_rng(0)
    for draw in (rng.normal, rng.uniform, rng.exponential, rng.laplace):
        points = draw(size=(500, 3))
        low, high = edges(points, np.zeros(500, dtype=int))
        assert (low <= points).all() and (points <= high).all(), draw


def test_what_is_held_whatever_its_distance() -> None:
    """Small classes, clusters of a fortieth, features that are nearly always the same."""
    rng = np.random.default_rng(1)
    bulk = rng.normal(size=(400, 1))
    for points, groups in (
        (np.vstack([bulk, [[1e3]] * 3]), np.r_[np.zeros(400, int), np.ones(3, int)]),
        (np.vstack([bulk, 1e3 + rng.normal(size=(12, 1))]), np.zeros(412, int)),
        (np.r_[np.zeros((395, 1)), np.full((5, 1), 7.0)], np.zeros(400, int)),
    ):
        assert edges(points, groups)[1] == points.max()


def test_a_sample_of_principal_components_that_lies_far_out() -> None:
    wine = hd.load_dataset("wine")
    table = np.vstack([wine.features, wine.features[0] + 100 * wine.features.std(axis=0)])
    more = replace(wine, features=table, labels=np.append(wine.labels, 0))
    again = more.with_preprocessing(hd.Preprocessing.fit(table, 2, more.feature_names))
    nearer, found = again.clamped()
    assert found.rows.tolist() == [178] and np.ptp(nearer.points, axis=0).max() < 12
    np.testing.assert_array_equal(nearer.features[:178], wine.features)
    scale, clean = nearer.preprocessing.scale, wine.preprocessing.scale
    assert np.abs(scale / clean - 1).max() < 0.05 and (again.preprocessing.scale / clean).min() > 5


def test_one_sample_far_away_costs_no_accuracy() -> None:
    x, y = make_moons(400, noise=0.15, random_state=0)
    fresh, true = make_moons(2000, noise=0.15, random_state=1)
    without = HydroClassifier().fit(x, y).score(fresh, true)
    x[0, 0] = 20.0
    with pytest.warns(UserWarning, match=r"1 of 400 samples lies far outside the others \(row 1\)"):
        found = HydroClassifier().fit(x, y)
    assert found.outliers_.tolist() == [0] and found.score(fresh, true) >= max(0.975, without - 0.003)
    assert not len(HydroClassifier(3, 9, outliers="keep").fit(x, y).outliers_)
    with pytest.raises(hd.InputError, match="outliers is 'drop', must be 'clamp' or 'keep'"):
        HydroClassifier(outliers="drop").fit(x, y)


def test_tails_of_a_cauchy_distribution() -> None:
    """Two clouds six apart: half-way between them is the best border, and right for 0.8975."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_cauchy((1400, 2)), np.arange(1400) % 2
    x[y == 1, 0] += 6
    near = KNeighborsClassifier(15).fit(x[:400], y[:400]).score(x[400:], y[400:])
    with pytest.warns(UserWarning, match="far outside the others"):
        found = HydroClassifier(8).fit(x[:400], y[:400])
    assert found.score(x[400:], y[400:]) >= max(0.87, near - 0.01)


def report_of(folder: str) -> dict:
    return json.loads(Path(folder, "report.json").read_text())


FAR = """
[data]
source = "far.csv"
label = "c"
bandwidth = 0.3
[domain]
nodes = 9
[network]
layers = 2
[solver]
tao_max_it = 2
"""


def test_a_problem_file_tells_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = make_moons(120, noise=0.1, random_state=0)
    x[7] = 1e4
    rows = [f"{a!r},{b!r},{c}" for (a, b), c in zip(x.tolist(), y.tolist(), strict=True)]
    Path("far.csv").write_text("\n".join(["a,b,c", *rows]))
    Path("p.toml").write_text(FAR)
    told = "1 of 120 samples lies far outside the others (row 8 of the table, its header not counted)"
    given = ["--set", "data.test_fraction=0"]
    assert cli.invoke(["train", "p.toml", "--out", "o", *given]) in (0, 3)
    assert any(note.startswith(told) for note in report_of("o")["warnings"])
    assert cli.invoke(["train", "p.toml", "--out", "s", "--dry-run"]) == 0  # with test samples, and the same row
    assert "(row 8 of the table" in capsys.readouterr().err
    assert cli.invoke(["train", "o/problem.toml", "--out", "again"]) in (0, 3)
    assert report_of("again")["objective"] == report_of("o")["objective"]
    assert cli.invoke(["train", "p.toml", "--out", "k", *given, "--set", "data.outliers=keep"]) in (0, 3)
    notes = report_of("k")["warnings"]
    assert not any("far outside" in note for note in notes) and any("does not show the samples" in n for n in notes)


def test_a_mesh_in_other_units_than_the_data_is_told() -> None:
    """The data in metres, the mesh in millimetres: all in one cell."""
    metres = hd.load_dataset("two_moons", n=100)
    identity = metres.with_preprocessing(hd.Preprocessing.identity(2))
    with pytest.warns(RuntimeWarning, match=r"cells of the mesh are 250 wide .* spreads 0\.\d+: .* units of the data"):
        told = hd.densities(identity, hd.Domain.box([-2000, -2000], [3000, 3000], 21), bandwidth=100.0).notes
    assert len(told) == 1
    box = hd.Domain.box([-2, -2], [3, 3], 21)
    with pytest.warns(RuntimeWarning, match=r"more than 4 bandwidths \(0.01\)"):
        hd.densities(identity, box, bandwidth=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hd.densities(identity, box).notes == ()
    normal = hd.sample_mixture(
        [hd.Gaussian([0.0, 5.0], [0.3, 2.0]), hd.Gaussian([9.0, 0.0], [0.3, 2.0], label=1)], 4000
    )
    np.testing.assert_allclose(spread_within(normal), [0.3, 2.0], rtol=0.04)
