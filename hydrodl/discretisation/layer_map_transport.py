"""The slabs of the layer-map schemes: noise, the map of the network, noise.

    forward   r_k = R'(M R_k)        R_{k+1} = R''(W^T M r_k - Delta dH/dphi)
    backward  q_k = R''(D_{k+1})     D_k = M R'(M W q_k - Delta dH/drho)

without R' where there is no noise before the map. W = W(u_k) is the push, R' and R'' are the heat steps of the noise
before and after it. Where V and U act at layers they are not in H, and D_{k+1} is what they have left of it. What is
carried is

    H = -(1/Delta) sum_c (M r_c, W q_c),

a function of (u, r, q): its derivatives in u are those of the weights. Which slabs, or which nodes of all slabs, a rank
has is said in ``slab_layouts``; it makes the pushes of those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.heat_flow import CosineStep, HeatFlow
from hydrodl.discretisation.heat_step import HeatStep, noise_split
from hydrodl.discretisation.layer_map_coupling import LayerMapCoupling
from hydrodl.discretisation.nodal_cost import NodalCost, NodalLayerCost
from hydrodl.discretisation.push import Push, Splines
from hydrodl.discretisation.scheme import EffectiveNoise
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.discretisation.slab_layouts import Noise, slab_layout
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.potential_cost import PotentialCost


class LayerMapTransport:
    """See :class:`~hydrodl.discretisation.scheme.Transport`.

    Args:
        domain, lagrangian: of the slabs; slabs: how many; classes: how many are carried at once.
        before: share of the noise before the map; degree: of the splines; trapezoidal: do V and U act at layers?
        options: "slab_share", see ``slab_layout``; heat_flow: in place of heat steps, on whole slabs.
    """

    def __init__(
        self,
        domain: Domain,
        lagrangian: Lagrangian,
        slabs: int,
        classes: int,
        before: float,
        degree: int,
        trapezoidal: bool,
        options: Mapping[str, Any],
        heat_flow: HeatFlow | None = None,
    ) -> None:
        self._heat_flow = heat_flow
        self._domain, self._lagrangian, self._classes, self._trapezoidal = domain, lagrangian, classes, trapezoidal
        inside = lagrangian.without_potentials if trapezoidal else lagrangian
        self.halo, self.action = Halo(domain), SlabAction(domain, inside)
        self.mass = self.action.mass_matrix()
        self.linear_solver = f"spline push of degree {degree}"
        self.layout = layout = slab_layout(domain, slabs, options if heat_flow is None else {"slab_share": "layers"})
        self.stacks, self.nodes = layout.stacks, layout.stacks.nodes
        self.cost = NodalCost(inside, layout)
        self._noise, self._before, self._steps = float(lagrangian.noise), before, np.ones(slabs)
        self._splines = Splines(self.nodes.shape, self.nodes.spacing, degree)
        self.pushes = layout.pushes(self._splines)
        self._slabs = LayerMapSlabs(layout.mass, self.pushes)
        self.march = layout.march(self._slabs)

    @cached_property
    def layer_cost(self) -> NodalLayerCost | None:
        """See :class:`~hydrodl.discretisation.scheme.Transport`; collective when it is first asked for."""
        given = self._lagrangian
        if not self._trapezoidal or not given.has_potentials:
            return None
        points = self._domain.coordinates[: self._domain.owned]
        potentials = self.stacks.everywhere(given.potentials(points, self._classes))
        return NodalLayerCost(PotentialCost(given, potentials), self.layout.mass)

    def set_velocity(self, velocity: Floats, steps: Floats) -> None:
        """Move the pushes of the slabs here."""
        self._steps = steps
        moves = (step * field for field, step in zip(velocity, self.own_steps, strict=True))
        self.layout.move(self.pushes, self._splines, moves)
        self._slabs.steps = self.own_steps
        given = self.nodes, self._noise, self.own_steps, self._splines, self._before
        flow = self._heat_flow
        self._slabs.noise = list(pairs(self.layout.noise, *given) if flow is None else heat_flows(flow, *given))

    def velocity_gradient(self, velocity: Floats, density: Floats, potential: Floats, out: Floats) -> None:
        """Add -sum_c M r_c grad (Pi q_c)(y)."""
        for r, q, force, push in zip(density, potential, out, self.pushes, strict=True):
            force -= push.forces(self.layout.mass * r, q)

    def effective_noise(self, velocity: Floats, total: Floats) -> EffectiveNoise:
        """nu, or the noise of the splines on axes where that is larger; the mean over layers by thickness."""
        nodes, degree, noise = self.nodes, self._splines.degree, self._noise
        each = [noise_split(noise, float(t), nodes.spacing, degree, self._before).effective for t in self._steps]
        mean = self._steps @ np.array(each) / self._steps.sum()
        largest = float(np.max(each)) / noise
        if largest <= 1 + 1e-12:
            return EffectiveNoise(mean, largest)
        return EffectiveNoise(mean, largest, self._advice(float(np.max(each))))

    def _advice(self, found: float) -> str:
        """How many nodes, or how few layers, bring the noise of the splines to nu."""
        nodes, thinnest = self.nodes, float(self._steps.min())
        share = (self._splines.degree + 1) / 24  # nu_B = share h^2 / Delta
        extent = nodes.spacing * (np.array(nodes.shape) - 1)
        enough = np.ceil(extent / np.sqrt(self._noise * thinnest / share) - 1e-9).astype(int) + 1
        thickness = share * float(nodes.spacing.max()) ** 2 / self._noise
        layers = int(self._steps.sum() / thickness + 1e-9)
        fewer = f", or at most {layers} uniform layers" if layers > 1 else ""
        return (
            f"the splines bring the noise {found:.3g} where {self._noise:.3g} was asked for: take "
            f"{' x '.join(map(str, enough))} nodes{fewer}"
        )

    def coupling(self, slabs: int, classes: int) -> LayerMapCoupling:
        """Room for the second derivatives of all slabs."""
        return LayerMapCoupling(self, classes)

    @property
    def own_steps(self) -> Floats:
        """Delta of the slabs here."""
        return self._steps[self.stacks.layers]

    def solve_to(self, accuracy: float) -> None:
        """Nothing: the heat steps are exact."""

    def unread_options(self) -> list[str]:
        """None: there is no linear solver with options."""
        return []

    def close(self) -> None:
        """Nothing belongs to PETSc here."""


class LayerMapSlabs:
    """The steps of both recursions, for fields (m, nodes here) on the grid, of lumped mass ``mass``.

    Attributes:
        steps: Delta, with which sources enter; noise: R' (None where there is no noise before the map) and R''; of each
            of the slabs here.
    """

    def __init__(self, mass: Floats, pushes: Sequence[Push]) -> None:
        self._mass, self._pushes = mass, pushes
        self.steps = np.ones(len(pushes))
        self.noise: list[tuple[Noise | None, Noise]] = []

    def forward(self, k: int, layer: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(r_k, R_{k+1}) of R_k and a source."""
        first, then = self.noise[k]
        slab, masses = layer, self._mass * layer
        if first is not None:
            slab = first.smooth(masses)
            np.multiply(self._mass, slab, out=masses)
        carried = self._pushes[k].carry(masses)
        if source is not None:
            carried -= self.steps[k] * source
        return slab, then.smooth(carried, out=carried)

    def backward(self, k: int, dual: Floats, source: Floats | None) -> tuple[Floats, Floats]:
        """(q_k, D_k) of D_{k+1}, pulls included, and a source."""
        first, then = self.noise[k]
        potential = then.smooth(dual)
        below = self._mass * self._pushes[k].pull(potential)
        if source is not None:
            below -= self.steps[k] * source
        if first is not None:
            below = self._mass * first.smooth(below, out=below)
        return potential, below


