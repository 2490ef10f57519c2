"""The linearised sweeps: what a Hessian product costs is sparse products and triangular solves, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.solver.sweeps import Sweeps


class Response(NamedTuple):
    """What a change of the controls brings about.

    Attributes:
        dual: J'' times the change, for the velocity, (N, d, owned).
        layers: the change of the densities (C, owned) at the layers where other controls act.
    """

    dual: Floats
    layers: Mapping[int, Floats]


class Tangent:
    """The linearised sweeps at one point."""

    def __init__(self, sweeps: Sweeps) -> None:
        self.sweeps = sweeps
        halo, classes, dim = sweeps.halo, sweeps.problem.classes, sweeps.problem.domain.dimension
        slabs = len(sweeps.steps)
        self.coupling, self._classes = sweeps.transport.coupling(slabs, classes), classes
        # work space; fields of both sweeps stand in the order of K's rows: phi_0 .. phi_{C-1}, rho_0 .. rho_{C-1}
        self.direction, self.result = halo.stack(slabs, dim), halo.stack(slabs, dim)
        self.source, self._response = halo.stack(slabs, 2 * classes), halo.stack(slabs, 2 * classes)

    def assemble(self) -> None:
        """Fill all blocks at the point of the last backward sweep."""
        sweeps = self.sweeps
        self.coupling.assemble(sweeps.velocity, sweeps.slab_density, sweeps.slab_potential)
        for loss in sweeps.losses:
            loss.linearise(sweeps.density[loss.layer])

    def product(self, direction: Floats, pulls: Mapping[int, Floats] | None = None) -> Response:
        """The response to a change of the velocity (N, d, owned) and of other controls.

        Args:
            direction: change of the velocity.
            pulls: changes of dG/drho at layers 1..N by other controls, dual vectors (C, owned); the change of the
                densities at these layers is in the response.
        """
        start = perf_counter()
        sweeps, halo, owned = self.sweeps, self.sweeps.halo, self.sweeps.halo.owned
        self.direction[..., :owned] = direction
        halo.update(self.direction)
        self.coupling.apply(self.direction, self.source)
        halo.accumulate(self.source)
        given = dict(pulls or {})
        curved = [loss for loss in sweeps.losses if not loss.linear]
        layers = {k: np.zeros_like(sweeps.density[0, :, :owned]) for k in {*given, *(loss.layer for loss in curved)}}
        if self.coupling.energy is None and not curved:
            sweeps.transport.both(self.source[..., :owned], given, self._response[..., :owned], layers)
        else:
            self._one_after_the_other(given, layers)
        halo.update(self._response)
        self.coupling.transposed(self._response, self.direction, self.result)
        halo.accumulate(self.result)
        dual = self.result[..., :owned] * sweeps.steps[:, None, None]
        sweeps.seconds["sweeps"] += perf_counter() - start
        return Response(dual, layers)

    def _one_after_the_other(self, pulls: dict[int, Floats], layers: Mapping[int, Floats]) -> None:
        """The linearised sweeps where the change of the densities is a source of the change of the potentials."""
        sweeps, owned, classes = self.sweeps, self.sweeps.halo.owned, self._classes
        none = np.zeros_like(sweeps.density[0, :, :owned])
        sources, response = self.source[..., :owned], self._response[..., :owned]
        sweeps.transport.forward(none, sources[:, :classes], response[:, classes:], layers)
        for loss in sweeps.losses:
            if not loss.linear:
                pulls[loss.layer] = pulls.get(loss.layer, 0.0) + loss.hessian_product(layers[loss.layer])
        self._add_energy()
        sweeps.transport.backward(sources[:, classes:], pulls, response[:, :classes], {})

    def _add_energy(self) -> None:
        """U''(R) times the change of R joins the sources of every class."""
        if self.coupling.energy is None:
            return
        halo, owned = self.sweeps.halo, self.sweeps.halo.owned
        given, out = halo.stack(len(self._response), 1), halo.stack(len(self._response), 1)
        given[:, 0, :owned] = self._response[:, self._classes :, :owned].sum(axis=1)
        halo.update(given)
        self.coupling.energy.apply(given, out)
        halo.accumulate(out)
        self.source[:, self._classes :, :owned] += out[..., :owned]
