from __future__ import annotations

import json
from pathlib import Path

import hydrodl  # noqa: F401

# isort: split
import numpy as np
import pytest

from hydrodl.common.errors import DataError
from hydrodl.data.datasets import DATASETS, load_dataset
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.samples import Samples
from hydrodl.data.tables import read_columns, read_csv

GENERATED = ["two_moons", "circles", "two_spirals", "gaussians", "checkerboard"]
GOOD = "a,b,kind\n1,2,x\n2,1,x\n3,5,y\n4,4,y\n"


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", DATASETS)
def test_dataset_matches_its_description_and_is_standardised(name: str) -> None:
    samples = load_dataset(name, n=120)
    info = DATASETS[name]
    assert samples.features.shape[1] == len(samples.feature_names) == info.features
    assert samples.classes == info.classes and samples.counts.min() >= 2
    assert len(samples) == (120 if name in GENERATED else int(info.sizes))
    assert samples.points.shape == (len(samples), 2)
    np.testing.assert_allclose(samples.points.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(samples.points.std(axis=0), 1, rtol=1e-12)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_sets_repeat_with_the_seed_and_only_with_it(name: str) -> None:
    first, again, other = (load_dataset(name, n=50, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.features, again.features) and np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.features, other.features)


def test_generated_shapes_without_noise() -> None:
    circles = load_dataset("circles", noise=0.0)
    np.testing.assert_allclose(np.linalg.norm(circles.features, axis=1), np.where(circles.labels == 0, 1.0, 0.5))
    spirals = load_dataset("two_spirals", noise=0.0)
    radius = np.linalg.norm(spirals.features, axis=1)
    angle = 3 * np.pi * radius + np.pi * spirals.labels
    np.testing.assert_allclose(spirals.features, radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    assert radius.min() >= 1 / 6 and radius.max() <= 1
    board = load_dataset("checkerboard")
    assert np.array_equal(np.floor(board.features).astype(int).sum(axis=1) % 2, board.labels)
    clusters = load_dataset("gaussians", noise=0.0)
    assert len(np.unique(clusters.features.round(9), axis=0)) == 3


def test_test_set_is_seen_in_training_coordinates() -> None:
    train, test = load_dataset("two_moons", n=400), load_dataset("two_moons", n=2000, seed=7)
    seen = test.with_preprocessing(train.preprocessing)
    np.testing.assert_array_equal(seen.points, (test.features - train.features.mean(0)) / train.features.std(0))
    assert not np.allclose(seen.points, test.points)  # its own preprocessing is another one


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_principal_components_are_the_leading_ones(dimensions: int) -> None:
    samples = load_dataset("wine", dimensions=dimensions)
    unit = (samples.features - samples.features.mean(0)) / samples.features.std(0)
    left = np.linalg.svd(unit, full_matrices=False)[0][:, :dimensions] * np.sqrt(len(samples))
    np.testing.assert_allclose(np.abs((left * samples.points).mean(axis=0)), 1, rtol=1e-10)
    np.testing.assert_allclose(samples.points.T @ samples.points / len(samples), np.eye(dimensions), atol=1e-10)


@pytest.mark.parametrize("name", ["iris", "two_moons"])
def test_preprocessing_survives_json_exactly(name: str) -> None:
    samples = load_dataset(name, n=20)
    again = Preprocessing.from_dict(json.loads(json.dumps(samples.preprocessing.to_dict())))
    assert np.array_equal(again.apply(samples.features), samples.points)
    assert again.feature_names == samples.feature_names and again.dimension == 2


def test_identity_preprocessing_changes_nothing() -> None:
    points = np.array([[1.5, -2.0, 0.25]])
    assert np.array_equal(Preprocessing.identity(3).apply(points), points)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_apply_names_row_and_column_of_a_bad_number(bad: float) -> None:
    samples = load_dataset("iris")
    features = samples.features.copy()
    features[4, 2] = bad
    with pytest.raises(DataError, match=r"row 5, column 'petal length \(cm\)' is -?(nan|inf)"):
        samples.preprocessing.apply(features)


@pytest.mark.parametrize("features", [np.zeros((3, 5)), np.zeros(4), [["a"] * 4], [[1, 2, 3, 4], [1]]])
def test_apply_rejects_what_is_no_table_of_the_right_width(features: object) -> None:
    with pytest.raises(DataError, match=r"must be \(n, 4\)|not a table of numbers"):
        load_dataset("iris").preprocessing.apply(features)  # type: ignore[arg-type]


def test_split_is_stratified_disjoint_and_refits_on_train_only() -> None:
    samples = load_dataset("iris")
    train, test = samples.split(0.3, seed=1)
    assert train.counts.tolist() == [35] * 3 and test.counts.tolist() == [15] * 3
    rows = np.concatenate([train.features, test.features])
    assert np.array_equal(np.sort(rows, axis=0), np.sort(samples.features, axis=0))
    np.testing.assert_allclose(train.points.std(axis=0), 1, rtol=1e-12)
    assert test.preprocessing is train.preprocessing
    assert not np.allclose(test.points.mean(axis=0), 0, atol=1e-6)
    assert np.array_equal(samples.split(0.3, seed=1)[1].features, test.features)
    assert not np.array_equal(samples.split(0.3, seed=2)[1].features, test.features)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan"), 0.001, 0.999])
def test_split_needs_a_sensible_fraction(fraction: float) -> None:
    with pytest.raises(DataError, match="test_fraction"):
        load_dataset("two_moons", n=40).split(fraction)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "two_moon"}, r"unknown dataset 'two_moon'; did you mean 'two_moons'\? allowed are two_moons"),
        ({"name": "zzz"}, "unknown dataset 'zzz'; allowed are"),
        ({"name": "two_moons", "n": 3}, "n is 3, must be a whole number of at least 4"),
        ({"name": "gaussians", "n": 5}, "at least 6"),
        ({"name": "two_moons", "n": 10.5}, "n is 10.5, must be a whole number"),
        ({"name": "two_moons", "noise": -0.1}, "noise is -0.1, must be a number that is not negative"),
        ({"name": "circles", "noise": float("nan")}, "noise is nan"),
        ({"name": "two_moons", "seed": -1}, "seed is -1"),
        ({"name": "iris", "noise": 0.1}, "noise does not apply to iris"),
        ({"name": "iris", "dimensions": 4}, "dimensions is 4, must be 1, 2 or 3"),
        ({"name": "iris", "dimensions": 0}, "dimensions is 0, must be 1, 2 or 3"),
        ({"name": "iris", "dimensions": 2, "lift": 2}, "lift is 2, but dimensions = 2 and lift 2 make 4 dimensions"),
    ],
)
def test_bad_dataset_requests(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_csv_end_to_end(tmp_path: Path) -> None:
    samples = read_csv(table(tmp_path, GOOD), label="kind")
    assert samples.class_names == ("x", "y") and samples.feature_names == ("a", "b")
    assert samples.labels.tolist() == [0, 0, 1, 1]
    assert samples.features.tolist() == [[1, 2], [2, 1], [3, 5], [4, 4]]
    np.testing.assert_allclose(samples.points.std(axis=0), 1)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_dialects(tmp_path: Path, separator: str) -> None:
    text = "\ufeff" + '"a", b,"the kind"\r\n\r\n1,2,10\r\n2,-1e-1,9\r\n3, 5 ,"10"\r\n4,4,9\r\n'.replace(",", separator)
    samples = read_csv(table(tmp_path, text), label="the kind", features=["b"])
    assert samples.class_names == ("9", "10")  # numbers in the order of numbers
    assert samples.labels.tolist() == [1, 0, 1, 0]
    assert samples.features.tolist() == [[2], [-0.1], [5], [4]]


def test_wide_csv_is_reduced_to_two_dimensions(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((12, 5))
    text = "a,b,c,d,e,y\n" + "".join(",".join(map(str, row)) + f",{i % 2}\n" for i, row in enumerate(rows))
    path = table(tmp_path, text)
    assert read_csv(path, label="y").points.shape == (12, 2)
    assert read_csv(path, label="y", dimensions=3).points.shape == (12, 3)
    assert read_csv(path, label="y", features=["a", "c", "e"]).preprocessing.components is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a CSV table: it is not UTF-8 text"),
        (b"a,b\x00,kind\n1,2,x\n", "not a CSV table: it holds binary data"),
        ("", "not a CSV table: no columns found"),
        ("just some words", "not a CSV table: no columns found"),
        ('a,b,kind\n1,"2,x\n', "not a CSV table: row 2"),
        ("a,b,kind\n", "the table is empty"),
        ("a,b,kind\n1,2,x\n1,2\n", "row 3 has 2 cells, the header has 3"),
        ("a,a,kind\n1,2,x\n", "a second column 'a'"),
        ("a,,kind\n1,2,x\n", "column 2 without a name"),
        ("a,b,sort\n1,2,x\n", "no label column 'kind'; the columns are a, b, sort"),
        ("a,b,kind\n1,2,x\n\n2,,x\n", "row 4, column 'b' is empty"),
        ("a,b,kind\n1,2,x\n2,nan,x\n", "row 3, column 'b' is 'nan', a missing value"),
        ("a,b,kind\n1,-inf,x\n", "row 2, column 'b' is '-inf'"),
        ("a,b,kind\n1,2,x\nred,2,x\n", "row 3, column 'a' is 'red', not a number"),
        ("a,b,kind\n1,1_0,x\n", "row 2, column 'b' is '1_0'"),
        ("a,b,kind\n1,2,x\n1,2, \n", "row 3, column 'kind' has no label"),
        ("a,b,kind\n1,2,x\n2,1,x\n", r"column 'kind' holds a single class \('x'\)"),
        ("a,b,kind\n1,2,x\n2,1,x\n3,3,y\n", "class 'y' has 1 sample; at least 2 are needed"),
        ("a,b,kind\n1,7,x\n2,7,x\n3,7,y\n4,7,y\n", r"feature 'b' is constant \(7\)"),
        ("a,b,kind\n1e200,7,x\n-1e200,6,x\n3,7,y\n4,7,y\n", "feature 'a' has values too large"),
        ("a,b,c,d,kind\n1,1,1,1,x\n2,2,2,2,x\n3,3,3,3,y\n5,5,5,5,y\n", "fewer than dimensions = 2 independent"),
    ],
)
def test_bad_csv_gives_one_clear_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_csv(table(tmp_path, text), label="kind")
    assert "\n" not in str(caught.value)


