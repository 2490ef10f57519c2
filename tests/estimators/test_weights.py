"""Weights of samples and classes count as copies of rows do; labels that are missing are refused by row."""

from __future__ import annotations

from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI
from sklearn.datasets import load_iris, make_moons

from hydrodl.data.bandwidth import choose_bandwidth
from hydrodl.estimators.classifier import HydroClassifier
from hydrodl.estimators.initial_readout import logistic_readout

X, y = make_moons(80, noise=0.2, random_state=0)
COUNTS = np.random.default_rng(0).integers(0, 4, len(y))
TWICE = np.repeat(np.arange(len(y)), COUNTS)
SMALL: dict[str, Any] = {"layers": 2, "nodes": 9, "noise": 0.02}


def samples(rows: np.ndarray, weights: np.ndarray | None, table: np.ndarray, labels: np.ndarray) -> hd.Samples:
    names = tuple(f"x{k}" for k in range(table.shape[1]))
    seen = hd.Preprocessing.fit(table[rows], names=names, weights=weights)
    kinds = tuple(str(c) for c in np.unique(labels))
    return hd.Samples(table[rows], labels[rows], kinds, names, seen, weights)


@pytest.mark.parametrize("data", ["moons", "iris"])
def test_a_weight_is_that_of_as_many_copies(data: str) -> None:
    """In standardisation and components, densities and masses, bandwidth, and the initial readout."""
    table, labels = (X, y) if data == "moons" else load_iris(return_X_y=True)
    counts = np.random.default_rng(1).integers(1, 4, len(labels))
    copies = samples(np.repeat(np.arange(len(labels)), counts), None, table, labels)
    weighted = samples(np.arange(len(labels)), counts.astype(float), table, labels)
    np.testing.assert_allclose(weighted.preprocessing.apply(table), copies.preprocessing.apply(table), atol=1e-12)
    np.testing.assert_allclose(weighted.shares, copies.counts / len(copies), rtol=1e-14)
    domain = hd.Domain.around(copies, nodes=11, comm=MPI.COMM_SELF)
    np.testing.assert_allclose(
        hd.densities(weighted, domain).values, hd.densities(copies, domain).values, rtol=1e-9, atol=1e-14
    )
    assert choose_bandwidth(weighted, comm=MPI.COMM_SELF) == choose_bandwidth(copies, comm=MPI.COMM_SELF)
    ours, theirs = (logistic_readout(each, comm=MPI.COMM_SELF) for each in (weighted, copies))
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_classifier_counts_weights_as_copies() -> None:
    weighted = HydroClassifier(**SMALL).fit(X, y, sample_weight=COUNTS)
    copies = HydroClassifier(**SMALL).fit(X[TWICE], y[TWICE])
    plain = HydroClassifier(**SMALL).fit(X, y)
    chances = weighted.predict_proba(X)
    np.testing.assert_allclose(chances, copies.predict_proba(X), atol=1e-4)
    assert np.abs(chances - plain.predict_proba(X)).max() > 0.01
    same = HydroClassifier(**SMALL).fit(X, y, sample_weight=np.ones(len(y)))
    np.testing.assert_array_equal(same.predict_proba(X), plain.predict_proba(X))


def test_weights_of_classes_are_their_masses() -> None:
    rows = np.flatnonzero((y == 0) | (np.arange(len(y)) % 4 == 0))
    few, labels = X[rows], np.array(["a", "b"])[y[rows]]
    for given, expected in [("balanced", 0.5), ({"a": 1.0, "b": 3.0}, None)]:
        found = HydroClassifier(**SMALL, class_weight=given).fit(few, labels)
        counts = np.array([(labels == "a").sum(), (labels == "b").sum()])
        share = expected or counts[0] / (counts[0] + 3 * counts[1])
        np.testing.assert_allclose(found.solution_.problem.densities.masses[0], share, rtol=1e-12)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([None, *"ab" * 39, "a"], "label of row 0 (from 0) is None"),
        ([*"ab" * 39, "a", float("nan")], "label of row 79 (from 0) is nan"),
        (np.array([*[0, 1] * 39, None, 1], dtype=object), "label of row 78 (from 0) is None"),
        ([*"ab" * 39, "a", 1], "labels are texts and numbers: that of row 0 is 'a', that of row 79 is 1"),
    ],
)
def test_labels_that_are_missing(labels: Any, words: str) -> None:
    with pytest.raises(hd.InputError) as caught:
        HydroClassifier(**SMALL).fit(X, labels)
    assert words in str(caught.value)


def test_labels_that_pandas_calls_missing() -> None:
    class NAType:
        """What it calls so is neither equal nor unequal to anything."""

        def __ne__(self, other: object) -> Any:
            return self

        def __bool__(self) -> bool:
            raise TypeError("boolean value of NA is ambiguous")

    with pytest.raises(hd.InputError, match="label of row 1"):
        HydroClassifier(**SMALL).fit(X, np.array(["a", NAType(), *"ab" * 39], dtype=object))


@pytest.mark.parametrize("weights", [np.zeros(80), -np.ones(80), np.full(80, np.inf), np.ones(3)])
def test_weights_that_cannot_be(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weight"):
        HydroClassifier(**SMALL).fit(X, y, sample_weight=weights)
