"""What the layers x -> x + Delta_k u_k(x) of a network do on boxes of points, proven: their images and gradients.

Neurons have bounds: every neuron's range on the box, as if they did not know of each other, and the mean value
theorem. Tables are in ``table_ranges``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.physics.neuron_ranges import NeuronRanges
from hydrodl.physics.neurons import HiddenLayers, neuron_gradients

Boxes = tuple[Floats, Floats]
"""Lower and upper corners, each (n, d)."""


EPS = float(np.finfo(float).eps)


def norms(matrices: Floats) -> Floats:
    """Spectral norms of matrices (n, d, d), shape (n,); for d = 2 in closed form, which is much sooner had."""
    if matrices.shape[-1] == 1:
        return np.abs(matrices[:, 0, 0])
    if matrices.shape[-1] > 2:
        return np.linalg.norm(matrices, ord=2, axis=(1, 2))
    a, b, c, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1]
    return (np.hypot(a + d, b - c) + np.hypot(a - d, b + c)) / 2


class LayerRanges(Protocol):
    """Layers whose images and gradients on boxes have proven bounds; walls come after, and are not in them."""

    @property
    def steps(self) -> Floats:
        """Delta_k, shape (N,)."""

    @property
    def lower(self) -> Floats:
        """Lower corner of feature space, (d,)."""

    @property
    def upper(self) -> Floats:
        """Upper corner of feature space, (d,)."""

    def move(self, k: int, points: Floats) -> Floats:
        """x + Delta_k u_k(x) at points (n, d) of the box."""

    def jacobian(self, k: int, points: Floats) -> Floats:
        """I + Delta_k grad u_k at points (n, d), shape (n, d, d); one of several where it jumps."""

    def deviation(self, k: int, boxes: Boxes, about: Floats) -> Floats:
        """Bounds on max |I + Delta_k grad u_k - about|_2 over each box, about (n, d, d); shape (n,)."""

    def image(self, k: int, boxes: Boxes) -> Boxes:
        """Boxes that hold the images of boxes."""

    def stretch(self, k: int) -> float:
        """A bound on max |I + Delta_k grad u_k|_2 over feature space."""

    def rounding(self, k: int) -> float:
        """How far ``move`` in double precision, by whatever order of operations, is from its exact value at most."""


@dataclass(frozen=True, eq=False)
class HiddenRanges:
    """Layers of neurons.

    Attributes:
        hidden: W and b; outputs: A, shape (N, d, J); steps: Delta, (N,); lower, upper: corners of feature space, (d,).
    """

    hidden: HiddenLayers
    outputs: Floats
    steps: Floats
    lower: Floats
    upper: Floats

    @cached_property
    def _layers(self) -> list[NeuronRanges]:
        return [NeuronRanges(self.hidden, k, A) for k, A in enumerate(self.outputs)]

    def move(self, k: int, points: Floats) -> Floats:
        """x + Delta_k A_k sigma(W_k x + b_k)."""
        return points + self.steps[k] * (self.hidden.values(k, points) @ self.outputs[k].T)

    def jacobian(self, k: int, points: Floats) -> Floats:
        """I + Delta_k grad u_k."""
        return np.eye(len(self.lower)) + self.steps[k] * neuron_gradients(self.hidden, self.outputs[k], k, points)

    def deviation(self, k: int, boxes: Boxes, about: Floats) -> Floats:
        """The norm of the middle of the gradients' ranges, and that of their half widths."""
        middle, half = self._layers[k].gradients(*boxes)
        return norms(np.eye(len(self.lower)) + self.steps[k] * middle - about) + self.steps[k] * norms(half)

    def image(self, k: int, boxes: Boxes) -> Boxes:
        """What neuron by neuron and the mean value theorem, (F(c) + [grad F] (x - c)), have in common."""
        least, most = self._layers[k].values(*boxes)
        first = boxes[0] + self.steps[k] * least, boxes[1] + self.steps[k] * most
        middle, half = self._layers[k].gradients(*boxes)
        largest = np.abs(np.eye(len(self.lower)) + self.steps[k] * middle) + self.steps[k] * half
        reach = np.einsum("nij,nj->ni", largest, (boxes[1] - boxes[0]) / 2)
        centre = self.move(k, (boxes[0] + boxes[1]) / 2)
        return np.maximum(first[0], centre - reach), np.minimum(first[1], centre + reach)

    @cached_property
    def _stretches(self) -> Floats:
        found = zip(self._layers, self.steps, strict=True)
        return np.array([layer.largest(self.lower, self.upper, 1.0, float(step)) for layer, step in found])

    def stretch(self, k: int) -> float:
        """A bound on max |I + Delta_k grad u_k|_2, within 2 percent as a rule."""
        return float(self._stretches[k])

    def rounding(self, k: int) -> float:
        """Parts of eps of every term: arguments of neurons, and their sums."""
        reach = np.abs([self.lower, self.upper]).max(axis=0)
        arguments = np.abs(self.hidden.weights[k]) @ reach + np.abs(self.hidden.offsets[k])
        most = np.minimum(arguments, 1.0) if self.hidden.activation == "tanh" else arguments
        terms = np.abs(self.outputs[k]) @ (most * (len(arguments) + 4) + arguments * (len(reach) + 4))
        return 8 * EPS * float(np.linalg.norm(reach + float(self.steps[k]) * terms))
