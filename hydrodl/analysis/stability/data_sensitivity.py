"""How far a minimum moves when the data change, to first order.

Singular values of S: delta -> H^-1 d(g)/d(rho) delta between the two lengths, by Lanczos on S S^T from a rough
direction, orthogonalised in full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from mpi4py import MPI

from hydrodl.analysis.stability.hessian_spectrum import Quadratic
from hydrodl.common.arrays import Floats
from hydrodl.common.parameters import Number

_SMALL = 1e-4
"""Length of a step whose first-order effect is looked at."""


_SETTLED, _MOST = 2e-3, 30
"""The search for sigma ends when its square grows by less than this, or after so many steps."""


_SWEEPS, _WIDTH = 4, 1e-3
"""Power iterations for second derivatives in the data, and the length of their differences."""


_FOUND = 0.01
"""The error of a mode's singular value squared, relative, with which it is found."""


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

    def data_dot(self, change: Floats, other: Floats) -> float:
        """The inner product of two changes of the data."""

    def data_direction(self, dual: Floats) -> Floats:
        """The change that a dual vector stands for in the inner product of the data."""

    def dot(self, dual: Floats, primal: Floats) -> float:
        """Sum of products over all ranks."""

    def rough(self) -> Floats:
        """A dual vector with a bit of everything in it, the same for any number of ranks."""


@dataclass(frozen=True, eq=False)
class DataModes:
    """The changes of the data that matter most.

    Attributes:
        values: singular values of S, decreasing, (k + 1,); the last bounds what is not among the changes.
        changes: (k, C, owned), of length 1 and orthogonal.
        bend: the largest |H^-1 d2(g)/d(rho)2 [delta, delta]| found over |delta| = 1; rounding without internal
            energy and with losses that are linear in densities.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     modes = hd.analysis.data_modes(near, 3)
        ...     bound = modes.first_order(near, 0.01 * solution.density[0])
        >>> modes.values.shape, bool(bound < 0.0102 * modes.values[0] * near.data_length(solution.density[0]))
        ((4,), True)
    """

    values: Floats
    changes: Floats
    bend: float

    def first_order(self, near: Near, change: Floats) -> float:
        """A bound on |H^-1 g| with the data changed, from the shares of the modes in it and the length of the rest;
        collective."""
        shares, square = np.array([near.data_dot(mode, change) for mode in self.changes]), near.data_dot(change, change)
        rest = max(square - float(shares @ shares), 0.0)
        linear = np.sqrt(((self.values[:-1] * shares) ** 2).sum() + self.values[-1] ** 2 * rest)
        return float(linear) * (1 + _FOUND) + self.bend / 2 * square


def data_sensitivity(near: Near) -> tuple[float, Floats, Floats]:
    """sigma, the unit step and the unit change of the data that go with it; collective.

    Raises:
        SolverError: the Hessian is not positive, or a density is not finite.
    """
    known = [0.0]

    def settled(squares: Floats, rests: Floats) -> bool:
        known.append(squares[-1])
        return squares[-1] <= known[-2] * (1 + _SETTLED)

    basis, changes, _, vectors = _lanczos(near, _MOST, settled)
    step, change = (_combined(many, vectors[:, -1]) for many in (basis, changes))
    size = near.data_length(change)
    return float(np.sqrt(max(known[-1], 0.0))), step, change / size if size > 0 else change


def data_modes(near: Near, count: int) -> DataModes:
    """So many modes, or all that there are; collective.

    Some ten make a bound for every change of the data that needs neither a gradient nor a solve there, and is within
    ten times of what training anew shows (docs/analysis/training.md).

    Args:
        near: the functional around a minimum; count: how many.

    Raises:
        InputError: the count is no positive number.
        SolverError: the Hessian is not positive, or a density is not finite.

    Example:
        >>> with hd.Neighbourhood(solution) as near:
        ...     modes = hd.analysis.data_modes(near, 2)
        >>> bool((np.diff(modes.values) < 0).all())
        True
    """
    Number(least=1, whole=True).check("count", count)

    def settled(squares: Floats, rests: Floats) -> bool:
        return len(squares) > count + 1 and bool((rests[-count - 1 :] <= _FOUND * squares[-count - 1 :]).all())

    _, changes, squares, vectors = _lanczos(near, 4 * (count + 1), settled)
    kept = min(count, int((squares > _SMALL**2 * squares[-1]).sum()))
    last = squares[-kept - 1] if kept < len(squares) else 0.0
    values = np.sqrt(np.maximum(np.r_[squares[::-1][:kept], last], 0.0))
    found = [_combined(changes, v) / s for v, s in zip(vectors[:, ::-1].T[:kept], values, strict=False)]
    return DataModes(values, np.array(found).reshape(kept, *near.data_shape), _bend(near, found[0]))


def _bend(near: Near, worst: Floats) -> float:
    """Power iterations on |H^-1 T(delta, delta, .)|, T the third derivatives, from the worst change and a rough one."""
    rough = _pulled(near, near.precondition(near.rough()))
    most = 0.0
    for change in (worst, rough / max(near.data_length(rough), 1e-300)):
        for _ in range(_SWEEPS):
            ahead, middle, behind = (near.gradients(None, sign * _WIDTH * change)[0] for sign in (1, 0, -1))
            step = near.solve((ahead - 2 * middle + behind) / _WIDTH**2, _SMALL)
            value, slope = near.length(step), near.length(near.solve((ahead - behind) / (2 * _WIDTH), _SMALL))
            most = max(most, value)
            if value * _WIDTH <= _SMALL * slope:
                break
            back = near.solve(near.metric_product(step / value), _SMALL)
            back *= _WIDTH / near.length(back)
            corners = [near.gradients(a * back, b * _WIDTH * change)[1] * a * b for a in (1, -1) for b in (1, -1)]
            change = near.data_direction(np.sum(corners, axis=0))
            change /= max(near.data_length(change), 1e-300)
    return most


def _combined(many: list[Floats], shares: Floats) -> Floats:
    return np.asarray(sum(c * v for c, v in zip(shares, many, strict=True)))


def _lanczos(
    near: Near, most: int, settled: Callable[[Floats, Floats], bool]
) -> tuple[list[Floats], list[Floats], Floats, Floats]:
    """Basis of steps, their S^T, eigenvalues of S S^T on it, increasing, and eigenvectors.

    It ends where ``settled`` says so of the eigenvalues and of what their vectors miss, or where the basis is complete.
    """
    rough = near.precondition(near.rough())
    basis, changes = [rough / near.length(rough)], []
    projected = np.zeros((most, most))
    for n in range(most):
        changes.append(_pulled(near, basis[n]))
        found = _moved(near, changes[n])
        for _ in range(2):  # twice is enough
            for j, other in enumerate(basis):
                share = near.dot(near.metric_product(other), found)
                projected[j, n] += share
                found = found - share * other
        values, vectors = np.linalg.eigh(projected[: n + 1, : n + 1], UPLO="U")
        rest = near.length(found)
        if settled(values, rest * np.abs(vectors[-1])) or rest <= _SMALL * values[-1]:
            break
        if n + 1 < most:
            basis.append(found / rest)
    return basis, changes, values, vectors


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
