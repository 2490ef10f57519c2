"""The energy-Casimir estimate along a run: the norm Q(t) of what it differs from an equilibrium is at most E(0).

E and Q stand in ``energy_casimir``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from scipy.integrate import cumulative_trapezoid

from hydrodl.analysis.stability.energy_casimir import Convexity, convexity
from hydrodl.analysis.stability.equilibrium import Equilibrium, State, on_grid
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, largest, summed
from hydrodl.mesh.uniform_grid import GatheredGrid
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow


@dataclass(frozen=True, eq=False)
class Estimate:
    """The a-priori estimate Q(t) <= E(0) along a perturbed run, the same on every rank.

    Attributes:
        norms: Q of every state, (K,); functional: E of every state, (K,), conserved up to the scheme's errors.
        inside: did the density stay in the region of the convexity numbers.
        stable: do the criteria hold, so that Q is a norm.

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> hd.analysis.along(still, wave).norms.shape
        (16,)
    """

    norms: Floats
    functional: Floats
    inside: bool
    stable: bool

    @property
    def drift(self) -> float:
        """max |E(t) - E(0)|/|E(0)|: what the scheme does to a conserved quantity."""
        return float(np.abs(self.functional - self.functional[0]).max() / max(abs(self.functional[0]), 1e-300))

    @property
    def ratio(self) -> float:
        """max Q(t)/E(0): at most 1 if the estimate holds."""
        return float(self.norms.max() / max(self.functional[0], 1e-300))

    @property
    def holds(self) -> bool:
        """The criteria hold, the density stayed inside, and Q(t) <= E(0) throughout."""
        return self.stable and self.inside and self.ratio <= 1


def a_priori(equilibrium: Equilibrium, density: Floats, velocity: Floats, margin: float = 0.1) -> Estimate:
    """Evaluate the estimate along a run; collective.

    Args:
        equilibrium: the state that was perturbed.
        density: rho of the run, (K, owned); velocity: u of the run, (K, d, owned); of a flow, those of its slabs.
        margin: how far the density may stray, see :func:`convexity`.

    Raises:
        InputError: no states, fields of another shape, or margin not in [0, 1).

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> hd.analysis.a_priori(still, wave.slab_density[:, 0], wave.velocity).inside
        True
    """
    domain, found = equilibrium.domain, convexity(equilibrium, margin)
    count = len(density)
    if not count or density.shape[1:] != (domain.owned,) or velocity.shape != (count, domain.dimension, domain.owned):
        raise InputError("a run needs densities (K, owned) and velocities (K, d, owned) of at least one state")
    grid = GatheredGrid(domain)
    base = on_grid(equilibrium, grid, equilibrium.density, equilibrium.velocity)
    states = [on_grid(equilibrium, grid, *pair) for pair in zip(density, velocity, strict=True)]

    def evaluate() -> Estimate | None:
        if base is None:
            return None
        measure, kept = _Measure(equilibrium, base, found), [state for state in states if state is not None]
        energies = -energy_derivative(equilibrium.lagrangian, np.array([state.density for state in kept]), 0)
        norms = np.array([measure.norm(state) for state in kept])
        functional = np.array([measure.functional(*pair) for pair in zip(kept, energies, strict=True)])
        ends = min(s.density.min() for s in kept), max(s.density.max() for s in kept)
        inside = found.density[0] <= ends[0] and ends[1] <= found.density[1]
        stable = found.modulus * found.density[0] > found.speed**2 and found.modulus > 0 and found.vortical > 0
        return Estimate(norms, functional, bool(inside), bool(stable))

    estimate: Estimate = domain.comm.bcast(attempt(domain.comm, evaluate))
    return estimate


def along(equilibrium: Equilibrium, flow: Flow, margin: float = 0.1) -> Estimate:
    """:func:`a_priori` along the slabs of a marched flow.

    With theta = 1 a slab's velocity and density belong to its two ends, which moves E by O(Delta); with 1/2 by
    O(Delta^2). At rest with one class E and Q are those of the discrete system, potentials included.

    Example:
        >>> still = hd.analysis.Equilibrium.of_functions(line, gas, lambda x: 1 + 0 * x[:, 0], lambda x: 0 * x)
        >>> hd.analysis.along(still, wave).inside
        True
    """
    still = largest(flow.domain.comm, float(np.abs(equilibrium.velocity).max(initial=0.0))) == 0
    if still and flow.density.shape[1] == 1:
        return _at_rest(equilibrium, flow, convexity(equilibrium, margin))
    return a_priori(equilibrium, flow.slab_density.sum(axis=1), flow.velocity, margin)


def _at_rest(equilibrium: Equilibrium, flow: Flow, found: Convexity) -> Estimate:
    """The discrete estimate about rest."""
    recovery, physics = Recovery(flow), equilibrium.lagrangian
    mass, base = recovery.mass.ones, equilibrium.density
    share = float(np.sqrt(max(1 - found.modulus / found.pressure, 0.0))) if found.pressure > 0 else 1.0
    energy, slope = (-energy_derivative(physics, base, order) for order in (0, 1))
    energies = -energy_derivative(physics, flow.slab_density[:, 0], 0)
    local = np.empty((len(flow.layers), 4))
    for k, (u, r, q) in enumerate(zip(flow.velocity, flow.slab_density, flow.slab_potential, strict=True)):
        rho, speed = r[0], (u**2).sum(axis=0)
        change = rho - base
        pressure = energies[k] - energy - slope * change
        spread = rho * recovery.laplacians(q)[0]  # minus that of the gradients
        whole = rho * speed / 2 + float(physics.noise) * spread + pressure
        norm = (1 - share) / 2 * (found.density[0] * speed + found.pressure * change**2)
        local[k] = (mass * whole).sum(), (mass * norm).sum(), -rho.min(initial=inf), rho.max(initial=-inf)
    sums, ends = summed(flow.domain.comm, local[:, :2]), largest(flow.domain.comm, local[:, 2:])
    inside = found.density[0] <= -ends[:, 0].max() and ends[:, 1].max() <= found.density[1]
    return Estimate(sums[:, 1], sums[:, 0], bool(inside), found.modulus > 0)


class _Measure:
    """Q and E of states against an equilibrium, on the rank that holds the arrays."""

    def __init__(self, equilibrium: Equilibrium, base: State, found: Convexity) -> None:
        self.physics, self.base, self.found = equilibrium.lagrangian, base, found
        weights: Floats = np.ones(())
        for a, (h, n) in enumerate(zip(base.spacing, base.density.shape, strict=True)):  # the vertex rule
            line = np.full(n, h)
            line[[0, -1]] /= 1 if a in base.periodic else 2
            weights = np.multiply.outer(weights, line)
        self.weights = weights
        self.energy, self.slope = (-energy_derivative(self.physics, base.density, order) for order in (0, 1))
        self.steepness = base.steepness()

    def functional(self, state: State, energy: Floats) -> float:
        """E: conserved by the fluid; ``energy`` is e(rho)."""
        base, change = self.base, state.density - self.base.density
        moved = state.velocity - base.velocity
        kinetic = state.density * (moved**2).sum(axis=0) / 2 + change * (base.velocity * moved).sum(axis=0)
        pressure = energy - self.energy - self.slope * change
        spread = (state.gradient(np.log(state.density / base.density)) ** 2).sum(axis=0)
        noise = float(self.physics.noise) ** 2 / 2 * state.density * spread
        return float((self.weights * (kinetic + pressure - noise + state.density * self._casimir(state))).sum())

    def _casimir(self, state: State) -> Floats:
        """Phi(Omega) - Phi(Omega_e) - Phi'(Omega_e) dOmega, Phi'' interpolated between the equilibrium's values."""
        if not self.found.rotational:
            return np.zeros_like(state.density)
        known, values = self.steepness
        order = np.argsort(known)
        both = np.concatenate([known, state.vorticity.ravel(), self.base.vorticity.ravel()])
        line = np.linspace(both.min(), both.max(), 4001)
        second = np.interp(line, known[order], values[order])
        first = cumulative_trapezoid(second, line, initial=0.0)
        whole = cumulative_trapezoid(first, line, initial=0.0)

        def at(table: Floats, field: Floats) -> Floats:
            return np.interp(field, line, table)

        now, then = state.vorticity, self.base.vorticity
        return at(whole, now) - at(whole, then) - at(first, then) * (now - then)

    def norm(self, state: State) -> float:
        """Q: a norm of the perturbation if the criteria hold."""
        base, change, found = self.base, state.density - self.base.density, self.found
        moved = state.velocity - base.velocity
        form = found.density[0] * (moved**2).sum(axis=0) / 2 + change * (base.velocity * moved).sum(axis=0)
        form = form + found.modulus / 2 * change**2
        if found.rotational:
            form = form + found.density[0] * found.vortical / 2 * (state.vorticity - base.vorticity) ** 2
        return float((self.weights * form).sum())
