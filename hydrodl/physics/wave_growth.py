"""How fast waves grow when the slab equations are marched: linear theory with frozen coefficients at a state of rest.

The velocity lives on the same nodes as phi. So a wave that the diffusion sees with kappa = S kappa_max, where
kappa_max = 4/h^2 and S = sin^2(k h/2) on a uniform lumped line, is seen by the pressure with kappa (1 - S) only:

    s^2 = nu^2 kappa^2 + U''(R) R^2 kappa (1 - S) / (w R + eps + alpha^2 kappa),

which is k^2 (R U'' + nu^2 k^2) as h -> 0 where w = 1 and eps = alpha = 0. With c^2 = -R U'' > 0 a wave is neutral where
S <= 1/(1 + 4 nu^2/(c h)^2): every wave of four cells or more (S <= 1/2) if and only if nu <= c h/2. The shortest waves
grow at up to nu kappa_max however strong the pressure. The Euler box also needs
Delta c (kappa (1 - S))^(1/2) <= 2 + Delta nu kappa, for which Delta c <= 2 h is enough in d = 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.parallel import largest, smallest
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.laplacian_spectrum import largest_eigenvalue
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.physics.lagrangian import Lagrangian

MOST_WAVES = 4096
"""Waves that are looked at, at most."""


def fastest_growth(domain: Domain, lagrangian: Lagrangian, density: ArrayLike) -> tuple[float, float]:
    """The largest growth rate s of the module's docstring over nodes and admissible waves, and its wave number.

    Waves are S_j = sin^2(j pi / 2 n), j = 1 .. n - 1, with n the longest side of the box over the smallest cell: exact
    on a uniform lumped line up to its walls, an estimate elsewhere; without walls S_j = sin^2(j pi / n),
    j <= n/2, and of an even number of cells the shortest wave feels no pressure: take an odd one. Differences between
    classes feel no pressure: with C > 1, s = nu kappa_max. Fitted diffusion counts as nu, as it is at rest.

    Args:
        domain, lagrangian: as for :func:`evolve`; the base state has the velocity 0.
        density: rho_c, shape (C, owned).

    Returns:
        (s, k): s >= 0, and k = kappa^(1/2); (0, 0) if every wave is neutral.
    """
    densities = np.asarray(density, dtype=float)
    total = densities.sum(axis=0)[:, None]
    low, high = domain.bounds
    shortest = smallest(domain.comm, float(domain.edge_length.x.array.min(initial=np.inf)))
    cells = min(max(round(float((high - low).max()) / shortest), 2), MOST_WAVES)
    if int((high - low).argmax()) in domain.periodic:
        S = np.sin(np.pi * np.arange(1, cells // 2 + 1) / cells) ** 2
    else:
        S = np.sin(0.5 * np.pi * np.arange(1, cells) / cells) ** 2
    kappa = largest_eigenvalue(domain, tolerance=1e-3) * S
    inertia = lagrangian.kinetic * total + lagrangian.decay + lagrangian.smoothness**2 * kappa
    stiffness = energy_derivative(lagrangian, total, 2) * total**2 * kappa * (1 - S)
    pressure = np.divide(stiffness, inertia, out=np.zeros_like(inertia), where=np.abs(inertia) > 1e-300)
    if len(densities) > 1:
        pressure = np.maximum(pressure, 0.0)
    squares = (lagrangian.noise * kappa) ** 2 + pressure
    worst = squares.max(axis=0, initial=-np.inf)
    found = largest(domain.comm, worst)
    at = int(found.argmax())
    return (float(np.sqrt(found[at])), float(np.sqrt(kappa[at]))) if found[at] > 0 else (0.0, 0.0)
