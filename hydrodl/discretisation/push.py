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
from copy import copy
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from hydrodl.common.arrays import Floats, Ints
from hydrodl.discretisation import spline_kernels as kernels
from hydrodl.discretisation.spline_weights import node_weights, rules

Pulled = tuple[Floats, Floats]


class Splines:
    """The splines of the nodes of a box, x_1 slowest, and the work space that the pushes on it share.

    Args:
        shape: nodes per axis, (d,).
        spacing: h_a, (d,).
        degree: p, 2 or 3.

    Raises:
        InputError: another degree, an axis of fewer than two nodes.
    """

    def __init__(self, shape: Sequence[int], spacing: Floats, degree: int = 2) -> None:
        self.rules = rules(shape, degree)
        self.shape, self.spacing, self.degree = tuple(shape), np.asarray(spacing, dtype=float), degree
        none = 3 - len(shape)
        self.counts = (1,) * none + self.shape
        self.scales = (0.0,) * none + tuple(1.0 / self.spacing)
        self._rooms: dict[int, Floats] = {}

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(np.prod(self.shape))

    def window(self, rows: int) -> Splines:
        """Those of some consecutive rows of nodes along x_1, with the same work space."""
        out = copy(self)
        out.shape = (rows, *self.shape[1:])
        out.counts = (1,) * (3 - len(self.shape)) + out.shape
        return out

    def padded(self, classes: int) -> Floats:
        """Work space for fields with one more node beyond every wall."""
        shape = (classes, *(n + 2 if n > 1 else 1 for n in self.counts))
        size = int(np.prod(shape))
        if classes not in self._rooms or self._rooms[classes].size < size:
            self._rooms[classes] = np.empty(size)
        return self._rooms[classes][:size].reshape(shape)

    def places(self, displacement: Floats, first: int = 0) -> Floats:
        """Where nodes go, in spacings: those of these rows, of which ``first`` are before them in the box."""
        # Where nothing moves they are whole numbers, so that nodes at walls are not beyond them.
        out = displacement / self.spacing[:, None]
        for a, (n, places) in enumerate(zip(self.shape, out, strict=True)):
            numbers = np.arange(n) + (first if a == 0 else 0)
            places.reshape(self.shape)[...] += numbers.reshape(n, *(1,) * (len(self.shape) - 1 - a))
        return out


class Window(Protocol):
    """The rows that the nodes of a rank reach, where rows are shared out; collective."""

    def fetch(self, fields: Floats) -> Floats:
        """Fields (C, nodes of this rank) at all nodes of the window."""

    def join(self, fields: Floats, out: Floats) -> None:
        """What windows got, (C, nodes of the window), added up where the nodes are, (C, nodes of this rank)."""


