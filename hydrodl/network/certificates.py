"""How far raw features may move before a network's label can change: proven radii, in the features' own units.

A ball |f' - f| <= r of raw features is an ellipsoid of feature space. Three sets that hold all of its images are
carried through the layers and walls, around the path of the point itself:

    product      a ball, stretched in every layer by max |I + Delta grad u| over the box around it
    interval     boxes, the images of boxes that together cover the ball
    linearised   {P xi + eta: |xi| <= r, |eta| <= e}, P the derivative along the path and e what it leaves out,
                 at most max |I + Delta grad u - that of the path| over the box around the set, times the set's reach

If the label's logit is the largest all over the last set, no f' in the ball has another label. The largest such r is
sought for each of the three, and the best counts. The layer product of Lipschitz constants is that of Y. Tsuzuku,
I. Sato and M. Sugiyama, "Lipschitz-margin training", NeurIPS 2018, taken locally; intervals as in S. Gowal et al., "On
the effectiveness of interval bound propagation", 2018; the third is the mean-value form of interval analysis.

The sets are widened by rounding in every layer, so that what is proven holds in the reals and for evaluations in double
precision, in any order of operations, among them that of an ONNX file; where such a file takes its features in single
precision, radii are less by what that moves them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.network.layer_ranges import EPS, Boxes, LayerRanges
from hydrodl.physics.readout import Readout

METHODS = ("product", "interval", "linearised")


HALVINGS = 12
"""Of the interval of log r in which a radius is sought: to within 0.3 percent."""


LEAST = 1e-6
"""The smallest radius that is sought, in parts of feature space's diameter."""


PARTS = {1: 8, 2: 4, 3: 2}
"""In so many parts a side the box around a ball is cut before it is carried on."""


SLACK, SMALL = 1e-10, 1e-12
"""Bounds are raised by these parts of themselves and of a layer's stretch, for their own rounding."""


SINGLE = 2.0**-24, 2.0**-149
"""Relative and least absolute rounding of a feature to float32."""


@dataclass(frozen=True, eq=False)
class Certificates:
    """What is proven of predictions.

    Attributes:
        labels: of the points, (n,).
        radius: every point at most so far (l2, raw units) has the same label, (n,); 0 where nothing is proven.
        radii: {"product", "interval", "linearised": the radius that each method proves, (n,)}.
        method: the one that proves ``radius``, "" where none does, (n,).
        invertible: is the map of all layers, walls apart, one to one on the ball of that radius? Proven where True.
        stretch: upper bounds on the Lipschitz constants of the layers x + Delta_k u_k(x) on feature space, (N,).

    Example:
        >>> found = network.certify(samples.features[:5])
        >>> bool((found.radius > 0).all()), found.stretch.shape
        (True, (16,))
    """

    labels: NDArray[np.int64]
    radius: Floats
    radii: dict[str, Floats]
    method: NDArray[np.str_]
    invertible: NDArray[np.bool_]
    stretch: Floats

    def share(self, radius: float) -> float:
        """The share of points whose label no change of at most ``radius`` changes."""
        return float((self.radius >= radius).mean())


@dataclass(frozen=True, eq=False)
class Inputs:
    """How raw features (n, p) enter: x = raw points plus ``matrix`` times a change of features.

    Attributes:
        points: mesh coordinates of the features, before walls, (n, d).
        matrix: dx/df, (d, p).
        rounding: how far ``points`` may be from exact, (n,).
        features: f; single: do features come in single precision?
    """

    points: Floats
    matrix: Floats
    rounding: Floats
    features: Floats
    single: bool

    @classmethod
    def of(cls, affine: tuple[Floats, Floats, Floats], features: Floats, points: Floats, single: bool) -> Inputs:
        """Of the map x = ((f - mean) / scale) matrix with the three of ``input_map``."""
        mean, scale, matrix = affine
        terms = (np.abs(features) + np.abs(mean)) / np.abs(scale) @ np.abs(matrix)
        rounding = 16 * EPS * (len(mean) + 4) * np.linalg.norm(terms, axis=1)
        return cls(points, (matrix / scale[:, None]).T, rounding, features, single)

    def lost(self, radius: Floats) -> Floats:
        """Radii less what single precision moves features of the balls."""
        if not self.single:
            return radius
        relative, least = SINGLE
        size = np.linalg.norm(self.features, axis=1)
        left = (radius - relative * size) / (1 + relative) - least * np.sqrt(self.features.shape[1])
        return np.maximum(left * (1 - SLACK), 0.0)


