"""Circulation of the momentum per mass around a closed material loop, d = 2.

    Gamma_k = closed integral of (m / R) . dx,   m = sum_c rho_c grad phi_c,   around a polygon pushed with the flow u.

By the Euler-Poincare equation, R being spread by noise too, d Gamma / dt is the circulation of

    sum_c (rho_c / R) grad V_c   and of   nu sum_c [Laplace rho_c (grad phi_c - m / R) - rho_c grad Laplace phi_c] / R,

see :func:`circulation_sources`. It vanishes, and Gamma is conserved,
 - for one class (m / R = grad phi, so that Gamma = 0 for any loop and any noise);
 - for several classes in the limit nu -> 0 if all of them feel the same potential V.
Otherwise Gamma changes, at a rate of order nu. On a mesh it holds to the order of the elements and of the polygon.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.interpolation import interpolate, into
from hydrodl.mesh.point_location import locate
from hydrodl.problem.flow import Flow

SIDES = 200
"""Corners of the default loop."""


def circulation(flow: Flow, loop: ArrayLike | None = None) -> Floats:
    """Gamma at layers t_0 .. t_N, shape (N + 1,); at a layer with a loss inside, before the loss; collective.

    Points go with x' = x + Delta u(x), the network, for the layer maps and theta = 1; with the implicit midpoint rule
    for theta = 1/2.

    Args:
        flow: a flow in d = 2.
        loop: corners (n, 2) of a closed polygon at t = 0, n >= 3, where there is mass (m / R is noise elsewhere);
            default: a circle around the centre of mass, one standard deviation wide.

    Raises:
        InputError: d != 2, or a loop that is not a polygon of points inside feature space.

    Example:
        >>> hd.analysis.circulation(flow).shape
        (17,)
    """
    recovery, path = _loops(flow, loop)
    out = np.empty(len(path))
    for k, points in enumerate(path):
        rho, phi = flow.density[k], flow.potential[k]
        momentum, total = np.einsum("cn,cin->in", rho, recovery.gradients(phi)), rho.sum(axis=0)
        per_mass = np.divide(momentum, total, out=np.zeros_like(momentum), where=total != 0)  # densities can underflow
        out[k] = _around(recovery, per_mass, points)[0]
    return out


def circulation_sources(flow: Flow, loop: ArrayLike | None = None) -> Floats:
    """What noise and what potentials add to Gamma in every slab, to leading order, shape (2, N); collective.

    With the fields of the slab, at the mean of the loop below and above it; nu as it was asked for, so that fitted
    diffusion and the noise of splines add more.

    Raises:
        InputError: as :func:`circulation`.

    Example:
        >>> hd.analysis.circulation_sources(flow).shape
        (2, 16)
    """
    (recovery, path), nu = _loops(flow, loop), float(flow.lagrangian.noise)
    outer = flow.lagrangian.potentials(flow.domain.coordinates[: flow.domain.owned], flow.density.shape[1])
    force = recovery.gradients(outer)
    out = np.empty((2, len(flow.layers)))
    for k, (rho, phi) in enumerate(zip(flow.slab_density, flow.slab_potential, strict=True)):
        total, slopes, bends = np.maximum(rho.sum(axis=0), 1e-300), recovery.gradients(phi), recovery.laplacians(rho)
        per_mass = np.einsum("cn,cin->in", rho, slopes) / total
        noise = np.einsum("cn,cin->in", bends, slopes - per_mass)
        noise -= np.einsum("cn,cin->in", rho, recovery.gradients(recovery.laplacians(phi)))
        fields = np.concatenate([nu * noise, np.einsum("cn,cin->in", rho, force)]) / total
        points = into(flow.domain, 0.5 * (path[k] + path[k + 1]))
        out[:, k] = flow.layers.steps[k] * _around(recovery, fields, points)
    return out


def _loops(flow: Flow, loop: ArrayLike | None) -> tuple[Recovery, Floats]:
    """Derivatives, and the loop at every layer."""
    if flow.domain.dimension != 2:
        raise InputError(f"circulation needs d = 2, the flow has d = {flow.domain.dimension}")
    recovery = Recovery(flow)
    return recovery, push(flow, _standard_loop(flow, recovery) if loop is None else _checked(flow.domain, loop))


def _around(recovery: Recovery, fields: Floats, points: Floats) -> Floats:
    """Integrals of fields (2 f, owned), two components each, along the closed polygon, (f,)."""
    values = interpolate(recovery.domain, recovery.halo.with_ghosts(fields), points)
    mean, sides = 0.5 * (values + np.roll(values, -1, axis=0)), np.roll(points, -1, axis=0) - points
    return np.einsum("nfi,ni->f", mean.reshape(len(points), -1, 2), sides)


def push(flow: Flow, points: Floats) -> Floats:
    """Material points (n, d) at layers, shape (N + 1, n, d); they stop at the walls; collective."""
    velocity = with_ghosts(flow.domain, flow.velocity)
    path = np.empty((len(velocity) + 1, *points.shape))
    path[0] = points
    for k, step in enumerate(flow.layers.steps):
        path[k + 1] = _moved(flow, velocity[k], path[k], float(step))
    return path


def _moved(flow: Flow, velocity: Floats, x: Floats, step: float) -> Floats:
    moved = into(flow.domain, x + step * interpolate(flow.domain, velocity, x))
    explicit = flow.scheme.moves_points or flow.theta == 1
    for _ in range(0 if explicit else 30):  # the midpoint rule, a contraction where Delta Lip(u) < 2
        middle = into(flow.domain, 0.5 * (x + moved))
        latest = into(flow.domain, x + step * interpolate(flow.domain, velocity, middle))
        change, moved = float(np.abs(latest - moved).max()), latest
        if change < 1e-13:
            break
    return moved


def _standard_loop(flow: Flow, recovery: Recovery) -> Floats:
    x = flow.domain.coordinates[: flow.domain.owned].T
    total = flow.density[0].sum(axis=0)
    mass = recovery.mass.integrals(total[None])[0]
    centre = recovery.mass.integrals(total * x) / mass
    spread = recovery.mass.integrals(total * (x - centre[:, None]) ** 2) / mass
    angle = 2 * np.pi * np.arange(SIDES) / SIDES
    points: Any = centre + np.sqrt(spread.mean()) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return into(flow.domain, points)


def _checked(domain: Domain, loop: ArrayLike) -> Floats:
    points = np.asarray(loop, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise InputError(f"the loop has shape {points.shape}, must be finite corners (n, 2) with n >= 3")
    outside = locate(domain, points).outside
    if len(outside):
        raise InputError(f"corner {points[outside[0]].tolist()} of the loop lies outside feature space")
    return points
