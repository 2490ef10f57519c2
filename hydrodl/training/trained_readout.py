"""The trained readout: a small block of controls p = (W, b) beside the velocity, with its exact derivatives.

    G(rho, p) = lambda [ sum_c (Phi_c(p), rho_c)_h + gamma/2 |p|^2 ],    Phi_c = logsumexp(z) - z_c,    z = W x + b

Phi is a nodal field, so with m_c = M rho_c, xi = (x, 1) and the probabilities s = softmax(z) at the nodes i

    dG/dp_j      = lambda [ sum_c sum_i m_ci (s_j - delta_jc)_i xi_i + gamma p_j ]
    d2G/dp_j dp_l = lambda [ sum_i (sum_c m_ci) (s_j delta_jl - s_j s_l)_i xi_i xi_i^T + gamma delta_jl ]
    d2G/drho_c dp = lambda M (s . dz - dz_c),    dz = dW x + db.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.mesh.domain import Domain
from hydrodl.physics.losses import Classification
from hydrodl.physics.readout import Readout


class TrainedReadout:
    """Derivatives of a classification loss in its readout; parameters are flat, p[c] = (W_c, b_c), on every rank.

    Attributes:
        size: C (d + 1), number of parameters; layer: index 1..N of the layer that is read.
    """

    def __init__(self, loss: Classification, layer: int, domain: Domain, mass: Mass) -> None:
        assert loss.readout is not None  # Problem fills it in
        self._weight, self._decay, self._mass = loss.weight, loss.decay, mass
        self.layer, self._comm = layer, domain.comm
        nodes = domain.coordinates[: domain.owned]
        self._xi = np.hstack([nodes, np.ones((len(nodes), 1))])
        self._classes, self.size = len(loss.readout.offsets), loss.readout.weights.size + loss.readout.offsets.size

    def flat(self, readout: Readout) -> Floats:
        """p of a readout."""
        return np.hstack([readout.weights, readout.offsets[:, None]]).ravel()

    def readout(self, p: Floats) -> Readout:
        """The readout of p."""
        table = p.reshape(self._classes, -1)
        return Readout(table[:, :-1].copy(), table[:, -1].copy())

    def _loads(self, densities: Floats) -> Floats:
        return self._mass.apply(densities).T  # m, (owned, C)

    def _residual(self, p: Floats, loads: Floats) -> Floats:
        """sum_c m_ci (s_j - delta_jc)_i, shape (owned, C)."""
        shares = self.readout(p).probabilities(self._xi[:, :-1])
        return shares * loads.sum(axis=1, keepdims=True) - loads

    def _summed(self, local: Floats) -> Floats:
        return summed(self._comm, local)

    def gradient(self, p: Floats, densities: Floats) -> Floats:
        """dG/dp at layer densities (C, owned), shape (size,)."""
        inner = self._summed(self._residual(p, self._loads(densities)).T @ self._xi)
        return self._weight * (inner.ravel() + self._decay * p)

    def linearise(self, p: Floats, densities: Floats) -> None:
        """Keep the second derivatives at this point."""
        self._shares = self.readout(p).probabilities(self._xi[:, :-1])
        self.matrix = self.hessian(p, densities)

    def hessian(self, p: Floats, densities: Floats, least: float = -np.inf) -> Floats:
        """d2G/dp2 at layer densities (C, owned), shape (size, size).

        Positive definite with ``least`` = 0, which is what loads of negative densities and of elements of degree 2
        count as at least: for an inner product.
        """
        shares = self.readout(p).probabilities(self._xi[:, :-1])
        total = np.maximum(self._loads(densities).sum(axis=1), least)
        curvature = shares[:, :, None] * (np.eye(self._classes) - shares[:, None, :])
        blocks = np.einsum("i,ijl,ia,ib->jalb", total, curvature, self._xi, self._xi, optimize=True)
        matrix = self._summed(blocks.reshape(self.size, self.size))
        return self._weight * (matrix + self._decay * np.eye(self.size))

    def pull(self, change: Floats) -> Floats:
        """d2G/drho dp times a change of p: the dual vectors (C, owned) that join dG/drho."""
        dz = self._xi @ change.reshape(self._classes, -1).T
        field = (self._shares * dz).sum(axis=1, keepdims=True) - dz
        return self._weight * self._mass.apply(np.ascontiguousarray(field.T))

    def push(self, change: Floats) -> Floats:
        """d2G/dp drho times a change of the layer densities (C, owned), shape (size,)."""
        loads = self._loads(change)
        residual = self._shares * loads.sum(axis=1, keepdims=True) - loads
        return self._weight * self._summed(residual.T @ self._xi).ravel()


def broadcast(comm: MPI.Comm, values: Floats, size: int) -> Floats:
    """The small array of rank 0 on every rank."""
    full = values.copy() if comm.rank == 0 else np.empty(size)
    comm.Bcast(full)
    return full
