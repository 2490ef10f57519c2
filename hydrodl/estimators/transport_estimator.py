"""A generative transformer in scikit-learn's conventions: one sample becomes another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.common.notices import warn_unconverged
from hydrodl.common.parameters import COUNT, Choice
from hydrodl.common.progress import shown
from hydrodl.data.class_densities import BANDWIDTH, densities
from hydrodl.data.constant_features import preprocess
from hydrodl.data.outliers import OUTLIERS, clamped
from hydrodl.data.preprocessing import Preprocessing, features_of, numbered
from hydrodl.data.samples import Samples
from hydrodl.estimators.feature_table import placed
from hydrodl.estimators.pickling import SOLVING, KeepsSolution, communicator
from hydrodl.estimators.ranks_and_seeds import COMM, agreed, check_choices, width_of
from hydrodl.estimators.transport_checks import carrying_nodes, excess_of_noise, missed, some
from hydrodl.mesh.bounding_box import MARGIN, around
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import LAYERS, Layers, layers
from hydrodl.mesh.uniform_grid import Grid
from hydrodl.physics.lagrangian import DECAY, NOISE, SMOOTHNESS, Lagrangian
from hydrodl.problem.problem import SCHEME
from hydrodl.transport.bridge_result import Bridge
from hydrodl.transport.gaussian_bridge import gaussian_velocity
from hydrodl.transport.probability_flow import ProbabilityFlow
from hydrodl.transport.schroedinger_bridge import bridge

CHOICES = {"mode": Choice("flow", ("flow", "bridge")), "comm": COMM, "scheme": SCHEME, "outliers": OUTLIERS}
"""Parameters that are one of a few words."""


OPTIONS = {"tao_gatol": 1e-3, "tao_max_it": 100}
"""The rounds on the way to the target need no more; J is then right to 1e-6."""


PULL = 6.0
"""Weight of the first round's divergence: three times that of a bridge from rest; the start is near the target."""


