"""Equilibria of the fluid on uniform boxes: current velocity, vorticity and Bernoulli function at the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import everywhere
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.uniform_grid import GatheredGrid
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.physics.lagrangian import Field, Lagrangian


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A steady state of the fluid at this rank's owned nodes; that it is steady is the caller's word.

    Attributes:
        domain: a uniform box, perhaps periodic, d = 1 or 2, at least 3 nodes per direction.
        lagrangian: its energy, noise and potential; kinetic 1, decay 0, smoothness 0.
        density: rho_e > 0, (owned,); velocity: u_e, (d, owned).

    Raises:
        InputError: another kind of domain or physics, fields of another shape, or a density that is not positive.

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> still.density.shape == (line.owned,)
        True
    """

    domain: Domain
    lagrangian: Lagrangian
    density: Floats
    velocity: Floats

    def __post_init__(self) -> None:
        domain, physics = self.domain, self.lagrangian
        if not domain.regular or domain.dimension > 2 or domain.degree > 1:
            raise InputError("an energy-Casimir analysis needs a uniform box with d = 1 or 2 and elements of degree 1")
        if min(GatheredGrid(domain).shape) < 3:
            raise InputError("an energy-Casimir analysis needs at least 3 nodes per direction")
        numbers = float(physics.kinetic), float(physics.decay), float(physics.smoothness)
        if physics.energy is None or numbers != (1, 0, 0):
            raise InputError("an energy-Casimir analysis needs an internal energy, kinetic 1, decay 0, smoothness 0")
        shapes = self.density.shape == (domain.owned,) and self.velocity.shape == (domain.dimension, domain.owned)
        least = float(np.min(self.density, initial=inf)) if shapes else -inf
        if not everywhere(domain.comm, least > 0):
            raise InputError("an equilibrium needs a positive density (owned,) and a velocity (d, owned)")

    @classmethod
    def of_functions(cls, domain: Domain, lagrangian: Lagrangian, density: Field, velocity: Field) -> Equilibrium:
        """From functions of points (n, d): density (n,) and velocity (n, d)."""
        points = domain.coordinates[: domain.owned]
        return cls(domain, lagrangian, np.asarray(density(points), dtype=float), np.asarray(velocity(points)).T.copy())


class State:
    """rho, v, Omega and B on the grid of one rank."""

    def __init__(
        self, equilibrium: Equilibrium, grid: GatheredGrid, density: Floats, velocity: Floats, outer: Floats
    ) -> None:
        self._physics, self._outer, self.periodic = equilibrium.lagrangian, outer, grid.periodic
        self.spacing, self._noise = grid.spacing, float(equilibrium.lagrangian.noise)
        self.density = np.maximum(density, 1e-300)
        self.velocity = velocity - self._noise * self.gradient(np.log(self.density))
        self.speed = np.sqrt((self.velocity**2).sum(axis=0))
        self.vorticity = np.zeros_like(density)
        if len(velocity) == 2:
            self.vorticity = (self.gradient(self.velocity[1])[0] - self.gradient(self.velocity[0])[1]) / self.density

    @cached_property
    def curvature(self) -> Floats:
        """e''(rho)."""
        return -energy_derivative(self._physics, self.density, 2)

    @cached_property
    def bernoulli(self) -> Floats:
        """B = |v|^2/2 + e'(rho) - V + 2 nu^2 Laplace(rho^(1/2))/rho^(1/2)."""
        root = np.sqrt(self.density)
        bend = sum(self.gradient(slope)[a] for a, slope in enumerate(self.gradient(root)))
        pressure = -energy_derivative(self._physics, self.density, 1)
        return self.speed**2 / 2 + pressure - self._outer + 2 * self._noise**2 * bend / root

    def gradient(self, field: Floats) -> Floats:
        """Second-order differences, one-sided at the walls, (d, *grid)."""
        parts = []
        for a, h in enumerate(self.spacing):
            if a in self.periodic:
                parts.append((np.roll(field, -1, axis=a) - np.roll(field, 1, axis=a)) / (2 * h))
            else:
                parts.append(np.gradient(field, h, axis=a, edge_order=2))
        return np.array(parts)

    def steepness(self) -> tuple[Floats, Floats]:
        """Omega and Phi'' = B'(Omega)/Omega where Omega varies, (m,) each; empty without vorticity."""
        turn = self.gradient(self.vorticity)
        square, size = (turn**2).sum(axis=0), np.abs(self.vorticity).max()
        length = float(np.max(self.spacing * self.density.shape))
        shear = self.speed.max() / (length * self.density.min())
        if size <= 1e-6 * shear or square.max() <= (1e-6 * size / length) ** 2:
            return np.empty(0), np.empty(0)
        there = (square > 1e-4 * square.max()) & (np.abs(self.vorticity) > 1e-3 * size)
        rise = self.gradient(self.bernoulli)
        return self.vorticity[there], ((rise * turn).sum(axis=0) / square)[there] / self.vorticity[there]


def on_grid(equilibrium: Equilibrium, grid: GatheredGrid, density: Floats, velocity: Floats) -> State | None:
    """The state on the rank that holds the arrays, None elsewhere; collective."""
    domain = equilibrium.domain
    outer = equilibrium.lagrangian.potentials(domain.coordinates[: domain.owned], 1)
    fields = grid.gather(np.concatenate([density[None], velocity, outer]))
    if not grid.here:
        return None
    return State(equilibrium, grid, fields[0], fields[1:-1], fields[-1])
