"""Momentum and angular momentum of a flow, layer by layer.

Where opposite walls are one, fields can be shifted along that direction as trigonometric interpolants. The mesh's
operators commute with such shifts, and its sums of products over the nodes change by aliasing alone, which is smaller
than any power of h where fields are smooth. So the momentum that belongs to the shifts (Noether),

    sum_c (rho_c, d phi_c)_h,      d the derivative of the trigonometric interpolant,

is bilinear, hence kept exactly by both box schemes, and conserved to rounding on meshes that resolve the fields. With
the mesh's own differences in the place of d it is conserved to second order in h, whatever the fields.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather, gather_nodes, lexicographic
from hydrodl.problem.flow import Flow


def momenta(flow: Flow, recovery: Recovery | None = None) -> Floats:
    """sum_c (rho_c, d_i phi_c)_h at layers, shape (N + 1, d); at a layer with a loss inside, before the loss.

    d_i is the derivative of the trigonometric interpolant along directions without walls, elsewhere that of the mesh.
    """
    recovery = recovery or Recovery(flow)
    pairs = zip(flow.density, flow.potential, strict=True)
    local = np.array([np.einsum("cn,cin->i", rho, recovery.slope_duals(phi)) for rho, phi in pairs])
    found = summed(flow.domain.comm, local)
    if flow.domain.periodic:
        shifts = _Shifts(flow.domain)
        for k, (rho, phi) in enumerate(zip(flow.density, flow.potential, strict=True)):
            found[k, list(flow.domain.periodic)] = shifts.momenta(recovery.mass.apply(rho), phi)
    return found


class _Shifts:
    """Derivatives along the periodic directions of a box, of whole fields on the first rank."""

    def __init__(self, domain: Domain) -> None:
        self._domain, nodes = domain, gather_nodes(domain)
        self._order = None if nodes is None else lexicographic(nodes)
        self._lengths = domain.bounds[1] - domain.bounds[0]

    def momenta(self, masses: Floats, potential: Floats) -> Floats:
        """sum_c masses_c . d_a phi_c for each periodic axis a, on all ranks; of fields (C, owned), collective."""
        domain, axes = self._domain, self._domain.periodic
        fields = gather(domain, np.stack([masses, potential]))
        found = np.zeros(len(axes))
        if fields is not None:
            mass, phi = fields[..., self._order].reshape(2, -1, *domain.shared.counts)
            found = np.array([(mass * slope(phi, 1 + a, self._lengths[a])).sum() for a in axes])
        domain.comm.Bcast(found)
        return found


def slope(values: Floats, axis: int, length: float) -> Floats:
    """The derivative along an axis of the trigonometric interpolant of nodal values of that period."""
    count = values.shape[axis]
    waves = 2j * np.pi / length * np.arange(count // 2 + 1)
    if count % 2 == 0:
        waves[-1] = 0.0  # the wave of two cells is seen at its extremes
    along = np.moveaxis(values, axis, -1)
    return np.moveaxis(np.fft.irfft(np.fft.rfft(along) * waves, count), -1, axis)


def angular_momenta(flow: Flow, centre: ArrayLike | None = None) -> Floats:
    """sum_c (rho_c, a . grad phi_c)_h at layers of a flow in d = 2, a = x - x_0 turned by 90 degrees, shape (N + 1,).

    Conserved to the order of mesh and layers where feature space, V and the walls are round about x_0, between losses.

    Args:
        flow: in d = 2; centre: x_0, default the middle of the bounding box.

    Raises:
        InputError: d != 2.

    Example:
        >>> hd.analysis.angular_momenta(flow).shape
        (17,)
    """
    if flow.domain.dimension != 2:
        raise InputError(f"angular momentum is given in d = 2, the flow has d = {flow.domain.dimension}")
    recovery, middle = Recovery(flow), np.mean(flow.domain.bounds, axis=0)
    x = flow.domain.coordinates[: flow.domain.owned] - (middle if centre is None else np.asarray(centre, dtype=float))
    turned = np.stack([-x[:, 1], x[:, 0]])
    pairs = zip(flow.density, flow.potential, strict=True)
    local = np.array([np.einsum("cn,in,cin->", rho, turned, recovery.slope_duals(phi)) for rho, phi in pairs])
    return summed(flow.domain.comm, local)
