"""Stacks of nodal fields and the exchange of their ghost values.

All sweeps keep their fields in arrays of shape (slabs, fields, local nodes), owned nodes first, ghosts last. One
exchange moves the ghosts of a whole stack, every slab at once, so that the number of messages does not grow with depth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from dolfinx import la

from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain


class Halo:
    """Ghost exchange for stacks on one feature mesh."""

    def __init__(self, domain: Domain) -> None:
        self._map = domain.V.dofmap.index_map
        self.owned = int(self._map.size_local)
        self.local = self.owned + int(self._map.num_ghosts)
        self._parallel = domain.comm.size > 1
        self._buffers: dict[int, la.Vector] = {}
        if self._parallel:
            receivers = self._map.index_to_dest_ranks(0)
            counts = np.diff(receivers.offsets)[: self.owned]
            self._shared = np.flatnonzero(counts)  # owned nodes that are ghosts elsewhere

    def stack(self, *shape: int) -> Floats:
        """Zeros of shape (*shape, local nodes)."""
        return np.zeros((*shape, self.local))

    def update(self, stack: Floats) -> None:
        """Ghost values := values on the owning rank."""
        if not self._parallel:
            return
        flat, buffer = self._buffer(stack)
        values = buffer.array.reshape(self.local, -1)
        values[self._shared] = flat[:, self._shared].T
        buffer.scatter_forward()
        flat[:, self.owned :] = values[self.owned :].T

    def accumulate(self, stack: Floats) -> None:
        """Owned values += ghost contributions of other ranks; the ghost entries are left undefined."""
        if not self._parallel:
            return
        flat, buffer = self._buffer(stack)
        values = buffer.array.reshape(self.local, -1)
        values[self._shared] = 0.0
        values[self.owned :] = flat[:, self.owned :].T
        buffer.scatter_reverse(la.InsertMode.add)
        flat[:, self._shared] += values[self._shared].T

    def with_ghosts(self, fields: Floats) -> Floats:
        """Owned nodal values (..., owned) with those of this rank's ghosts appended, (..., local); collective."""
        out = self.stack(*fields.shape[:-1])
        out[..., : self.owned] = fields
        self.update(out)
        return out

    def _buffer(self, stack: Floats) -> tuple[Floats, la.Vector]:
        flat = stack.reshape(-1, self.local)
        count = flat.shape[0]
        if count not in self._buffers:
            self._buffers[count] = la.vector(self._map, count)
        return flat, self._buffers[count]


def with_ghosts(domain: Domain, fields: Floats) -> Floats:
    """Owned nodal values (..., owned) with those of this rank's ghosts appended, (..., local); collective."""
    return Halo(domain).with_ghosts(fields)


def cut_open(domain: Domain) -> tuple[Domain, Callable[[Floats], Floats]]:
    """A periodic box between walls, as files and pictures need it, and how owned nodal values (..., owned) get there.

    Any other domain, and its values, as they are. The function is collective.
    """
    if not domain.periodic:
        return domain, lambda values: values
    opened = Domain(domain.mesh, 1, domain.lumped)
    source = domain.shared.number[: opened.owned]
    return opened, lambda values: with_ghosts(domain, values)[..., source]
