"""The network run forwards, and backwards: x from y = x + Delta_k u_k(x), layer by layer.

Newton's method with the element-wise gradient of u_k and a line search, all points at once. Where Delta_k Lip(u_k) < 1
a layer is a homeomorphism of all space (u_k continued beyond feature space by its values on the border), and every
point has one preimage; elsewhere a point may have none or several, and one is found or the point is reported.

The walls lose information: a point that the forward pass stopped at a wall has the preimage of the wall, not its own;
a point whose preimage would lie outside feature space has none. Both only where the flow pushes through a wall, which
a trained one does not where there are data.
"""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import SolverError
from hydrodl.common.parameters import Choice
from hydrodl.mesh.interpolation import checked_points

Flags = NDArray[np.bool_]


TOLERANCE = 1e-13
"""Largest residual of a layer's equation, as a fraction of the extent of feature space (or 1 if that is less)."""


MOST_STEPS = 50


_SHORTEST = 2.0**-12  # of the line search


_STAGES = (0.25, 0.5, 0.75, 1.0)  # of a step, where Newton's method alone does not arrive


class Maps(Protocol):
    """Layers x -> x + Delta_k u_k(x) on a feature space."""

    @property
    def steps(self) -> Floats:
        """Delta_k, shape (N,)."""

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Corners of the box around feature space."""

    def into(self, points: Floats) -> Floats:
        """Points (n, d), those outside moved to the nearest point of feature space."""

    def velocity(self, k: int, points: Floats) -> Floats:
        """u_k at points (n, d) of feature space, shape (n, d)."""

    def gradient(self, k: int, points: Floats) -> Floats:
        """du_k,i / dx_j at points (n, d) of feature space, shape (n, d, d)."""


def push(maps: Maps, points: ArrayLike) -> Floats:
    """:meth:`Network.push` of any layers: x_0 .. x_N of points (n, d), shape (N + 1, n, d)."""
    x = checked_points(points, len(maps.bounds[0]))
    path = np.empty((len(maps.steps) + 1, *x.shape))
    path[0] = maps.into(x)
    for k, step in enumerate(maps.steps):
        path[k + 1] = maps.into(path[k] + step * maps.velocity(k, path[k]))
    return path


def invert(maps: Maps, points: ArrayLike, *, failures: str = "warn", quiet: bool = False) -> Floats:
    """:func:`inverse_push` of any layers; ``quiet``: another rank gives the warning."""
    Choice("warn", ("warn", "raise", "ignore")).check("failures", failures)
    y = maps.into(checked_points(points, len(maps.bounds[0])))
    path = np.empty((len(maps.steps) + 1, *y.shape))
    path[-1] = y
    failed = np.zeros((len(maps.steps), len(y)), dtype=bool)
    for k in reversed(range(len(maps.steps))):
        path[k], failed[k] = solve_layer(maps, k, float(maps.steps[k]), path[k + 1])
    report(failed, failures, quiet)
    return path


def report(failed: Flags, failures: str, quiet: bool) -> None:
    """Say how many points (columns) failed in some layer (rows).

    Raises:
        SolverError: failures is "raise" and there are some.
    """
    count = int(failed.any(axis=0).sum())
    if not count or failures == "ignore":
        return
    layer = int(np.argmax(failed.sum(axis=1)))
    text = (
        f"{count} of {failed.shape[1]} points have no preimage that could be found (most at layer {layer + 1}): the "
        "layer folds there (Delta Lip(u) >= 1; take more layers) or their preimage lies outside feature space"
    )
    if failures == "raise":
        raise SolverError(text)
    if not quiet:
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def solve_layer(maps: Maps, k: int, step: float, targets: Floats) -> tuple[Floats, Flags]:
    """Points x of feature space with x + step u_k(x) = targets (n, d), and which were not found (n,)."""
    low, high = maps.bounds
    tolerance = TOLERANCE * max(1.0, float((high - low).max()))
    x, residual = _newton(maps, k, step, targets, targets.copy(), tolerance)
    for again in (_from_the_far_side, _in_stages):
        rows = np.flatnonzero(residual > tolerance)
        if len(rows):
            other, left = again(maps, k, step, targets[rows], tolerance)
            better = left < residual[rows]
            x[rows[better]], residual[rows[better]] = other[better], left[better]
    inside = maps.into(x)
    outside = np.abs(x - inside).max(axis=1, initial=0.0) > 10 * tolerance
    return inside, (residual > tolerance) | outside


def _from_the_far_side(maps: Maps, k: int, step: float, y: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """:func:`_newton` from where the velocity at y comes from."""
    return _newton(maps, k, step, y, y - step * maps.velocity(k, maps.into(y)), tolerance)


def _in_stages(maps: Maps, k: int, step: float, y: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """:func:`_newton` along the solution from step 0, where it is y, to the whole step."""
    x, residual = y.copy(), np.zeros(len(y))
    for stage in _STAGES:
        x, residual = _newton(maps, k, stage * step, y, x, tolerance)
    return x, residual


def _newton(maps: Maps, k: int, step: float, y: Floats, x: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """Newton's method for x + step u_k(P x) = y, P onto feature space; points x (n, d) and residual norms (n,)."""
    miss = _miss(maps, k, step, x, y)
    size = np.abs(miss).max(axis=1, initial=0.0)
    going = size > tolerance
    for _ in range(MOST_STEPS):
        rows = np.flatnonzero(going)
        if not len(rows):
            break
        direction = _direction(maps, k, step, x[rows], miss[rows])
        going[rows] = False
        length = 1.0
        while len(rows) and length >= _SHORTEST:
            trial = x[rows] - length * direction
            found = _miss(maps, k, step, trial, y[rows])
            norm = np.abs(found).max(axis=1)
            good = norm < (1 - 1e-4 * length) * size[rows]
            taken = rows[good]
            x[taken], miss[taken], size[taken] = trial[good], found[good], norm[good]
            going[taken] = size[taken] > tolerance
            rows, direction = rows[~good], direction[~good]
            length /= 2
    return x, size


def _miss(maps: Maps, k: int, step: float, x: Floats, y: Floats) -> Floats:
    return x + step * maps.velocity(k, maps.into(x)) - y


def _direction(maps: Maps, k: int, step: float, x: Floats, miss: Floats) -> Floats:
    """Newton's step, or the step of the fixed-point iteration x = y - step u(x) where the Jacobian is singular."""
    inside = maps.into(x)
    # Beyond a wall u is continued by its values on it: no change in a direction in which the point lies outside.
    slopes = np.where((np.abs(x - inside) > 0)[:, None, :], 0.0, maps.gradient(k, inside))
    jacobian = np.eye(x.shape[1]) + step * slopes
    singular = np.abs(np.linalg.det(jacobian)) < 1e-8
    jacobian[singular] = np.eye(x.shape[1])
    return np.linalg.solve(jacobian, miss[..., None])[..., 0]
