"""Energy and slab equations of the layer-map schemes, for ``conservation``.

A slab is no step of a local Hamiltonian in space, but it is a symplectic map, whose generating function says what its
energy is: with the running cost l_h of the slab

    H_k = l_h(u_k, r_k) - sum_c (rho_{k+1} - rho_k, (phi_k + p_k)/2)_h / Delta_k,

where l_h has the mean of V and U at both ends if they act at layers. For the midpoint box it is H_h(u_k, r_k, q_k)
itself. It needs no derivative in space and is conserved to order 2 in Delta whatever the order of the scheme, as
``map_energy`` explains.
"""

from __future__ import annotations

import numpy as np

from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import largest, summed
from hydrodl.discretisation.scheme import Transport
from hydrodl.discretisation.stacks import gathered, placed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.problem.flow import Flow


def running_costs(flow: Flow, recovery: Recovery) -> Floats:
    """l_h of every slab, V and U included where they act, (N,); collective."""
    action, mass, densities = recovery.action, recovery.mass, flow.slab_density
    potentials = flow.slab_lagrangian.potentials(flow.domain.coordinates[: flow.domain.owned], flow.density.shape[1])
    velocity, total = with_ghosts(flow.domain, flow.velocity), with_ghosts(flow.domain, densities.sum(axis=1))
    local = np.empty(len(velocity))
    for k, rho in enumerate(densities):
        action.set_slab(velocity[k], total[k])
        local[k] = action.scalar(action.cost) + float((mass.apply(rho) * potentials).sum())
    if flow.layer_cost is not None:
        layers = flow.layer_cost.values(flow.density) @ mass.ones
        local += 0.5 * (layers[:-1] + layers[1:])
    return summed(flow.domain.comm, local)


def map_energies(flow: Flow, recovery: Recovery) -> Floats:
    """H_k of every slab, (N,); collective."""
    change, potential = np.diff(flow.density, axis=0), 0.5 * (flow.potential[:-1] + flow.upper_potential)
    local = np.array([(recovery.mass.apply(a) * b).sum() for a, b in zip(change, potential, strict=True)])
    return running_costs(flow, recovery) - summed(flow.domain.comm, local) / flow.layers.steps


def momentum_exerted(flow: Flow, transport: Transport, recovery: Recovery) -> Floats:
    """sum_c r_c grad (Pi q_c)(x + Delta u) at the nodes of every slab, (N, d, owned); collective.

    Args:
        flow: the fields; transport: its slabs, velocity set; recovery: of the flow.
    """
    stacks = transport.stacks
    u, r, q = (placed(stacks, f) for f in (flow.velocity, flow.slab_density, flow.slab_potential))
    out = stacks.stack(flow.velocity.shape[1])
    transport.velocity_gradient(u, r, q, out)
    return -np.array([recovery.mass.solve(rows) for rows in gathered(stacks, out)])


def map_balances(flow: Flow, recovery: Recovery) -> tuple[Floats, Floats, Floats]:
    """Residuals of the slab equations in phi, rho and u, each (N,), relative to the largest term; collective.

    Both sweeps are made anew from the data of the flow, so that what one slab violates shows in those after it.
    """
    domain, mass, steps = flow.domain, recovery.mass, flow.layers.steps
    slabs, classes = len(steps), flow.density.shape[1]
    transport = flow.scheme.transport(domain, flow.lagrangian, slabs, classes, {})
    stacks = transport.stacks
    transport.set_velocity(placed(stacks, flow.velocity), steps)
    momentum, slopes = recovery.cost_slopes(flow)
    pulls = {k + 1: -mass.apply(jump) for k, jump in enumerate(flow.jumps) if k + 1 < slabs}
    pulls[slabs] = -mass.apply(flow.potential[-1])
    above = {k: np.zeros_like(flow.density[0]) for k in range(1, slabs + 1)}
    below = {k: np.zeros_like(flow.density[0]) for k in range(slabs)}
    room = stacks.stack(classes)[..., : stacks.owned]
    transport.march.forward(flow.density[0], None, room, above)
    sources = stacks.spread(np.array([mass.apply(f) for f in slopes]))
    kicks = np.array([w * mass.apply(f) for w, f in zip(flow.layers.weights, flow.layer_slopes, strict=True)])
    transport.march.backward(sources, pulls, room, below, kicks=stacks.spread(kicks[1:]))
    exerted = momentum_exerted(flow, transport, recovery)
    transport.close()
    local, lower = np.empty((6, slabs)), flow.inner_potentials[0]
    for k, step in enumerate(steps):
        own = step * mass.apply(momentum[k])
        fields = (
            (mass.apply(above[k + 1] - flow.density[k + 1]), mass.apply(flow.density[k])),
            (below[k] - mass.apply(lower[k]), mass.apply(flow.upper_potential[k])),
            (own - step * mass.apply(exerted[k]), own),
        )
        local[:, k] = [np.abs(field).max(initial=0.0) for pair in fields for field in pair]
    return relative(domain, local)


def relative(domain: Domain, local: Floats) -> tuple[Floats, Floats, Floats]:
    """Of three pairs of rows (6, N), residual and size of an equation: quotients of their largest over ranks."""
    out = largest(domain.comm, local)
    mass, potential, momentum = out[::2] / np.maximum(out[1::2], np.finfo(float).tiny)
    return mass, potential, momentum
