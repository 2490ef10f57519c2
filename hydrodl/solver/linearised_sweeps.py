"""The linearised sweeps: what a Hessian product costs is sparse products and triangular solves, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.layer_recursion import Aside
from hydrodl.solver.sweeps import Sweeps


class Response(NamedTuple):
    """What a change of the controls brings about.

    Attributes:
        dual: J'' times the change, for the velocity, a stack (slabs here, d, owned).
        layers: the change of the densities by nodes, (C, owned), at the layers where other controls act.
    """

    dual: Floats
    layers: Mapping[int, Floats]


class Tangent:
    """The linearised sweeps at one point; stacks where the scheme has them."""

    def __init__(self, sweeps: Sweeps) -> None:
        self.sweeps = sweeps
        stacks, classes, dim = sweeps.stacks, sweeps.problem.classes, sweeps.problem.domain.dimension
        self.coupling, self._classes = sweeps.transport.coupling(len(sweeps.steps), classes), classes
        # work space; fields of both sweeps stand in the order of K's rows: phi_0 .. phi_{C-1}, rho_0 .. rho_{C-1}
        self.direction, self.result = stacks.stack(dim), stacks.stack(dim)
        self.source, self._response = stacks.stack(2 * classes), stacks.stack(2 * classes)
        given = sweeps.layer_sums
        self._sums = given if given is not None and given.curved else None
        self._above = None if self._sums is None else stacks.stack(classes)[..., : stacks.owned]

    def assemble(self) -> None:
        """Fill all blocks at the point of the last backward sweep."""
        sweeps = self.sweeps
        self.coupling.assemble(sweeps.velocity, sweeps.slab_density, sweeps.slab_potential)
        if self._sums is not None:
            self._sums.linearise(sweeps.above)
        for loss in sweeps.losses:
            loss.linearise(sweeps.density_at(loss.layer))

    def product(self, direction: Floats, pulls: Mapping[int, Floats] | None = None) -> Response:
        """The response to a change of the velocity, a stack (slabs here, d, owned), and of other controls.

        Args:
            direction: change of the velocity.
            pulls: changes of dG/drho at layers 1..N by other controls, dual vectors (C, owned) by nodes; the change of
                the densities at these layers is in the response.
        """
        start = perf_counter()
        sweeps, stacks, owned = self.sweeps, self.sweeps.stacks, self.sweeps.stacks.owned
        self.direction[..., :owned] = direction
        stacks.update(self.direction)
        before, after = self._asides()
        if before is None:
            self.coupling.apply(self.direction, self.source)
            stacks.accumulate(self.source)
        given = dict(pulls or {})
        curved = [loss for loss in sweeps.losses if not loss.linear]
        layers = {k: self._nothing() for k in {*given, *(loss.layer for loss in curved)}}
        if self.coupling.energy is None and self._sums is None and not curved:
            sources, response = self.source[..., :owned], self._response[..., :owned]
            sweeps.transport.march.both(sources, given, response, layers, before, after)
        else:
            self._one_after_the_other(given, layers, before, after)
        if after is None:
            stacks.update(self._response)
            self.coupling.transposed(self._response, self.direction, self.result)
            stacks.accumulate(self.result)
        dual = self.result[..., :owned] * sweeps.own_steps[:, None, None]
        sweeps.seconds["sweeps"] += perf_counter() - start
        return Response(dual, layers)

    def _asides(self) -> tuple[Aside | None, Aside | None]:
        """What the coupling does with a slab before and after the sweeps come to it, where slabs are alone."""
        alone = self.coupling.alone
        if alone is None:
            return None, None
        return (
            lambda k: alone.apply_at(k, self.direction, self.source),
            lambda k: alone.transposed_at(k, self._response, self.direction, self.result),
        )

    def _nothing(self) -> Floats:
        """Densities of one layer, by nodes."""
        return np.zeros((self._classes, self.sweeps.halo.owned))

    def _one_after_the_other(
        self, pulls: dict[int, Floats], layers: Mapping[int, Floats], before: Aside | None, after: Aside | None
    ) -> None:
        """The linearised sweeps where the change of the densities is a source of the change of the potentials."""
        sweeps, owned, classes = self.sweeps, self.sweeps.stacks.owned, self._classes
        sources, response = self.source[..., :owned], self._response[..., :owned]
        march = sweeps.transport.march
        march.forward(self._nothing(), sources[:, :classes], response[:, classes:], layers, self._above, before)
        for loss in sweeps.losses:
            if not loss.linear:
                pulls[loss.layer] = pulls.get(loss.layer, 0.0) + loss.hessian_product(layers[loss.layer])
        self._add_energy()
        kicks = None if self._sums is None or self._above is None else self._sums.kick_changes(self._above)
        march.backward(sources[:, classes:], pulls, response[:, :classes], {}, after=after, kicks=kicks)

    def _add_energy(self) -> None:
        """U''(R) times the change of R joins the sources of every class."""
        if self.coupling.energy is None:
            return
        stacks, owned = self.sweeps.stacks, self.sweeps.stacks.owned
        given, out = stacks.stack(1), stacks.stack(1)
        given[:, 0, :owned] = self._response[:, self._classes :, :owned].sum(axis=1)
        stacks.update(given)
        self.coupling.energy.apply(given, out)
        stacks.accumulate(out)
        self.source[:, self._classes :, :owned] += out[..., :owned]
