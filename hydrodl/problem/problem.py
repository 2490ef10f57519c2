"""A training problem: what is transported, what it costs, what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, names, plural
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Choice, check_kind
from hydrodl.data.class_densities import Densities
from hydrodl.discretisation.heat_flow import HeatFlow
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.discretisation.scheme import Scheme
from hydrodl.discretisation.schemes import SCHEMES, default_scheme
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.losses import Classification, Loss
from hydrodl.physics.neurons import Neurons
from hydrodl.physics.readout import Readout
from hydrodl.problem.correction import Correction
from hydrodl.problem.flow import Flow

SCHEME = Choice(None, SCHEMES)
"""Left out: ``default_scheme``."""


@dataclass(frozen=True, eq=False, repr=False)
class Problem(Card):
    """Minimise int l(u, rho) dt + sum_j G_j(rho(t_j)) over all velocities, rho carried by u from the data.

    Args:
        domain: feature space.
        layers: partition of depth.
        densities: rho_c(0), one per class.
        lagrangian: running cost and noise.
        losses: one loss or several; a Classification without a readout gets one aligned to the class means.
        scheme: "strang" (second order in depth) or "residual" (first order: the noisy residual network), on uniform
            boxes of degree 1 with the vertex rule, positive and with the noise asked for; "euler-box" (theta = 1, first
            order, positive on boxes, more noise) or "midpoint" (theta = 1/2, second order) on any mesh. None: "strang"
            where it is possible, else "euler-box"; and "euler-box" if ``lagrangian.fitted`` is True, since box schemes
            alone have fitted diffusion. Beware of "midpoint" and of ``fitted=False`` with a box scheme: nothing bounds
            u where there is no data, so that J may run away; they are no accurate route on their own.
        control: None, the velocity itself at every node; or Neurons, a sum of random neurons in every layer.
        correction: of slabs: fields moved a little, as ``hd.modified`` and ``hd.corrected`` make them.
        heat_flow: what they have in place of the heat steps of a layer map.

    Attributes:
        scheme: its name, also where none was given; method: the scheme itself; the Lagrangian is as it solves it,
            ``fitted`` decided.

    Raises:
        InputError: an unknown scheme, no loss, a loss at a layer that is not there, or parts that do not fit.

    Example:
        >>> problem = hd.Problem(domain, hd.layers(16), rho, hd.Lagrangian(noise=0.1), hd.Classification(weight=10.0))
        >>> problem.classes, len(problem.layers)
        (3, 16)
    """

    domain: Domain
    layers: Layers
    densities: Densities
    lagrangian: Lagrangian
    losses: Loss | Sequence[Loss]
    scheme: str | None = SCHEME.default
    control: Neurons | None = None
    correction: Correction | None = None
    heat_flow: HeatFlow | None = None
    method: Scheme = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for part, kind in (
            ("domain", Domain),
            ("layers", Layers),
            ("densities", Densities),
            ("lagrangian", Lagrangian),
        ):
            check_kind(part, getattr(self, part), kind)
        SCHEME.check("scheme", self.scheme)
        name = self.scheme or default_scheme(self.domain.robust, self.lagrangian.fitted)
        object.__setattr__(self, "scheme", name)
        object.__setattr__(self, "method", self._method(SCHEMES[name]))
        if self.densities.values.shape[1:] != (self.domain.owned,):
            raise InputError("densities were made on another domain than the problem's")
        if self.lagrangian.stream is not None:
            raise InputError("a stream is for marching with evolve: leave stream out of the Lagrangian")
        given = list(self.terms)
        if not given:
            raise InputError("losses: at least one is needed")
        for j, loss in enumerate(given):
            if loss.layer is not None and not 1 <= loss.layer <= len(self.layers):
                raise InputError(f"loss layer is {loss.layer}, must lie in 1..{len(self.layers)}")
            if isinstance(loss, Classification) and self.classes < 2:
                raise InputError("classification needs at least 2 classes, there is 1; use a position or density loss")
            if isinstance(loss, Classification) and loss.readout is None:
                given[j] = replace(loss, readout=Readout.aligned(self.densities.means, self.densities.lift))
        if sum(isinstance(loss, Classification) and loss.trained for loss in given) > 1:
            raise InputError("more than one classification loss has a trained readout; train one at most")
        if self.control is not None and not isinstance(self.control, Neurons):
            raise InputError(f"control is {self.control!r}, must be None or Neurons(width=...)")
        self._check_correction()
        if self.control is not None and self.domain.periodic:
            raise InputError("a sum of neurons is not periodic: leave control out on a periodic box")
        object.__setattr__(self, "lagrangian", self.method.physics(self.domain, self.lagrangian))
        object.__setattr__(self, "losses", tuple(given))

    def __str__(self) -> str:
        domain, ranks = self.domain, self.domain.comm.size
        return (
            f"{len(self.layers)} layers x {domain.nodes} nodes in d = {domain.dimension}, {self.classes} "
            f"class{'es' * (self.classes > 1)}, {self.unknowns} unknowns, {ranks} rank{'s' * (ranks > 1)}"
        )

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        physics = self.lagrangian
        return {
            "features": self.domain,
            "layers": self.layers,
            "classes": names(self.densities.class_names),
            "scheme": self.scheme,
            "physics": f"noise {physics.noise:g}, decay {physics.decay:g}, smoothness {physics.smoothness:g}",
            "losses": names([type(loss).__name__ for loss in self.terms]),
            "layer": "values at nodes" if self.control is None else plural(self.control.width, "neuron"),
            "unknowns": self.unknowns,
        }

    def _method(self, scheme: Scheme) -> Scheme:
        if self.heat_flow is None:
            return scheme
        if not isinstance(scheme, LayerMapScheme):
            raise InputError(f"heat_flow: the scheme {scheme.name!r} has no heat steps")
        return replace(scheme, heat_flow=self.heat_flow)

    def _check_correction(self) -> None:
        if self.correction is None:
            return
        if self.method.moves_points and (self.correction.density.any() or self.correction.potential.any()):
            raise InputError(f"correction: slabs of the scheme {self.scheme!r} have no fields to be moved")
        needed, found = (len(self.layers), *self.densities.values.shape), self.correction.density.shape
        if found != needed:
            raise InputError(f"correction has shape {found}, must be (layers, classes, owned) = {needed}")

    @property
    def terms(self) -> tuple[Loss, ...]:
        """The losses, always as a tuple, readouts filled in."""
        return tuple(self.losses) if isinstance(self.losses, Sequence) else (self.losses,)

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return int(self.densities.values.shape[0])

    @property
    def readout(self) -> Readout | None:
        """The readout of the last classification loss, None if there is none."""
        found = [loss.readout for loss in self.terms if isinstance(loss, Classification)]
        return found[-1] if found else None

    def flow(self, velocity: Floats, density: Floats, potential: Floats, jumps: Floats) -> Flow:
        """Fields of the problem as a flow; shapes as there."""
        return Flow(self.domain, self.layers, self.lagrangian, self.method, velocity, density, potential, jumps)

    @property
    def unknowns(self) -> int:
        """N (d + 2 C) nodes: velocity, densities and potentials of all slabs; with neurons N (2 C nodes + d J), or
        N (2 C nodes + (2 d + 1) J) where these are trained whole."""
        fields, d, nodes = 2 * self.classes, self.domain.dimension, self.domain.nodes
        own = d * nodes if self.control is None else self.control.parameters(d)
        return len(self.layers) * (fields * nodes + own)
