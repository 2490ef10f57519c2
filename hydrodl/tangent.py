"""The linearised sweeps: what a Hessian product costs is sparse products and triangular solves, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from hydrodl.blocks import BlockOperator
from hydrodl.sweeps import Sweeps

Floats = NDArray[np.float64]


class Tangent:
    """The linearised sweeps at one point: second derivatives of the action as a few block-diagonal sparse matrices.

    K: rows (phi_c, rho_c) for each class, columns u; its transpose brings the sweeps' answers back to the controls.
    """

    def __init__(self, sweeps: Sweeps) -> None:
        self.sweeps = sweeps
        action, halo, classes = sweeps.action, sweeps.halo, sweeps.problem.classes
        slabs, dim = len(sweeps.steps), sweeps.problem.domain.dimension
        cost, carried = action.nonzeros(action.cost_2), action.nonzeros(action.carried_2)
        u, R, RHO, PHI = range(dim), action.R, action.RHO, action.PHI
        flux = carried[:, [RHO, PHI], :dim].any(axis=(1, 2)) | cost[:, R, :dim].any(axis=1)
        self.coupling = BlockOperator(halo.local, slabs, [[action.pattern(flux)] * dim] * (2 * classes))
        blocks = [[action.pattern(carried[:, i, j] | cost[:, i, j]) for j in u] for i in u]
        self.control = BlockOperator(halo.local, slabs, blocks)
        self._energy: BlockOperator | None = None
        if cost[:, R, R].any():
            self._energy = BlockOperator(halo.local, slabs, [[action.pattern(cost[:, R, R])]])
        self._slabs, self._classes, self._dim = slabs, classes, dim
        self.changes: dict[int, Floats] = {}  # of the densities at layers that someone watches, by the last product
        # work space: K's rows are ordered phi_0 .. phi_{C-1}, rho_0 .. rho_{C-1}
        self.direction, self.result = halo.stack(slabs, dim), halo.stack(slabs, dim)
        self.source, self._response = halo.stack(slabs, 2 * classes), halo.stack(slabs, 2 * classes)

    def assemble(self) -> None:
        """Fill all blocks at the point of the last backward sweep."""
        sweeps, action, total = self.sweeps, self.sweeps.action, self.sweeps.total
        for k in range(self._slabs):
            action.set_slab(sweeps.velocity[k], total[k])
            self._fill_slab(k)
        for operator in (self.coupling, self.control, self._energy):
            if operator is not None:
                operator.assembled()
        for loss in sweeps.losses:
            loss.linearise(sweeps.density[loss.layer])

    def _fill_slab(self, k: int) -> None:
        sweeps, action, classes, dim = self.sweeps, self.sweeps.action, self._classes, range(self._dim)
        cost = action.assemble(action.cost_2)
        if self._energy is not None:
            self._energy.fill(k, 0, 0, cost[:, action.R, action.R])
        for i in dim:
            for j in dim:
                self.control.fill(k, i, j, cost[:, i, j])
        for c in range(classes):
            action.set_class(sweeps.slab_density[k, c], sweeps.slab_potential[k, c])
            carried = action.assemble(action.carried_2)
            for i in dim:
                self.coupling.fill(k, c, i, carried[:, action.PHI, i])
                self.coupling.fill(k, classes + c, i, carried[:, action.RHO, i] + cost[:, action.R, i])
                for j in dim:
                    self.control.add(k, i, j, carried[:, i, j])

    def product(self, direction: Floats, extra: Mapping[int, Floats] | None = None) -> Floats:
        """J'' direction, shape (N, d, owned).

        Args:
            direction: change of the velocity, (N, d, owned).
            extra: changes of dG/drho at layers 1..N by other controls than the velocity, dual vectors (C, owned).
        """
        start = perf_counter()
        halo, owned, sweeps = self.sweeps.halo, self.sweeps.halo.owned, self.sweeps
        self.direction[..., :owned] = direction
        halo.update(self.direction)
        self.coupling.apply(self.direction, self.source)
        halo.accumulate(self.source)
        pulls = self._forward()
        for layer, pull in (extra or {}).items():
            pulls[layer] = pulls.get(layer, 0.0) + pull
        self._add_energy()
        density_source = self.source[:, self._classes :, :owned]
        sweeps.march_back(self._response[:, : self._classes], density_source, pulls)
        halo.update(self._response)
        self.coupling.apply(self._response, self.result, transpose=True)
        out = self.result.copy()
        self.control.apply(self.direction, self.result)
        out += self.result
        halo.accumulate(out)
        out *= sweeps.steps[:, None, None]
        sweeps.seconds["sweeps"] += perf_counter() - start
        return out[..., :owned]

    def _forward(self) -> dict[int, Floats]:
        """The linearised forward sweep; returns d2G times the layer densities' change where losses act."""
        sweeps, owned, theta, classes = self.sweeps, self.sweeps.halo.owned, self.sweeps.theta, self._classes
        layer = np.zeros((classes, owned))
        pulls: dict[int, Floats] = {}
        for k, step in enumerate(sweeps.steps):
            rhs = sweeps.mass.apply(layer) - (theta * step) * self.source[k, :classes, :owned]
            slab = sweeps.operators.solve(k, rhs)
            self._response[k, classes:, :owned] = slab
            layer = slab.copy() if theta == 1.0 else (slab - (1 - theta) * layer) / theta
            if k + 1 in self.changes:
                self.changes[k + 1] = layer
            for loss in sweeps.losses:
                if loss.layer == k + 1 and not loss.linear:
                    pulls[k + 1] = pulls.get(k + 1, 0.0) + loss.hessian_product(layer)
        return pulls

    def _add_energy(self) -> None:
        """U''(R) times the change of R joins the sources of every class."""
        if self._energy is None:
            return
        halo, owned = self.sweeps.halo, self.sweeps.halo.owned
        given, out = halo.stack(self._slabs, 1), halo.stack(self._slabs, 1)
        given[:, 0, :owned] = self._response[:, self._classes :, :owned].sum(axis=1)
        halo.update(given)
        self._energy.apply(given, out)
        halo.accumulate(out)
        self.source[:, self._classes :, :owned] += out[..., :owned]
