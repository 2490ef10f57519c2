"""Frames of pandas and Polars: columns by name, results of the same kind, and what is wrong with one by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hydrodl as hd
from tests.builders.networks import network, waves

COLUMNS: dict[str, Any] = {
    "x": [0.0, 1.0, 0.5, 5.0, 6.0, 5.5],
    "kind": ["10", "9", "9", "10", "9", "10"],
    "y": [1, 2, 3, 4, 5, 7],
    "w": [1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
}
KINDS: tuple[Callable[[dict[str, Any]], Any], ...] = (pd.DataFrame, pl.DataFrame)


def test_samples_of_frames_are_those_of_arrays() -> None:
    table = np.column_stack([COLUMNS["x"], COLUMNS["y"]])
    expected = hd.Samples.from_arrays(table, COLUMNS["kind"], feature_names=["x", "y"], weights=COLUMNS["w"])
    assert expected.class_names == ("9", "10")  # numbers in the order of numbers
    for kind in KINDS:
        found = hd.Samples.from_frame(kind(COLUMNS), "kind", weights="w")
        assert found.feature_names == ("x", "y") and found.class_names == ("9", "10")
        np.testing.assert_array_equal(found.features, table)
        np.testing.assert_array_equal(found.points, expected.points)
        np.testing.assert_array_equal(found.labels, [1, 0, 0, 1, 0, 1])
        assert found.weights is not None and found.weights[1] == 2.0
        one = hd.Samples.from_frame(kind(COLUMNS), "kind", ["y"])
        assert one.points.shape == (6, 1)
        back = found.to_frame(kind.__module__.partition(".")[0], "kind")
        assert type(back) is kind and list(back.columns) == ["x", "y", "kind"]
        assert list(back["kind"]) == COLUMNS["kind"]
    for labels in ([True, True, False, True, False, False], [2, 2, 1, 1, 2, 1], np.array(list("aabbab"))):
        assert hd.Samples.from_arrays(table, labels).classes == 2


def test_what_is_wrong_is_named() -> None:
    def told(action: Callable[[], Any]) -> str:
        with pytest.raises(hd.DataError) as caught:
            action()
        return str(caught.value)

    for kind in KINDS:
        frame = kind(COLUMNS)
        assert "no column 'sort'; the columns are x, kind, y, w" in told(
            lambda f=frame: hd.Samples.from_frame(f, "sort")
        )
        assert "column 'kind' holds String" in told(lambda f=frame: hd.Samples.from_frame(f, "y", ["kind"]))
        assert "among the features" in told(lambda f=frame: hd.Samples.from_frame(f, "y", ["y"]))
        holes = kind(COLUMNS | {"y": [1, 2, None, 4, None, 6], "kind": ["a", "b", None, "a", "b", "a"]})
        assert "row 3, column 'y' is missing, as are 2 of 6" in told(
            lambda f=holes: hd.Samples.from_frame(f, "x", ["y"])
        )
        assert "row 3, column 'label' has no label" in told(lambda f=holes: hd.Samples.from_frame(f, "kind", ["x"]))
    assert "LazyFrame is no data frame" in told(lambda: hd.Samples.from_frame(pl.LazyFrame(COLUMNS), "kind"))
    assert "ndarray is no data frame" in told(lambda: hd.Samples.from_frame(np.eye(2), "kind"))
    table = np.eye(4)
    assert "labels have shape (3,), must be (4,)" in told(lambda: hd.Samples.from_arrays(table, [0, 1, 0]))
    assert "2 feature names for 4" in told(lambda: hd.Samples.from_arrays(table, [0, 1, 0, 1], feature_names="ab"))
    assert "row 1, column 2 is nan" in told(lambda: hd.Samples.from_arrays([[1, np.nan]], [0]))
    assert "single class" in told(lambda: hd.Samples.from_arrays(table, ["aaaa"] * 4))
    samples = hd.Samples.from_frame(pd.DataFrame(COLUMNS), "kind", ["x"])
    assert "kind of frame is 'excel'" in told(lambda: samples.to_frame("excel"))
    assert "already" in told(lambda: samples.to_frame(label="x"))


def test_predictions_are_frames_of_the_same_kind_with_the_same_index() -> None:
    names = ("width", "height")
    scaled = hd.Preprocessing(np.array([10.0, 50.0]), np.array([2.0, 9.0]), feature_names=names)
    net = hd.Network(waves(network("strang", d=2, nodes=7)).solution, scaled)
    rows = np.random.default_rng(0).uniform([8.0, 41.0], [12.0, 59.0], (4, 2))
    columns = {name: rows[:, j] for j, name in reversed(list(enumerate(names)))}
    expected = net.predict_proba(rows)
    for kind in KINDS:
        frame = kind(columns | {"id": list("abcd")})  # other order, another column
        if kind is pd.DataFrame:
            frame.index = [3, 1, 4, 1]
        np.testing.assert_array_equal(net.predict_proba(frame), expected)
        found = net.predict_frame(frame)
        assert type(found) is kind and list(found.columns) == ["label", *(f"p_{name}" for name in net.class_names)]
        np.testing.assert_array_equal(found.to_numpy()[:, 1:].astype(float), expected)
        assert list(found["label"]) == [net.class_names[k] for k in expected.argmax(axis=1)]
        if kind is pd.DataFrame:
            assert list(found.index) == [3, 1, 4, 1]


def test_snapshots_of_a_frame() -> None:
    for kind in KINDS:
        found = hd.Snapshots.from_frame(kind({"x": [0.0, 1.0, 2.0, 3.0], "day": [1, 0, 1, 0]}), "day")
        np.testing.assert_array_equal(found.features, [[[1.0], [3.0]], [[0.0], [2.0]]])
        assert found.preprocessing.feature_names == ("x",)
