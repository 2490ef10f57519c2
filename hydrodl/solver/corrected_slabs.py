"""The slabs of a corrected box scheme: what a :class:`~hydrodl.problem.correction.Correction` adds to both sweeps.

    density    M (R_{k+1} - R_k + b_k) = Delta_k L(u_k) (r_k + a_k)
    potential  M (phi_k - p_k) = Delta_k (L(u_k)^T (q_k + a*_k) - h(u_k, r_k + a_k)) - M b*_k
    J          sum_k Delta_k l(u_k, r_k + a_k) + G(R_N) + (b*_k, r_k)_h - (a*_k, R_{k+1} - R_k + b_k)_h

the action where the densities obey their equation. The velocity's equation is dH/du at the moved fields.
"""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import largest
from hydrodl.discretisation.scheme import Transport
from hydrodl.problem.correction import Correction


class CorrectedSlabs:
    """Sources of both sweeps, and what J gains.

    Attributes:
        density, potential: a and a*, (N, C, owned); to_density, to_potential: the sources at the velocity last loaded.
    """

    def __init__(self, correction: Correction, transport: Transport, steps: Floats) -> None:
        self._given, self._transport = correction, transport
        self.density, self.potential = correction.density, correction.potential
        rates = 1 / steps[:, None, None]
        apply, given = transport.mass.apply, (correction.growth, correction.decline)
        self._still = [rates * np.array([apply(field) for field in fields]) for fields in given]
        self.to_density, self.to_potential = self._still
        moved = max(float(np.abs(field).max(initial=0.0)) for field in (self.density, self.potential))
        self._moves = largest(transport.action.domain.comm, moved) > 0

    def set_velocity(self, velocity: Floats) -> None:
        """Sources dH/dphi at r = a and dH/drho at q = a*, for u (N, d, local); collective."""
        if not self._moves:
            return
        action, halo = self._transport.action, self._transport.halo
        slabs, classes, owned = self.density.shape
        moved, found = halo.stack(2, slabs, classes), halo.stack(2, slabs, classes)
        moved[0, ..., :owned], moved[1, ..., :owned] = self.density, self.potential
        halo.update(moved)
        for k, u in enumerate(velocity):
            action.set_slab(u)
            for c in range(classes):
                action.set_class(moved[0, k, c], moved[1, k, c])
                rows = action.blocked_vector(action.carried_1)
                found[0, k, c], found[1, k, c] = rows[action.PHI], rows[action.RHO]
        halo.accumulate(found)
        self.to_density = self._still[0] + found[0, ..., :owned]
        self.to_potential = self._still[1] + found[1, ..., :owned]

    def value(self, layers: Floats, slabs: Floats) -> float:
        """What J gains, this rank's part, from R (N + 1, C, owned) and r + a (N, C, owned)."""
        apply, given = self._transport.mass.apply, self._given
        grown = np.diff(layers, axis=0) + given.growth
        own = slabs - given.density
        pairs = zip(given.decline, own, given.potential, grown, strict=True)
        return sum(float((b * apply(r)).sum() - (a * apply(g)).sum()) for b, r, a, g in pairs)