class Push:
    """W of one slab. Where a result is given as ``out``, it must be contiguous and no argument.

    Args:
        splines: the nodes.
        displacement: y - x, (d, nodes), as long as it likes.
    """

    def __init__(self, splines: Splines, displacement: Floats) -> None:
        self._window: Window | None = None
        self.put(splines, splines.places(displacement))

    def move(self, displacement: Floats) -> None:
        """Another displacement."""
        self.put(self.splines, self.splines.places(displacement))

    def put(self, splines: Splines, places: Floats, window: Window | None = None) -> None:
        """Other nodes, and places among them, in spacings, (d, n): n nodes are moved, of which a window sees more."""
        self.splines, self.places, self._window = splines, places, window
        self._axes = self._three(places)

    @staticmethod
    def _three(rows: Floats) -> kernels.Axes:
        """One row for each of three axes; that of an axis which is missing is not read, or has the factor 0."""
        return tuple(rows[max(a - 3 + len(rows), 0)] for a in range(3))

    def carry(self, masses: Floats, out: Floats | None = None) -> Floats:
        """W^T masses, (C, nodes): where the masses go."""
        return self._folded(self._carried(masses), out)

    def carry_shift(self, masses: Floats, shift: Floats, out: Floats | None = None, factor: float = 1.0) -> Floats:
        """The change of ``carry(masses)`` when y changes by ``shift``, (d, nodes), times a factor."""
        padded = self.splines.padded(len(masses))
        padded[:] = 0.0
        return self._folded(self._shifted(masses, shift, padded, factor), out)

    def carry_change(self, masses: Floats, shift: Floats, change: Floats, out: Floats | None = None) -> Floats:
        """The change of ``carry(masses)`` when y changes by ``shift``, (d, nodes), and the masses by ``change``."""
        return self._folded(self._shifted(masses, shift, self._carried(change)), out)

    def _carried(self, masses: Floats) -> Floats:
        grid, padded = self.splines, self.splines.padded(len(masses))
        padded[:] = 0.0
        kernels.carry(self._axes, grid.counts, grid.rules, np.ascontiguousarray(masses), padded)
        return padded

    def _shifted(self, masses: Floats, shift: Floats, padded: Floats, factor: float = 1.0) -> Floats:
        grid, shift, masses = self.splines, np.ascontiguousarray(shift), np.ascontiguousarray(masses)
        scales = tuple(factor * scale for scale in grid.scales)
        kernels.carry_shift(self._axes, grid.counts, grid.rules, masses, self._three(shift), scales, padded)
        return padded

    def pull(self, potentials: Floats, out: Floats | None = None) -> Floats:
        """W potentials, (C, nodes): the splines of the nodal values at y."""
        out = np.empty((len(potentials), self.places.shape[1])) if out is None else out
        kernels.pull(self._axes, self.splines.counts, self.splines.rules, self._padded(potentials), out)
        return out

    def pull_with_slopes(self, potentials: Floats, out: Floats | None = None, slopes: Floats | None = None) -> Pulled:
        """The splines at y and their gradients there, (C, nodes) and (C, d, nodes).

        The change of ``pull(potentials)`` along a shift of y is the sum over a of shift_a times slope_a.
        """
        classes, nodes = len(potentials), self.places.shape[1]
        out = np.empty((classes, nodes)) if out is None else out
        slopes = np.empty((classes, len(self.places), nodes)) if slopes is None else slopes
        grid, padded = self.splines, self._padded(potentials)
        kernels.pull_with_slopes(self._axes, grid.counts, grid.rules, padded, grid.scales, out, slopes)
        return out, slopes

    def forces(self, masses: Floats, potentials: Floats, out: Floats | None = None, factor: float = 1.0) -> Floats:
        """Gradients of the splines at y, summed over the classes with masses as weights, (d, nodes), times a factor."""
        out = np.empty(self.places.shape) if out is None else out
        grid, padded = self.splines, self._padded(potentials)
        masses = np.ascontiguousarray(masses)
        scales = tuple(factor * scale for scale in grid.scales)
        kernels.forces(self._axes, grid.counts, grid.rules, padded, scales, masses, out)
        return out

    def curvatures(self, masses: Floats, potentials: Floats, out: Floats | None = None) -> Floats:
        """Second derivatives of the splines at y, summed over the classes with masses as weights, (d, d, nodes)."""
        dim, nodes = self.places.shape
        out = np.empty((dim, dim, nodes)) if out is None else out
        grid, padded = self.splines, self._padded(potentials)
        masses = np.ascontiguousarray(masses)
        kernels.curvatures(self._axes, grid.counts, grid.rules, padded, grid.scales, masses, out)
        return out

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
        return node_weights(self.places, self.splines.shape, self.splines.degree)

    def _padded(self, potentials: Floats) -> Floats:
        potentials = potentials if self._window is None else self._window.fetch(potentials)
        padded = self.splines.padded(len(potentials))
        kernels.pad(np.ascontiguousarray(potentials).reshape(-1, *self.splines.counts), padded)
        return padded

    def _folded(self, padded: Floats, out: Floats | None) -> Floats:
        out = np.empty((len(padded), self.places.shape[1])) if out is None else out
        found = out if self._window is None else np.empty((len(padded), self.splines.nodes))
        kernels.fold(padded, found.reshape(-1, *self.splines.counts))
        if self._window is not None:
            self._window.join(found, out)
        return out
