"""With which layers and nodes densities stay non-negative."""

from __future__ import annotations

import numpy as np

from hydrodl.analysis.stability.bounds import Bound, at_least, nodes_for, within
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import largest
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.problem.flow import Flow, peclet

POSITIVE = "M-matrices: Berman and Plemmons, Nonnegative Matrices in the Mathematical Sciences, 1994, chapter 6"


def maximum_principle(flow: Flow) -> Bound:
    """(1 - theta) Delta_k max_i |L_ii| / M_ii <= 1, and no negative coupling between nodes.

    One slab maps R to R' with (M - theta Delta L) R' = (M + (1 - theta) Delta L) R. If the left matrix has no positive
    entry off its diagonal it is an M-matrix, because its column sums are those of M (L has none); if the right one has
    no negative entry either, densities stay non-negative, and so does what solves the backward equation without a
    source.

    Example:
        >>> hd.analysis.maximum_principle(flow).holds
        True
    """
    if flow.scheme.positive:
        return Bound(
            name="maximum principle",
            value=0.0,
            bound=1.0,
            holds=True,
            inequality="splines and resolvents are not negative",
            sufficient_only=False,
            source=POSITIVE,
            note="densities stay non-negative for any velocity, layers and nodes",
        )
    rates, coupled = _generators(flow)
    value = (1 - flow.theta) * float((flow.layers.steps * rates).max())
    note = "" if coupled else "some nodes are coupled with the wrong sign: refine the mesh, or use box cells"
    unfitted = flow.domain.lumped and flow.lagrangian.fitted is False
    return Bound(
        name="maximum principle",
        value=value,
        bound=1.0,
        holds=coupled and within(value, 1.0),
        needs_layers=at_least((1 - flow.theta) * flow.layers.depth * float(rates.max())) if coupled else None,
        needs_nodes=cell_peclet(flow).needs_nodes if unfitted else None,
        inequality="(1 - theta) Delta_k max_i |L_ii|/M_ii <= 1",
        sufficient_only=True,
        source=POSITIVE,
        note=note,
    )


def _generators(flow: Flow) -> tuple[Floats, bool]:
    """max_i |L_ii|/M_ii of each slab, and: do both matrices of each slab have the right signs off the diagonal?"""
    action, owned, comm = SlabAction(flow.domain, flow.lagrangian), flow.domain.owned, flow.domain.comm
    every = np.ones(len(action.assemble(action.mass, reduce=True)), dtype=bool)
    pattern = action.pattern(every, reduce=True)
    rows = np.repeat(np.arange(owned), np.diff(pattern.pointers))
    diagonal = rows == pattern.columns
    mass = pattern.values(action.assemble(action.mass, reduce=True)).copy()
    velocity, theta = with_ghosts(flow.domain, flow.velocity), flow.theta
    rates, wrong = np.zeros(len(flow.layers)), 0.0
    for k, step in enumerate(flow.layers.steps):
        action.set_slab(velocity[k])
        generator = pattern.values(action.assemble(action.generator, reduce=True))
        rates[k] = np.abs(generator[diagonal] / mass[diagonal]).max(initial=0.0)
        left, right = mass - theta * step * generator, mass + (1 - theta) * step * generator
        scale = np.abs(left[diagonal]).max(initial=1e-300)
        wrong = max(wrong, float(np.maximum(left, -right)[~diagonal].max(initial=0.0)) / scale)
    rates = largest(comm, rates)
    return rates, largest(flow.domain.comm, wrong) <= 1e-13


def cell_peclet(flow: Flow) -> Bound:
    """max |u| h / (2 nu) <= 1 on every cell.

    Example:
        >>> bound = hd.analysis.cell_peclet(flow)
        >>> bound.holds == (bound.value <= 1)
        True
    """
    value = peclet(flow.domain, with_ghosts(flow.domain, flow.velocity), float(flow.lagrangian.noise))
    return Bound(
        name="cell Peclet",
        value=value,
        bound=1.0,
        holds=within(value, 1.0),
        needs_nodes=nodes_for(flow.domain, value),
        inequality="max |u| h/(2 nu) <= 1",
        sufficient_only=True,
        source="Roos, Stynes, Tobiska, Robust Numerical Methods for Singularly Perturbed Differential Equations, 2008",
        applies=not flow.scheme.positive,
        note="with fitted diffusion densities stay non-negative all the same; what is at stake is second order in h",
    )
