"""The network as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from hydrodl.common.arrays import Floats, Ints, evenly
from hydrodl.common.notices import warn_unconverged
from hydrodl.common.parameters import Choice
from hydrodl.common.progress import phase, shown
from hydrodl.data.class_densities import BANDWIDTH, densities
from hydrodl.data.constant_features import preprocess
from hydrodl.data.outliers import OUTLIERS, clamped
from hydrodl.data.preprocessing import LIFT, Preprocessing, numbered
from hydrodl.data.samples import Samples
from hydrodl.estimators.feature_table import placed
from hydrodl.estimators.initial_readout import PENALTY, logistic_readout
from hydrodl.estimators.labels_and_weights import check_labels, weights_of
from hydrodl.estimators.neighbour_check import LOOKED_AT, behind_neighbours
from hydrodl.estimators.pickling import SOLVING, KeepsSolution, communicator
from hydrodl.estimators.ranks_and_seeds import COMM, agreed, check_choices, seed_of, width_of
from hydrodl.mesh.bounding_box import MARGIN
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import LAYERS, layers
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.network.noise_average import posterior
from hydrodl.physics.lagrangian import DECAY, NOISE, SMOOTHNESS, Lagrangian
from hydrodl.physics.losses import WEIGHT, Classification
from hydrodl.physics.neurons import ACTIVATION, HIDDEN_WEIGHTS, Neurons
from hydrodl.problem.problem import SCHEME, Problem
from hydrodl.problem.solution import Solution
from hydrodl.training.minimisation import train

NARROWER = 0.5
"""Bandwidth that is chosen over the one that best predicts a sample from the others: noise and mesh blur the rest."""


OPTIONS = {"tao_gatol": 3e-3, "tao_max_it": 100}
"""Options of PETSc unless others are given: at this gradient classes are those that the optimum predicts, probabilities
its own to one or two thousandths (docs/performance.md)."""


CHOICES = {
    "readout": Choice("fixed", ("fixed", "trained")),
    "probabilities": Choice("flow", ("flow", "posterior", "bayes")),
    "outliers": OUTLIERS,
    "comm": COMM,
}
"""Parameters that are one of a few words."""


FLOOR = 1e-12
"""Where all class densities together are below this part of their mean, the readout decides more and more."""


class HydroClassifier(KeepsSolution, ClassifierMixin, BaseEstimator):
    """A residual network trained as a compressible flow, in scikit-learn's conventions.

    The classes become densities on a box around the standardised samples (of more than three features the leading
    principal components), a flow carries them to where a linear readout tells them apart, and the flow, layer by
    layer, is the network. Training is deterministic: Newton's method from the identity network.

    Under MPI every rank calls ``fit`` with the same data and shares the work (comm="world"), or works alone
    (comm="self"). The fitted network is on every rank: predictions need no communication, and no MPI. scikit-learn's
    n_jobs works where Python was started without mpiexec; below mpiexec joblib's processes cannot start MPI again.

    Args:
        layers: N, or the times 0 = t_0 < ... < t_N of the layers.
        nodes: per direction of the data, one number or one per direction; None: 121, 41 or 17 in 1, 2 or 3 dimensions.
        dimensions: features, or principal components, to use: 1, 2 or 3; None: up to three features as they are, two
            components of more. Constant features do not count.
        one_unit: the features share a unit: keep them in proportion; None or False: standardise each.
        lift: coordinates added, 0 on all samples; what no flow of the plane separates, one in space may.
        outliers: "clamp": samples far outside the others (``hydrodl.data.outliers``) count as lying at their edge, so
            that the mesh shows the others, with a warning; "keep": the box holds all.
        margin: distance from the samples to the walls, in standard deviations, one number or one per direction. In
            added coordinates the flow needs room that the data do not show.
        bandwidth: of the class densities, in standard deviations; None: half of the one that best predicts each
            sample from the others of its class, because noise and mesh blur the rest.
        noise: nu of the flow.
        decay: weight decay where there are no data.
        smoothness: smoothness length of a layer.
        weight: of the cross-entropy against the cost of the flow.
        scheme: see :class:`~hydrodl.Problem`; None: "strang".
        width: None: a layer is a field, one neuron a node; a number J: a layer is J random neurons.
        activation: "tanh" or "relu", of the neurons.
        hidden_weights: "fixed" or "trained", of the neurons; trained they must be "tanh".
        readout: "fixed" (logistic regression on the samples where they start, or anchors in added coordinates), or
            "trained" with the flow from there.
        probabilities: "flow": of the residual network; "posterior": averaged over the noise; "bayes": Bayes' rule with
            the class densities of the last layer, where the network ends, rho_c(T, x(T)) / sum_j rho_j(T, x(T)), in
            the place of the linear readout, which gives the exported network its probabilities all the same.
            ``predict`` and ``decision_function`` follow.
        class_weight: None; "balanced": all classes have the same mass; or the weight of each class by its label, which
            multiplies those of its samples.
        options: PETSc's options, as for :func:`hydrodl.train`; those not given are ``OPTIONS``, then train's.
        random_state: of the neurons; nothing else is random.
        verbose: as in :func:`hydrodl.train`.
        comm: "world": all ranks fit together; "self": each rank fits alone, on its own data if it likes.

    Attributes:
        classes_: class labels, shape (C,); n_features_in_, feature_names_in_: of the data.
        solution_: the :class:`~hydrodl.Solution`; network_: its :class:`~hydrodl.Network`. After unpickling both are
            computed again when first asked for, by two sweeps, on the ranks of ``comm`` together.
        preprocessing_: from features to points of feature space; outliers_: rows that count as lying at the edge.
        n_iter_: Newton steps; converged_: did they reach the tolerance.

    There is no ``partial_fit``: box, standardisation and densities are those of all samples, and Newton's method
    starts from the identity network; a model of more samples is a new fit.

    A fit that did not converge gives a ``ConvergenceWarning``; its network predicts all the same. So does one that
    converged, but predicts its own samples less well than their nearest neighbours do: the warning says how much.

    Example:
        >>> classifier = hd.HydroClassifier(layers=4, nodes=13).fit(samples.features, samples.labels)
        >>> classifier.predict_proba(samples.features[:5]).shape
        (5, 3)
    """

    def __init__(
        self,
        layers: int | ArrayLike = LAYERS.default,
        nodes: int | Sequence[int] | None = None,
        *,
        dimensions: int | None = None,
        one_unit: bool | None = None,
        lift: int = LIFT.default,
        outliers: str = OUTLIERS.default,
        margin: float | Sequence[float] = MARGIN.default,
        bandwidth: float | None = BANDWIDTH.default,
        noise: float = NOISE.default,
        decay: float = DECAY.default,
        smoothness: float = SMOOTHNESS.default,
        weight: float = WEIGHT.default,
        scheme: str | None = SCHEME.default,
        width: int | None = None,
        activation: str = ACTIVATION.default,
        hidden_weights: str = HIDDEN_WEIGHTS.default,
        readout: str = "fixed",
        probabilities: str = "flow",
        class_weight: Mapping[Any, float] | str | None = None,
        options: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
        comm: str = "world",
    ) -> None:
        self.layers = layers
        self.nodes = nodes
        self.dimensions = dimensions
        self.one_unit = one_unit
        self.lift = lift
        self.outliers = outliers
        self.margin = margin
        self.bandwidth = bandwidth
        self.noise = noise
        self.decay = decay
        self.smoothness = smoothness
        self.weight = weight
        self.scheme = scheme
        self.width = width
        self.activation = activation
        self.hidden_weights = hidden_weights
        self.readout = readout
        self.probabilities = probabilities
        self.class_weight = class_weight
        self.options = options
        self.random_state = random_state
        self.verbose = verbose
        self.comm = comm

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on features (n, p) and labels (n,) of any type; collective if comm="world".

        Args:
            X, y: the samples.
            sample_weight: (n,), not negative; a weight of 2 is that of two equal rows, one of 0 that of none. Weights
                count in the class densities and their masses, in standardisation and in the initial readout.

        Raises:
            ValueError: data that are not finite, dense and numeric, labels that are missing, fewer than two classes,
                weights that are negative or all 0, or a parameter out of range (``InputError``).
        """
        check_choices(self, CHOICES)
        check_labels(y)
        with placed("features", X):
            X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = weights_of(self.class_weight, sample_weight, X, y)
        if weights is not None:
            X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            (only,) = self.classes_.tolist()
            raise ValueError(f"classification needs at least 2 classes, the data hold one class: {only!r}")
        comm = communicator(self.comm)
        agreed(comm, X, labels, np.ones(0) if weights is None else weights)
        with SOLVING, shown(self.verbose):
            with phase("densities and readout"):
                samples = self._samples(X, labels, weights, comm)
                problem = self._problem(samples, comm)
            solution = train(problem, options=OPTIONS | dict(self.options or {}))
            self._keep(solution)
        rows = evenly(len(labels), LOOKED_AT)
        predicted = self._at(samples.points[rows]).argmax(axis=1)
        if comm.rank == 0 and (words := behind_neighbours(samples, predicted, rows, solution)):
            warn_unconverged(words, comm)
        return self

    def _samples(self, X: Floats, labels: NDArray[np.int64], weights: Floats | None, comm: MPI.Comm) -> Samples:
        names = tuple(str(name) for name in getattr(self, "feature_names_in_", numbered(X.shape[1])))

        def seen(table: Floats, rows: Ints) -> Preprocessing:
            some = None if weights is None else weights[rows]
            return preprocess(table, self.dimensions, names, bool(self.one_unit), self.lift, some)

        found = clamped(X, labels, seen, self.outliers)
        found.tell(comm.rank)
        self.preprocessing_, self.outliers_ = found.preprocessing, found.rows
        return Samples(
            found.features, labels, tuple(str(c) for c in self.classes_), names, self.preprocessing_, weights
        )

    def _problem(self, samples: Samples, comm: MPI.Comm) -> Problem:
        domain = Domain.around(samples, self.nodes, margin=self.margin, comm=comm)
        width = NARROWER * width_of(samples) if self.bandwidth is None else self.bandwidth
        physics = Lagrangian(self.noise, self.decay, self.smoothness)
        start = logistic_readout(samples, comm=comm)
        ridge = PENALTY / float(samples.amounts.sum())  # as in the logistic regression that it starts from
        loss = Classification(self.weight, start, trained=self.readout == "trained", decay=ridge)
        control = None
        if self.width is not None:
            seed = seed_of(self.random_state, comm)
            control = Neurons(self.width, self.activation, seed=seed, hidden_weights=self.hidden_weights)
        rho = densities(samples, domain, width)
        return Problem(domain, layers(self.layers), rho, physics, loss, self.scheme, control)

    def _keep(self, solution: Solution) -> None:
        """Everything that predictions need, as plain arrays on every rank."""
        self._keep_solution(solution, self.preprocessing_)
        self._readout = self.network_.readout
        domain = solution.problem.domain
        grid, order = Grid.of(domain)
        self._posterior = spread(domain, order, grid.size, posterior(self.network_).values[0])
        self._last = spread(domain, order, grid.size, solution.density[-1])
        self.n_iter_, self.converged_ = solution.iterations, solution.converged

    def decision_function(self, X: ArrayLike) -> Floats:
        """Logits (n, C), of two classes the difference (n,), positive for classes_[1]."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Class probabilities, shape (n, C), columns in the order of ``classes_``."""
        return softmax(self._scores(X), axis=1)

    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """Logarithms of the class probabilities, shape (n, C), finite where these round to 0."""
        return log_softmax(self._scores(X), axis=1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each row, shape (n,)."""
        best = self._scores(X).argmax(axis=1)  # first: it knows whether there was a fit
        return self.classes_[best]

    def _scores(self, X: ArrayLike) -> Floats:
        """Logits of the network, or logarithms of its noise-averaged probabilities; shape (n, C)."""
        check_is_fitted(self)
        check_choices(self, CHOICES)
        with placed("features", X):
            features = validate_data(self, X, dtype=np.float64, reset=False)
        return self._at(self.preprocessing_.apply(features))

    def _at(self, points: Floats) -> Floats:
        """The same at points (n, d) of feature space."""
        network = self._state.network
        if self.probabilities == "posterior":
            averages = network.grid.interpolate(self._posterior, network.into(points))
            return np.log(np.clip(averages, np.finfo(float).tiny, 1.0))
        ends = network.push(points)[-1]
        logits = self._readout.logits(ends)
        return logits if self.probabilities == "flow" else self._bayes(ends, logits)

    def _bayes(self, ends: Floats, logits: Floats) -> Floats:
        """Logarithms of the class densities of the last layer at points of it; the readout's words where none is."""
        densities = np.maximum(self._state.network.grid.interpolate(self._last, ends), 0.0)
        weights = densities + FLOOR * self._last.mean() * softmax(logits, axis=1)
        return np.log(np.maximum(weights, np.finfo(float).tiny))
