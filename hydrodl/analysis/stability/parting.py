"""How far two trained flows part: the relative energy of one around the other, both changing with depth.

With d the difference of two flows of one physics (the same mesh and layers), both stationary points of their actions,

    sum_k Delta_k D_k = (d rho_N, d phi_N)_h - (d rho_0, d phi_0)_h,    D_k = (d r, d H_rho) - (d q, d H_phi),

by summation by parts alone. For one class, w = 1, eps = alpha = 0, unfitted box schemes, it is exactly

    D = 1/2 (r + r', |u - u'|^2)_h + (r - r', U'(r) - U'(r'))_h,                            the relative energy,

not negative where U is convex: flows with the same start and the same convex loss are the same flow, and by how much
starts differ bounds how far flows part over all of the depth, without any exponential of it (Lasry, Lions 2007):

    sum_k Delta_k D_k <= 1/2 |d rho_0|_1 (osc phi_0 + osc phi'_0)    if (d rho_N, d phi_N) <= 0, as of a convex loss.

Elsewhere (several classes, decay, smoothness, fitted diffusion, layer maps) the right side is still measured, and
``unexplained`` says how far the identity is from holding; the inequality is an estimate there. For the outputs there
are two estimates, both of the continuous equations: total densities obey (Girsanov)

    KL(R_N | R'_N) <= KL(R_0 | R'_0) + 1/(4 nu) sum_k Delta_k (R, |u - u'|^2),

and paths without noise part by at most (T sum_k Delta_k (R, |u - u'|^2)/mass)^(1/2) e^(Lip' T) in the mean square
(Gronwall). Between a flow and one with more layers, or more nodes, the first factor falls with the scheme's order;
its limit, and the numbers that bring it to a tolerance, follow by extrapolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, sqrt
from typing import Any

import numpy as np

from hydrodl.analysis.stability.bounds import Bound, at_least, nodes_for
from hydrodl.analysis.stability.layer_gradients import lipschitz
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest, summed
from hydrodl.common.parameters import POSITIVE
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.gathering import NodeOrder
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.interpolation import interpolate
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow

SOURCE = "Lasry, Lions (2007); Dafermos (1979): relative energy; measured between two flows"


FLOOR = 1e-12
"""Of the mean density, in logarithms."""


@dataclass(frozen=True, eq=False)
class Parting:
    """How far two flows part, the same on all ranks.

    Attributes:
        kinetic, pressure: (r + r', |u - u'|^2)_h/2 and (r - r', U'(r) - U'(r'))_h of every slab, (N,).
        pairing: sum_c (d rho_c, d phi_c)_h at both ends, (2,); start: what bounds minus the first.
        unexplained: what is missing in the identity, relative to its terms; rounding, or the flows' gradients, where it
            is exact.
        paths: (T sum Delta (R, |u - u'|^2)/mass)^(1/2), in feature units; gronwall: that times e^(Lip' T).
        entropy: KL of the total densities at the start and at the end, (2,); entropy_bound: of the latter.
        bounds: what more layers, or nodes, would change, against the tolerance; empty between flows that have as many.

    Example:
        >>> near = replace(problem, scheme="euler-box", lagrangian=replace(problem.lagrangian, noise=0.11))
        >>> found = hd.analysis.parting(flow, hd.Flow.of(hd.train(near)))
        >>> 0 < found.paths < found.gronwall, found.bounds
        (True, ())
    """

    kinetic: Floats
    pressure: Floats
    pairing: Floats
    start: float
    unexplained: float
    paths: float
    gronwall: float
    entropy: Floats
    entropy_bound: float
    bounds: tuple[Bound, ...]


def parting(flow: Flow, other: Flow, tolerance: float = 0.05) -> Parting:
    """How far two flows part; collective.

    Args:
        flow: the one with fewer layers or nodes, if they differ.
        other: of the same depth, dimension, classes and scheme; with as many layers, or two or more times as many, or
            more nodes, but not both. It is read at the nodes and slabs of ``flow``.
        tolerance: for the bounds, in feature units.

    Raises:
        InputError: flows that cannot be compared, or a tolerance that is not positive.

    Example:
        >>> deeper = hd.Flow.of(hd.train(replace(problem, scheme="euler-box", layers=hd.layers(32))))
        >>> [bound.name for bound in hd.analysis.parting(flow, deeper).bounds]
        ['relative energy, layers']
    """
    POSITIVE.check("tolerance", tolerance)
    times = _compared(flow, other)
    seen = _on(flow, other, times)
    action = SlabAction(flow.domain, flow.lagrangian)
    weights, steps = action.mass_matrix().ones, flow.layers.steps
    nu, depth = float(flow.lagrangian.noise), flow.layers.depth
    here = _Fields(flow.velocity, flow.slab_density, flow.density, flow.potential)

    def integral(values: Floats) -> Any:
        return summed(flow.domain.comm, values @ weights)

    totals = [fields.slab_density.sum(axis=1) for fields in (here, seen)]
    square = ((here.velocity - seen.velocity) ** 2).sum(axis=1)
    slopes = [energy_derivative(flow.lagrangian, total, 1) for total in totals]
    kinetic = integral(0.5 * (totals[0] + totals[1]) * square)
    pressure = integral((totals[0] - totals[1]) * (slopes[0] - slopes[1]))
    changed, pushed = (here.density - seen.density)[[0, -1]], (here.potential - seen.potential)[[0, -1]]
    pairing = integral((changed * pushed).sum(axis=1))
    whole, ends = float((steps * (kinetic + pressure)).sum()), float(pairing[1] - pairing[0])
    size = float((steps * (kinetic + np.abs(pressure))).sum() + np.abs(pairing).sum())
    moved, mass = float((steps * integral(totals[0] * square)).sum()), float(integral(totals[0][0]))
    paths = sqrt(max(depth * moved / mass, 0.0))
    entropy = np.array([_entropy(here.density[k].sum(axis=0), seen.density[k].sum(axis=0), integral) for k in (0, -1)])
    return Parting(
        kinetic=kinetic,
        pressure=pressure,
        pairing=pairing,
        start=_start(flow, changed[0], here.potential[0], seen.potential[0], integral),
        unexplained=abs(whole - ends) / max(size, np.finfo(float).tiny),
        paths=paths,
        gronwall=paths * exp(min(float((other.layers.steps * lipschitz(other)).sum()), 700.0)),
        entropy=entropy,
        entropy_bound=float(entropy[0] + moved / (4 * nu)),
        bounds=_bounds(flow, other, times, paths, tolerance),
    )


@dataclass(frozen=True, eq=False)
class _Fields:
    """Of a flow, at the owned nodes: u and r of slabs, rho and phi at layers."""

    velocity: Floats
    slab_density: Floats
    density: Floats
    potential: Floats


def _compared(flow: Flow, other: Flow) -> int:
    """How many layers of the other stand for one; raise InputError if there is no such number."""
    ours, theirs = flow.layers, other.layers
    same = (flow.domain.dimension, flow.density.shape[1], flow.scheme.name)
    if same != (other.domain.dimension, other.density.shape[1], other.scheme.name):
        raise InputError("two flows part where dimension, classes and scheme are the same; these differ in one of them")
    times, rest = divmod(len(theirs), len(ours))
    if rest or not times or not np.allclose(theirs.times[::times], ours.times, rtol=0, atol=1e-9 * ours.depth):
        raise InputError(
            f"the second flow has {len(theirs)} layers, the first {len(ours)}: every layer of the first must be one of "
            "the second"
        )
    if times > 1 and not _same_nodes(flow, other):
        raise InputError("the flows differ in layers and in nodes: one of both must be the same")
    return times


def _same_nodes(flow: Flow, other: Flow) -> bool:
    return flow.domain is other.domain or flow.domain.nodes == other.domain.nodes


def _on(flow: Flow, other: Flow, times: int) -> _Fields:
    """The other flow at the nodes and slabs of the first: means over the slabs that stand for one."""
    n, total = len(flow.layers), flow.layers.steps
    weights = other.layers.steps.reshape(n, times) / total[:, None]

    def mean(slabs: Floats) -> Floats:
        return np.einsum("ks,ks...->k...", weights, slabs.reshape(n, times, *slabs.shape[1:]))

    parts = mean(other.velocity), mean(other.slab_density), other.density[::times], other.potential[::times]
    if flow.domain is other.domain:
        return _Fields(*parts)
    order = NodeOrder(flow.domain)
    owned = order.of(np.arange(flow.domain.owned, dtype=np.int32))

    def moved(stack: Floats) -> Floats:
        fields = with_ghosts(other.domain, stack).reshape(-1, other.domain.V.dofmap.index_map.size_local + ghosts)
        return interpolate(other.domain, fields, order.nodes).T[:, owned].reshape(*stack.shape[:-1], len(owned))

    ghosts = other.domain.V.dofmap.index_map.num_ghosts
    return _Fields(*map(moved, parts))


def _entropy(first: Floats, second: Floats, integral: Any) -> float:
    """KL(first | second) of total densities, both floored."""
    floor = FLOOR * float(integral(first)) / max(float(integral(np.ones_like(first))), 1e-300)
    a, b = np.maximum(first, floor), np.maximum(second, floor)
    return max(float(integral(a * np.log(a / b) - a + b)), 0.0)


def _start(flow: Flow, change: Floats, first: Floats, second: Floats, integral: Any) -> float:
    """sum_c |d rho_c|_1 (osc phi_c + osc phi'_c)/2 at layer 0."""
    sizes = integral(np.abs(change))
    both = np.array([first, second])
    high = largest(flow.domain.comm, both.max(axis=2, initial=-np.inf))
    low = -largest(flow.domain.comm, -both.min(axis=2, initial=np.inf))
    return float((sizes * (high - low).sum(axis=0)).sum() / 2)


def _bounds(flow: Flow, other: Flow, times: int, paths: float, tolerance: float) -> tuple[Bound, ...]:
    """Against the limit of infinitely many layers, or nodes, extrapolated from those of the other flow."""
    deeper = times > 1
    more = times if deeper else (other.domain.nodes / flow.domain.nodes) ** (1 / flow.domain.dimension)
    if not more > 1.2:
        return ()
    order = flow.scheme.order if deeper else 2
    limit = paths / (1 - more**-order)
    factor = max(limit / tolerance, 1e-300) ** (1 / order)
    what, size = ("layers", "Delta") if deeper else ("nodes", "h")
    layers, nodes = (at_least(len(flow.layers) * factor), None) if deeper else (None, nodes_for(flow.domain, factor))
    return (
        Bound(
            name=f"relative energy, {what}",
            value=limit,
            bound=tolerance,
            holds=limit <= tolerance,
            needs_layers=layers,
            needs_nodes=nodes,
            inequality=f"(T sum Delta (R, |u - u'|^2)/mass)^(1/2) <= tolerance, u' of {size} -> 0",
            sufficient_only=True,
            source=SOURCE,
            note=f"measured against {ceil(more * 10) / 10:g} times the {what}, and extrapolated with order {order}",
        ),
    )
