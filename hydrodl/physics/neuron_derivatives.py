"""The velocities of neurons at points, u_k = A_k sigma(W_k x + b_k), and their derivatives in A, W and b.

With s = sigma(W x + b), q = dW x + db along a direction (dA, dW, db), and a dual velocity g,

    du          = dA s + A (s' q)
    du^T g      = (g s^T,  [s' (A^T g)] x^T,  [s' (A^T g)] 1)
    <g, d2u>    = (g (s' q)^T,  r x^T,  r 1),    r = s' (dA^T g) + s_2 q (A^T g),    s_2 = sigma''(W x + b)

sums over points understood: those of one rank here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.physics.neurons import HiddenLayers


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
class NeuronPoint:
    """Derivatives at one point; controls and duals are flat, see :class:`Shapes`.

    Attributes:
        shapes: of the controls; nodes: the points, (n, d); outputs: A, (N, d, J); values: s, (N, J, n).
        smooth: does sigma have derivatives that are wanted? Else those of A alone.
    """

    shapes: Shapes
    nodes: Floats
    outputs: Floats
    values: Floats
    smooth: bool = True

    @classmethod
    def of(cls, hidden: HiddenLayers, outputs: Floats, nodes: Floats) -> NeuronPoint:
        """At given neurons."""
        shapes = Shapes(len(outputs), nodes.shape[1], hidden.width)
        values = np.array([hidden.values(k, nodes).T for k in range(len(outputs))])
        return cls(shapes, nodes, outputs, values, hidden.activation == "tanh")

    @cached_property
    def slopes(self) -> Floats:
        """s' = 1 - s^2 of tanh."""
        return 1 - self.values**2 if self.smooth else np.zeros_like(self.values)

    def _arguments(self, W: Floats, b: Floats) -> Floats:
        return W @ self.nodes.T + b[..., None]

    def _flat(self, A: Floats, back: Floats) -> Floats:
        return self.shapes.flat(A, back @ self.nodes, back.sum(axis=2))

    def change(self, direction: Floats) -> Floats:
        """du, (N, d, n)."""
        A, W, b = self.shapes.parts(direction)
        return A @ self.values + self.outputs @ (self.slopes * self._arguments(W, b))

    def pull_back(self, dual: Floats) -> Floats:
        """du^T g, the part of these points."""
        back = self.slopes * (self.outputs.transpose(0, 2, 1) @ dual)
        return self._flat(dual @ self.values.transpose(0, 2, 1), back)

    def curvature(self, dual: Floats, direction: Floats) -> Floats:
        """<g, d2u> along a direction, the part of these points."""
        A, W, b = self.shapes.parts(direction)
        turned = self.slopes * self._arguments(W, b)
        # sigma'' = -2 s s'
        bent = -2 * self.values * turned * (self.outputs.transpose(0, 2, 1) @ dual)
        back = self.slopes * (A.transpose(0, 2, 1) @ dual) + bent
        return self._flat(dual @ turned.transpose(0, 2, 1), back)

    def gram(self, product: Callable[[Floats], Floats], total: Callable[[Floats], Floats]) -> Floats:
        """D^T P D of every layer, (N, each, each), D the derivative.

        P acts on every component of a velocity alike, so that it is enough to know it between s_j and s'_j (x, 1).

        Args:
            product: P times stacks (N, J, n); total: sums over ranks.
        """
        N, d, J = self.shapes.layers, self.shapes.dimension, self.shapes.width
        fields = [self.values, *(self.slopes * x for x in self.nodes.T), self.slopes]
        table = np.empty((d + 2, d + 2, N, J, J))
        for m, first in enumerate(fields):
            moved = product(first)
            for n in range(m, d + 2):
                table[m, n] = moved @ fields[n].transpose(0, 2, 1)
                table[n, m] = table[m, n].transpose(0, 2, 1)
        table = total(table)
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
