"""Neurons trained whole: u_k = A_k sigma(W_k x + b_k) with A, W and b the controls, and the exact derivatives of it.

With s = sigma(W x + b), q = dW x + db along a direction (dA, dW, db), and a dual velocity g,

    du          = dA s + A (s' q)
    du^T g      = (g s^T,  [s' (A^T g)] x^T,  [s' (A^T g)] 1)
    <g, d2u>    = (g (s' q)^T,  r x^T,  r 1),    r = s' (dA^T g) + s'' q (A^T g)

sums over nodes understood. The inner product is that of the velocity pulled back, P -> D^T P D + decay with D the
derivative at the point of the last gradient: blocks of (2 d + 1) J numbers, one a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg as sla
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.physics.neurons import HiddenLayers, Neurons
from hydrodl.problem.solution import Controls
from hydrodl.training.control_spaces import Slope, checked, decayed
from hydrodl.training.reduced_functional import ReducedFunctional
from hydrodl.training.trained_readout import broadcast


@dataclass(frozen=True)
class Shapes:
    """N layers of J neurons in d dimensions; their numbers in a row, a layer after the other: A (d, J), W (J, d), b."""

    layers: int
    dimension: int
    width: int

    @property
    def each(self) -> int:
        """Numbers of a layer."""
        return self.width * (2 * self.dimension + 1)

    def parts(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """A (N, d, J), W (N, J, d) and b (N, J) of flat numbers."""
        N, d, J = self.layers, self.dimension, self.width
        A, W, b = np.split(x.reshape(N, self.each), [d * J, 2 * d * J], axis=1)
        return A.reshape(N, d, J), W.reshape(N, J, d), b

    def flat(self, A: Floats, W: Floats, b: Floats) -> Floats:
        """The inverse of :meth:`parts`."""
        return np.hstack([part.reshape(self.layers, -1) for part in (A, W, b)]).ravel()


@dataclass(frozen=True, eq=False)
class WholeSlope:
    """Derivatives at one point; see the module.

    Attributes:
        comm, shapes: of the controls; nodes: of this rank, (owned, d).
        outputs: A, (N, d, J).
        values: s at the nodes, (N, J, owned).
    """

    comm: MPI.Comm
    shapes: Shapes
    nodes: Floats
    outputs: Floats
    values: Floats

    @cached_property
    def slopes(self) -> Floats:
        """s' = 1 - s^2."""
        return 1 - self.values**2

    def _arguments(self, W: Floats, b: Floats) -> Floats:
        return W @ self.nodes.T + b[..., None]

    def _parts(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        return self.shapes.parts(broadcast(self.comm, x, self.shapes.layers * self.shapes.each))

    def _gathered(self, A: Floats, back: Floats) -> Floats:
        """(A part, r x^T, r 1) over all ranks, on rank 0."""
        local = self.shapes.flat(A, back @ self.nodes, back.sum(axis=2))
        return summed(self.comm, local)[: len(local) if self.comm.rank == 0 else 0]

    def change(self, direction: Floats) -> Floats:
        """du; collective."""
        A, W, b = self._parts(direction)
        return A @ self.values + self.outputs @ (self.slopes * self._arguments(W, b))

    def pull_back(self, dual: Floats) -> Floats:
        """du^T g, on rank 0; collective."""
        back = self.slopes * (self.outputs.transpose(0, 2, 1) @ dual)
        return self._gathered(dual @ self.values.transpose(0, 2, 1), back)

    def curvature(self, dual: Floats, direction: Floats) -> Floats:
        """<g, d2u> along a direction, on rank 0; collective."""
        A, W, b = self._parts(direction)
        turned = self.slopes * self._arguments(W, b)
        # s'' = -2 s s'
        bent = -2 * self.values * turned * (self.outputs.transpose(0, 2, 1) @ dual)
        back = self.slopes * (A.transpose(0, 2, 1) @ dual) + bent
        return self._gathered(dual @ turned.transpose(0, 2, 1), back)

    def gram(self, functional: ReducedFunctional) -> Floats:
        """D^T P D of every layer, (N, each, each); collective.

        P acts on every component of a velocity alike, so that it is enough to know it between s_j and s'_j (x, 1).
        """
        N, d, J = self.shapes.layers, self.shapes.dimension, self.shapes.width
        fields = [self.values, *(self.slopes * x for x in self.nodes.T), self.slopes]
        table = np.empty((d + 2, d + 2, N, J, J))
        for m, first in enumerate(fields):
            product = functional.metric_product(first)
            for n in range(m, d + 2):
                table[m, n] = product @ fields[n].transpose(0, 2, 1)
                table[n, m] = table[m, n].transpose(0, 2, 1)
        table = summed(self.comm, table)
        A, out = self.outputs, np.zeros((N, self.shapes.each, self.shapes.each))
        # where in a layer's row are a_i., w_.l and b
        rows = [np.arange(i * J, (i + 1) * J) for i in range(d)]
        columns = [*(d * J + a + d * np.arange(J) for a in range(d)), 2 * d * J + np.arange(J)]
        weights = A.transpose(0, 2, 1) @ A
        for i, row in enumerate(rows):
            out[:, row[:, None], row] = table[0, 0]
            for a, column in enumerate(columns):
                out[:, row[:, None], column] = table[0, 1 + a] * A[:, i, None, :]
                out[:, column[:, None], row] = out[:, row[:, None], column].transpose(0, 2, 1)
        for a, first_column in enumerate(columns):
            for m, column in enumerate(columns):
                out[:, first_column[:, None], column] = table[1 + a, 1 + m] * weights
        return out


class WholeNeuronSpace:
    """The controls of neurons that are trained whole; they belong to rank 0, and every rank knows them."""

    def __init__(self, functional: ReducedFunctional, neurons: Neurons) -> None:
        domain, slabs = functional.problem.domain, functional.shape[0]
        self._functional, self._comm = functional, domain.comm
        self.shapes = Shapes(slabs, functional.shape[1], neurons.width)
        self._drawn = neurons.draw(domain, slabs)
        self._nodes = domain.coordinates[: domain.owned]
        self._count = slabs * self.shapes.each
        self.size = self._count if self._comm.rank == 0 else 0
        self._decay = neurons.decay * functional.problem.layers.steps
        zeros = np.zeros((slabs, functional.shape[1], neurons.width))
        self._origin = self.shapes.flat(zeros, self._drawn.weights, self._drawn.offsets)
        self._grams: list[Floats] = []
        self._factors: list[tuple[Floats, bool]] = []

    def start(self, given: Controls | None) -> Floats:
        """Of A, W and b; W and b as drawn where only A is given, and A = 0 where nothing is."""
        if given is None:
            return self._origin[: self.size].copy()
        d, width, layers = self.shapes.dimension, self.shapes.width, self.shapes.layers
        A = checked(self._comm, "coefficients", given.coefficients, (layers, d, width))
        hidden = given.hidden or self._drawn
        W = checked(self._comm, "hidden weights", hidden.weights, (layers, width, d))
        b = checked(self._comm, "hidden offsets", hidden.offsets, (layers, width))
        return self.shapes.flat(A, W, b)[: self.size]

    def found(self, x: Floats) -> dict[str, Any]:
        """A, and the hidden layers; collective."""
        A, W, b = self._parts(x)
        return {"coefficients": A.copy(), "hidden": HiddenLayers(W.copy(), b.copy(), self._drawn.activation)}

    def _parts(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        return self.shapes.parts(broadcast(self._comm, x, self._count))

    def _values(self, W: Floats, b: Floats) -> Floats:
        return np.tanh(W @ self._nodes.T + b[..., None])

    def velocity(self, x: Floats) -> Floats:
        """A sigma(W x + b) at the nodes; collective."""
        A, W, b = self._parts(x)
        return A @ self._values(W, b)

    def at(self, x: Floats) -> WholeSlope:
        """Derivatives at x; collective."""
        A, W, b = self._parts(x)
        return WholeSlope(self._comm, self.shapes, self._nodes, A.copy(), self._values(W, b))

    def refresh(self, slope: Slope) -> None:
        """Gram matrices of the derivative in the control inner product, factored on rank 0; collective."""
        assert isinstance(slope, WholeSlope)
        self._grams = decayed(slope.gram(self._functional), self._decay)
        self._factors = [sla.cho_factor(gram) for gram in self._grams] if self.size else []

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 dual, layer by layer."""
        if not self.size:
            return dual
        blocks = dual.reshape(self.shapes.layers, -1)
        return np.array([sla.cho_solve(f, block) for f, block in zip(self._factors, blocks, strict=True)]).ravel()

    def square(self, dual: Floats, rough: bool = False) -> float:
        """By its solution."""
        return float((dual * self.precondition(dual)).sum())

    def metric_product(self, x: Floats) -> Floats:
        """P x."""
        if not self.size:
            return x
        return np.concatenate([g @ block for g, block in zip(self._grams, self._rows(x), strict=True)])

    def _rows(self, x: Floats) -> Floats:
        return x.reshape(self.shapes.layers, -1)

    def penalty(self, x: Floats) -> float:
        """1/2 decay sum_k Delta_k (|A_k|^2 + |W_k - W_k^0|^2 + |b_k - b_k^0|^2); collective."""
        away = self._rows(broadcast(self._comm, x, self._count) - self._origin)
        return 0.5 * float((self._decay * (away**2).sum(axis=1)).sum())

    def penalty_gradient(self, x: Floats) -> Floats:
        """Of the penalty."""
        return self.penalty_product(x - self._origin[: self.size])

    def penalty_product(self, direction: Floats) -> Floats:
        """decay Delta_k times a direction."""
        return (self._rows(direction) * self._decay[:, None]).ravel() if self.size else direction
