"""The two factors of a layer map's heat steps, axis by axis: what elements of nodes carry, what cells solve."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.heat_step import AxisHeat, HeatStep, NoiseSplit, axes_of
from hydrodl.mesh.grid_nodes import GridNodes

STILL = ((1, 0.0),)
"""An explicit factor that is the identity."""


@dataclass(frozen=True, eq=False)
class HeatFactors:
    """Both factors of the heat step along one axis, on densities: E, and the solve of 1 - b L.

    Attributes:
        mass: of the nodes; apart, next: the factors as steps from duals to densities; implicit: b.
    """

    mass: Floats
    apart: HeatStep
    next: HeatStep
    implicit: float

    def explicit(self, fields: Floats) -> Floats:
        """E fields, (C, nodes)."""
        return self.apart.smooth(self.mass * fields)

    def solved(self, fields: Floats) -> Floats:
        """(1 - b L)^-1 fields, (C, nodes)."""
        return self.next.smooth(self.mass * fields)


def heat_factors(nodes: GridNodes, step: float, split: NoiseSplit) -> dict[str, list[HeatFactors]]:
    """Those of every axis, by the name of their multiplier: "sigma" after the map, "pi" before it, if there are any."""
    axes = range(len(nodes.shape))

    def alone(axis: int, heat: AxisHeat) -> HeatStep:
        along = [heat if a == axis else AxisHeat.of(0.0) for a in axes]
        return HeatStep(nodes.shape, nodes.spacing, along)

    def factors(axis: int, heat: AxisHeat) -> HeatFactors:
        apart, next_to = replace(heat, implicit=0.0), replace(heat, explicit=STILL)
        return HeatFactors(nodes.mass, alone(axis, apart), alone(axis, next_to), heat.implicit)

    def both(noise: Floats) -> list[HeatFactors]:
        return [factors(a, heat) for a, heat in enumerate(axes_of(nodes.spacing, step, noise))]

    found = {"sigma": both(split.after)}
    return found | {"pi": both(split.before)} if split.before.any() else found