def heat_steps(
    nodes: GridNodes, noise: float, steps: Floats, splines: Splines, before: float
) -> list[tuple[HeatStep | None, HeatStep]]:
    """R' and R'' of whole layers of these thicknesses, one pair for all of one thickness."""

    def made(step: float, along: Floats) -> HeatStep:
        return HeatStep.of(nodes.shape, nodes.spacing, step, along)

    return pairs(made, nodes, noise, steps, splines, before)


def heat_flows(
    flow: HeatFlow, nodes: GridNodes, noise: float, steps: Floats, splines: Splines, before: float
) -> list[tuple[CosineStep | None, CosineStep]]:
    """What such layers have in place of them."""
    numbers, given = sorted(set(map(float, steps))), (noise, splines.degree, before)
    made = {step: flow.steps(nodes.shape, nodes.spacing, step, *given) for step in numbers}
    return [made[float(step)] for step in steps]


def pairs[T](
    make: Callable[[float, Floats], T], nodes: GridNodes, noise: float, steps: Floats, splines: Splines, before: float
) -> list[tuple[T | None, T]]:
    """R', None where no axis has noise before the map, and R'', as ``make`` makes them of Delta and noise per axis."""
    made: dict[float, tuple[T | None, T]] = {}
    for step in map(float, steps):
        if step not in made:
            split = noise_split(noise, step, nodes.spacing, splines.degree, before)
            made[step] = make(step, split.before) if split.before.any() else None, make(step, split.after)
    return [made[float(step)] for step in steps]
