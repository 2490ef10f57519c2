"""From the solution to a network: layer k is x -> x + Delta_k u_k(x), the readout turns x(T) into class probabilities.

u_k is a finite-element function with one value a node, so a layer has as many hidden nodes as the feature mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, names, plural
from hydrodl.common.errors import InputError
from hydrodl.data.frames import predictions_like
from hydrodl.data.preprocessing import Preprocessing, features_of, input_map
from hydrodl.data.samples import Samples
from hydrodl.data.single_precision import needs_double
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import whole
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.interpolation import field_gradients, fills_box, interpolate, into
from hydrodl.mesh.periodic import wrapped
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.network.certificates import Certificates, Inputs, Tubes, certify
from hydrodl.network.inversion import invert, push
from hydrodl.network.layer_ranges import HiddenRanges, LayerRanges
from hydrodl.network.table_ranges import TableRanges
from hydrodl.physics.neurons import neuron_gradients
from hydrodl.physics.readout import Readout
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution


class Network(Card):
    """The residual network of a solution. All methods are collective; points and results are the same on all ranks.

    Args:
        solution: a trained velocity and its problem.
        preprocessing: from raw features to mesh coordinates; default: that of the problem's densities, if any.

    Attributes:
        hidden: the hidden layers of neurons, None where the velocity is a field.

    Example:
        >>> network = hd.Network(solution)
        >>> network.push(samples.points[:5]).shape, network.accuracy(samples) > 0.9
        ((17, 5, 2), True)
    """

    def __init__(self, solution: Solution, preprocessing: Preprocessing | None = None) -> None:
        if isinstance(solution, Problem):
            raise InputError("solution is of type Problem, must be of type Solution: train the problem first")
        problem = solution.problem
        self.solution = solution
        self.domain: Domain = problem.domain
        given = preprocessing or problem.densities.preprocessing
        self.preprocessing = given or Preprocessing.identity(problem.domain.dimension)
        self.class_names = problem.densities.class_names
        self._velocity = with_ghosts(problem.domain, solution.velocity)
        self.hidden = solution.neurons

    def __str__(self) -> str:
        layer = f"{self.domain.nodes} nodes" if self.hidden is None else plural(self.hidden.width, "neuron")
        return f"{plural(len(self.steps), 'layer')} of {layer} from {self.preprocessing}"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        return {
            "classes": names(self.class_names),
            "layers": self.solution.problem.layers,
            "features": self.domain,
            "raw features": self.preprocessing,
            "trained": self.solution,
        }

    @property
    def readout(self) -> Readout:
        """The linear readout.

        Raises:
            InputError: the problem has no classification loss, so there is none.
        """
        found = self.solution.readout
        if found is None:
            raise InputError("this network has no readout: its problem has no classification loss")
        return found

    @property
    def steps(self) -> Floats:
        """Delta_k, shape (N,)."""
        return self.solution.problem.layers.steps

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper corner of the box around feature space, each (d,)."""
        return self.domain.bounds

    def into(self, points: Floats) -> Floats:
        """Points (n, d), those outside moved to the nearest point of feature space."""
        return into(self.domain, points)

    def home(self, points: Floats) -> Floats:
        """Points (n, d) shifted by whole periods into feature space, where it is periodic: what losses see of them."""
        return wrapped(points, *self.bounds, self.domain.periodic)

    def push(self, points: ArrayLike) -> Floats:
        """Trajectories of points (n, d) through the layers, shape (N + 1, n, d).

        A point that would leave feature space stops at its nearest point: the walls reflect, nothing passes.

        Raises:
            InputError: points of another dimension, or not finite.
        """
        return push(self, points)

    def velocity(self, k: int, points: Floats) -> Floats:
        """u_k at points (n, d) of feature space, shape (n, d): its finite-element function, or its neurons."""
        if self.hidden is None or self.solution.coefficients is None:
            return interpolate(self.domain, self._velocity[k], points)
        return self.hidden.values(k, points) @ self.solution.coefficients[k].T

    def gradient(self, k: int, points: Floats) -> Floats:
        """du_k,i / dx_j at points (n, d) of feature space, shape (n, d, d)."""
        if self.hidden is None or self.solution.coefficients is None:
            return field_gradients(self.domain, self._velocity[k], points)
        return neuron_gradients(self.hidden, self.solution.coefficients[k], k, points)

    def inverse(self, points: ArrayLike, *, failures: str = "warn") -> Floats:
        """``transform`` run backwards: raw features (n, p), in their units, of features (n, d) of the last layer.

        Principal components leave directions out: there the features are those of the mean sample. The way through the
        layers is that of :func:`hydrodl.inverse_push`.

        Raises:
            InputError, SolverError: as there.
        """
        return features_of(self.preprocessing, inverse_push(self, points, failures=failures)[0])

    def transform(self, features: ArrayLike) -> Floats:
        """The last layer's features of raw features (n, p), an array or a data frame, shape (n, d)."""
        return self.home(self.push(self.preprocessing.apply(features))[-1])

    def predict_proba(self, features: ArrayLike) -> Floats:
        """Class probabilities of raw features (n, p), shape (n, C)."""
        return self.readout.probabilities(self.transform(features))

    def predict(self, features: ArrayLike) -> NDArray[np.int64]:
        """Class numbers 0..C-1 of raw features (n, p), shape (n,)."""
        return self.predict_proba(features).argmax(axis=1)

    def predict_frame(self, frame: Any) -> Any:
        """Label and class probabilities of the rows of a data frame, as a frame of its kind: columns label, p_NAME.

        Raises:
            DataError: no data frame of pandas, Polars or their like, or one without the features.

        Example:
            >>> network.predict_frame(samples.to_frame("polars")[:5]).shape
            (5, 4)
        """
        return predictions_like(frame, self.class_names, self.predict_proba(frame))

    def certify(self, features: ArrayLike) -> Certificates:
        """How far raw features (n, p) may move, in their own units, before the label can change; proven.

        Sound in the reals, for this network in double precision and for its ONNX file. See
        :mod:`hydrodl.network.certificates` for the three methods.

        Raises:
            InputError: no readout, or a network without an exact form, see :func:`hydrodl.exact_form`.

        Example:
            >>> found = network.certify(samples.features[:5])
            >>> bool((found.labels == network.predict(samples.features[:5])).all()), bool((found.radius > 0).all())
            (True, True)
        """
        readout, given = self.readout, np.asarray(features, dtype=float)
        points, affine = self.preprocessing.apply(given), input_map(self.preprocessing.to_dict())
        single = not needs_double(self.preprocessing, self.bounds)
        return certify(Tubes.of(self._ranges(), readout, Inputs.of(affine, given, points, single)))

    def _ranges(self) -> LayerRanges:
        """The layers, ready for bounds on whole boxes; collective.

        Raises:
            InputError: they have no exact form.
        """
        domain, steps, walls = self.domain, self.steps, not self.domain.periodic
        if walls and self.hidden is not None and self.solution.coefficients is not None and fills_box(domain):
            return HiddenRanges(self.hidden, self.solution.coefficients, steps, *domain.bounds)
        if walls and self.hidden is None and domain.degree == 1 and domain.dimension == 1 and fills_box(domain):
            nodes, velocity = whole(domain, self.solution.velocity)
            return TableRanges((nodes[:, 0],), velocity, steps)
        if self.hidden is not None or domain.degree > 1 or not (domain.uniform_box and walls):
            raise InputError(
                "certificates need a network with an exact form: neurons in a box, an interval, or a uniform box of "
                "box cells, of degree 1 and with walls"
            )
        grid, order = Grid.of(domain)
        table = spread(domain, order, grid.size, self.solution.velocity)
        lines = zip(grid.lower, grid.upper, grid.counts, strict=True)
        axes = [np.linspace(low, high, int(count)) for low, high, count in lines]
        return TableRanges(axes, table.reshape(*table.shape[:2], *grid.counts), steps)

    def accuracy(self, samples: Samples) -> float:
        """Share of samples whose class is predicted; samples with the class names of the training data.

        Raises:
            InputError: samples with other classes, or none.
        """
        if tuple(samples.class_names) != tuple(self.class_names):
            raise InputError(f"samples have classes {samples.class_names}, the network has {self.class_names}")
        if not len(samples):
            raise InputError("accuracy needs at least one sample")
        return float((self.predict(samples.features) == samples.labels).mean())


def inverse_push(network: Network, points: ArrayLike, *, failures: str = "warn") -> Floats:
    """Trajectories that end at points (n, d): ``network.push`` run backwards, shape (N + 1, n, d); collective.

    result[N] are the points (those outside feature space moved to its nearest point) and result[0] their preimages:
    network.push(result[0])[-1] gives the points back, but for those that failed.

    Args:
        network: with any domain and any control.
        points: in mesh coordinates.
        failures: what to do where no preimage is found: "warn", "raise" or "ignore". The row then holds the best
            point found, which lies in feature space.

    Raises:
        InputError: points of another dimension or not finite, another word for ``failures``.
        SolverError: failures="raise" and a point has no preimage.

    Example:
        >>> ends = network.push(samples.points[:5])[-1]
        >>> bool(np.allclose(hd.inverse_push(network, ends)[0], samples.points[:5]))
        True
    """
    return invert(network, points, failures=failures, quiet=network.domain.comm.rank > 0)
