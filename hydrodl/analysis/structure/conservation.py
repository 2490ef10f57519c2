"""What a discrete flow conserves, layer by layer, and how well it solves its slab equations.

    mass of each class    int rho_c                      exact (rounding)
    energy                H_h(u_k, r_k, q_k)             to the scheme's order in Delta, between losses
    momentum              sum_c int rho_c grad phi_c     where feature space, V and the walls allow it, see ``momenta``
    circulation, d = 2    see :func:`hydrodl.analysis.structure.circulation.circulation`
    duality               (rho_T, phi_N) = (rho0, phi_0) + sum_k Delta_k <dl/drho, r_k> + sum_j <dG_j, rho_j>     exact

Duality holds for every scheme, r_k being the density that the running cost of the slab sees: both sweeps pair to the
same number in between, for the layer maps (M r_k, W q_k) = (rho_{k+1}, p_k) = (rho_k, phi_k) + Delta_k <dl/drho, r_k>;
what acts at layers is in it with R there, half at either end.

Local laws at every node i, between a slab and the next: mass, (M (R' - R) + Delta dH/dphi)_i = 0, exact; energy,

    E_i' - E_i = dE_i(z)[dz] - dH(z)_i . dz_i,    E_i = int (density of H) v_i, z the mean of both slabs, dz the change,

whose right-hand side, a sum of exchanges between nodes, adds up to zero over the equations dH(z) . dz = 0 of the flow.
What the balance leaves over is made by the layers alone: order 2 for theta = 1/2, order 1 for theta = 1, as a rate.
A slab of a layer map is no step of an H_h of its own: its energy is that of ``map_conservation``, and has no local
balance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from dolfinx import fem
from numpy.typing import ArrayLike

from hydrodl.analysis.structure.circulation import circulation
from hydrodl.analysis.structure.map_conservation import map_balances, map_energies, relative
from hydrodl.analysis.structure.momenta import momenta
from hydrodl.analysis.structure.slab_hamiltonian import Recovery, SlabDensity, slab_states
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.problem.flow import Flow


@dataclass(frozen=True, eq=False)
class Conservation:
    """Conserved quantities of a flow, the same on all ranks.

    Attributes:
        times: t_0 .. t_N, (N + 1,).
        masses: int rho_c at layers, (N + 1, C); mass_error: largest change of a class's mass.
        energy: H_h of every slab, (N,); energy_drift: the largest max - min between layers where a loss acts inside,
            relative to the largest |H|.
        energy_source: energy that the layers make at the nodes, as a rate relative to H, sum_i |left - right|_i /
            (Delta |H|), from each slab to the next, (N - 1,); nan across a layer where a loss acts inside; None for
            the layer-map schemes, which have no such balance.
        momentum: sum_c (rho_c, grad phi_c)_h at layers, (N + 1, d); along directions without walls to rounding where
            the mesh resolves the fields.
        circulation: of the momentum per mass around a closed material loop at layers, (N + 1,); None unless d = 2.
        pairing: sum_c (rho_c, phi_c)_h at layers, (N + 1,).
        duality_residual: the duality identity's residual, slab by slab, relative to the sum of its terms.
        mass_balance, potential_balance, momentum_balance: largest residual of a node's slab equation in phi, rho
            and u, relative to the largest term of that slab's equation, (N,). The last is the gradient of J, which
            vanishes as far as training has converged.

    Example:
        >>> kept = hd.analysis.conservation(flow)
        >>> kept.masses.shape, kept.mass_error < 1e-10
        ((17, 3), True)
    """

    times: Floats
    masses: Floats
    mass_error: float
    energy: Floats
    energy_drift: float
    energy_source: Floats | None
    momentum: Floats
    circulation: Floats | None
    pairing: Floats
    duality_residual: float
    mass_balance: Floats
    potential_balance: Floats
    momentum_balance: Floats


def conservation(flow: Flow, *, loop: ArrayLike | None = None) -> Conservation:
    """Everything that a flow should conserve; collective.

    Args:
        flow: a discrete flow.
        loop: the corners of a closed polygon at t = 0, shape (n, 2), for the circulation; default: a circle around the
            centre of mass, one standard deviation wide.

    Raises:
        InputError: a loop that is not a polygon of points inside feature space, or d != 2.

    Example:
        >>> kept = hd.analysis.conservation(flow)
        >>> kept.mass_error < 1e-10, kept.duality_residual < 1e-8
        (True, True)
    """
    recovery = Recovery(flow)
    masses = np.array([recovery.mass.integrals(layer) for layer in flow.density])
    if flow.scheme.moves_points:
        energy, sources, balances = map_energies(flow, recovery), None, map_balances(flow, recovery)
    else:
        slab = SlabDensity(flow)
        energy, balances = energies(flow, slab), slab_balances(flow, slab, recovery)
        sources = energy_sources(flow, slab, energy)
    around = circulation(flow, loop) if flow.domain.dimension == 2 or loop is not None else None
    pairing, residual = duality(flow, recovery)
    return Conservation(
        times=flow.layers.times,
        masses=masses,
        mass_error=float(np.abs(masses - masses[0]).max()),
        energy=energy,
        energy_drift=drift(flow, energy),
        energy_source=sources,
        momentum=momenta(flow, recovery),
        circulation=around,
        pairing=pairing,
        duality_residual=residual,
        mass_balance=balances[0],
        potential_balance=balances[1],
        momentum_balance=balances[2],
    )


def drift(flow: Flow, values: Floats) -> float:
    """Largest max - min of values (N,) between losses inside, relative to the largest |value|; collective."""
    runs = np.split(values, np.flatnonzero(flow.losses_inside) + 1)
    return float(max(np.ptp(run) for run in runs) / max(np.abs(values).max(), np.finfo(float).tiny))


def energies(flow: Flow, slab: SlabDensity | None = None) -> Floats:
    """H_h(u_k, r_k, q_k) of every slab, shape (N,); collective."""
    slab = slab or SlabDensity(flow)
    local = np.empty(len(flow.layers))
    for k, state in enumerate(slab_states(flow)):
        slab.load(slab.state, state)
        local[k] = fem.assemble_scalar(slab.energy)
    return summed(flow.domain.comm, local)


def duality(flow: Flow, recovery: Recovery | None = None) -> tuple[Floats, float]:
    """(rho, phi)_h at layers, shape (N + 1,), and the residual of the duality identity; collective.

    The identity holds slab by slab, (rho_{k+1}, p_k) = (rho_k, phi_k) + Delta_k <dl/drho, r_k>; the residual is the sum
    of the slabs' |left - right| relative to that of all terms.
    """
    recovery = recovery or Recovery(flow)
    mass, slopes = recovery.mass, recovery.cost_slopes(flow)[1]

    def pairings(first: Floats, second: Floats) -> Floats:
        local = np.array([float((mass.apply(a) * b).sum()) for a, b in zip(first, second, strict=True)])
        return summed(flow.domain.comm, local)

    layers = pairings(flow.density, flow.potential)
    above = pairings(flow.density[1:], flow.upper_potential)
    outer = pairings(flow.layer_slopes, flow.density)
    gained = flow.layers.steps * (pairings(slopes, flow.slab_density) + 0.5 * (outer[:-1] + outer[1:]))
    size = sum(float(np.abs(terms).sum()) for terms in (above, layers[:-1], gained))
    return layers, float(np.abs(above - layers[:-1] - gained).sum() / max(size, np.finfo(float).tiny))


def slab_balances(
    flow: Flow, slab: SlabDensity | None = None, recovery: Recovery | None = None
) -> tuple[Floats, Floats, Floats]:
    """Residuals of the slab equations in phi (mass balance), rho and u, each (N,), as in ``Conservation``; collective.

    theta = 1/2 has two rows a slab in phi, one for each of its layers; both are counted.
    """
    slab, recovery = slab or SlabDensity(flow), recovery or Recovery(flow)
    d, C = flow.domain.dimension, flow.density.shape[1]
    momentum = recovery.cost_slopes(flow)[0]
    local = np.empty((6, len(flow.layers)))
    for k, (step, state) in enumerate(zip(flow.layers.steps, slab_states(flow), strict=True)):
        slab.set_step(float(step))
        slab.load(slab.state, state)
        rows = slab.vector(slab.rows_1)
        below, above = recovery.mass.apply(flow.density[k]), recovery.mass.apply(flow.density[k + 1])
        mass = np.concatenate([rows[d + C : d + 2 * C] - below, rows[d + 2 * C :] + above])
        lift = recovery.mass.apply(flow.upper_potential[k])
        push = step * recovery.mass.apply(momentum[k])
        for n, field in enumerate((mass, below, rows[d : d + C], lift, rows[:d], push)):
            local[n, k] = np.abs(field).max(initial=0.0)
    return relative(flow.domain, local)


def energy_sources(flow: Flow, slab: SlabDensity | None = None, energy: Floats | None = None) -> Floats:
    """What the local energy balance leaves over, as in ``Conservation.energy_source``, shape (N - 1,); collective."""
    slab = slab or SlabDensity(flow)
    energy = energies(flow, slab) if energy is None else energy
    states, steps = slab_states(flow), flow.layers.steps
    local = np.empty(len(steps) - 1)
    before = _energy_at(slab, states[0])
    for k in range(len(local)):
        after = _energy_at(slab, states[k + 1])
        local[k] = np.abs(after - before - _exchange(slab, states[k], states[k + 1])).sum()
        before = after
    out = summed(flow.domain.comm, local)
    out /= 0.5 * (steps[1:] + steps[:-1]) * max(np.abs(energy).max(), np.finfo(float).tiny)
    return np.where(flow.losses_inside, np.nan, out)


def _energy_at(slab: SlabDensity, state: Floats) -> Floats:
    slab.load(slab.state, state)
    return slab.vector(slab.energy_at).copy()


def _exchange(slab: SlabDensity, first: Floats, second: Floats) -> Floats:
    """dE_i(z)[dz] - dH(z)_i . dz_i at every node, with z the mean of two states and dz their difference."""
    change = second - first
    slab.load(slab.state, 0.5 * (first + second))
    slab.load(slab.direction, change)
    slab.set_step(1.0)
    rows = slab.vector(slab.rows_1).copy()
    slab.set_step(0.0)  # leaves the rows of -(r, p - phi), which are none of H
    rows -= slab.vector(slab.rows_1)
    return slab.vector(slab.energy_along) - (rows * change).sum(axis=0)