@dataclass(frozen=True, eq=False)
class Tubes:
    """Paths of points through layers, and sets around them.

    Attributes:
        layers: of the network; readout: after the last.
        inputs: of the points.
        path: computed trajectories, (N + 1, n, d).
        moved: x + Delta u(x) along them, before walls, (N, n, d).
    """

    layers: LayerRanges
    readout: Readout
    inputs: Inputs
    path: Floats
    moved: Floats

    @classmethod
    def of(cls, layers: LayerRanges, readout: Readout, inputs: Inputs) -> Tubes:
        """Around the paths of the inputs' points."""
        path, moved = [np.clip(inputs.points, layers.lower, layers.upper)], []
        for k in range(len(layers.steps)):
            moved.append(layers.move(k, path[k]))
            path.append(np.clip(moved[k], layers.lower, layers.upper))
        return cls(layers, readout, inputs, np.array(path), np.array(moved))

    def _widened(self, k: int, low: Floats, high: Floats) -> Boxes:
        """A box around a set of layer k, in feature space."""
        more = self.layers.rounding(min(k, len(self.layers.steps) - 1))
        return tuple(np.clip(x, self.layers.lower, self.layers.upper) for x in (low - more, high + more))  # type: ignore[return-value]

    def _deviation(self, k: int, boxes: Boxes, about: Floats) -> Floats:
        return self.layers.deviation(k, boxes, about) * (1 + SLACK) + SMALL * (1 + self.layers.stretch(k))

    def _holds(self, worst: Callable[[Floats], Floats], last: Floats) -> NDArray[np.bool_]:
        """Is the label's logit the largest, if ``worst`` (n, d) -> (n,) is how far w . x may fall below w . last?"""
        W, b = self.readout.weights, self.readout.offsets
        logits, rows = self.readout.logits(last), np.arange(len(last))
        label = logits.argmax(axis=1)
        size = np.linalg.norm(W, axis=1).max() * np.linalg.norm([self.layers.lower, self.layers.upper], axis=1).max()
        margin = 32 * EPS * (W.shape[1] + 4) * (1 + size + np.abs(b).max())
        good = np.ones(len(last), dtype=bool)
        for other in range(len(b)):
            gap = logits[rows, label] - logits[:, other]
            fall = worst(W[label] - W[other]) * (1 + SLACK)
            good &= (label == other) | (gap - fall > margin)
        return good

    def product(self, radius: Floats) -> tuple[NDArray[np.bool_], list[Boxes]]:
        """Which labels hold over balls of raw features (n,), and the boxes that the sets of each layer lie in."""
        reach, boxes = np.linalg.norm(self.inputs.matrix, ord=2) * radius + self.inputs.rounding, []
        for k in range(len(self.layers.steps)):
            boxes.append(self._widened(k, self.path[k] - reach[:, None], self.path[k] + reach[:, None]))
            reach = reach * self._deviation(k, boxes[k], self._nothing) + 2 * self.layers.rounding(k)
        return self._holds(lambda way: reach * np.linalg.norm(way, axis=1), self.path[-1]), boxes

    @property
    def _nothing(self) -> Floats:
        d = self.path.shape[-1]
        return np.zeros((self.path.shape[1], d, d))

    def interval(self, radius: Floats) -> tuple[NDArray[np.bool_], list[Boxes]]:
        """As :meth:`product`; boxes that hold those of all parts."""
        reach = np.outer(radius, np.linalg.norm(self.inputs.matrix, axis=1)) + self.inputs.rounding[:, None]
        n, d = self.inputs.points.shape
        low, width = self.inputs.points - reach, 2 * reach / PARTS[d]
        numbers = np.array(list(product(range(PARTS[d]), repeat=d)), dtype=float)[:, None]
        parts = (low + numbers * width).reshape(-1, d), (low + (numbers + 1) * width).reshape(-1, d)
        box, boxes = self._widened(0, *parts), []
        for k in range(len(self.layers.steps)):
            boxes.append(
                (box[0].reshape(len(numbers), n, d).min(axis=0), box[1].reshape(len(numbers), n, d).max(axis=0))
            )
            low, high = self.layers.image(k, box)
            box = self._widened(k, low - self.layers.rounding(k), high + self.layers.rounding(k))

        def worst(way: Floats) -> Floats:
            down, up = (side.reshape(len(numbers), n, d) for side in (box[0] - last, box[1] - last))
            fall: Floats = (np.maximum(-way, 0.0) * up - np.maximum(way, 0.0) * down).sum(axis=2).max(axis=0)
            return fall

        last = np.tile(self.path[-1], (len(numbers), 1))
        return self._holds(worst, self.path[-1]), boxes

    def linearised(self, radius: Floats) -> tuple[NDArray[np.bool_], list[Boxes]]:
        """As :meth:`product`."""
        left, singular, _ = np.linalg.svd(self.inputs.matrix, full_matrices=False)
        rest = self.inputs.rounding
        linear = radius[:, None, None] * (left * singular)
        linear, rest = self._walled(self.inputs.points, linear, rest)
        boxes = []
        for k in range(len(self.layers.steps)):
            sides = np.linalg.norm(linear, axis=2) + rest[:, None]
            boxes.append(self._widened(k, self.path[k] - sides, self.path[k] + sides))
            slope = self.layers.jacobian(k, self.path[k])
            off = self._deviation(k, boxes[k], slope)
            reach = np.minimum(np.linalg.norm(linear, ord=2, axis=(1, 2)) + rest, np.linalg.norm(sides, axis=1))
            rest = (np.linalg.norm(slope, ord=2, axis=(1, 2)) * rest + off * reach) * (1 + SLACK)
            linear = slope @ linear
            linear, rest = self._walled(self.moved[k], linear, rest + 2 * self.layers.rounding(k))

        def worst(way: Floats) -> Floats:
            return np.linalg.norm(np.einsum("nij,ni->nj", linear, way), axis=1) + rest * np.linalg.norm(way, axis=1)

        return self._holds(worst, self.path[-1]), boxes

    def _walled(self, centre: Floats, linear: Floats, rest: Floats) -> tuple[Floats, Floats]:
        """The set around a centre (n, d) after walls: a coordinate that may meet one loses its linear part, or some."""
        sides = np.linalg.norm(linear, axis=2) + rest[:, None]
        low, high = self.layers.lower, self.layers.upper
        free = (centre > low) & (centre < high)
        meets = np.where(free, (centre - sides < low) | (centre + sides > high), True)
        meets &= (centre + sides >= low) & (centre - sides <= high)  # else all of it is stopped, at one place
        lost = np.where(meets, np.linalg.norm(linear, axis=2), 0.0)
        return linear * free[..., None], rest + np.linalg.norm(lost, axis=1)

    def injective(self, boxes: list[Boxes]) -> NDArray[np.bool_]:
        """Is every layer, before its walls, one to one on its boxes? If |grad - G| < sigma_min(G) on them, it is."""
        good = np.ones(self.path.shape[1], dtype=bool)
        for k, box in enumerate(boxes):
            slope = self.layers.jacobian(k, (box[0] + box[1]) / 2)
            least = np.linalg.svd(slope, compute_uv=False)[:, -1]
            good &= self._deviation(k, box, slope) < least * (1 - SLACK)
        return good

    def rows(self, rows: NDArray[np.bool_]) -> Tubes:
        """Around some of the paths."""
        inputs = self.inputs
        some = Inputs(inputs.points[rows], inputs.matrix, inputs.rounding[rows], inputs.features[rows], inputs.single)
        return Tubes(self.layers, self.readout, some, self.path[:, rows], self.moved[:, rows])


