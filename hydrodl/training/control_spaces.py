"""Spaces of controls: the velocity at every node, or the coefficients of neurons, each with its inner product.

Neurons that are trained whole are no linear space, see ``whole_neurons``.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.linalg as sla
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import everywhere, summed
from hydrodl.physics.neurons import Neurons
from hydrodl.problem.solution import Controls
from hydrodl.training.stack_functional import StackFunctional
from hydrodl.training.trained_readout import broadcast


class Slope(Protocol):
    """The derivative of the velocity, a stack, in the controls at one point, and the second one."""

    def change(self, direction: Floats) -> Floats:
        """Of the velocity along a direction of controls, shape (slabs here, d, owned)."""

    def pull_back(self, dual: Floats) -> Floats:
        """The transposed map, of a dual velocity."""

    def curvature(self, dual: Floats, direction: Floats) -> Floats:
        """What <dual, second derivative of the velocity> makes of a direction, a dual vector of controls."""


class Space(Protocol):
    """Controls of the velocity: flat local vectors, the velocities of them, and an inner product."""

    size: int

    def start(self, given: Controls | None) -> Floats:
        """The flat local vector of given controls, or of none: u = 0.

        Raises:
            InputError: controls of another kind or shape, or not finite; on every rank.
        """

    def found(self, x: Floats) -> dict[str, Any]:
        """What ``Controls`` hold of neurons at x; collective."""

    def velocity(self, x: Floats) -> Floats:
        """u of controls x, shape (slabs here, d, owned), where the scheme has its stacks; collective."""

    def at(self, x: Floats) -> Slope:
        """The derivative of ``velocity`` at x."""

    def refresh(self, slope: Slope) -> None:
        """Take the inner product of the point of the last gradient, which had this slope."""

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector."""

    def square(self, dual: Floats, rough: bool = False) -> float:
        """(g, P^-1 g) of a dual vector, this rank's part; rough: to a percent."""

    def metric_product(self, x: Floats) -> Floats:
        """P times a direction."""

    def penalty(self, x: Floats) -> float:
        """What the controls themselves cost, over all ranks; quadratic."""

    def penalty_gradient(self, x: Floats) -> Floats:
        """Gradient of the penalty at x."""

    def penalty_product(self, direction: Floats) -> Floats:
        """Its second derivative times a direction."""


def checked(comm: MPI.Comm, name: str, given: Floats | None, needed: tuple[int, ...]) -> Floats:
    """Controls as an array of the needed shape; collective.

    Raises:
        InputError: another shape or not finite; on every rank.
    """
    fine = given is not None and np.shape(given) == needed and bool(np.isfinite(given).all())
    if not everywhere(comm, fine):
        found = "nothing" if given is None else f"shape {np.shape(given)}"
        raise InputError(f"initial {name} has {found}, must be finite and {needed} on this rank")
    return np.asarray(given, dtype=float)


class FieldSpace:
    """The velocity at every node is the control."""

    def __init__(self, functional: StackFunctional) -> None:
        self._functional = functional
        self.size = int(np.prod(functional.shape))

    def start(self, given: Controls | None) -> Floats:
        """The velocity, 0 without one."""
        if given is None:
            return np.zeros(self.size)
        comm = self._functional.problem.domain.comm
        domain = self._functional.problem.domain
        shape = len(self._functional.problem.layers), domain.dimension, domain.owned
        return self._functional.stacks.spread(checked(comm, "velocity", given.velocity, shape)).ravel()

    def found(self, x: Floats) -> dict[str, Any]:
        """Nothing."""
        return {}

    def velocity(self, x: Floats) -> Floats:
        """x itself."""
        return x.reshape(self._functional.shape)

    def at(self, x: Floats) -> FieldSpace:
        """The same everywhere."""
        return self

    def change(self, direction: Floats) -> Floats:
        """The direction itself."""
        return self.velocity(direction)

    def pull_back(self, dual: Floats) -> Floats:
        """The dual itself."""
        return dual.ravel()

    def curvature(self, dual: Floats, direction: Floats) -> Floats:
        """0."""
        return np.zeros_like(direction)

    def refresh(self, slope: Slope) -> None:
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

    def penalty_gradient(self, x: Floats) -> Floats:
        """0."""
        return np.zeros_like(x)

    def penalty_product(self, direction: Floats) -> Floats:
        """0."""
        return np.zeros_like(direction)


