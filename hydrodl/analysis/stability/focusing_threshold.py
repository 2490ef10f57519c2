"""How strong a focusing energy a training can bear: conjugate points of the second variation about a uniform state."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from scipy.optimize import brentq

from hydrodl.analysis.stability.discrete_modes import UniformState, modes
from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import Lagrangian


@dataclass(frozen=True)
class FocusingThreshold:
    """-U'' at which the smallest eigenvalue of the reduced Hessian about a uniform state passes through 0.

    Attributes:
        local: nu^2 kappa_1 (w R + eps)/R^2: below it the system is elliptic, because D <= R^2 B/(w R + eps) on every
            mesh (a mean of gradients is no longer than the gradients). Sufficient for every depth, never necessary.
        finite_depth: min_k A (nu^2 kappa^2 + omega^2), omega in (pi/2, pi)/T the least root of
            omega cos(omega T) + (nu kappa + g/A) sin(omega T) = 0: exact for the depth T in the limit of thin layers.
        discrete: the same for the layers and the scheme given, mode by mode: exact but for the walls.

    With alpha > 0 the velocity has boundary layers at the walls that make it cheaper than A says: the last two are then
    too high (by half where alpha is a third of the box), and only ``local`` is sure.

    Example:
        >>> found = hd.analysis.focusing_threshold(domain, problem.layers, problem.lagrangian, theta=1.0, total=0.1)
        >>> 0 < found.local < found.finite_depth
        True
    """

    local: float
    finite_depth: float
    discrete: float


def focusing_threshold(
    domain: Domain, layers: Layers, lagrangian: Lagrangian, theta: float, total: float, loss_curvature: float = 0.0
) -> FocusingThreshold:
    """The largest -U'' under which training about (R, u = 0) is well posed; collective.

    The second variation in a mode with density a(t), a(0) = 0, is 1/2 int A (a' + nu kappa a)^2 + U'' a^2 dt + 1/2 g
    a(T)^2 = A/2 [ int a'^2 + (nu^2 kappa^2 + U''/A) a^2 dt + (nu kappa + g/A) a(T)^2 ]: its first conjugate point is
    in closed form.

    Args:
        domain, layers, lagrangian, theta: what the training lives on; the energy is not read.
        total: R.
        loss_curvature: g >= 0, second derivative of the loss at the last layer with respect to R.

    Raises:
        InputError: R is not positive.

    Example:
        >>> thin, dense = (
        ...     hd.analysis.focusing_threshold(domain, problem.layers, problem.lagrangian, theta=1.0, total=total)
        ...     for total in (0.1, 1.0)
        ... )
        >>> dense.local < thin.local
        True
    """
    found = modes(domain)
    state = UniformState.of(lagrangian, total)
    inertia, rates = state.inertia(found), state.noise * found.laplacian
    moved = np.isfinite(inertia)
    inertia, rates = inertia[moved], rates[moved]
    pairs = list(zip(inertia, rates, strict=True))
    finite = min(a * (rate**2 + _conjugate(layers.depth, rate + loss_curvature / a) ** 2) for a, rate in pairs)
    discrete = _discrete(layers, theta, inertia, rates, loss_curvature)
    local = state.noise**2 * found.laplacian.min() * state.weight / total**2
    return FocusingThreshold(float(local), float(finite), discrete)


def _conjugate(depth: float, pull: float) -> float:
    """The least positive omega with omega cos(omega T) + pull sin(omega T) = 0."""
    root = brentq(lambda x: x * np.cos(x) + pull * depth * np.sin(x), pi / 2, pi, xtol=1e-14)
    return float(root / depth)


def _discrete(layers: Layers, theta: float, inertia: Floats, rates: Floats, loss_curvature: float) -> float:
    """The smallest quotient, over modes and densities, of the second variation at U'' = 0 and int r^2 dt.

    The former is sum_k Delta_k A ((rho_{k+1} - rho_k)/Delta_k + nu kappa r_k)^2 + g rho_N^2, the latter sum_k Delta_k
    r_k^2.
    """
    steps, n = layers.steps, len(layers)
    mean = theta * np.eye(n) + (1 - theta) * np.eye(n, k=-1)  # r of rho_1 .. rho_N
    unit = np.linalg.inv(mean) / np.sqrt(steps)  # rho of an r of norm 1, column by column
    rise = (np.eye(n) - np.eye(n, k=-1)) / np.sqrt(steps)[:, None] @ unit
    loss = loss_curvature * np.outer(unit[-1], unit[-1])
    best = np.inf
    parts = len(inertia) // 2000 + 1
    for a, rate in zip(np.array_split(inertia, parts), np.array_split(rates, parts), strict=True):
        pushed = rise + rate[:, None, None] * np.eye(n)
        forms = a[:, None, None] * (np.swapaxes(pushed, 1, 2) @ pushed) + loss
        best = min(best, float(np.linalg.eigvalsh(forms)[:, 0].min(initial=np.inf)))
    return best