def certify(tubes: Tubes) -> Certificates:
    """The radii of all points."""
    extent = float(np.linalg.norm(tubes.layers.upper - tubes.layers.lower))
    most = extent / max(float(np.linalg.norm(tubes.inputs.matrix, ord=2)), np.finfo(float).tiny)
    found = {name: _largest(getattr(tubes, name), most, len(tubes.inputs.points)) for name in METHODS}
    best, ball = np.argmax(list(found.values()), axis=0), np.max(list(found.values()), axis=0)
    invertible = np.zeros(len(ball), dtype=bool)
    for number, name in enumerate(METHODS):
        rows = best == number
        if rows.any():
            some = tubes.rows(rows)
            invertible[rows] = some.injective(getattr(some, name)(ball[rows])[1])
    radii = {name: tubes.inputs.lost(radius * (1 - SLACK)) for name, radius in found.items()}
    radius: Floats = np.array(list(radii.values())).max(axis=0)
    return Certificates(
        labels=tubes.readout.logits(tubes.path[-1]).argmax(axis=1),
        radius=radius,
        radii=radii,
        method=np.where(radius > 0, np.array(METHODS)[best], ""),
        invertible=invertible,
        stretch=np.array([tubes.layers.stretch(k) for k in range(len(tubes.layers.steps))]),
    )


def _largest(holds: Callable[[Floats], tuple[NDArray[np.bool_], list[Boxes]]], most: float, count: int) -> Floats:
    """The largest radius found for which a method holds, by halving of log r; 0 where it does for none, (count,)."""
    low, high = np.full(count, np.log(LEAST * most)), np.full(count, np.log(most))
    known = np.where(holds(np.exp(low))[0], np.exp(low), 0.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        good = holds(np.exp(middle))[0] & (known > 0)
        known = np.where(good, np.exp(middle), known)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return known
