"""A discrete flow: the fields of all slabs and layers, whether trained or marched, for the analyses to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, plural
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest
from hydrodl.discretisation.scheme import Scheme
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.potential_cost import PotentialCost


class HasFlow(Protocol):
    """What a flow can be taken from: a solution."""

    @property
    def flow(self) -> Flow:
        """The flow."""


@dataclass(frozen=True, eq=False, repr=False)
class Flow(Card):
    """Fields of a discrete flow at this rank's owned nodes.

    Attributes:
        domain, layers: what the flow lives on; scheme: how it gets from layer to layer.
        lagrangian: what it obeys, ``fitted`` decided.
        velocity: u_k on slab k, shape (N, d, owned).
        density: rho_c at layers t_0 .. t_N, shape (N + 1, C, owned).
        potential: phi_c at layers, shape (N + 1, C, owned); at a layer with a loss inside, its value before the loss.
        jumps: what a loss inside adds to the potential when a slab below looks up at layer k + 1, (N, C, owned);
            zero at the last layer, whose loss is in ``potential`` already.

    Example:
        >>> flow = hd.Flow.of(solution)
        >>> flow.slab_density.shape == (16, 3, domain.owned)
        True
    """

    domain: Domain
    layers: Layers
    lagrangian: Lagrangian
    scheme: Scheme
    velocity: Floats
    density: Floats
    potential: Floats
    jumps: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "lagrangian", self.scheme.physics(self.domain, self.lagrangian))

    def __str__(self) -> str:
        return f"{plural(len(self.layers), 'slab')} of {plural(self.density.shape[1], 'class')}, {self.domain}"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        return {
            "features": self.domain,
            "layers": self.layers,
            "noise": f"{self.lagrangian.noise:g}",
            "velocity": f"{self.velocity.shape} on this rank",
            "density, potential": f"{self.density.shape} on this rank",
        }

    @staticmethod
    def of(solution: HasFlow) -> Flow:
        """The flow of a trained solution."""
        return solution.flow

    @property
    def theta(self) -> float:
        """The box scheme's number: 1 (Euler box) or 1/2 (midpoint box)."""
        return self.scheme.theta

    @property
    def slab_density(self) -> Floats:
        """r_k of every slab, shape (N, C, owned)."""
        return self.scheme.slab_density(self.domain, self.lagrangian, self.layers.steps, self.density)

    @property
    def slab_potential(self) -> Floats:
        """q_k of every slab, shape (N, C, owned)."""
        return self.scheme.slab_potential(self.domain, self.lagrangian, self.layers.steps, *self.inner_potentials)

    @property
    def slab_lagrangian(self) -> Lagrangian:
        """What acts on u_k, r_k and q_k: without V and U where they act at layers."""
        return self.lagrangian.without_potentials if self.scheme.trapezoidal else self.lagrangian

    @cached_property
    def layer_cost(self) -> PotentialCost | None:
        """V and U at this rank's owned nodes where they act at layers, None where they do not or there are none."""
        physics = self.lagrangian
        if not self.scheme.trapezoidal or not physics.has_potentials:
            return None
        points = self.domain.coordinates[: self.domain.owned]
        return PotentialCost(physics, physics.potentials(points, self.density.shape[1]))

    @cached_property
    def layer_slopes(self) -> Floats:
        """V_c + U'(R) where they act at layers, else 0, shape (N + 1, C, owned)."""
        return np.zeros_like(self.density) if self.layer_cost is None else self.layer_cost.slopes(self.density)

    @property
    def inner_potentials(self) -> tuple[Floats, Floats]:
        """phi at both ends of every slab, after V and U have acted there, each (N, C, owned).

        phi_k + Delta_k/2 (V + U')(R_k) and p_k - Delta_k/2 (V + U')(R_{k+1}): what the slab carries, at layers the
        trapezoidal rule's share of it.
        """
        if self.layer_cost is None:
            return self.potential[:-1], self.upper_potential
        kicks = self.layers.steps[:, None, None] / 2
        below, above = self.layer_slopes[:-1], self.layer_slopes[1:]
        return self.potential[:-1] + kicks * below, self.upper_potential - kicks * above

    @property
    def upper_potential(self) -> Floats:
        """p_k: phi_{k+1} seen from slab k, losses at layer k + 1 included, shape (N, C, owned)."""
        return self.potential[1:] + self.jumps

    @cached_property
    def losses_inside(self) -> NDArray[np.bool_]:
        """Whether a loss acts at layers t_1 .. t_{N-1}, shape (N - 1,); collective."""
        size = np.abs(self.jumps).max(axis=(1, 2), initial=0.0)
        size = largest(self.domain.comm, size)
        return size[:-1] > 0

    @property
    def sections(self) -> list[slice]:
        """The slabs between one loss inside and the next: there fields are smooth in depth; collective."""
        cuts = [0, *(int(k) + 1 for k in np.flatnonzero(self.losses_inside)), len(self.layers)]
        return [slice(a, b) for a, b in pairwise(cuts)]

    def window(self, first: int, last: int) -> Flow:
        """The slabs first .. last - 1 as a flow of their own, from layer t_first to layer t_last.

        Raises:
            InputError: not 0 <= first < last <= N.
        """
        if not 0 <= first < last <= len(self.layers):
            raise InputError(f"slabs are ({first}, {last}), must be 0 <= first < last <= {len(self.layers)}")
        potential, jumps = self.potential[first : last + 1].copy(), self.jumps[first:last].copy()
        potential[-1], jumps[-1] = self.upper_potential[last - 1], 0.0  # what the last slab sees above it
        times = self.layers.times[first : last + 1]
        return replace(
            self,
            layers=Layers(times - times[0]),
            velocity=self.velocity[first:last],
            density=self.density[first : last + 1],
            potential=potential,
            jumps=jumps,
        )


def peclet(domain: Domain, velocity: Floats, noise: float) -> float:
    """Largest cell Peclet number |u| h / (2 nu); velocity (N, d, local nodes)."""
    speed = np.sqrt((velocity**2).sum(axis=1)).max(axis=0)
    cells = domain.V.dofmap.list[: domain.mesh.topology.index_map(domain.mesh.topology.dim).size_local]
    h = domain.edge_length.x.array[: len(cells)]
    fastest = float((speed[cells].max(axis=1) * h).max()) if len(cells) else 0.0
    return largest(domain.comm, fastest) / (2 * noise)
