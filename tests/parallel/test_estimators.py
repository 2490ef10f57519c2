"""The estimators on several ranks: the predictions of one, on every rank, and nobody waits."""

from __future__ import annotations

import pickle
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from sklearn.datasets import make_moons

from tests.builders.on_ranks import WORLD, agreed, refusal

X, y = make_moons(60, noise=0.15, random_state=0)
SMALL: dict[str, Any] = {"layers": 2, "nodes": 7, "bandwidth": 0.4, "margin": 1.0, "weight": 10.0}
CASES: dict[str, dict[str, Any]] = {
    "field": {},
    "neurons": {"width": 6, "random_state": 0, "readout": "trained"},
    "whole neurons": {"width": 2, "random_state": 0, "hidden_weights": "trained"},
    "any neurons": {"width": 4},
}
COMMS = ("self", "world")


@pytest.mark.parametrize("case", CASES)
def test_predictions(case: str) -> None:
    found = []
    for comm in COMMS:
        fitted = hd.HydroClassifier(**SMALL, **CASES[case], comm=comm).fit(X, y)
        chances = fitted.predict_proba(X)
        again = pickle.loads(pickle.dumps(fitted))
        if WORLD.rank == 0:  # no rank waits for the others, who may do something else meanwhile
            np.testing.assert_array_equal(again.predict_proba(X), chances)
        for network in (fitted.network_, again.network_):
            np.testing.assert_allclose(network.predict_proba(X), chances, atol=1e-10)
        path = fitted.network_.push(fitted.preprocessing_.apply(X))
        np.testing.assert_allclose(hd.inverse_push(fitted.network_, path[-1], failures="raise"), path, atol=1e-10)
        assert fitted.n_iter_ > 1
        found.append((chances, again.set_params(probabilities="posterior").predict_proba(X)))
    agreed(found[1][0].tolist())
    if case != "any neurons":  # drawn anew at each fit
        np.testing.assert_allclose(found[1], found[0], atol=1e-6)


def test_transport() -> None:
    source, target = X, X[::-1] * 0.8 + [0.4, 0.0]
    found = []
    for comm in COMMS:
        fitted = hd.HydroTransport(2, 9, bandwidth=0.5, tolerance=1.0, options={"tao_gatol": 1e-8}, comm=comm)
        made = fitted.fit(source, target).transform(source)
        noisy = pickle.loads(pickle.dumps(fitted)).set_params(mode="bridge", random_state=0)
        np.testing.assert_allclose(fitted.inverse_transform(made), source, atol=1e-9)
        np.testing.assert_allclose(noisy.solution_.density, fitted.solution_.density, atol=1e-10)
        agreed(made.tolist() if comm == "world" else None)
        found.append((fitted.cost_, made, noisy.transform(source), fitted.sample(20, random_state=0)))
    (cost, *one), (other, *many) = found
    assert other == pytest.approx(cost, rel=1e-6)
    for points, expected in zip(many, one, strict=True):
        np.testing.assert_allclose(points, expected, atol=1e-5)


@pytest.mark.three_ranks
def test_every_rank_may_fit_another_problem_at_once() -> None:
    mine = hd.HydroClassifier(**SMALL | {"layers": 1 + WORLD.rank}, comm="self").fit(X[WORLD.rank :], y[WORLD.rank :])
    assert mine.solution_.problem.domain.comm.size == 1 and mine.score(X, y) > 0.6


def test_ranks_refuse_together() -> None:
    if WORLD.size > 1:
        assert "different data" in refusal(lambda: hd.HydroClassifier(**SMALL).fit(X + 0.1 * WORLD.rank, y))
    assert "noise is -1" in refusal(lambda: hd.HydroClassifier(**SMALL, noise=-1.0).fit(X, y))
    assert "constant" in refusal(lambda: hd.HydroClassifier(**SMALL).fit(np.ones_like(X), y))
