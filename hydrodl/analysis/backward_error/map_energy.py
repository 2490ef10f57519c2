"""The modified energy of the layer-map schemes, from layers alone.

A slab with its best velocity is a symplectic map (rho_k, phi_k) -> (rho_{k+1}, p_k): its generating function is

    S(rho_k, p_k) = ext_u { sum_c (M r_c, W(u) q_c) - Delta l_h(u, r) },    rho_{k+1} = dS/dp,  phi_k = dS/drho.

Such a map is, to every order in Delta, the flow of a modified energy H~ over the time Delta, and what the action gains
along that flow is what the slab adds, int (l~) dt = Delta l_h(u_k, r_k). So along the smooth curve through all layers

    H~ = d_t a - sum_c (phi_c, d_t rho_c)_h,    a(t_k) = sum_{j<k} Delta_j l_h(u_j, r_j),

with derivatives in t taken from the layers by centred differences (Skeel and Hardy, SIAM J. Sci. Comput. 23, 2001): two
layers give H_k of ``map_conservation``, conserved to order 2, four give order 4. Splines, resolvents and nodes are in
the map, so that no error in space enters.

To first order H~ = H + Delta H_1, and H_1 is in ``objective_error``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import sympy

from hydrodl.analysis.structure.map_conservation import running_costs
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.problem.flow import Flow


@lru_cache
def half_way(order: int, points: int) -> tuple[float, ...]:
    """Weights of an even number of points at unit spacing, for the derivative of that order half-way between them."""
    nodes = [sympy.Rational(2 * j + 1 - points, 2) for j in range(points)]
    return tuple(float(w) for w in sympy.finite_diff_weights(order, nodes, 0)[order][-1])


def interpolated_energies(flow: Flow, slabs: list[int], points: int) -> Floats:
    """H~ in the middle of slabs from ``points`` layers around each, to that order in Delta, (len(slabs),); collective.

    Args:
        flow: of a layer-map scheme, layers equal.
        slabs: none within points / 2 - 1 slabs of a loss or of an end of depth.
        points: even.
    """
    recovery, step = Recovery(flow), float(flow.layers.steps.mean())
    costs = running_costs(flow, recovery)
    action = np.append(0.0, np.cumsum(costs * flow.layers.steps))
    value, slope = (np.array(half_way(order, points)) for order in (0, 1))
    gained, paired = np.empty(len(slabs)), np.empty(len(slabs))
    for n, k in enumerate(slabs):
        layers = np.arange(k + 1 - points // 2, k + 1 + points // 2)
        potentials = flow.potential[layers].copy()
        potentials[-1] = flow.upper_potential[layers[-1] - 1]  # a loss there is not seen from below
        gained[n] = slope @ action[layers] / step
        rate = np.tensordot(slope, flow.density[layers], 1) / step
        paired[n] = float((recovery.mass.apply(rate) * np.tensordot(value, potentials, 1)).sum())
    return gained - summed(flow.domain.comm, paired)
