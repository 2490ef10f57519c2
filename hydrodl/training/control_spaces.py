"""Spaces of controls: the velocity at every node, or the coefficients of neurons, each with its inner product."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy.linalg as sla

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.physics.neurons import Neurons
from hydrodl.training.reduced_functional import ReducedFunctional
from hydrodl.training.trained_readout import broadcast


class Space(Protocol):
    """Controls of the velocity: a linear map from flat local vectors to velocities, with its inner product."""

    size: int

    def velocity(self, x: Floats) -> Floats:
        """u of controls x, shape (N, d, owned)."""

    def pull_back(self, dual: Floats) -> Floats:
        """The transposed map, of a dual velocity."""

    def refresh(self) -> None:
        """Take the inner product of the point of the last gradient."""

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector."""

    def square(self, dual: Floats, rough: bool = False) -> float:
        """(g, P^-1 g) of a dual vector, this rank's part; rough: to a percent."""

    def metric_product(self, x: Floats) -> Floats:
        """P times a direction."""

    def penalty(self, x: Floats) -> float:
        """What the controls themselves cost, over all ranks."""

    def penalty_product(self, x: Floats) -> Floats:
        """Gradient of the penalty at x, which is quadratic."""


class FieldSpace:
    """The velocity at every node is the control."""

    def __init__(self, functional: ReducedFunctional) -> None:
        self._functional = functional
        self.size = int(np.prod(functional.shape))

    def velocity(self, x: Floats) -> Floats:
        """x itself."""
        return x.reshape(self._functional.shape)

    def pull_back(self, dual: Floats) -> Floats:
        """The dual itself."""
        return dual.ravel()

    def refresh(self) -> None:
        """Nothing: the functional does it."""

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 dual."""
        return self._functional.precondition(self.velocity(dual)).ravel()

    def square(self, dual: Floats, rough: bool = False) -> float:
        """That of the functional."""
        return self._functional.square(self.velocity(dual), rough)

    def metric_product(self, x: Floats) -> Floats:
        """P x."""
        return self._functional.metric_product(self.velocity(x)).ravel()

    def penalty(self, x: Floats) -> float:
        """0: the cost of a velocity is in the Lagrangian."""
        return 0.0

    def penalty_product(self, x: Floats) -> Floats:
        """0."""
        return np.zeros_like(x)


LEAST = 1e-10
"""Least eigenvalue of an inner product over its largest."""


def _positive(gram: Floats) -> Floats:
    """A Gram matrix with its eigenvalues raised to what an inner product needs, if it is none.

    Between nodes, elements of a higher degree may see a negative density, and count a direction less than nothing.
    """
    try:
        np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(gram)
        return (vectors * np.maximum(values, LEAST * np.abs(values).max())) @ vectors.T
    return gram


class NeuronSpace:
    """u_k = A_k Phi_k with Phi_k = sigma(W_k x_i + b_k) at the nodes; P becomes Phi_k P_k Phi_k^T + decay."""

    def __init__(self, functional: ReducedFunctional, neurons: Neurons) -> None:
        domain, slabs = functional.problem.domain, functional.shape[0]
        self._functional, self._comm = functional, domain.comm
        hidden = neurons.draw(domain, slabs)
        nodes = domain.coordinates[: domain.owned]
        self._basis = np.array([hidden.values(k, nodes).T for k in range(slabs)])  # (N, J, owned)
        self.shape = (slabs, functional.shape[1], neurons.width)
        self.size = int(np.prod(self.shape)) if self._comm.rank == 0 else 0
        self._decay = neurons.decay * functional.problem.layers.steps
        self._grams: list[Floats] = []
        self._factors: list[tuple[Floats, bool]] = []

    def coefficients(self, x: Floats) -> Floats:
        """A on every rank, shape (N, d, J); collective."""
        return broadcast(self._comm, x, int(np.prod(self.shape))).reshape(self.shape)

    def velocity(self, x: Floats) -> Floats:
        """A_k Phi_k; collective."""
        return self.coefficients(x) @ self._basis

    def pull_back(self, dual: Floats) -> Floats:
        """dual_k Phi_k^T summed over ranks, on rank 0; collective."""
        local = np.ascontiguousarray(dual @ self._basis.transpose(0, 2, 1))
        total = summed(self._comm, local)
        return total.ravel()[: self.size]

    def refresh(self) -> None:
        """Gram matrices of the neurons in the control inner product, factored on rank 0; collective."""
        width = self.shape[2]
        local = self._functional.metric_product(self._basis) @ self._basis.transpose(0, 2, 1)
        total = summed(self._comm, local)
        total += self._decay[:, None, None] * np.eye(width)
        # many neurons are nearly dependent: rounding must not make the sum of a Gram matrix and the decay indefinite
        rounding = 1e-14 * np.trace(total, axis1=1, axis2=2)
        total += rounding[:, None, None] * np.eye(width)
        self._grams = [_positive(gram) for gram in total]
        self._factors = [sla.cho_factor(gram) for gram in self._grams] if self._comm.rank == 0 else []

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 dual, slab by slab."""
        if not self.size:
            return dual
        blocks = dual.reshape(self.shape)
        solved = [sla.cho_solve(f, block.T).T for f, block in zip(self._factors, blocks, strict=True)]
        return np.array(solved).ravel()

    def square(self, dual: Floats, rough: bool = False) -> float:
        """By its solution."""
        return float((dual * self.precondition(dual)).sum())

    def metric_product(self, x: Floats) -> Floats:
        """P x."""
        return np.matmul(x.reshape(self.shape), np.array(self._grams)).ravel() if self.size else x

    def penalty(self, x: Floats) -> float:
        """1/2 decay sum_k Delta_k |A_k|^2; collective."""
        return 0.5 * float((self._decay * (self.coefficients(x) ** 2).sum(axis=(1, 2))).sum())

    def penalty_product(self, x: Floats) -> Floats:
        """decay Delta_k A_k."""
        return (x.reshape(self.shape) * self._decay[:, None, None]).ravel() if self.size else x
