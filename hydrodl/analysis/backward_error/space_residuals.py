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


def product(a: Floats, b: Floats) -> Floats:
    """The orders of a product of two series."""
    out = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for i in range(LEVELS):
        for j in range(LEVELS - i):
            out[i + j] += a[i] * b[j]
    return out


@dataclass(frozen=True, eq=False)
class SpaceModel:
    """Numbers of the physics and of the grid.

    Attributes:
        numbers: nu, eps, alpha, w of the Lagrangian; fitted: is the diffusion nu_h(u) rather than nu.
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
        viscosity = self._viscosity(u)
        u_t, r_t, q_t, slope = (values[slice(None), *self.window] for values in (u_t, r_t, q_t, slope))
        densities = -np.stack([self._carried(u, self.field(rho), viscosity) for rho in r], axis=1)
        potentials = np.stack([self._advected(u, self.field(phi), viscosity) for phi in q], axis=1)
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

    def _viscosity(self, u: Floats) -> list[GridField]:
        """n_m, m < LEVELS: nu_h = sum_m n_m h^(2m), the power of h included."""
        noise = np.full(u.shape[1:], self.noise)
        if not self.fitted:
            return [self.field(noise)]
        return [self.field(b * noise * self._excess(u) ** m) for m, b in enumerate(series.fitted()[0])]

    def _excess(self, u: Floats) -> Floats:
        return (self.spacing.max() / self.noise) ** 2 * (u**2).sum(axis=0)

    def _diffused(self, viscosity: list[GridField], f: GridField) -> Floats:
        """div(nu_h grad f)."""
        total = np.zeros((LEVELS, *f.d(0, 0).shape))
        for m, nu in enumerate(viscosity):
            for axis in range(len(self.spacing)):
                total[m:] += bilinear(series.DIFFUSION, nu, f, axis)[: LEVELS - m]
        return total

    def _carried(self, u: Floats, rho: GridField, viscosity: list[GridField]) -> Floats:
        """L(u) rho = -div(rho u) + div(nu_h grad rho)."""
        total = self._diffused(viscosity, rho)
        for axis, component in enumerate(u):
            total -= linear(series.TRANSPORT, self.field(rho.values * component), axis)
        return total

    def _advected(self, u: Floats, phi: GridField, viscosity: list[GridField]) -> Floats:
        """L(u)^T phi = u . grad phi + div(nu_h grad phi)."""
        total = self._diffused(viscosity, phi)
        for axis, component in enumerate(u):
            total += component[self.window] * linear(series.TRANSPORT, phi, axis)
        return total

    def _momentum(self, u: Floats, r: Floats, q: Floats) -> tuple[Floats, Floats]:
        """dH/du per unit volume, (LEVELS, d, *window), and sum_c rho_c grad phi_c, (d, *window)."""
        axes = range(len(self.spacing))
        _, decay, smoothness, kinetic = self.numbers
        inside = (slice(None), *self.window)
        exerted = np.zeros((LEVELS, *u[inside].shape))
        crossed = np.zeros((LEVELS, *u[0][self.window].shape))
        for rho, phi in ((self.field(a), self.field(b)) for a, b in zip(r, q, strict=True)):
            for axis in axes:
                exerted[:, axis] += rho.d(0, 0) * linear(series.TRANSPORT, phi, axis)
                crossed += bilinear(series.COUPLING, rho, phi, axis)
        total = -exerted
        total[0] += (kinetic * r.sum(axis=0) + decay)[self.window] * u[inside]
        for component in axes:
            for axis in axes:
                total[:, component] -= smoothness**2 * linear(series.SMOOTHING, self.field(u[component]), axis)
        if self.fitted:
            total += product(self._fitting(u)[:, None] * u[inside], crossed[:, None])
        return total, exerted[0]

    def _fitting(self, u: Floats) -> Floats:
        """h^2 / nu_h, the factor of u in d nu_h/du: its orders, (LEVELS, *window)."""
        out = np.zeros((LEVELS, *u[0][self.window].shape))
        factor = self.spacing.max() ** 2 / self.noise
        for m, c in enumerate(series.fitted()[1][: LEVELS - 1]):
            out[m + 1] = factor * c * self._excess(u)[self.window] ** m
        return out
