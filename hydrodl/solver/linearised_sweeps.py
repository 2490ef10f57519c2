"""The linearised sweeps: what a Hessian product costs is sparse products and triangular solves, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.block_operator import BlockOperator
from hydrodl.solver.sweeps import Sweeps


class Tangent:
    """The linearised sweeps at one point: second derivatives of the action as a few block-diagonal sparse matrices.

    K: rows (phi_c, rho_c) for each class, columns u; its transpose brings the sweeps' answers back to the controls.
    """

    def __init__(self, sweeps: Sweeps) -> None:
        self.sweeps = sweeps
        action, halo, classes = sweeps.action, sweeps.halo, sweeps.problem.classes
        slabs, dim = len(sweeps.steps), sweeps.problem.domain.dimension
        u, R, RHO, PHI = range(dim), action.R, action.RHO, action.PHI
        pairs = [(i, j) for i in u for j in u]
        self._cost = action.second_cost([[(R, i) for i in u], *([pair] for pair in pairs), [(R, R)]])
        self._carried = action.second_carried(
            [[(row, i) for row in (PHI, RHO) for i in u], *([pair] for pair in pairs)]
        )
        masks = [a | b for a, b in zip(self._cost.masks, self._carried.masks, strict=False)]
        flux, *control = [action.pattern(mask) for mask in masks]
        energy = action.pattern(self._cost.masks[-1])
        self.coupling = BlockOperator(halo.local, slabs, [[flux] * dim] * (2 * classes))
        self.control = BlockOperator(halo.local, slabs, [control[i * dim : (i + 1) * dim] for i in u])
        self._energy = BlockOperator(halo.local, slabs, [[energy]]) if self._cost.masks[-1].any() else None
        self._cost.bind([flux, *control, energy])
        self._carried.bind([flux, *control])
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
        momentum, *control, energy = self._cost.assemble()
        if self._energy is not None:
            self._energy.put(k, 0, 0, energy[:, 0])
        for c in range(classes):
            action.set_class(sweeps.slab_density[k, c], sweeps.slab_potential[k, c])
            flux, *carried = self._carried.assemble()
            for i in dim:
                self.coupling.put(k, c, i, flux[:, i])
                self.coupling.put(k, classes + c, i, flux[:, self._dim + i] + momentum[:, i])
            control = [a + b for a, b in zip(control, carried, strict=True)]
        for i in dim:
            for j in dim:
                self.control.put(k, i, j, control[i * self._dim + j][:, 0])

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
        if self._energy is None and all(loss.linear for loss in sweeps.losses):
            sweeps.march_both(self._response[..., :owned], self.source[..., :owned], extra or {})
            self._pulls()
        else:
            self._one_after_the_other(extra or {})
        halo.update(self._response)
        self.coupling.apply(self._response, self.result, transpose=True)
        out = self.result.copy()
        self.control.apply(self.direction, self.result)
        out += self.result
        halo.accumulate(out)
        out *= sweeps.steps[:, None, None]
        sweeps.seconds["sweeps"] += perf_counter() - start
        return out[..., :owned]

    def _one_after_the_other(self, extra: Mapping[int, Floats]) -> None:
        """The linearised sweeps where the change of the densities is a source of the change of the potentials."""
        sweeps, owned, classes = self.sweeps, self.sweeps.halo.owned, self._classes
        sources = (sweeps.theta * sweeps.steps)[:, None, None] * self.source[:, :classes, :owned]
        sweeps.march(self._response[:, classes:, :owned], np.zeros((classes, owned)), sources)
        pulls = self._pulls()
        for layer, pull in extra.items():
            pulls[layer] = pulls.get(layer, 0.0) + pull
        self._add_energy()
        sweeps.march_back(self._response[:, :classes], self.source[:, classes:, :owned], pulls)

    def _pulls(self) -> dict[int, Floats]:
        """d2G times the layer densities' change where losses act; keeps the changes that someone watches."""
        sweeps, owned, classes = self.sweeps, self.sweeps.halo.owned, self._classes
        pulls: dict[int, Floats] = {}
        slabs = self._response[:, classes:, :owned]
        for k, layer in enumerate(sweeps.layers_of(slabs, np.zeros((classes, owned)))):
            if k + 1 in self.changes:
                self.changes[k + 1] = layer.copy()
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