def test_bad_csv_arguments(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD)
    with pytest.raises(DataError, match="no column 'z'; the columns are a, b, kind"):
        read_csv(path, label="kind", features=["a", "z"])
    with pytest.raises(DataError, match="label is among the features"):
        read_csv(path, label="kind", features=["a", "kind"])
    with pytest.raises(DataError, match="no feature columns"):
        read_csv(path, label="kind", features=[])
    with pytest.raises(DataError, match=r"missing\.csv: no such file"):
        read_csv(tmp_path / "missing.csv", label="kind")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path, label="kind")


def test_named_columns_come_in_their_order(tmp_path: Path) -> None:
    path = table(tmp_path, "c,word,a\n1,hello,2\n3,,4\n")
    assert read_columns(path, ["a", "c"]).numbers.tolist() == [[2, 1], [4, 3]]
    with pytest.raises(DataError, match="no column 'b'; the columns are c, word, a"):
        read_columns(path, ["a", "b"])
    with pytest.raises(DataError, match="row 2, column 'word' is 'hello', not a number"):
        read_columns(path, ["word"])


def test_samples_reject_arrays_that_do_not_belong_together() -> None:
    identity = Preprocessing.identity(2)
    with pytest.raises(DataError, match="do not belong together"):
        Samples(np.zeros((3, 2)), np.zeros(2, dtype=int), ("a",), ("x", "y"), identity)
    with pytest.raises(DataError, match="whole numbers from 0 to 0"):
        Samples(np.zeros((1, 2)), np.array([1]), ("a",), ("x", "y"), identity)
