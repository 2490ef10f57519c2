"""Compiled losses: value, gradient and Hessian blocks of every loss at its layer, all from its one UFL density."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.linear_algebra.block_operator import BlockOperator
from hydrodl.mesh.ghosts import Halo
from hydrodl.physics.losses import Loss


class CompiledLoss:
    """One loss: forms in the density of one class and the loss's own data.

    Attributes:
        layer: index 1..N of the layer it acts on.
        name: the word for it in reports; penalty: what it adds to the objective beside its integral.
    """

    def __init__(self, loss: Loss, action: SlabAction, halo: Halo, classes: int, last: int) -> None:
        domain = action.domain
        self.layer, self.name = last if loss.layer is None else loss.layer, loss.name
        self._action, self._halo, self._classes = action, halo, classes
        self._fields = halo.stack(classes)
        self.set(loss)
        self._rho, self._field = fem.Function(domain.V), fem.Function(domain.V)
        constants = [fem.Constant(domain.mesh, value) for value in loss.constants]
        value = loss.density(self._rho, self._field, constants) * domain.dx
        v, w = ufl.TestFunction(domain.V), ufl.TrialFunction(domain.V)
        first = ufl.derivative(value, self._rho, v)
        second = ufl.algorithms.expand_derivatives(ufl.derivative(first, self._rho, w))
        self._value, self._first = fem.form(value), fem.form(first)
        self._second = None if second.empty() else fem.form(second)
        self._hessian: BlockOperator | None = None

    def set(self, loss: Loss) -> None:
        """Take the data of another loss of the same kind and weight, such as a new readout; collective."""
        self.penalty = loss.penalty
        self._fields[:, : self._halo.owned] = loss.field(self._action.domain, self._classes)
        self._halo.update(self._fields)

    @property
    def linear(self) -> bool:
        """Is the Hessian zero?"""
        return self._second is None

    def _load(self, c: int, density: Floats) -> None:
        self._rho.x.array[:] = density
        self._field.x.array[:] = self._fields[c]

    def value(self, densities: Floats) -> float:
        """This rank's part of G; densities (C, local) with valid ghosts."""
        total = 0.0
        for c, density in enumerate(densities):
            self._load(c, density)
            total += self._action.scalar(self._value)
        return total

    def gradient(self, densities: Floats) -> Floats:
        """dG/drho_c as dual vectors, shape (C, owned)."""
        out = self._halo.stack(self._classes)
        for c, density in enumerate(densities):
            self._load(c, density)
            self._action.vector(self._first, out[c])
        self._halo.accumulate(out)
        return out[:, : self._halo.owned]

    def linearise(self, densities: Floats) -> None:
        """Assemble the Hessian blocks at these densities."""
        if self._second is None:
            return
        if self._hessian is None:
            nonzeros = self._action.nonzeros(self._second, reads=[self._rho, self._field])
            pattern = self._action.pattern(nonzeros)
            self._hessian = BlockOperator(self._halo.local, self._classes, [[pattern]])
        for c, density in enumerate(densities):
            self._load(c, density)
            self._hessian.fill(c, 0, 0, self._action.assemble(self._second))
        self._hessian.assembled()

    def hessian_product(self, direction: Floats) -> Floats:
        """(d2G/drho_c^2) direction_c as dual vectors (C, owned); direction (C, owned)."""
        if self._hessian is None:
            return np.zeros_like(direction)
        given, out = self._halo.stack(self._classes), self._halo.stack(self._classes)
        given[:, : self._halo.owned] = direction
        self._halo.update(given)
        self._hessian.apply(given, out)
        self._halo.accumulate(out)
        return out[:, : self._halo.owned]