class HydroTransport(KeepsSolution, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """The flow of least work from the density of one sample to that of another, as a transformer.

    Both samples become densities on one box, and a noisy flow (a Schroedinger bridge) is trained that carries the
    first to the second. Two maps have these densities at every depth:

    - mode="flow": the probability flow, deterministic and invertible, dx/dt = u - nu grad log rho. The velocity u
      alone would not do: the noise is part of what moves the densities.
    - mode="bridge": the noisy process. ``transform`` draws one end for each row, ``inverse_transform`` one
      beginning, from the process run backwards.

    Training is collective as in :class:`~hydrodl.HydroClassifier`; the maps need no MPI. A ``ConvergenceWarning`` says
    that the target's density was not reached, how far the samples carried over are from the target's if that is more
    than chance, and by how much the mesh's own noise makes the work too large.

    Args:
        layers: N, or the times 0 = t_0 < ... < t_N of the layers.
        nodes: per direction, one number or one per direction; None: as many as carry the noise
            (docs/schemes.md), at least 121, 41 or 17 in the longest direction of 1, 2 or 3 dimensions and at most 2000,
            4000 or 6000 in all.
        mode: "flow" or "bridge".
        noise: nu of the flow, in units of the standardised union of both samples.
        decay: weight decay where there is no density; smoothness: smoothness length of a layer. Both regularise: the
            work is the least one as they go to 0.
        bandwidth: of both densities, in the same units; None: for each by leave-one-out likelihood, but no less than
            the mesh width, below which the mesh would only show nodes.
        outliers: as in :class:`~hydrodl.HydroClassifier`.
        margin: distance from the samples to the walls, in the same units.
        one_unit: the features share a unit: keep them in proportion; None or False: standardise each.
        tolerance: relative L1 distance to the target density at which training stops.
        max_rounds: limit of training problems on the way there, see :func:`hydrodl.bridge`.
        substeps: steps a layer of either map.
        scheme: of the flow, see :class:`~hydrodl.Problem`; None: "strang".
        options: PETSc's options, as for :func:`hydrodl.train`; those not given are ``OPTIONS``, then train's.
        random_state: of mode="bridge".
        verbose: as in :func:`hydrodl.train`.
        comm: "world" or "self", as in :class:`~hydrodl.HydroClassifier`.

    Attributes:
        cost_: transport cost, int int rho |u|^2 / 2 dx dt in the units of the features; as noise -> 0 half the squared
            Wasserstein distance of the two densities (of least work in the features' units if one_unit).
        distance_: how far source samples carried over are from the target samples, in units of the mean deviation of
            the target's: the Wasserstein distance W_1 of the samples in d = 1, its mean over directions in more
            (``hydrodl.transport.sliced_distance``). Two samples of n points of one distribution are about sqrt(2 / n)
            apart. Of more than 2000 samples every k-th is used.
        density_distance_: relative L1 distance of the last density to the target's.
        outliers_: rows of source and target, one after the other, that count as lying at the edge.
        converged_: was the tolerance reached; n_rounds_: training problems solved.
        solution_, network_, n_features_in_, feature_names_in_: as in :class:`~hydrodl.HydroClassifier`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 1))
        >>> transport = hd.HydroTransport(layers=8, nodes=31).fit(x, x + 1.0)
        >>> transport.transform(x).shape
        (50, 1)
    """

    def __init__(
        self,
        layers: int | ArrayLike = LAYERS.default,
        nodes: int | Sequence[int] | None = None,
        *,
        mode: str = "flow",
        noise: float = NOISE.default,
        decay: float = DECAY.default,
        smoothness: float = SMOOTHNESS.default,
        bandwidth: float | None = BANDWIDTH.default,
        outliers: str = OUTLIERS.default,
        margin: float | Sequence[float] = MARGIN.default,
        one_unit: bool | None = None,
        tolerance: float = 0.01,
        max_rounds: int = 8,
        substeps: int = 4,
        scheme: str | None = SCHEME.default,
        options: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
        comm: str = "world",
    ) -> None:
        self.layers = layers
        self.nodes = nodes
        self.mode = mode
        self.noise = noise
        self.decay = decay
        self.smoothness = smoothness
        self.bandwidth = bandwidth
        self.outliers = outliers
        self.margin = margin
        self.one_unit = one_unit
        self.tolerance = tolerance
        self.max_rounds = max_rounds
        self.substeps = substeps
        self.scheme = scheme
        self.options = options
        self.random_state = random_state
        self.verbose = verbose
        self.comm = comm

    def fit(self, source: Any, target: Any) -> Self:
        """Train on samples of the source (n, d) and of the target (m, d), d <= 3; collective if comm="world".

        Rows have no weights here; ``Samples(weights=...)``, ``densities`` and ``bridge`` take them.

        Raises:
            ValueError: samples that are not finite, dense and numeric, of different or too many features, or constant
                over both, or a parameter out of range (``InputError``).
        """
        check_choices(self, CHOICES)
        COUNT.check("substeps", self.substeps)
        with placed("source", source):
            source = validate_data(self, source, dtype=np.float64)
        with placed("target", target):
            target = check_array(target, dtype=np.float64, input_name="target")
        if target.shape[1] != source.shape[1] or source.shape[1] > 3:
            raise InputError(
                f"source and target have {source.shape[1]} and {target.shape[1]} features, must have the same 1, 2 or 3"
            )
        comm = communicator(self.comm)
        agreed(comm, source, target)
        with SOLVING, shown(self.verbose):
            found = self._bridge(source, target)
            self._keep(found)
        self.distance_, far = missed(self._carried(source), self.preprocessing_.apply(target))
        for words in (far, excess_of_noise(found, self.preprocessing_)) if comm.rank == 0 else ():
            if words:
                warn_unconverged(words, comm)
        return self

    def _carried(self, source: Floats) -> Floats:
        """Source samples at the last layer, in mesh coordinates."""
        return self._flow.push(self.preprocessing_.apply(some(source)), failures="ignore")

    def fit_transform(self, source: Any, target: Any) -> Floats:
        """``fit(source, target).transform(source)``."""
        return self.fit(source, target).transform(source)

    def _bridge(self, source: Floats, target: Floats) -> Bridge:
        comm = communicator(self.comm)
        names = numbered(source.shape[1])
        union, groups = np.concatenate([source, target]), np.repeat([0, 1], [len(source), len(target)])

        def seen(table: Floats, rows: Ints) -> Preprocessing:
            return preprocess(table, None, names, bool(self.one_unit), 0)

        inside = clamped(union, groups, seen, self.outliers)
        inside.tell(comm.rank)
        self.preprocessing_, self.outliers_ = inside.preprocessing, inside.rows
        both = [self._samples(inside.features[groups == g], names) for g in (0, 1)]
        partition = layers(self.layers)
        points = self.preprocessing_.apply(inside.features)
        domain = Domain.around(points, self._nodes(points, partition), margin=self.margin, comm=comm)
        widths = [self._width(samples, domain) for samples in both]
        start, goal = (densities(samples, domain, width) for samples, width in zip(both, widths, strict=True))
        first, last = (_moments(samples.points, width) for samples, width in zip(both, widths, strict=True))
        physics = Lagrangian(self.noise, self.decay, self.smoothness)
        return bridge(
            start,
            goal,
            partition,
            physics,
            scheme=self.scheme,
            tolerance=self.tolerance,
            max_rounds=self.max_rounds,
            weight=PULL,
            initial=gaussian_velocity(domain.coordinates[: domain.owned], first, last, self.noise, partition),
            options=OPTIONS | dict(self.options or {}),
        )

    def _samples(self, table: Floats, names: tuple[str, ...]) -> Samples:
        return Samples(table, np.zeros(len(table), dtype=np.int64), ("samples",), names, self.preprocessing_)

    def _nodes(self, points: Floats, partition: Layers) -> int | Sequence[int]:
        if self.nodes is not None:
            return self.nodes
        return carrying_nodes(*around(points, self.margin), self.noise, float(partition.steps.min()))

    def _width(self, samples: Samples, domain: Domain) -> float:
        if self.bandwidth is not None:
            return self.bandwidth
        return max(width_of(samples), float(Grid.of(domain)[0].spacing.max()))

    def _keep(self, found: Bridge) -> None:
        """Everything that the maps need, as plain arrays on every rank."""
        self._keep_solution(found.solution, self.preprocessing_)
        self._flow = ProbabilityFlow.of(found.solution, self.substeps)
        self.cost_, self.density_distance_, self.converged_ = found.raw_cost, found.distance, found.converged
        self.n_rounds_ = found.rounds

    def transform(self, X: ArrayLike) -> Floats:
        """Source points (n, d) carried to the target, shape (n, d); those outside the box start at its walls."""
        return self._carry(X, reverse=False)

    def inverse_transform(self, X: ArrayLike) -> Floats:
        """Target points (n, d) carried back to the source; mode="flow": transform's inverse to rounding."""
        return self._carry(X, reverse=True)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Floats:
        """New samples (n, d) of the target: of the source's density, carried over.

        Args:
            n_samples: how many.
            random_state: scikit-learn's; None: the estimator's own.
        """
        check_is_fitted(self)
        COUNT.check("n_samples", n_samples)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        points = self._flow.grid.draw(self._state.densities[0], n_samples, rng)
        return features_of(self.preprocessing_, self._map(points, rng, reverse=False))

    def _carry(self, X: ArrayLike, *, reverse: bool) -> Floats:
        check_is_fitted(self)
        with placed("points", X):
            points = self.preprocessing_.apply(validate_data(self, X, dtype=np.float64, reset=False))
        rng = check_random_state(self.random_state)
        return features_of(self.preprocessing_, self._map(points, rng, reverse=reverse))

    def _map(self, points: Floats, rng: np.random.RandomState, *, reverse: bool) -> Floats:
        check_choices(self, CHOICES)
        if self.mode == "flow":
            return self._flow.push(points, reverse=reverse)
        return self._flow.draw(points, rng, reverse=reverse)


def _moments(points: Floats, width: float) -> tuple[Floats, Floats]:
    """Mean and covariance of the kernel density of points (n, d)."""
    spread = np.atleast_2d(np.cov(points.T, bias=True)) + width**2 * np.eye(points.shape[1])
    return points.mean(axis=0), spread