LEAST = 1e-10
"""Least eigenvalue of an inner product over its largest."""


def positive(gram: Floats) -> Floats:
    """A Gram matrix with its eigenvalues raised to what an inner product needs, if it is none.

    Between nodes, elements of a higher degree may see a negative density, and count a direction less than nothing.
    """
    try:
        np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(gram)
        return (vectors * np.maximum(values, LEAST * np.abs(values).max())) @ vectors.T
    return gram


def decayed(grams: Floats, decay: Floats) -> list[Floats]:
    """Gram matrices (N, m, m) and the decay of every layer (N,) added up, each an inner product."""
    eye = np.eye(grams.shape[1])
    total = grams + decay[:, None, None] * eye
    # many neurons are nearly dependent: rounding must not make the sum of a Gram matrix and the decay indefinite
    rounding = 1e-14 * np.trace(total, axis1=1, axis2=2)
    total += rounding[:, None, None] * eye
    return [positive(gram) for gram in total]


class NeuronSpace:
    """u_k = A_k Phi_k with Phi_k = sigma(W_k x_i + b_k) at the nodes; P becomes Phi_k P_k Phi_k^T + decay."""

    def __init__(self, functional: StackFunctional, neurons: Neurons) -> None:
        domain, slabs = functional.problem.domain, len(functional.problem.layers)
        self._functional, self._comm, self._stacks = functional, domain.comm, functional.stacks
        hidden = neurons.draw(domain, slabs)
        nodes = self._stacks.everywhere(domain.coordinates[: domain.owned].T).T
        self._basis = np.array([hidden.values(int(k), nodes).T for k in self._stacks.layers])
        self._basis = self._basis.reshape(-1, neurons.width, len(nodes))  # (slabs here, J, owned), also without any
        self.shape = (slabs, domain.dimension, neurons.width)
        self.size = int(np.prod(self.shape)) if self._comm.rank == 0 else 0
        self._decay = neurons.decay * functional.problem.layers.steps
        self._grams: list[Floats] = []
        self._factors: list[tuple[Floats, bool]] = []

    def coefficients(self, x: Floats) -> Floats:
        """A on every rank, shape (N, d, J); collective."""
        return broadcast(self._comm, x, int(np.prod(self.shape))).reshape(self.shape)

    def start(self, given: Controls | None) -> Floats:
        """A, 0 without one."""
        if given is None:
            return np.zeros(self.size)
        return checked(self._comm, "coefficients", given.coefficients, self.shape).ravel()[: self.size]

    def found(self, x: Floats) -> dict[str, Any]:
        """A; collective."""
        return {"coefficients": self.coefficients(x)}

    def velocity(self, x: Floats) -> Floats:
        """A_k Phi_k; collective."""
        return self.coefficients(x)[self._stacks.layers] @ self._basis

    def at(self, x: Floats) -> NeuronSpace:
        """The same everywhere."""
        return self

    def change(self, direction: Floats) -> Floats:
        """Its velocity; collective."""
        return self.velocity(direction)

    def curvature(self, dual: Floats, direction: Floats) -> Floats:
        """0."""
        return np.zeros_like(direction)

    def pull_back(self, dual: Floats) -> Floats:
        """dual_k Phi_k^T summed over ranks, on rank 0; collective."""
        return self._by_layer(dual @ self._basis.transpose(0, 2, 1)).ravel()[: self.size]

    def _by_layer(self, local: Floats) -> Floats:
        """Tables of the slabs here, summed over ranks, for all slabs; collective."""
        out = np.zeros((self.shape[0], *local.shape[1:]))
        out[self._stacks.layers] = local
        return summed(self._comm, out)

    def refresh(self, slope: Slope) -> None:
        """Gram matrices of the neurons in the control inner product, factored on rank 0; collective."""
        local = self._functional.metric_product(self._basis) @ self._basis.transpose(0, 2, 1)
        self._grams = decayed(self._by_layer(local), self._decay)
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

    def penalty_gradient(self, x: Floats) -> Floats:
        """decay Delta_k A_k."""
        return (x.reshape(self.shape) * self._decay[:, None, None]).ravel() if self.size else x

    def penalty_product(self, direction: Floats) -> Floats:
        """decay Delta_k A_k, which is linear."""
        return self.penalty_gradient(direction)
