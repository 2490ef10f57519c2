"""A fit that predicts its samples less well than their neighbours do is told by how much."""

from __future__ import annotations

import warnings

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from hydrodl.common.arrays import evenly
from hydrodl.estimators.neighbour_check import NEIGHBOURS, neighbours_accuracy


def test_it_is_what_leaving_one_out_gives() -> None:
    rng = np.random.default_rng(0)
    for d, classes in ((1, 2), (3, 4)):
        x, y = rng.normal(size=(100, d)), rng.integers(0, classes, 100)
        x[y == 1] += 1.0
        right = max(cross_val_score(KNeighborsClassifier(k), x, y, cv=LeaveOneOut()).mean() for k in NEIGHBOURS)
        assert neighbours_accuracy(x, y) == pytest.approx(right, abs=0.03)  # they decide even votes by class number
    same = np.zeros((40, 2))
    assert 0.0 <= neighbours_accuracy(same, np.arange(40) % 2) <= 1.0
    assert neighbours_accuracy(np.zeros((1, 1)), np.zeros(1, dtype=int)) == 0.0
    assert evenly(10, 2000).tolist() == list(range(10))
    assert len(set(evenly(10**6, 2000))) == 2000 and evenly(10**6, 2000)[-1] == 10**6 - 1


@pytest.mark.slow
def test_one_inside_the_other_on_a_line_is_told_with_the_cure() -> None:
    """N(0, 0.5) and N(0, 1.5): the best classifier is right for 0.742."""
    for seed, ways in enumerate((("bayes", "flow"), ("flow",))):  # by Bayes' rule the second is right for 0.71
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 2000)
        x = rng.normal(0, np.where(y, 1.5, 0.5))[:, None]
        for probabilities in ways:
            with pytest.warns(ConvergenceWarning, match=r"^0.\d+ of the training .* 0.7\d+ .* lift = 1") as told:
                right = hd.HydroClassifier(probabilities=probabilities).fit(x, y).score(x, y)
            (words,) = (str(w.message) for w in told if "training samples" in str(w.message))
            assert float(words[:5]) == pytest.approx(right, abs=2e-3)
    lifted = hd.HydroClassifier(8, 33, lift=1).fit(x, y)
    assert lifted.score(x, y) > 0.72


@pytest.mark.slow
def test_classes_too_narrow_for_the_noise_are_told() -> None:
    x, y = make_blobs(800, centers=40, cluster_std=0.1, random_state=0)
    with pytest.warns(
        ConvergenceWarning, match=r"nearest neighbours 0.9\d+ .*: the noise moves a point by 0.2\d?, and"
    ):
        hd.HydroClassifier(8, 31).fit(x, y)


def test_features_that_components_lose_are_told() -> None:
    x, y = load_digits(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match=r"of all features 0.9\d+ .*: dimensions = 3"):
        hd.HydroClassifier(2, 15, one_unit=True, noise=0.05, options={"tao_max_it": 2}).fit(x[:600], y[:600])


def test_a_good_fit_says_nothing() -> None:
    x, y = make_moons(300, noise=0.15, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        hd.HydroClassifier(8).fit(x, y)
