"""How much a layer of neurons stretches feature space: a proven bound on grad u of the network itself.

u(x) = A sigma(W x + b) has grad u = sum_j s_j a_j w_j^T with s_j = sigma'(w_j . x + b_j). On a box of points every s_j
lies in an interval; the spectral norm is convex, so that it is largest where all s_j are at ends. The neurons whose
intervals matter most are taken at both ends, the others at their middles with the triangle inequality for the rest.
Boxes that may hold the largest norm are halved until they hold no more than a little above what is found at midpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.physics.neurons import HiddenLayers, neuron_gradients
from hydrodl.problem.solution import Solution

TOLERANCE = 0.02
"""How far the bound may be above the largest norm found, relative."""


ROUNDING = 1e-12


FIRST = 8  # boxes a side to begin with
MOST_BOXES = 20_000  # in all, a layer: beyond, the bound is what it is by then
BOTH_ENDS = 5  # neurons of a box that are taken at both ends of their intervals


@dataclass(frozen=True, eq=False)
class NeuronLayers:
    """The layers of a network of neurons.

    Attributes:
        hidden: W and b of every layer; outputs: A, (N, d, J); bounds: corners of a box around feature space, (2, d).
    """

    hidden: HiddenLayers
    outputs: Floats
    bounds: Floats

    @classmethod
    def of(cls, solution: Solution) -> NeuronLayers | None:
        """Those of a solution, None where its velocity is a field."""
        control, domain = solution.problem.control, solution.problem.domain
        if control is None or solution.coefficients is None:
            return None
        hidden = control.draw(domain, len(solution.problem.layers))
        return cls(hidden, solution.coefficients, np.array(domain.bounds))

    def lipschitz(self) -> Floats:
        """Bounds on Lip(u_k) over the box, (N,), within 2 percent unless it takes too many boxes."""
        return (1 + ROUNDING) * np.array([self._largest(k) for k in range(len(self.outputs))])

    def _largest(self, k: int) -> float:
        low, high = self.bounds
        half = np.broadcast_to((high - low) / (2 * FIRST), (FIRST ** len(low), len(low)))
        middles = low + half[0] * (1 + 2 * np.array(list(product(range(FIRST), repeat=len(low)))))
        known = done = 0.0
        count = 0
        while len(middles):
            found = neuron_gradients(self.hidden, self.outputs[k], k, middles)
            known = max(known, float(np.linalg.norm(found, ord=2, axis=(1, 2)).max()))
            most = self._bounds(k, middles, half)
            open_ = most > known * (1 + TOLERANCE)
            done = max(done, float(most[~open_].max(initial=0.0)))
            count += len(middles)
            if count > MOST_BOXES:
                return max(done, float(most.max()))
            signs = np.array(list(product((-0.5, 0.5), repeat=len(low))))
            parents, half = middles[open_], half[open_] / 2
            middles = (parents[:, None] + 2 * half[:, None] * signs).reshape(-1, len(low))
            half = np.repeat(half, len(signs), axis=0)
        return done

    def _bounds(self, k: int, middles: Floats, half: Floats) -> Floats:
        """Of the largest norm in each box, (boxes,)."""
        W, A = self.hidden.weights[k], self.outputs[k]
        centre, reach = middles @ W.T + self.hidden.offsets[k], half @ np.abs(W).T
        least, most = self._slopes(centre, reach)
        middle, spread = (most + least) / 2, (most - least) / 2
        size = spread * np.linalg.norm(A, axis=0) * np.linalg.norm(W, axis=1)
        taken = min(BOTH_ENDS, size.shape[1])
        first = np.argsort(size, axis=1)[:, size.shape[1] - taken :]
        rest = size.sum(axis=1) - np.take_along_axis(size, first, axis=1).sum(axis=1)
        base = np.einsum("ij,nj,jl->nil", A, middle, W, optimize=True)
        width = np.take_along_axis(spread, first, axis=1)
        parts = width[:, :, None, None] * A.T[first][..., None] * W[first][:, :, None, :]
        norms = [
            np.linalg.norm(base + np.einsum("s,nsil->nil", np.array(signs), parts), ord=2, axis=(1, 2))
            for signs in product((-1.0, 1.0), repeat=taken)
        ]
        return np.max(norms, axis=0) + rest

    def _slopes(self, centre: Floats, reach: Floats) -> tuple[Floats, Floats]:
        """The least and the largest sigma' where the argument is within ``reach`` of ``centre``."""
        if self.hidden.activation == "relu":
            return (centre - reach > 0).astype(float), (centre + reach >= 0).astype(float)
        near, far = np.maximum(np.abs(centre) - reach, 0.0), np.abs(centre) + reach
        return 1 - np.tanh(far) ** 2, 1 - np.tanh(near) ** 2
