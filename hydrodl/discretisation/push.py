"""The push of the layer-map schemes: one layer moves the mass of every node of a uniform box to where the network does.

Node i goes to y_i = x_i + Delta u_i and leaves its mass at the nodes around, by the weights of the splines,

    W_ij = prod_a B_p((y_i - x_j)_a / h_a),    images folded at the walls, y clamped to the box.

W is not negative and its rows have the sum 1: masses go forward with W^T, and stay masses; potentials come back with W,
and (W psi)_i is the spline of the nodal values psi at y_i. Everything else is a derivative of W in y.

No matrix is stored: the weights of a node are a few products of numbers that follow from y_i, and making them again
costs less than reading them (``benchmarks/push.py``). All classes are taken at once.
Every layout of arrays would be compiled apart, so that all are made contiguous first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from hydrodl.common.arrays import Floats, Ints
from hydrodl.discretisation import spline_kernels as kernels
from hydrodl.discretisation.spline_weights import node_weights, rules


class Push:
    """W of one slab on all nodes of a box, x_1 slowest.

    Args:
        shape: nodes per axis, (d,).
        spacing: h_a, (d,).
        displacement: y - x, (d, nodes), as long as it likes.
        degree: p, 2 or 3.

    Raises:
        InputError: another degree, an axis of fewer than two nodes.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, displacement: Floats, degree: int = 2) -> None:
        self._rules = rules(shape, degree)
        self.shape, self.degree, self.spacing = tuple(shape), degree, np.asarray(spacing, dtype=float)
        # Places in spacings. Where nothing moves they are whole numbers, so that nodes at walls are not beyond them.
        self.places = np.ascontiguousarray(displacement) / self.spacing[:, None]
        box = self.places.reshape(len(shape), *shape)
        for a, n in enumerate(shape):
            box[a] += np.arange(n).reshape(n, *(1,) * (len(shape) - 1 - a))
        none = 3 - len(shape)
        self._counts = (1,) * none + self.shape
        self._axes = self._three(self.places)
        self._scales = (0.0,) * none + tuple(1.0 / self.spacing)

    @staticmethod
    def _three(rows: Floats) -> kernels.Axes:
        """One row for each of three axes; that of an axis which is missing is not read, or has the factor 0."""
        return tuple(rows[max(a - 3 + len(rows), 0)] for a in range(3))

    def carry(self, masses: Floats) -> Floats:
        """W^T masses, (C, nodes): where the masses go."""
        return kernels.carry(self._axes, self._counts, self._rules, np.ascontiguousarray(masses))

    def carry_change(self, masses: Floats, shift: Floats, change: Floats) -> Floats:
        """The change of ``carry(masses)`` when y changes by ``shift``, (d, nodes), and the masses by ``change``."""
        scaled = self._three(shift / self.spacing[:, None])
        masses, change = np.ascontiguousarray(masses), np.ascontiguousarray(change)
        return kernels.carry_change(self._axes, self._counts, self._rules, masses, scaled, change)

    def pull(self, potentials: Floats) -> Floats:
        """W potentials, (C, nodes): the splines of the nodal values at y."""
        return kernels.pull(self._axes, self._counts, self._rules, self._padded(potentials))

    def pull_with_slopes(self, potentials: Floats) -> tuple[Floats, Floats]:
        """The splines at y and their gradients there, (C, nodes) and (C, d, nodes).

        The change of ``pull(potentials)`` along a shift of y is the sum over a of shift_a times slope_a.
        """
        padded = self._padded(potentials)
        return kernels.pull_with_slopes(self._axes, self._counts, self._rules, padded, self._scales, len(self.shape))

    def curvatures(self, masses: Floats, potentials: Floats) -> Floats:
        """Second derivatives of the splines at y, summed over the classes with masses as weights, (d, d, nodes)."""
        padded, masses = self._padded(potentials), np.ascontiguousarray(masses)
        return kernels.curvatures(self._axes, self._counts, self._rules, padded, self._scales, len(self.shape), masses)

    def matrix(self) -> sp.csr_array:
        """W as a sparse matrix (nodes, nodes), for those who look at its entries."""
        numbers, weights = self._entries()
        pointers = np.arange(0, numbers.size + 1, numbers.shape[1])
        found = sp.csr_array((weights.ravel(), numbers.ravel(), pointers), shape=(len(numbers),) * 2)
        found.sum_duplicates()
        return found

    def walk(self, counts: Ints, rng: np.random.Generator) -> Ints:
        """Where paths counted at the nodes, (n, nodes), go: each from node i to a node drawn from row i of W."""
        numbers, weights = self._entries()
        start, node = np.nonzero(counts)
        out = np.zeros_like(counts)
        np.add.at(out, (start[:, None], numbers[node]), rng.multinomial(counts[start, node], weights[node]))
        return out

    def _entries(self) -> tuple[Ints, Floats]:
        return node_weights(self.places, self.shape, self.degree)

    def _padded(self, potentials: Floats) -> Floats:
        return kernels.pad(np.ascontiguousarray(potentials).reshape(len(potentials), *self._counts))
