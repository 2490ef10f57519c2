"""Where a readout starts: the best one without a flow, which then does only what a linear classifier cannot."""

from __future__ import annotations

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

    Argmin over W, b of sum_i Phi_{c_i}(x_i) + |W|^2 / 2, with the cross-entropy Phi of ``Classification``; then W and
    b are multiplied by what gives the rows of W a mean norm of at least 1, which moves no decision boundary. Compared
    with anchors turned towards the class means (``Readout.aligned``) it knows how wide classes are and where between
    others they lie. Where there are added coordinates (``Preprocessing.lift``) and room for the anchors of all classes
    in them it is ``Readout.aligned`` that is right.

    Raises:
        DataError: samples of a single class, or of a class without any.
    """
    if samples.classes < 2 or (samples.counts == 0).any():
        raise DataError("a readout needs samples of at least 2 classes, and some of every class")
    lift = samples.preprocessing.lift
    means = np.array([samples.points[samples.labels == c].mean(axis=0) for c in range(samples.classes)])
    if lift and samples.classes <= lift + 1:
        return Readout.aligned(means, lift)
    return on_root(comm, lambda: _regression(samples, means))


def _regression(samples: Samples, means: np.ndarray) -> Readout:
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=1 / PENALTY, max_iter=1000).fit(samples.points, samples.labels)
    weights, offsets = found.coef_, found.intercept_
    if samples.classes == 2:  # one logit, shared out between the classes
        weights, offsets = np.vstack([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
    size = float(np.linalg.norm(weights, axis=1).mean())
    if size < 1e-3:  # no direction tells anything: any will do
        return Readout.aligned(means, samples.preprocessing.lift)
    steeper = max(1.0, LEAST / size)
    return Readout(steeper * weights, steeper * offsets)
