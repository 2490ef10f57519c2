"""HydroClassifier keeps scikit-learn's conventions and predicts what its network does."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from mpi4py import MPI
from pandas import DataFrame
from scipy import sparse
from scipy.special import logit, softmax
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from hydrodl.estimators.classifier import HydroClassifier
from hydrodl.estimators.ranks_and_seeds import agreed, width_of
from hydrodl.mesh.interpolation import interpolate
from hydrodl.network.noise_average import posterior

SMALL: dict[str, Any] = {"layers": 2, "nodes": 9, "margin": 1.0, "noise": 0.02, "weight": 10.0}
X, y = make_moons(200, noise=0.15, random_state=0)
FRESH, TRUE = make_moons(500, noise=0.15, random_state=1)
FRAME = DataFrame(X, columns=["width", "length"])


# No check is expected to fail; MLPClassifier has none either (scikit-learn 1.9). One compares rows that are repeated
# with their weights, to ten digits, which is more than the usual tolerance of training.
@pytest.mark.slow
@parametrize_with_checks([HydroClassifier(**SMALL, dimensions=2, options={"tao_gatol": 1e-7})])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def moons() -> HydroClassifier:
    return HydroClassifier(layers=6, nodes=17, bandwidth=0.25, margin=1.0, weight=10.0).fit(X, y)


# Predictions


def test_it_learns(moons: HydroClassifier) -> None:
    assert moons.converged_ and moons.n_iter_ == moons.solution_.iterations > 3
    assert moons.score(FRESH, TRUE) >= 0.93


@pytest.mark.slow
def test_the_defaults_are_good() -> None:
    many, labels = make_moons(600, noise=0.15, random_state=0)
    found = HydroClassifier().fit(many, labels)
    assert found.converged_ and found.score(FRESH, TRUE) >= 0.975


def test_predictions_belong_together(moons: HydroClassifier) -> None:
    chances, scores = moons.predict_proba(FRESH), moons.decision_function(FRESH)
    assert chances.shape == (500, 2) and scores.shape == (500,)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_allclose(logit(chances[:, 1]), scores, rtol=1e-6)
    np.testing.assert_array_equal(moons.predict(FRESH), (scores > 0).astype(int))
    np.testing.assert_allclose(np.exp(moons.predict_log_proba(FRESH)), chances)


def test_a_tighter_tolerance_changes_no_prediction(moons: HydroClassifier) -> None:
    tight = clone(moons).set_params(options={"tao_gatol": 1e-7}).fit(X, y)
    assert tight.n_iter_ > moons.n_iter_ and 1e-7 < moons.solution_.gradient_norm < 3e-3
    np.testing.assert_array_equal(tight.predict(FRESH), moons.predict(FRESH))
    np.testing.assert_allclose(tight.predict_proba(FRESH), moons.predict_proba(FRESH), atol=2e-3)


@pytest.mark.parametrize("choice", [{}, {"width": 12}, {"width": 12, "activation": "relu"}, {"readout": "trained"}])
def test_predictions_are_those_of_the_network(choice: dict[str, Any]) -> None:
    found = HydroClassifier(**SMALL, random_state=0, **choice).fit(X, y)
    assert (found.solution_.coefficients is not None) == ("width" in choice)
    np.testing.assert_allclose(found.predict_proba(FRESH), found.network_.predict_proba(FRESH), atol=1e-11)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(FRESH), found.predict_proba(FRESH))
    np.testing.assert_allclose(again.network_.predict_proba(FRESH), found.predict_proba(FRESH), atol=1e-11)


def test_posterior(moons: HydroClassifier) -> None:
    averaged = copy.deepcopy(moons).set_params(probabilities="posterior")
    exact = posterior(moons.network_).predict_proba(FRESH)
    np.testing.assert_allclose(averaged.predict_proba(FRESH), exact, atol=1e-12)
    assert averaged.score(FRESH, TRUE) >= 0.93
    np.testing.assert_array_equal(averaged.predict(FRESH), averaged.decision_function(FRESH) > 0)
    # noise makes no one surer
    assert averaged.predict_proba(FRESH).max(axis=1).mean() < moons.predict_proba(FRESH).max(axis=1).mean()


def test_bayes_rule_with_the_last_densities(moons: HydroClassifier) -> None:
    found = copy.deepcopy(moons).set_params(probabilities="bayes")
    network, solution = moons.network_, moons.solution_
    ends, domain = network.push(moons.preprocessing_.apply(FRESH))[-1], solution.problem.domain
    densities = interpolate(domain, solution.density[-1], ends)
    expected = densities / densities.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.predict_proba(FRESH), expected, atol=1e-9)
    assert found.score(FRESH, TRUE) >= 0.93
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(FRESH), found.predict_proba(FRESH))


def test_where_no_density_is_the_readout_speaks(moons: HydroClassifier) -> None:
    found = copy.deepcopy(moons).set_params(probabilities="bayes")
    found._last = np.zeros_like(found._last)
    found._last[:, 0] = 1.0  # all mass at a corner
    np.testing.assert_array_equal(found.predict(FRESH), moons.predict(FRESH))
    assert np.isfinite(found.decision_function(FRESH)).all()


def test_several_classes_with_names() -> None:
    table = load_iris()
    names = table.target_names[table.target]
    found = HydroClassifier(**SMALL).fit(table.data, names)
    np.testing.assert_array_equal(found.classes_, sorted(table.target_names))
    scores = found.decision_function(table.data)
    assert scores.shape == (150, 3) and found.score(table.data, names) > 0.75
    np.testing.assert_allclose(softmax(scores, axis=1), found.predict_proba(table.data))
    np.testing.assert_array_equal(found.classes_[scores.argmax(axis=1)], found.predict(table.data))


def test_points_outside_the_box_count_as_its_nearest(moons: HydroClassifier) -> None:
    low, high = moons.solution_.problem.domain.bounds
    far = np.array([[1e3, 0.2], [-1e3, -1e3]])
    back = moons.preprocessing_
    nearest = np.clip(back.apply(far), low, high) * back.scale + back.mean
    np.testing.assert_allclose(moons.predict_proba(far), moons.predict_proba(nearest), rtol=1e-9)


# Features


def test_many_features_become_components() -> None:
    table = load_wine()
    found = HydroClassifier(**SMALL).fit(table.data, table.target)
    assert found.preprocessing_.dimension == 2 and found.n_features_in_ == 13
    assert found.score(table.data, table.target) > 0.9
    line = HydroClassifier(**SMALL, dimensions=1).fit(table.data, table.target)
    assert line.preprocessing_.dimension == 1


def test_constant_features_do_not_count(moons: HydroClassifier) -> None:
    wide = np.insert(X, [0, 1], 7.0, axis=1)
    found = HydroClassifier(layers=6, nodes=17, bandwidth=0.25, margin=1.0, weight=10.0).fit(wide, y)
    np.testing.assert_allclose(found.predict_proba(np.insert(FRESH, [0, 1], 7.0, axis=1)), moons.predict_proba(FRESH))


def test_features_that_span_one_direction_give_one_coordinate() -> None:
    line = np.linspace(-1, 1, 40)
    found = HydroClassifier(**SMALL).fit(line[:, None] * [1.0, 2.0, -1.0, 0.5], line > 0.2)
    assert found.preprocessing_.dimension == 1
    with pytest.raises(ValueError, match="fewer than dimensions = 2"):
        HydroClassifier(**SMALL, dimensions=2).fit(line[:, None] * [1.0, 2.0, -1.0, 0.5], line > 0.2)


def test_lift() -> None:
    found = HydroClassifier(layers=2, nodes=7, lift=1, weight=10.0).fit(X[:, :1], y)
    assert found.solution_.problem.domain.dimension == 2 and found.score(FRESH[:, :1], TRUE) > 0.6


def test_the_bandwidth_suits_the_samples_or_is_given() -> None:
    free, given = (HydroClassifier(**SMALL, bandwidth=h).fit(X, y) for h in (None, 0.6))
    samples = hd.Samples(X, y, ("0", "1"), ("a", "b"), free.preprocessing_)
    assert 0.05 <= width_of(samples) < 0.5
    assert np.abs(free.decision_function(X) - given.decision_function(X)).max() > 0.05
    lonely = hd.Samples(X[:2], np.array([0, 1]), ("0", "1"), ("a", "b"), free.preprocessing_)
    assert width_of(lonely) == 0.2


# What scikit-learn's tools do with it


def test_pickle_and_deep_copy(moons: HydroClassifier) -> None:
    for again in (pickle.loads(pickle.dumps(moons)), copy.deepcopy(moons)):
        assert again._solution is None
        np.testing.assert_array_equal(again.predict_proba(FRESH), moons.predict_proba(FRESH))
        one, two = moons.solution_, again.solution_
        for name in ("velocity", "density", "potential"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), atol=1e-10)
        assert (two.converged, two.iterations, two.history) == (one.converged, one.iterations, one.history)
        assert isinstance(again.network_, hd.Network)


def test_clone_and_repr(moons: HydroClassifier) -> None:
    fresh = clone(moons)
    assert fresh.get_params() == moons.get_params() and "nodes=17" in repr(fresh)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    for name in ("solution_", "network_"):
        assert not hasattr(fresh, name)


def test_a_pipeline_and_cross_validation() -> None:
    chain = make_pipeline(StandardScaler(), HydroClassifier(**SMALL))
    assert cross_val_score(chain, X, y, cv=3).mean() > 0.85


@pytest.mark.slow
def test_grid_search_over_layers_and_nodes() -> None:
    search = GridSearchCV(
        HydroClassifier(bandwidth=0.25, weight=10.0), {"layers": [1, 4], "nodes": [5, 9]}, cv=2, n_jobs=2
    )
    search.fit(X, y)
    assert search.best_params_ in ({"layers": 4, "nodes": 9}, {"layers": 1, "nodes": 9})
    assert search.best_estimator_.score(FRESH, TRUE) > 0.85
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_threads_take_turns() -> None:
    one = HydroClassifier(**SMALL).fit(X, y).predict_proba(FRESH)
    with parallel_config(backend="threading", n_jobs=3):
        found = Parallel()(delayed(HydroClassifier(**SMALL).fit)(X, y) for _ in range(3))
    for each in found:
        np.testing.assert_allclose(each.predict_proba(FRESH), one, atol=1e-9)


def test_random_state_draws_the_neurons() -> None:
    draws = [HydroClassifier(**SMALL, width=6, random_state=s).fit(X, y).predict_proba(FRESH) for s in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.abs(draws[0] - draws[2]).max() > 1e-3


def test_no_convergence_is_a_warning() -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge: iteration limit tao_max_it"):
        found = HydroClassifier(**SMALL, options={"tao_max_it": 1}).fit(X, y)
    assert not found.converged_ and found.n_iter_ == 1 and found.predict(X).shape == (200,)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        HydroClassifier(**SMALL).fit(X, y)


def test_verbose_prints_steps(capsys: pytest.CaptureFixture[str]) -> None:
    found = HydroClassifier(**SMALL, verbose=1).fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("newton")]
    assert len(lines) == found.n_iter_ + 1 and lines[0].startswith("newton   0  objective ")


# Bad input


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"layers": 0}, "layers is 0"),
        ({"layers": "8"}, "layers is '8', must be a whole number"),
        ({"nodes": 1}, "nodes is 1"),
        ({"dimensions": 4}, "dimensions is 4, must be 1, 2 or 3"),
        ({"lift": 2}, "at most 3"),
        ({"margin": -1.0}, "margin is"),
        ({"bandwidth": 0.0}, "bandwidth is 0"),
        ({"noise": 0.0}, "noise is 0"),
        ({"weight": -1.0}, "loss weight is -1"),
        ({"scheme": "leapfrog"}, "scheme is 'leapfrog'"),
        ({"width": 0}, "width is 0"),
        ({"width": 3, "activation": "sine"}, "activation is 'sine'"),
        ({"readout": "best"}, "readout is 'best', must be 'fixed' or 'trained'"),
        ({"probabilities": "prior"}, "probabilities is 'prior', must be 'flow' or 'posterior' or 'bayes'"),
        ({"comm": MPI.COMM_SELF}, "comm is .*, must be 'world' or 'self'"),
        ({"options": {"ksp_type": "cg"}}, "solver option 'ksp_type' is unknown"),
    ],
)
def test_bad_parameters(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(hd.InputError, match=message):
        HydroClassifier(**SMALL | choice).fit(X, y)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.where(np.arange(400).reshape(200, 2) == 7, np.nan, X), y, "row 4, column 2 is NaN, .* 1 of 200 rows"),
        (X[:, 0], y, "Expected 2D array"),
        (X[:1], y[:1], "at least 2 classes, the data hold one class"),
        (X, np.zeros(200, int), "one class: 0$"),
        (X, X[:, 0], "Unknown label type: continuous"),
        (X, y[:-1], "inconsistent numbers of samples"),
        (np.ones((200, 2)), y, "all 2 feature.* constant"),
        (X * 1e300, y, "too large to standardise"),
        (FRAME.assign(hue="red"), y, "features: column 'hue' holds String, not numbers$"),
        (FRAME.where(FRAME.width > -0.9), y, "features: row .*, column 'width' is missing"),
    ],
)
def test_bad_data(features: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HydroClassifier(**SMALL).fit(features, labels)


def test_sparse_features() -> None:
    with pytest.raises(TypeError, match="Sparse data"):
        HydroClassifier(**SMALL).fit(sparse.csr_array(X), y)


def test_other_features_than_in_fit(moons: HydroClassifier) -> None:
    with pytest.raises(ValueError, match="3 features, but HydroClassifier is expecting 2"):
        moons.predict(np.ones((4, 3)))


def test_a_bad_word_after_fitting(moons: HydroClassifier) -> None:
    with pytest.raises(hd.InputError, match="probabilities"):
        copy.deepcopy(moons).set_params(probabilities="prior").predict(X)


def test_ranks_with_different_data() -> None:
    agreed(MPI.COMM_WORLD, X, y)

    class Pair:  # two ranks, of which the other one has other data
        def allgather(self, mark: object) -> list[object]:
            return [mark, [0]]

    with pytest.raises(hd.InputError, match="different data"):
        agreed(Pair(), X, y)  # type: ignore[arg-type]
