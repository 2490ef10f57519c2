"""Residuals of the original and modified equations in layers, for the layer-map schemes.

A slab of thickness Delta is one of a family, with Delta replaced by e Delta wherever it stands: in the displacement
e Delta u, in the noise of the heat steps, exp(e t D + e^2 c_4 D^2 - e^3 c_6 D^3) with D = h^2 d_aa and the cumulants of
``AxisHeat``, and of the splines 1 + e Delta nu_B L_a, L_a the second difference along an axis, and in the distance of
both layers from the middle of the slab. On smooth fields everything in it is a power series in e,

    density      rho(t + e Delta/2) = Phi_e rho(t - e Delta/2),   Phi_e = noise'' . splines . push . noise'
                 push f = sum_n (-e Delta)^n/n! div^n (u^n f)                        masses moved by e Delta u
    potential    phi(t - e Delta/2) = noise' [ pull q - e Delta dl/drho ],   q = splines . noise'' . phi(t + e Delta/2)
                 pull f = sum_n (e Delta)^n/n! u^n . grad^n f                        the value at x + e Delta u
                 where V and U act at layers, phi(t -+ e Delta/2) +- e Delta/2 (V + U')(t -+ e Delta/2) for phi
    velocity     dl/du = sum_c (noise' rho_c) pull (grad q_c)

and e = 1 is the scheme. The first order in e of the first two is the optimality system at the slab's middle, with the
velocity and the running cost of the slab; the next ones are the terms of order Delta and Delta^2 of the modified
system. The density's lowest order, for instance, is d_t rho + div(rho u) - (s' + s'' + nu_B) L rho, the next one

    - Delta/2 div^2 (u u rho) + Delta [ s'' L div(u rho) + s' div(u L rho) ] - ... + Delta/2 (div(u .) - nu L) d_t rho.

The velocity of a slab belongs to the points below it: in the middle of the slab the velocity of the fluid is that in
the middle of the paths, u(x) at x + Delta u(x)/2, so that the first of these terms is of order Delta for both schemes.
Derivatives in x are centred differences, so that places near a wall are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from math import factorial

import numpy as np

from hydrodl.analysis.backward_error.difference_series import LEVELS, stencil_weights
from hydrodl.analysis.backward_error.map_energy import half_way
from hydrodl.analysis.backward_error.residual_sums import ModifiedResiduals, ResidualSums
from hydrodl.analysis.backward_error.slab_samples import central
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.heat_step import AxisHeat, axes_of, noise_split
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.mesh.uniform_grid import GatheredGrid
from hydrodl.problem.flow import Flow

Jet = list[Floats]
"""Coefficients of e^0 .. e^LEVELS of a stack of fields on the grid."""


class JetGrid:
    """Derivatives of fields (..., *grid); near the walls they are wrong, see ``reach``.

    Args:
        spacing: h_a; points: odd number of points of the centred differences.
    """

    def __init__(self, spacing: Floats, points: int) -> None:
        self.spacing, self.points, self.d = spacing, points, len(spacing)
        self.reach = points // 2 + 2 * LEVELS + 1
        """Nodes from a wall up to which fields are wrong: one difference of high order, the noise on either side."""

    def derivative(self, f: Floats, orders: tuple[int, ...]) -> Floats:
        """d_1^n_1 .. d_d^n_d f."""
        for axis, order in enumerate(orders):
            if order:
                half, place = self.points // 2, axis - self.d
                weights = stencil_weights(order, self.points)
                shifts = zip(range(-half, half + 1), weights, strict=True)
                f = sum(w * np.roll(f, -j, place) for j, w in shifts if w) / self.spacing[axis] ** order
        return f

    def second_difference(self, f: Floats, axis: int) -> Floats:
        """L_a f."""
        place = axis - self.d
        return (np.roll(f, 1, place) - 2 * f + np.roll(f, -1, place)) / self.spacing[axis] ** 2

    def heat(self, jet: Jet, axis: int, heat: AxisHeat) -> Jet:
        """S as its series in e, each power of D up to the third of h^2 L_a = D + D^2/12 + D^3/360."""
        t, (fourth, sixth) = heat.time, heat.cumulants()
        first, second, third = t, t**2 / 2 + fourth, t**3 / 6 + t * fourth - sixth
        series = [(first, -first / 12, first / 90), (0.0, second, -second / 6), (0.0, 0.0, third)]
        out = list(jet)
        for m, f in enumerate(jet[:-1]):
            powers = [f]
            for _ in series:
                powers.append(self.spacing[axis] ** 2 * self.second_difference(powers[-1], axis))
            for n, weights in enumerate(series[: len(jet) - 1 - m], m + 1):
                out[n] = out[n] + sum(w * power for w, power in zip(weights, powers[1:], strict=True) if w)
        return out

    def splines(self, jet: Jet, axis: int, amount: float) -> Jet:
        """1 + e amount L_a."""
        return [f if n == 0 else f + amount * self.second_difference(jet[n - 1], axis) for n, f in enumerate(jet)]

    def pushed(self, jet: Jet, u: Floats, step: float) -> Jet:
        """Masses moved by e step u, u (d, *grid)."""
        out = list(jet)
        for n, orders, factor in self._products(u, -step, len(jet)):
            for m in range(len(jet) - n):
                out[m + n] = out[m + n] + self.derivative(factor * jet[m], orders)
        return out

    def pulled(self, jet: Jet, u: Floats, step: float, along: int | None = None) -> Jet:
        """Values at x + e step u, or those of the derivative along an axis."""
        first = tuple(int(a == along) for a in range(self.d))
        out = [self.derivative(f, first) for f in jet]
        for n, orders, factor in self._products(u, step, len(jet)):
            together = tuple(i + j for i, j in zip(orders, first, strict=True))
            for m in range(len(jet) - n):
                out[m + n] = out[m + n] + factor * self.derivative(jet[m], together)
        return out

    def _products(self, u: Floats, step: float, length: int) -> Iterator[tuple[int, tuple[int, ...], Floats]]:
        """n, orders of a derivative, and step^n u^n / n! with how often these orders come: of all orders below."""
        for n in range(1, length):
            for axes in combinations_with_replacement(range(self.d), n):
                orders = tuple(axes.count(a) for a in range(self.d))
                scale = step**n / np.prod([factorial(i) for i in orders])
                yield n, orders, scale * np.prod([u[a] for a in axes], axis=0)


def shifted(derivatives: list[Floats], time: float) -> Jet:
    """f(t + e time) from f and its derivatives in t."""
    return [f * time**n / factorial(n) for n, f in enumerate(derivatives)]


def in_time(layers: Floats, step: float) -> list[Floats]:
    """A field half-way between the middle two of an even number of layers, (points, ...), and derivatives in t."""
    return [np.tensordot(half_way(n, len(layers)), layers, 1) / step**n for n in range(LEVELS + 1)]


def _kicked(phi: list[Floats], outer: list[Floats], time: float) -> Jet:
    """phi(t + e time) - e time (V + U')(t + e time)."""
    jet, kick = shifted(phi, time), shifted(outer, time)
    return [jet[0], *(f - time * g for f, g in zip(jet[1:], kick[:-1], strict=True))]


class MapSlab:
    """One slab's equations as series in e.

    Args:
        grid: derivatives; step: Delta; before, after, splines: s', s'' and nu_B, (d,).
    """

    def __init__(self, grid: JetGrid, step: float, before: Floats, after: Floats, splines: Floats) -> None:
        self._grid, self._step = grid, step
        self._before, self._after = (axes_of(grid.spacing, step, noise) for noise in (before, after))
        self._splines = step * np.asarray(splines)

    def _noise(self, jet: Jet, axes: list[AxisHeat]) -> Jet:
        for axis, heat in enumerate(axes):
            jet = self._grid.heat(jet, axis, heat)
        return jet

    def _smoothed(self, jet: Jet) -> Jet:
        for axis, amount in enumerate(self._splines):
            jet = self._grid.splines(jet, axis, float(amount))
        return jet

    def residuals(
        self, u: Floats, rho: list[Floats], phi: list[Floats], outer: list[Floats], slope: Floats, momentum: Floats
    ) -> dict[str, tuple[list[Floats], Floats]]:
        """Orders of each equation's residual, LEVELS of them, and what they are measured against.

        Args:
            u: (d, *grid); rho, phi, outer: with derivatives in t, (C, *grid) each, the last V + U' where it acts at
            layers; slope: dl/drho of the slab, (C, *grid); momentum: dl/du, (d, *grid).
        """
        grid, step = self._grid, self._step
        below = self._noise(shifted(rho, -step / 2), self._before)
        pushed = self._noise(self._smoothed(grid.pushed(below, u, step)), self._after)
        above = shifted(rho, step / 2)
        q = self._smoothed(self._noise(_kicked(phi, outer, step / 2), self._after))
        pulled = grid.pulled(q, u, step)
        pulled[1] = pulled[1] - step * slope
        pulled = self._noise(pulled, self._before)
        low = _kicked(phi, outer, -step / 2)
        exerted = self._exerted(below, q, u)
        orders = range(1, LEVELS + 1)
        return {
            "density": ([(above[n] - pushed[n]) / step for n in orders], rho[1]),
            "potential": ([(pulled[n] - low[n]) / step for n in orders], phi[1]),
            "velocity": ([momentum - exerted[0], *(-f for f in exerted[1:LEVELS])], exerted[0]),
        }

    def _exerted(self, rho: Jet, q: Jet, u: Floats) -> list[Floats]:
        """sum_c (noise' rho_c) pull (grad q_c), order by order, (d, *grid)."""
        grid, out = self._grid, []
        slopes = [grid.pulled(q, u, self._step, along=a) for a in range(grid.d)]
        for n in range(LEVELS):
            out.append(np.array([sum((rho[m] * jet[n - m]).sum(axis=0) for m in range(n + 1)) for jet in slopes]))
        return out


def map_layer_residuals(
    flow: Flow, scheme: LayerMapScheme, slabs: list[int], window: float, points: int
) -> ModifiedResiduals:
    """Residuals at slabs, on the central share of the box; collective.

    Args:
        flow, scheme: of layer maps, layers equal; slabs: each with ``points`` // 2 others on either side.

    Raises:
        InputError: too few nodes for the differences.
    """
    domain, step = flow.domain, float(flow.layers.steps.mean())
    gathered = GatheredGrid(domain)
    grid = JetGrid(gathered.spacing, points)
    ranges = [central(range(n), window, 2 * grid.reach + 1, midpoints=False) for n in gathered.shape]
    if not all(ranges):
        raise InputError(
            f"no node inside the central {window:g} of the box is {grid.reach} nodes from the walls; use more than "
            f"{min(gathered.shape)} nodes a side, or fewer points"
        )
    inside = (slice(None), *(slice(r[0], r[-1] + 1) for r in ranges))
    split = noise_split(float(flow.lagrangian.noise), step, gathered.spacing, scheme.degree, scheme.before)
    slab = MapSlab(grid, step, split.before, split.after, split.effective - split.before - split.after)
    momentum, slopes = Recovery(flow).cost_slopes(flow)
    sums, half = ResidualSums(), points // 2
    volume = float(np.prod(gathered.spacing))
    for k in slabs:
        potentials = flow.potential[k - half : k + half + 2].copy()
        potentials[-1] = flow.upper_potential[k + half]
        near = slice(k - half, k + half + 2)
        stacks = [flow.density[near], potentials, flow.layer_slopes[near]]
        rho, phi, outer = (np.array([gathered.gather(layer) for layer in stack]) for stack in stacks)
        u, slope, exerts = (gathered.gather(f) for f in (flow.velocity[k], slopes[k], momentum[k]))
        if not gathered.here:
            continue
        curves = in_time(rho, step), in_time(phi, step), in_time(outer, step)
        found = slab.residuals(u, *curves, slope, exerts)
        for name, (orders, reference) in found.items():
            levels = np.cumsum([f[inside] for f in orders], axis=0)
            sums.add(name, [volume * float((f**2).sum()) for f in (*levels, reference[inside])])
    return sums.residuals("layers", domain.comm, step, len(slabs))
