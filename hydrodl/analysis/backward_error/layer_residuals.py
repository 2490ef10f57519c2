"""Residuals of one slab in layers: slab fields sample smooth functions of t, operators in space stay as they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hydrodl.analysis.backward_error import difference_series as series
from hydrodl.analysis.backward_error.difference_series import LEVELS
from hydrodl.analysis.backward_error.residual_sums import ResidualSums
from hydrodl.analysis.backward_error.slab_samples import Derivatives, SlabStack
from hydrodl.common.arrays import Floats


def add_layer(sums: ResidualSums, slabs: SlabStack, energies: Mapping[int, Floats], k: int, points: int) -> None:
    """Add the squares at slab k; ``energies``: H_i of the slabs around it, empty for no energy law."""
    gradient, mass, step = slabs.gradient(k), slabs.mass, slabs.step
    r, q = (Derivatives(stack, k, step, points) for stack in (slabs.density, slabs.potential))
    ahead, back = series.layer_difference(slabs.flow.theta)
    r_terms, q_terms = r.orders(ahead), q.orders(back)
    densities = np.cumsum(r_terms, axis=0) + mass.solve(gradient.potential)
    potentials = np.cumsum(q_terms, axis=0) - mass.solve(gradient.density)
    momentum = mass.solve(gradient.velocity)
    exerted = momentum - mass.solve(slabs.gradient(k, np.zeros_like(slabs.potential[k])).velocity)
    sums.add("density", [*map(slabs.square, densities), slabs.square(r(1))])
    sums.add("potential", [*map(slabs.square, potentials), slabs.square(q(1))])
    sums.add("velocity", [slabs.square(momentum)] * LEVELS + [slabs.square(exerted)])
    if not energies:
        return
    u_t = Derivatives(slabs.velocity, k, step, points)(1)
    own = (u_t * gradient.velocity).sum(axis=0) + (r(1) * gradient.density + q(1) * gradient.potential).sum(axis=0)
    exchange = slabs.energy_rates(k, u_t, r(1), q(1)) - own
    rate = Derivatives(energies, k, step, points)(1)
    # d_t of what the modified energy adds: the sums over j telescope
    law = -mass.ones * (r(1) * q_terms - q(1) * r_terms).sum(axis=1)
    law[0] = rate - exchange
    sums.add("energy", [float((values**2 / mass.ones).sum()) for values in (*np.cumsum(law, axis=0), rate)])
