"""Neurons trained whole: u_k = A_k sigma(W_k x + b_k) with A, W and b the controls, with exact derivatives.

The inner product is that of the velocity pulled back, P -> D^T P D + decay with D the
derivative at the point of the last gradient: blocks of (2 d + 1) J numbers, one a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sla
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.discretisation.stacks import Stacks
from hydrodl.physics.neuron_derivatives import NeuronPoint, Shapes
from hydrodl.physics.neurons import HiddenLayers, Neurons
from hydrodl.problem.solution import Controls
from hydrodl.training.control_spaces import Slope, checked, decayed
from hydrodl.training.stack_functional import StackFunctional
from hydrodl.training.trained_readout import broadcast


@dataclass(frozen=True, eq=False)
class WholeSlope:
    """Derivatives at one point, over all ranks; controls belong to rank 0.

    Attributes:
        comm: the ranks; stacks: where velocities are; point: the derivatives of this rank's nodes.
    """

    comm: MPI.Comm
    stacks: Stacks
    point: NeuronPoint

    def _known(self, direction: Floats) -> Floats:
        shapes = self.point.shapes
        return broadcast(self.comm, direction, shapes.layers * shapes.each)

    def _gathered(self, local: Floats) -> Floats:
        return summed(self.comm, local)[: len(local) if self.comm.rank == 0 else 0]

    def change(self, direction: Floats) -> Floats:
        """du; collective."""
        return self.stacks.spread(self.point.change(self._known(direction)))

    def pull_back(self, dual: Floats) -> Floats:
        """du^T g, on rank 0; collective."""
        return self._gathered(self.point.pull_back(self.stacks.collect(dual)))

    def curvature(self, dual: Floats, direction: Floats) -> Floats:
        """<g, d2u> along a direction, on rank 0; collective."""
        return self._gathered(self.point.curvature(self.stacks.collect(dual), self._known(direction)))

    def gram(self, functional: StackFunctional) -> Floats:
        """D^T P D of every layer, (N, each, each); collective."""

        def product(stack: Floats) -> Floats:
            return self.stacks.collect(functional.metric_product(self.stacks.spread(stack)))

        return self.point.gram(product, lambda table: summed(self.comm, table))


class WholeNeuronSpace:
    """The controls of neurons that are trained whole; they belong to rank 0, and every rank knows them."""

    def __init__(self, functional: StackFunctional, neurons: Neurons) -> None:
        domain, slabs = functional.problem.domain, len(functional.problem.layers)
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
        return self._functional.stacks.spread(A @ self._values(W, b))

    def at(self, x: Floats) -> WholeSlope:
        """Derivatives at x; collective."""
        A, W, b = self._parts(x)
        point = NeuronPoint(self.shapes, self._nodes, A.copy(), self._values(W, b))
        return WholeSlope(self._comm, self._functional.stacks, point)

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
