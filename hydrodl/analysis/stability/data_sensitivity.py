"""How far a minimum moves when the data change, to first order: the norm of delta -> H^-1 d(g)/d(rho) delta."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from mpi4py import MPI

from hydrodl.analysis.stability.hessian_spectrum import Quadratic
from hydrodl.common.arrays import Floats

_SMALL = 1e-4
"""Length of a step whose first-order effect is looked at."""


_SETTLED, _MOST = 2e-3, 30
"""The search for sigma ends when its square grows by less than this, or after so many steps."""


class Near(Quadratic, Protocol):
    """A functional around a minimum x*, such as ``hd.Neighbourhood``; controls are flat, data (C, owned)."""

    @property
    def comm(self) -> MPI.Comm:
        """The ranks that share the controls."""

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Of this rank's part of the data."""

    def gradients(self, step: Floats | None = None, change: Floats | None = None) -> tuple[Floats, Floats]:
        """Dual vectors of controls and data at x* + step, the data changed."""

    def solve(self, dual: Floats, accuracy: float = 1e-10) -> Floats:
        """H^-1 dual."""

    def length(self, direction: Floats) -> float:
        """(v, P v)^(1/2)."""

    def data_length(self, change: Floats) -> float:
        """|delta|."""

    def data_direction(self, dual: Floats) -> Floats:
        """The change that a dual vector stands for in the inner product of the data."""

    def dot(self, dual: Floats, primal: Floats) -> float:
        """Sum of products over all ranks."""

    def rough(self) -> Floats:
        """A dual vector with a bit of everything in it, the same for any number of ranks."""


def data_sensitivity(near: Near) -> tuple[float, Floats, Floats]:
    """sigma, the unit step and the unit change of the data that go with it; collective.

    The largest singular value of S: delta -> H^-1 d(g)/d(rho) delta between the two lengths, by Lanczos on S S^T from a
    rough direction, orthogonalised in full.

    Raises:
        SolverError: the Hessian is not positive, or a density is not finite.
    """
    rough = near.precondition(near.rough())
    basis, changes = [rough / near.length(rough)], []
    projected = np.zeros((_MOST, _MOST))
    known = 0.0
    for n in range(_MOST):
        changes.append(_pulled(near, basis[n]))
        found = _moved(near, changes[n])
        for _ in range(2):  # twice is enough
            for j, other in enumerate(basis):
                share = near.dot(near.metric_product(other), found)
                projected[j, n] += share
                found = found - share * other
        values, vectors = np.linalg.eigh(projected[: n + 1, : n + 1], UPLO="U")
        rest = near.length(found)
        if values[-1] <= known * (1 + _SETTLED) or rest <= _SMALL * values[-1]:
            break
        known = values[-1]
        basis.append(found / rest)
    step, change = (sum(c * v for c, v in zip(vectors[:, -1], many, strict=False)) for many in (basis, changes))
    size = near.data_length(change)
    return float(np.sqrt(max(values[-1], 0.0))), step, change / size if size > 0 else change


def _pulled(near: Near, direction: Floats) -> Floats:
    """S^T direction."""
    back = near.solve(near.metric_product(direction), _SMALL)
    size = near.length(back)
    ahead, behind = (near.gradients(sign * _SMALL / size * back)[1] for sign in (1, -1))
    return near.data_direction(behind - ahead) * size / (2 * _SMALL)


def _moved(near: Near, change: Floats) -> Floats:
    """S change: where the minimum goes, to first order."""
    size = near.data_length(change)
    if size == 0:
        return np.zeros(near.shape)
    ahead, behind = (near.gradients(None, sign * _SMALL / size * change)[0] for sign in (1, -1))
    return near.solve((behind - ahead) * size / (2 * _SMALL), _SMALL)
