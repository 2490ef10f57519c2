"""The energy-Casimir estimate of a march about a uniform gas, as a theorem of the discrete system.

From the first state alone: where E(0) is small enough, every later state has share N/2 <= E <= limit, see
``uniform_march``; nothing of the march itself goes in. It is about the solution of each slab that the last state leads
to, in exact arithmetic. What the march does is kept beside it, so that it can be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np

from hydrodl.analysis.stability.bounds import (
    Bound,
    at_least,
    box_numbers,
    cells_per_direction,
    in_proportion,
    last_with,
)
from hydrodl.analysis.stability.uniform_march import Region, UniformMarch, noise_by_axis
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest, summed
from hydrodl.physics.energy_derivative import energy_derivative
from hydrodl.problem.flow import Flow

SOURCE = "Arnold (1965); Holm, Marsden, Ratiu, Weinstein, Physics Reports 123 (1985); exact for the box schemes"


MARGINS = (0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
"""Regions that are tried: a larger one holds larger states, in a smaller one the energy is more convex."""


@dataclass(frozen=True, eq=False)
class MarchEstimate:
    """The estimate and the march, at layers (midpoint) or slabs (Euler box); the same on all ranks.

    Attributes:
        bounds: the criteria and the size of the first state.
        margin: of the region |rho - R| <= margin R, |u - s| <= margin c; share: of N/2 that E is at least.
        comoving: E is that in the frame of the stream, see ``uniform_march``.
        limit: what E cannot exceed, (K,), infinite from where nothing is known.
        functional: E, modified for the Euler box, (K,); norms: N, (K,).

    Example:
        >>> found = hd.analysis.march_estimate(wave)
        >>> found.holds, found.ratio < 1
        (True, True)
    """

    bounds: tuple[Bound, ...]
    margin: float
    share: float
    comoving: bool
    limit: Floats
    functional: Floats
    norms: Floats

    @property
    def holds(self) -> bool:
        """The criteria hold, and the first state is small enough for all of this depth."""
        return all(bound.holds for bound in self.bounds) and bool(np.isfinite(self.limit).all())

    @property
    def ratio(self) -> float:
        """max of share N/2 over the limit: at most 1 if the estimate holds, infinite where there is none."""
        if not self.share > 0:
            return inf
        return float((self.share * self.norms / 2 / np.maximum(self.limit, 1e-300)).max())

    @property
    def drift(self) -> float:
        """max |E - E(0)|/|E(0)|."""
        return float(np.abs(self.functional - self.functional[0]).max() / max(abs(self.functional[0]), 1e-300))


def march_estimate(flow: Flow, margin: float | None = None) -> MarchEstimate:
    """The a-priori estimate of a marched flow about the uniform gas of its mean density and its stream; collective.

    Args:
        flow: of ``evolve``: one class, kinetic 1, decay 0, smoothness 0, an internal energy, a constant potential,
            layers of one thickness; a box with the vertex rule, at rest between walls or a stream along periodic
            directions.
        margin: how far the density may stray; None: that of ``MARGINS`` which bounds the last N best.

    Raises:
        InputError: another flow, or a margin not in (0, 1).

    Example:
        >>> print(hd.analysis.march_estimate(wave).bounds[0])
        energy-Casimir, discrete: 0.1057 against 1: holds (nu^2 lambda/c^2 < 1)
    """
    _check(flow)
    if margin is not None and not 0 < margin < 1:
        raise InputError(f"margin is {margin}, must be more than 0 and less than 1")
    recovery = Recovery(flow)
    volume, mass = flow.domain.volume, float(recovery.mass.integrals(flow.density[0])[0])
    step = float(flow.layers.steps[0])
    numbers = UniformMarch.of(flow.domain, flow.lagrangian, mass / volume, flow.theta, step)
    norms, functionals = measured(flow, recovery, numbers)
    criteria = _criteria(flow, numbers)

    def estimate(trial: float, comoving: bool) -> MarchEstimate:
        functional, region = functionals[int(comoving)], numbers.region(trial, comoving)
        energy = float(functional[0])
        bounds, limit = (*criteria, _size(region, energy)), region.limits(energy, len(norms) - 1)
        return MarchEstimate(bounds, trial, region.share, comoving, limit, functional, norms)

    frames = (False, True) if numbers.speed > 0 else (False,)
    found = [estimate(trial, frame) for trial in (MARGINS if margin is None else (margin,)) for frame in frames]
    return min(found, key=lambda e: (not e.holds, e.limit[-1] / e.share if e.share > 0 else inf))


def _check(flow: Flow) -> None:
    steps = flow.layers.steps
    if flow.scheme.moves_points or flow.lagrangian.fitted or flow.density.shape[1] != 1:
        raise InputError("the estimate of a march needs an unfitted box scheme and one class, see evolve")
    if np.ptp(steps) > 1e-9 * steps[0]:
        raise InputError("the estimate of a march needs layers of one thickness")
    outer = flow.lagrangian.potentials(flow.domain.coordinates[: flow.domain.owned], 1)[0]
    ends = largest(flow.domain.comm, np.array([outer.max(initial=-np.inf), -outer.min(initial=np.inf)]))
    if ends.sum() > 1e-12 * np.abs(ends).max():
        raise InputError("the estimate of a march needs a constant potential: the gas is uniform")


def measured(flow: Flow, recovery: Recovery, numbers: UniformMarch) -> tuple[Floats, Floats]:
    """N of every layer (midpoint) or slab (Euler box), and E there, as it is and in the frame of the stream, (2, K)."""
    euler = flow.theta == 1.0
    states = (flow.slab_density, flow.slab_potential) if euler else (flow.density, flow.potential)
    physics, weights, base = flow.lagrangian, recovery.mass.ones, np.array([numbers.total])
    stream = np.array(physics.stream or np.zeros(flow.domain.dimension), dtype=float)[:, None]
    energy, slope = (-energy_derivative(physics, base, order) for order in (0, 1))
    energies, slopes = (-energy_derivative(physics, states[0][:, 0], order) for order in (0, 1))
    local = np.empty((3, len(states[0])))
    for k, (rho, phi) in enumerate(zip(*states, strict=True)):
        w, change = recovery.gradients(phi)[0], rho[0] - numbers.total
        square, along = (w**2).sum(axis=0), (stream * w).sum(axis=0)
        spread = recovery.laplacians(phi)[0]  # minus B phi
        still = rho[0] * square / 2 + energies[k] - energy - slope * change + numbers.noise * change * spread
        whole = still + change * along
        if euler:
            by_density = square / 2 + slopes[k] - slope + numbers.noise * spread
            climb, climb_along, swept = recovery.gradients(np.array([by_density, along, change]))
            lifts = recovery.laplacians(np.array([by_density, along]))
            flux = (climb * rho[0] * w).sum(axis=0) + numbers.noise * change * lifts[0]
            still = still - numbers.step / 2 * (flux + along * (stream * swept).sum(axis=0))
            flux = flux + ((climb + climb_along) * change * stream + climb_along * rho[0] * w).sum(axis=0)
            whole = whole - numbers.step / 2 * (flux + numbers.noise * change * lifts[1])
        norm = numbers.total * square + numbers.pressure * change**2
        local[:, k] = [(weights * values).sum() for values in (norm, whole, still)]
    sums = summed(flow.domain.comm, local)
    return sums[0], sums[1:]


def _criteria(flow: Flow, numbers: UniformMarch) -> tuple[Bound, ...]:
    """Noise against pressure, the stream against sound, and the thickness of layers for the Euler box."""
    streams = numbers.speed > 0
    convex = Bound(
        name="energy-Casimir, discrete",
        value=numbers.tilt(comoving=True) ** 2,
        bound=1.0,
        holds=numbers.tilt(comoving=True) < 1,
        most_nodes=_most_nodes(flow, numbers),
        inequality="nu^2 lambda/c^2 < 1",
        sufficient_only=True,
        source=SOURCE,
        note=_note(flow),
    )
    subsonic = Bound(
        name="energy-Casimir, stream",
        value=numbers.speed / numbers.sound if numbers.sound > 0 else inf,
        bound=1.0,
        holds=numbers.speed < numbers.sound,
        inequality="|s|/c < 1",
        sufficient_only=True,
        source=SOURCE,
        note="beyond it waves against the stream have negative energy, and grow by whatever stands still",
    )
    rooms = [(1 - numbers.tilt(frame)) / numbers.thick(frame) for frame in {False, streams} if numbers.tilt(frame) < 1]
    room = max(rooms, default=0.0)
    layers = Bound(
        name="energy-Casimir, layers",
        value=min(numbers.lean(frame) for frame in {False, streams}),
        bound=1.0,
        holds=any(numbers.lean(frame) < 1 for frame in {False, streams}),
        needs_layers=at_least(flow.layers.depth / room * (1 + 1e-9)) if room > 0 else None,
        inequality="y + Delta/2 (c |D| + y nu |B| + |s|^2 |D|/c) < 1, y^2 = nu^2 lambda/c^2",
        sufficient_only=True,
        source=SOURCE,
    )
    return (convex, *[subsonic] * streams, *[layers] * (flow.theta == 1.0))


def _size(region: Region, energy: float) -> Bound:
    """Is the first state small enough to stay in the region as long as E does not grow?"""
    reach = region.reach(energy)
    return Bound(
        name="energy-Casimir, size",
        value=reach,
        bound=region.margin,
        holds=reach <= region.margin,
        inequality="(2 E(0)/(share R m))^(1/2)/c <= margin, m the smallest nodal mass",
        sufficient_only=True,
        source=SOURCE,
        note="" if region.share > 0 else "the energy is not shown to be convex in a region of this margin",
    )


def _note(flow: Flow) -> str:
    cells = cells_per_direction(flow.domain)
    if any(cells[a] % 2 == 0 for a in flow.domain.periodic):
        return "of an even number of nodes along a periodic direction the wave of two cells feels no pressure: take odd"
    return ""


def _most_nodes(flow: Flow, numbers: UniformMarch) -> int | None:
    """The largest number of nodes, in the direction that has most, with the other ones in proportion, for which the
    first criterion holds; odd without walls; None if there is none."""
    (lengths, given), periodic = box_numbers(flow.domain), flow.domain.periodic

    def stable(most: int) -> bool:
        pencil = noise_by_axis(lengths, in_proportion(given, most, least=2, odd=periodic), periodic)
        return replace(numbers, pencil=pencil).tilt(comoving=True) < 1

    if not numbers.speed < numbers.sound:
        return None
    # lambda grows like M^4: one guess, then bisection
    most = last_with(stable, 2, 4 + 4 * int(sqrt(numbers.sound * max(lengths) / numbers.noise)))
    if most == 2:
        return None
    return most - 1 + most % 2 if int(np.argmax(given)) in periodic else most + 1
