"""Marching the fluid: when its modes are waves, and how thin a layer must be.

About a uniform state at rest a mode obeys s^2 = nu^2 kappa^2 - c^2 q, with c^2 = -U'' R^2/(w R + eps), kappa the
eigenvalue of the discrete Laplacian and q that of the drift. Every mode is a wave if s^2 <= 0 for all. The compact
drift, q = kappa, would give kappa_max nu^2 <= c^2, that is M <= c L/(2 nu) cells in d = 1. Here u has one value a
node, the mean of the cells' gradients, so q < kappa, in the interior q = kappa - h^2 kappa^2/4 on a line: the shortest
waves hardly feel the pressure, and noise makes them grow much earlier, at M > sqrt(pi c L/(4 nu)) or so (c = L = 1, nu
= 0.01: 8 cells are neutral, 9 grow, where the compact drift would allow 50).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi, sqrt

import numpy as np

from hydrodl.analysis.stability.bounds import (
    Bound,
    at_least,
    at_most,
    box_numbers,
    cells_per_direction,
    in_proportion,
    last_with,
    within,
)
from hydrodl.analysis.stability.discrete_modes import UniformState, box_growth, fastest
from hydrodl.common.parallel import largest, smallest
from hydrodl.mesh.domain import Domain
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow

SOURCE = "docs/theory/stability.md; linearised box scheme"


@dataclass(frozen=True)
class Sound:
    """Squares of the smallest and the largest speed of sound of a flow, and alpha^2 over the least w R + eps."""

    slowest: float
    fastest: float
    smoothing: float


def sound(flow: Flow) -> Sound:
    """c^2 = -U'' R^2/(w R + eps) over all slabs and nodes; negative where the energy is convex; collective."""
    total = np.maximum(flow.slab_density.sum(axis=1), 0.0)
    weight = float(flow.lagrangian.kinetic) * total + float(flow.lagrangian.decay)
    square = -energy_derivative(flow.lagrangian, total, 2) * total**2 / np.maximum(weight, 1e-300)
    least = max(smallest(flow.domain.comm, weight.min(initial=inf)), 1e-300)
    ends = smallest(flow.domain.comm, square.min(initial=inf)), largest(flow.domain.comm, square.max(initial=-inf))
    return Sound(*ends, float(flow.lagrangian.smoothness) ** 2 / least)


def compact_hyperbolic(flow: Flow) -> Bound:
    """kappa_max nu^2 <= c^2: necessary for every mode to be a wave; on a line M <= c L/(2 nu) cells.

    Sufficient too if the drift were compact (q = kappa), which it is not for velocities at nodes.

    Example:
        >>> hd.analysis.compact_hyperbolic(wave).holds
        True
    """
    noise, square, kappa = float(flow.lagrangian.noise), sound(flow).slowest, fastest(flow.domain)
    value = kappa * noise**2
    shrink = sqrt(max(square, 0.0) / value)
    return Bound(
        name="discrete hyperbolic, compact",
        value=value,
        bound=square,
        holds=within(value, square),
        most_nodes=_most(flow.domain, shrink),
        inequality="kappa_max nu^2 <= c^2",
        sufficient_only=False,
        source=SOURCE,
        applies=_fluid(flow),
        note="necessary; this scheme needs more, see discrete hyperbolic",
    )


def _most(domain: Domain, shrink: float) -> int | None:
    cells = at_most(max(cells_per_direction(domain)) * shrink)
    return _nodes(domain, cells) if cells >= 1 else None


def _nodes(domain: Domain, cells: int) -> int:
    """Nodes in the direction that has most, with so many cells there."""
    return cells + (int(np.argmax(cells_per_direction(domain))) not in domain.periodic)


def _fluid(flow: Flow) -> bool:
    return flow.lagrangian.energy is not None


def discrete_hyperbolic(flow: Flow) -> Bound:
    """max s^2 <= 0 over all modes of the box scheme, walls included, at the smallest c^2 of the flow.

    Exact about a uniform state at rest, or a stream, on a box with the vertex rule; about other states a local
    criterion. On other meshes only the necessary condition of :func:`compact_hyperbolic` is known and returned. Of an
    even number of cells along a direction without walls the wave of two cells grows, though no velocity shows it.

    Example:
        >>> hd.analysis.discrete_hyperbolic(wave).holds
        True
    """
    domain = flow.domain
    if not (domain.regular and domain.lumped):
        return compact_hyperbolic(flow)
    found, noise = sound(flow), float(flow.lagrangian.noise)
    if found.slowest <= 0:
        value, most = inf, None
    else:
        value, most = _growth(domain, found, noise, max(box_numbers(domain)[1])), _most_cells(domain, found, noise)
    small = 1e-9 * fastest(domain) * (abs(found.slowest) + noise**2 * fastest(domain))
    return Bound(
        name="discrete hyperbolic",
        value=value,
        bound=0.0,
        holds=value <= small,
        most_nodes=None if most is None else _nodes(domain, most),
        inequality="s^2 = nu^2 kappa^2 - c^2 q <= 0 for every mode",
        sufficient_only=False,
        source=SOURCE,
        applies=_fluid(flow),
        note="exact about a uniform state at rest",
    )


def _growth(domain: Domain, found: Sound, noise: float, most: int, odd: bool = False) -> float:
    """The largest s^2 on a box with ``most`` cells in the direction that has most, the others in proportion.

    ``odd``: with an odd number, at least 3, in directions without walls.
    """
    lengths, cells = box_numbers(domain)
    cells = in_proportion(cells, most, odd=domain.periodic if odd else ())
    state = UniformState(1.0, 1.0, sqrt(found.smoothing), noise)
    return box_growth(lengths, cells, state, -found.slowest, domain.periodic)


def _most_cells(domain: Domain, found: Sound, noise: float) -> int | None:
    """The largest number of cells without a growing mode, by bisection; None if there is none."""
    lengths, given = box_numbers(domain)

    def neutral(cells: int) -> bool:
        small = 1e-9 * (cells / max(lengths)) ** 2 * found.slowest
        return _growth(domain, found, noise, cells, odd=True) <= small

    most = last_with(neutral, 0, 2 * int(sqrt(pi * sqrt(found.slowest) * max(lengths) / (4 * noise))) + 10)
    return (most - 1 + most % 2 if int(np.argmax(given)) in domain.periodic else most) or None


def explicit_marching(flow: Flow) -> Bound:
    """c Delta <= h with the largest c: the Euler box scheme (theta = 1) marches waves neutrally.

    Its step has determinant 1 and trace 2 + (Delta nu kappa)^2/(1 + Delta nu kappa) - Delta^2 c^2 q/(1 + Delta nu
    kappa), not below -2 if Delta c sqrt(q) <= 2. On boxes q <= sum_j 1/h_j^2 <= d/h^2 with h the shortest edge, so c
    Delta <= h is enough for d <= 3; elsewhere h = 2/sqrt(kappa_max). The midpoint scheme is neutral at every step.

    Example:
        >>> hd.analysis.explicit_marching(wave).holds
        True
    """
    low, high = flow.domain.bounds
    if flow.domain.regular and flow.domain.lumped:
        h = float(((high - low) / np.array(cells_per_direction(flow.domain))).min())
    else:
        h = 2 / sqrt(fastest(flow.domain))
    speed = sqrt(max(sound(flow).fastest, 0.0))
    value = speed * float(flow.layers.steps.max()) / h
    midpoint = flow.theta != 1.0
    return Bound(
        name="explicit marching",
        value=value,
        bound=1.0,
        holds=midpoint or within(value, 1.0),
        needs_layers=1 if midpoint else at_least(speed * flow.layers.depth / h),
        inequality="c Delta/h <= 1",
        sufficient_only=True,
        source=SOURCE,
        applies=_fluid(flow),
        note="the midpoint scheme needs no such bound" if midpoint else "",
    )


def marching_bounds(flow: Flow) -> tuple[Bound, ...]:
    """The bounds that concern a flow marched as an initial value problem, those that apply.

    Example:
        >>> len(hd.analysis.marching_bounds(wave))
        2
    """
    found = discrete_hyperbolic(flow), explicit_marching(flow)
    return tuple(bound for bound in found if bound.applies)
