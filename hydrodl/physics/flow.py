"""A discrete flow: the fields of all slabs and layers, whether trained or marched, for the analyses to read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.solution import Solution


@dataclass(frozen=True, eq=False)
class Flow:
    """Fields of a discrete flow at this rank's owned nodes.

    Attributes:
        domain, layers, lagrangian: what the flow lives on and obeys.
        theta: 1 (Euler box) or 1/2 (midpoint box).
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
    theta: float
    velocity: Floats
    density: Floats
    potential: Floats
    jumps: Floats

    @classmethod
    def of(cls, solution: Solution) -> Flow:
        """The flow of a trained solution."""
        problem = solution.problem
        return cls(
            problem.domain,
            problem.layers,
            problem.lagrangian,
            problem.theta,
            solution.velocity,
            solution.density,
            solution.potential,
            solution.jumps,
        )

    @property
    def slab_density(self) -> Floats:
        """r_k = theta rho_{k+1} + (1 - theta) rho_k, shape (N, C, owned)."""
        return self.theta * self.density[1:] + (1 - self.theta) * self.density[:-1]

    @property
    def slab_potential(self) -> Floats:
        """q_k = theta phi_k + (1 - theta) p_k with p_k the potential above the slab, shape (N, C, owned)."""
        return self.theta * self.potential[:-1] + (1 - self.theta) * self.upper_potential

    @property
    def upper_potential(self) -> Floats:
        """p_k: phi_{k+1} seen from slab k, losses at layer k + 1 included, shape (N, C, owned)."""
        return self.potential[1:] + self.jumps


def peclet(domain: Domain, velocity: Floats, noise: float) -> float:
    """Largest cell Peclet number |u| h / (2 nu); velocity (N, d, local nodes)."""
    speed = np.sqrt((velocity**2).sum(axis=1)).max(axis=0)
    cells = domain.V.dofmap.list[: domain.mesh.topology.index_map(domain.mesh.topology.dim).size_local]
    h = domain.edge_length.x.array[: len(cells)]
    largest = float((speed[cells].max(axis=1) * h).max()) if len(cells) else 0.0
    return domain.comm.allreduce(largest, MPI.MAX) / (2 * noise)
