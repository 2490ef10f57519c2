"""Where a readout starts: the best one without a flow, which then does only what a linear classifier cannot."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.errors import DataError
from hydrodl.common.parallel import on_root
from hydrodl.data.samples import Samples
from hydrodl.physics.readout import Readout

PENALTY = 1.0
"""Strength of the ridge |W|^2 / 2 against the sum of the samples' cross-entropies."""


LEAST = 1.0
"""Mean row norm of W below which the readout is made steeper: a flat one asks the flow for long ways."""


def logistic_readout(samples: Samples, *, comm: MPI.Comm = MPI.COMM_WORLD) -> Readout:
    """Multinomial logistic regression of the classes on the samples' mesh coordinates; collective.

    Argmin over W, b of sum_i w_i Phi_{c_i}(x_i) + |W|^2 / 2, with the weights of the samples, 1 unless given, and the
    cross-entropy Phi of ``Classification``; then W and b are multiplied by what gives the rows of W a mean norm of at
    least 1, which moves no decision boundary. Compared with anchors turned towards the class means
    (``Readout.aligned``) it knows how wide classes are and where between others they lie. Where there are added
    coordinates (``Preprocessing.lift``) and room for the anchors of all classes in them it is ``Readout.aligned`` that
    is right.

    Raises:
        DataError: samples of a single class, or of a class without any.
    """
    if samples.classes < 2 or (samples.counts == 0).any():
        raise DataError("a readout needs samples of at least 2 classes, and some of every class")
    lift = samples.preprocessing.lift
    mine = [samples.labels == c for c in range(samples.classes)]
    means = np.array([np.average(samples.points[rows], axis=0, weights=samples.amounts[rows]) for rows in mine])
    if lift and samples.classes <= lift + 1:
        return Readout.aligned(means, lift)
    return on_root(comm, lambda: _regression(samples, means))


def _regression(samples: Samples, means: np.ndarray) -> Readout:
    from sklearn.linear_model import LogisticRegression

    newton: Any = {
        "solver": "newton-cholesky",
        "tol": 1e-9,
        "max_iter": 1000,
    }  # to rounding: equal data, equal readouts
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Line search of Newton")  # at the optimum already; another solver makes sure
        found = LogisticRegression(C=1 / PENALTY, **newton).fit(samples.points, samples.labels, samples.weights)
    weights, offsets = found.coef_, found.intercept_
    if samples.classes == 2:  # one logit, shared out between the classes
        weights, offsets = np.vstack([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
    size = float(np.linalg.norm(weights, axis=1).mean())
    if size < 1e-3:  # no direction tells anything: any will do, and the masses of the classes decide
        aligned, odds = Readout.aligned(means, samples.preprocessing.lift), np.log(samples.shares)
        return Readout(aligned.weights, aligned.offsets + odds - odds.mean())
    steeper = max(1.0, LEAST / size)
    return Readout(steeper * weights, steeper * offsets)
