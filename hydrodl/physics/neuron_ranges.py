"""What a layer of neurons does on a box of points: proven ranges of its values and of its gradient.

u(x) = A sigma(W x + b) has grad u = sum_j s_j a_j w_j^T with s_j = sigma'(w_j . x + b_j). On a box the arguments
w_j . x + b_j lie in intervals, and with them sigma, which grows, and s_j.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.physics.neurons import ACTIVATIONS, HiddenLayers, neuron_gradients

TOLERANCE = 0.02
"""How far a bound over a whole box may be above the largest norm found, relative."""


ROUNDING = 1e-12


FIRST = 8  # boxes a side to begin with
MOST_BOXES = 20_000  # in all, a layer: beyond, the bound is what it is by then
BOTH_ENDS = 5  # neurons of a box that are taken at both ends of their intervals


@dataclass(frozen=True, eq=False)
class NeuronRanges:
    """One layer of neurons u(x) = A sigma(W x + b).

    Attributes:
        hidden: W and b of every layer; layer: its number k; outputs: A of it, (d, J).
    """

    hidden: HiddenLayers
    layer: int
    outputs: Floats

    @property
    def _weights(self) -> Floats:
        return self.hidden.weights[self.layer]

    @cached_property
    def _products(self) -> tuple[Floats, Floats]:
        """The positive and the negative parts of a_ij w_jl, each (J, d, d)."""
        each = np.einsum("ij,jl->jil", self.outputs, self._weights)
        return np.maximum(each, 0.0), np.minimum(each, 0.0)

    def arguments(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Middles and half widths of w_j . x + b_j over boxes (n, d), each (n, J)."""
        middle, half = (low + high) / 2, (high - low) / 2
        return middle @ self._weights.T + self.hidden.offsets[self.layer], half @ np.abs(self._weights).T

    def slopes(self, centre: Floats, reach: Floats) -> tuple[Floats, Floats]:
        """The least and the largest sigma' where the argument is within ``reach`` of ``centre``."""
        if self.hidden.activation == "relu":
            return (centre - reach > 0).astype(float), (centre + reach >= 0).astype(float)
        near, far = np.maximum(np.abs(centre) - reach, 0.0), np.abs(centre) + reach
        return 1 - np.tanh(far) ** 2, 1 - np.tanh(near) ** 2

    def values(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """The least and the largest u over boxes (n, d), each (n, d): bounds, since neurons count one by one."""
        centre, reach = self.arguments(low, high)
        sigma = ACTIVATIONS[self.hidden.activation]
        least, most = sigma(centre - reach), sigma(centre + reach)
        up, down = np.maximum(self.outputs, 0.0).T, np.minimum(self.outputs, 0.0).T
        return least @ up + most @ down, most @ up + least @ down

    def gradients(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Middles and half widths of the entries of grad u over boxes (n, d), each (n, d, d).

        Of two ranges what they have in common: that of every neuron by itself, and, with sigma_n the n-th derivative
        of a smooth sigma,

            grad u(c) + [sum_j sigma_2_j a_j w_j w_j^T] (x - c) + sum_j a_j w_j^T max|sigma_3_j| (|w_j| . half)^2 / 2,

        whose middle part knows that neurons cancel each other.
        """
        centre, reach = self.arguments(low, high)
        least, most = self.slopes(centre, reach)
        up, down = self._products
        lowest = np.einsum("nj,jil->nil", least, up) + np.einsum("nj,jil->nil", most, down)
        highest = np.einsum("nj,jil->nil", most, up) + np.einsum("nj,jil->nil", least, down)
        if self.hidden.activation == "tanh":
            value = np.tanh(centre)
            slope = 1 - value**2
            at = np.einsum("nj,jil->nil", slope, up + down)
            bend = np.einsum("nj,jil,jm->nilm", -2 * value * slope, up + down, self._weights, optimize=True)
            # sigma_3 = -2 sigma' (1 - 3 sigma^2): at most 2, and at most 4 sigma'
            left = np.minimum(2.0, 4 * most) * reach**2 / 2
            half = np.einsum("nilm,nm->nil", np.abs(bend), (high - low) / 2)
            half += np.einsum("nj,jil->nil", left, up - down)
            lowest, highest = np.maximum(lowest, at - half), np.minimum(highest, at + half)
        return (lowest + highest) / 2, np.maximum(highest - lowest, 0.0) / 2

    def largest(self, low: Floats, high: Floats, shift: float = 0.0, step: float = 1.0) -> float:
        """A bound on max |shift I + step grad u|_2 over one box (d,), within 2 percent unless it takes too many boxes.

        The norm is convex, so that it is largest where all s_j are at ends. The neurons whose intervals matter most
        are taken at both ends, the others at their middles with the triangle inequality for the rest.
        """
        eye = shift * np.eye(len(low))

        def found(x: Floats) -> Floats:
            layer = eye + step * neuron_gradients(self.hidden, self.outputs, self.layer, x)
            return np.linalg.norm(layer, ord=2, axis=(1, 2))

        return _bounded(low, high, found, lambda middles, half: self._norms(eye, step, middles, half))

    def acceleration(self, low: Floats, high: Floats) -> float:
        """A bound on max |grad u u| over one box (d,), within 2 percent unless it takes too many boxes."""

        def found(x: Floats) -> Floats:
            velocity = self.hidden.values(self.layer, x) @ self.outputs.T
            gradients = neuron_gradients(self.hidden, self.outputs, self.layer, x)
            return np.linalg.norm(np.einsum("nij,nj->ni", gradients, velocity), axis=1)

        def above(middles: Floats, half: Floats) -> Floats:
            least, most = self.values(middles - half, middles + half)
            gradient, spread = self.gradients(middles - half, middles + half)
            velocity, reach = (least + most) / 2, (most - least) / 2
            at = np.abs(np.einsum("nij,nj->ni", gradient, velocity))
            at += np.einsum("nij,nj->ni", np.abs(gradient), reach)
            return np.linalg.norm(at + np.einsum("nij,nj->ni", spread, np.abs(velocity) + reach), axis=1)

        return _bounded(low, high, found, above)

    def _norms(self, eye: Floats, step: float, middles: Floats, half: Floats) -> Floats:
        """Bounds on the largest norm in each box, (boxes,)."""
        W, A = self._weights, step * self.outputs
        least, most = self.slopes(*self.arguments(middles - half, middles + half))
        middle, spread = (most + least) / 2, (most - least) / 2
        size = spread * np.linalg.norm(A, axis=0) * np.linalg.norm(W, axis=1)
        taken = min(BOTH_ENDS, size.shape[1])
        first = np.argsort(size, axis=1)[:, size.shape[1] - taken :]
        rest = size.sum(axis=1) - np.take_along_axis(size, first, axis=1).sum(axis=1)
        base = eye + np.einsum("ij,nj,jl->nil", A, middle, W, optimize=True)
        width = np.take_along_axis(spread, first, axis=1)
        parts = width[:, :, None, None] * A.T[first][..., None] * W[first][:, :, None, :]
        norms = [
            np.linalg.norm(base + np.einsum("s,nsil->nil", np.array(signs), parts), ord=2, axis=(1, 2))
            for signs in product((-1.0, 1.0), repeat=taken)
        ]
        return np.max(norms, axis=0) + rest


def _bounded(
    low: Floats, high: Floats, found: Callable[[Floats], Floats], above: Callable[[Floats, Floats], Floats]
) -> float:
    """A bound on the largest value of a function over a box (d,).

    Boxes that may hold it are halved until they hold no more than a little above what is found at midpoints.

    Args:
        found: the function at points (n, d); above: bounds on it over boxes, by middles and half widths (n, d).
    """
    half = np.broadcast_to((high - low) / (2 * FIRST), (FIRST ** len(low), len(low)))
    middles = low + half[0] * (1 + 2 * np.array(list(product(range(FIRST), repeat=len(low)))))
    signs = np.array(list(product((-0.5, 0.5), repeat=len(low))))
    known = done = 0.0
    count = 0
    while len(middles):
        known = max(known, float(found(middles).max()))
        most = above(middles, half)
        open_ = most > known * (1 + TOLERANCE)
        done = max(done, float(most[~open_].max(initial=0.0)))
        count += len(middles)
        if count > MOST_BOXES:
            return (1 + ROUNDING) * max(done, float(most.max()))
        parents, half = middles[open_], half[open_] / 2
        middles = (parents[:, None] + 2 * half[:, None] * signs).reshape(-1, len(low))
        half = np.repeat(half, len(signs), axis=0)
    return (1 + ROUNDING) * done
