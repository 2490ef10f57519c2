"""The layer-map schemes: what the network does to the mass of every node, and noise, and nothing else.

"residual" has all of the noise after the map, as the noisy residual network X <- X + Delta u(X) + noise has it: first
order in Delta. "strang" has half of it before and half after, and V and U at both ends of a slab, half at either: they
are then of second order, while the splines bring at most half, and what is left of first order is small.
Related: remapped particle-mesh advection (Cotter, Frank, Reich 2007), semi-Lagrangian schemes for mean-field games
(Carlini, Silva 2014).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.heat_flow import HeatFlow
from hydrodl.discretisation.layer_map_transport import LayerMapTransport, heat_flows, heat_steps
from hydrodl.discretisation.layer_map_walk import LayerMapWalk
from hydrodl.discretisation.push import Splines
from hydrodl.discretisation.slab_layouts import Noise
from hydrodl.discretisation.stacks import LayerStacks
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.physics.cost_numbers import cost_numbers
from hydrodl.physics.lagrangian import Lagrangian


@dataclass(frozen=True)
class LayerMapScheme:
    """See :class:`~hydrodl.discretisation.scheme.Scheme`; for uniform boxes.

    Attributes:
        name: what problem files call it; before: the share of the noise before the map, 0 or 1/2; degree: of the
            splines, 2 or 3; heat_flow: what stands for the heat steps, None: they themselves.
    """

    name: str
    before: float
    degree: int = 2
    heat_flow: HeatFlow | None = None

    @property
    def order(self) -> int:
        """1: what holds for every cost and potential.

        Half of the noise before the map, and V and U half at either end, take the largest parts of the error away; what
        is left of order 1, by smoothness and decay, ``objective_error`` tells part by part. It is nothing, and the
        order 2, where the velocity costs kinetic energy alone.
        """
        return 1

    @property
    def moves_points(self) -> bool:
        """Yes: that is what W is."""
        return True

    @property
    def positive(self) -> bool:
        """Yes: W and the heat steps are."""
        return self.heat_flow is None

    @property
    def trapezoidal(self) -> bool:
        """Where the noise is on both sides of the map V and U are too; the noisy residual network has them below it."""
        return self.before > 0

    @property
    def theta(self) -> float:
        """There is none.

        Raises:
            InputError: always; what asks is for box schemes.
        """
        raise InputError(f"scheme is {self.name!r}, must be 'euler-box' or 'midpoint' for this")

    def physics(self, domain: Domain, lagrangian: Lagrangian) -> Lagrangian:
        """The physics as it is, without fitted diffusion, which nothing here needs.

        Raises:
            InputError: the domain is no uniform box of degree 1 with the vertex rule, fitted diffusion is asked for, or
                the running cost is of a form that the nodal kernels do not have.
        """
        if not domain.robust:
            raise InputError(
                f"scheme {self.name!r} needs a uniform box of box cells of degree 1 with the vertex rule; on this mesh "
                "'euler-box' and 'midpoint' are possible"
            )
        if lagrangian.fitted:
            raise InputError(
                f"scheme {self.name!r} has no fitted diffusion: leave fitted out, or take 'euler-box' or 'midpoint'"
            )
        if cost_numbers(lagrangian) is None:
            raise InputError(
                f"scheme {self.name!r} needs the running cost 1/2 (w R + eps) |u|^2 + 1/2 alpha^2 |grad u|^2 + U(R), "
                f"which that of {type(lagrangian).__name__} is not; take 'euler-box' or 'midpoint'"
            )
        return lagrangian

    def transport(
        self, domain: Domain, lagrangian: Lagrangian, slabs: int, classes: int, options: Mapping[str, Any]
    ) -> LayerMapTransport:
        """The slabs of a flow; collective."""
        given = self.before, self.degree, self.trapezoidal, options, self.heat_flow
        return LayerMapTransport(domain, lagrangian, slabs, classes, *given)

    def slab_density(self, domain: Domain, lagrangian: Lagrangian, steps: Floats, density: Floats) -> Floats:
        """r_k: R_k after the noise before the map; collective."""
        if self.before == 0:
            return density[:-1]
        return self._smoothed(domain, lagrangian, steps, density[:-1], first=True)

    def slab_potential(
        self, domain: Domain, lagrangian: Lagrangian, steps: Floats, below: Floats, above: Floats
    ) -> Floats:
        """q_k: the potential above the slab before the noise after the map; collective."""
        return self._smoothed(domain, lagrangian, steps, above, first=False)

    def _smoothed(
        self, domain: Domain, lagrangian: Lagrangian, steps: Floats, fields: Floats, *, first: bool
    ) -> Floats:
        stacks = LayerStacks(domain, len(steps))
        nodes, own = stacks.nodes, stacks.spread(fields).copy()
        splines = Splines(nodes.shape, nodes.spacing, self.degree)
        given, flow = (nodes, float(lagrangian.noise), steps[stacks.layers], splines, self.before), self.heat_flow
        noise: Sequence[tuple[Noise | None, Noise]] = heat_flows(flow, *given) if flow else heat_steps(*given)
        for field, (before, after) in zip(own, noise, strict=True):
            heat = before if first else after
            if heat is not None:
                field[...] = heat.smooth(nodes.mass * field)
        return stacks.collect(own)

    def exact_spacing(self, noise: float, step: float) -> float | None:
        """h at which the splines bring what the heat step before the map leaves: nu_B = nu, or nu/2 for "strang"."""
        return float(np.sqrt(24 * step * noise * (1 - self.before) / (self.degree + 1)))

    def map_noise(self, domain: Domain, steps: Floats) -> float:
        """nu_B = (p + 1) h^2 / (24 Delta) of the thinnest layer and the longest spacing; collective."""
        spacing = GridNodes(domain).spacing
        return (self.degree + 1) * float(spacing.max()) ** 2 / (24 * float(steps.min()))

    def walk(self, domain: Domain, lagrangian: Lagrangian) -> LayerMapWalk:
        """The chain of the push and of both heat steps; collective.

        Raises:
            InputError: the scheme has a heat flow in place of them.
        """
        if self.heat_flow is not None:
            raise InputError("corrected layers are no Markov chain: draw paths from the problem's own solution")
        return LayerMapWalk(domain, lagrangian, self.before, self.degree)
