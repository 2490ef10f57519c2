"""Fits estimators and prints what must not depend on the number of ranks, as JSON; run by test_estimator_parallel."""

from __future__ import annotations

import json
import pickle
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI
from sklearn.datasets import make_moons

from hydrodl.estimators.classifier import HydroClassifier
from hydrodl.estimators.transport_estimator import HydroTransport
from hydrodl.network.network import inverse_push

WORLD = MPI.COMM_WORLD
X, y = make_moons(60, noise=0.15, random_state=0)
SMALL: dict[str, Any] = {"layers": 2, "nodes": 7, "bandwidth": 0.4, "margin": 1.0, "weight": 10.0}


def same_everywhere(values: np.ndarray) -> bool:
    return all(np.array_equal(values, other) for other in WORLD.allgather(values))


def classifier(**choices: Any) -> dict[str, Any]:
    fitted = HydroClassifier(**SMALL, **choices).fit(X, y)
    chances = fitted.predict_proba(X)
    again = pickle.loads(pickle.dumps(fitted))
    # no rank waits for the others, who may do something else meanwhile
    alone = again.predict_proba(X) if WORLD.rank == 0 else chances
    path = fitted.network_.push(fitted.preprocessing_.apply(X))
    back = inverse_push(fitted.network_, path[-1], failures="raise")
    return {
        "chances": chances.tolist(),
        "same": same_everywhere(chances) and bool((alone == chances).all()),
        "network": float(np.abs(fitted.network_.predict_proba(X) - chances).max()),
        "restored": float(np.abs(again.network_.predict_proba(X) - chances).max()),
        "inverse": float(np.abs(back - path).max()),
        "steps": fitted.n_iter_,
        "averages": again.set_params(probabilities="posterior").predict_proba(X).tolist(),
    }


def transport() -> dict[str, Any]:
    source, target = X, X[::-1] * 0.8 + [0.4, 0.0]
    fitted = HydroTransport(2, 9, bandwidth=0.5, tolerance=1.0, options={"tao_gatol": 1e-8}).fit(source, target)
    made = fitted.transform(source)
    noisy = pickle.loads(pickle.dumps(fitted)).set_params(mode="bridge", random_state=0)
    return {
        "made": made.tolist(),
        "noisy": noisy.transform(source).tolist(),
        "sampled": fitted.sample(20, random_state=0).tolist(),
        "same": same_everywhere(made),
        "back": float(np.abs(fitted.inverse_transform(made) - source).max()),
        "cost": fitted.cost_,
        "restored": float(np.abs(noisy.solution_.density - fitted.solution_.density).max()),
    }


def each_on_its_own() -> bool:
    """Every rank another problem at once."""
    mine = HydroClassifier(**SMALL | {"layers": 1 + WORLD.rank}, comm="self").fit(X[WORLD.rank :], y[WORLD.rank :])
    return mine.solution_.problem.domain.comm.size == 1 and mine.score(X, y) > 0.6


def refused() -> list[str]:
    messages = []
    for table, choices in ((X + 0.1 * WORLD.rank, {}), (X, {"noise": -1.0}), (np.ones_like(X), {})):
        try:
            HydroClassifier(**SMALL | choices).fit(table, y)
            messages.append("")
        except hd.InputError as error:
            messages.append(str(error))
    return messages


found = {
    "cases": {
        "field": classifier(),
        "neurons": classifier(width=6, random_state=0, readout="trained"),
        "any neurons": classifier(width=4) | {"chances": [], "averages": []},
    },
    "transport": transport(),
    "alone": WORLD.allreduce(int(each_on_its_own())),
    "refused": refused(),
}
if WORLD.rank == 0:
    print(json.dumps(found))
