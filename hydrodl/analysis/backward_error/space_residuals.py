"""The space part of the modified system on uniform boxes with the vertex rule, evaluated on nodal grids.

One slab's fields are gathered to one rank as arrays over the grid; high-order centred differences on a window inside
give their derivatives; the series of ``difference_series`` do the rest. Axis 0 of every result is the order:
the original equations, the order-2 terms, the order-4 terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hydrodl.analysis.backward_error import difference_series as series
from hydrodl.analysis.backward_error.difference_series import LEVELS
from hydrodl.common.arrays import Floats

Window = tuple[slice, ...]


@dataclass(eq=False)
class GridField:
    """Nodal values over a grid, and their derivatives on a window of it, each computed once."""

    values: Floats
    spacing: Floats
    window: Window
    points: int
    _known: dict[tuple[int, int], Floats] = field(default_factory=dict)

    def d(self, axis: int, order: int) -> Floats:
        """d^order along an axis, on the window."""
        if order == 0:
            return self.values[self.window]
        if (axis, order) not in self._known:
            weights, half = series.stencil_weights(order, self.points), self.points // 2
            total = np.zeros(self.values[self.window].shape)
            for shift, weight in zip(range(-half, half + 1), weights, strict=True):
                if weight:
                    total += weight * self.values[self._shifted(axis, shift)]
            self._known[axis, order] = total / self.spacing[axis] ** order
        return self._known[axis, order]

    def _shifted(self, axis: int, shift: int) -> Window:
        moved = slice(self.window[axis].start + shift, self.window[axis].stop + shift)
        return (*self.window[:axis], moved, *self.window[axis + 1 :])


def linear(symbol: series.Symbol, f: GridField, axis: int) -> Floats:
    """The orders of an operator with one argument, shape (LEVELS, *window)."""
    out = np.zeros((LEVELS, *f.d(0, 0).shape))
    for level, terms in enumerate(series.expand(symbol)):
        for term in terms:
            out[level] += float(term.coefficient) * f.spacing[axis] ** term.power * f.d(axis, term.orders[0])
    return out


def bilinear(symbol: series.Symbol, f: GridField, g: GridField, axis: int) -> Floats:
    """The orders of an operator with two arguments, shape (LEVELS, *window)."""
    out = np.zeros((LEVELS, *f.d(0, 0).shape))
    for level, terms in enumerate(series.expand(symbol)):
        for term in terms:
            scale = float(term.coefficient) * f.spacing[axis] ** term.power
            out[level] += scale * f.d(axis, term.orders[0]) * g.d(axis, term.orders[1])
    return out


@dataclass(frozen=True, eq=False)
class SpaceModel:
    """Numbers of the physics and of the grid.

    Attributes:
        numbers: nu, eps, alpha, w of the Lagrangian; fitted: is transport averaged over edges, with nu D(p)?
        spacing: h_a, (d,); points: of the differences; window: where residuals are evaluated.
    """

    numbers: tuple[float, float, float, float]
    fitted: bool
    spacing: Floats
    points: int
    window: Window

    @property
    def noise(self) -> float:
        """nu."""
        return self.numbers[0]

    def field(self, values: Floats) -> GridField:
        """Nodal values with their derivatives."""
        return GridField(values, self.spacing, self.window, self.points)

    def residuals(
        self, u: Floats, r: Floats, q: Floats, u_t: Floats, r_t: Floats, q_t: Floats, slope: Floats
    ) -> dict[str, tuple[Floats, Floats]]:
        """Residuals of one slab, and what they are measured against.

        Args:
            u: velocity, (d, *grid); r, q: densities and potentials, (C, *grid).
            u_t, r_t, q_t: their layer differences.
            slope: dl/drho_c + V_c at nodes, (C, *grid), exact under the vertex rule.

        Returns:
            {equation: (residual of each order, cumulated, (LEVELS, m, *window); reference (m, *window))}
        """
        u_t, r_t, q_t, slope = (values[slice(None), *self.window] for values in (u_t, r_t, q_t, slope))
        densities = -np.stack([self._carried(u, self.field(rho)) for rho in r], axis=1)
        potentials = np.stack([self._advected(u, self.field(phi)) for phi in q], axis=1)
        momentum, exerted = self._momentum(u, r, q)
        densities[0] += r_t
        potentials[0] += q_t - slope
        # the law of e - h-terms: its rate along z_t less a divergence is z_t . dH/dz, where r_t q_t cancels
        energy = (q_t * densities - r_t * potentials).sum(axis=1) + (u_t * momentum).sum(axis=1)
        shown = {
            "density": (densities, r_t),
            "potential": (potentials, q_t),
            "velocity": (momentum, exerted),
            "energy": (energy, np.abs(r_t * q_t).sum(axis=0)),
        }
        return {name: (np.cumsum(orders, axis=0), reference) for name, (orders, reference) in shown.items()}

    def _diffused(self, u: Floats, f: GridField) -> Floats:
        """div(B grad f), B = diag(nu D(p_a))."""
        total = np.zeros((LEVELS, *f.d(0, 0).shape))
        for axis, component in enumerate(u):
            total += self.noise * linear(series.SMOOTHING, f, axis)
            if self.fitted:
                extra = self.field(self._extra(axis) * component**4)
                total[2] += extra.d(axis, 1) * f.d(axis, 1) + extra.d(axis, 0) * f.d(axis, 2)
        return total

    def _extra(self, axis: int) -> float:
        """nu (D(p) - 1) / u_a^4, to leading order h^4."""
        return series.edge_noise() * self.noise * float(self.spacing[axis] / (2 * self.noise)) ** 4

    def _carried(self, u: Floats, rho: GridField) -> Floats:
        """L(u) rho = -div(rho u) + div(B grad rho)."""
        total = self._diffused(u, rho)
        for axis, component in enumerate(u):
            if self.fitted:
                total -= bilinear(series.CARRIED, self.field(component), rho, axis)
            else:
                total -= linear(series.TRANSPORT, self.field(rho.values * component), axis)
        return total

    def _advected(self, u: Floats, phi: GridField) -> Floats:
        """L(u)^T phi = u . grad phi + div(B grad phi)."""
        total = self._diffused(u, phi)
        for axis, component in enumerate(u):
            total += self._along(self.field(component), phi, axis)
        return total

    def _along(self, factor: GridField, phi: GridField, axis: int) -> Floats:
        """factor d_a phi, the factor averaged over edges where transport is."""
        if self.fitted:
            return bilinear(series.ADVECTED, factor, phi, axis)
        return factor.d(0, 0) * linear(series.TRANSPORT, phi, axis)

    def _momentum(self, u: Floats, r: Floats, q: Floats) -> tuple[Floats, Floats]:
        """dH/du per unit volume, (LEVELS, d, *window), and sum_c rho_c grad phi_c, (d, *window)."""
        axes = range(len(self.spacing))
        _, decay, smoothness, kinetic = self.numbers
        inside = (slice(None), *self.window)
        exerted, resisted = np.zeros((LEVELS, *u[inside].shape)), np.zeros(u[inside].shape)
        for rho, phi in ((self.field(a), self.field(b)) for a, b in zip(r, q, strict=True)):
            for axis in axes:
                exerted[:, axis] += self._along(rho, phi, axis)
                resisted[axis] += 4 * self._extra(axis) * rho.d(axis, 1) * phi.d(axis, 1)
        total = -exerted
        total[0] += (kinetic * r.sum(axis=0) + decay)[self.window] * u[inside]
        for component in axes:
            for axis in axes:
                total[:, component] -= smoothness**2 * linear(series.SMOOTHING, self.field(u[component]), axis)
        if self.fitted:
            total[2] += resisted * u[inside] ** 3
        return total, exerted[0]
