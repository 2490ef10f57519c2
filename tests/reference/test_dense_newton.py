"""A dense Newton method on the full space-time system, written apart from the package, finds the same optimum.

S_h of all variables (u_k, rho_{k+1}, phi_k and the last density) is stated in NumPy over quadrature points, the pairs
(cell, vertex) of the vertex rule; its gradient by hand, its Hessian by the complex step of that gradient (exact to
rounding). A loss inside the depth joins two such actions: the last density of one is the first of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

import hydrodl as hd

NOISE, DECAY, SMOOTHNESS, KINETIC = 0.15, 0.05, 0.3, 0.8
STEPS = {1: (0.3, 0.2, 0.5), 2: (0.6, 0.4)}


@dataclass(frozen=True)
class Grid:
    """A box of equal cells: nodes x (M, d); points p = (cell, vertex) with weight, node and gradient rows (d, P, M)."""

    x: np.ndarray
    weight: np.ndarray
    node: np.ndarray
    slope: np.ndarray
    h: float

    @classmethod
    def of(cls, lower: list[float], upper: list[float], nodes: list[int]) -> Grid:
        axes = [np.linspace(*ends) for ends in zip(lower, upper, nodes, strict=True)]
        x = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
        number = np.arange(len(x)).reshape(nodes)
        spacing = np.array([a[1] - a[0] for a in axes])
        d, points, rows = len(nodes), [], []
        for cell in product(*(range(n - 1) for n in nodes)):
            for vertex in product((0, 1), repeat=d):
                at = np.add(cell, vertex)
                points.append(number[tuple(at)])
                row = np.zeros((d, len(x)))
                for a in range(d):
                    low, high = at.copy(), at.copy()
                    low[a], high[a] = cell[a], cell[a] + 1
                    row[a, number[tuple(low)]], row[a, number[tuple(high)]] = -1 / spacing[a], 1 / spacing[a]
                rows.append(row)
        weight = np.full(len(points), spacing.prod() / 2**d)
        return cls(x, weight, np.array(points), np.stack(rows, axis=1), spacing.max())

    def at_nodes(self, values: np.ndarray) -> np.ndarray:
        """Sum values (..., P) over the points of each node, (..., M)."""
        out = np.zeros((*values.shape[:-1], len(self.x)), dtype=values.dtype)
        np.add.at(out, (..., self.node), values)
        return out

    @property
    def mass(self) -> np.ndarray:
        return self.at_nodes(self.weight)


@dataclass(frozen=True)
class Physics:
    """U and its slope, V (C, M), and G with its slope by layer."""

    energy: tuple[Callable, Callable]
    potential: np.ndarray
    losses: dict[int, tuple[Callable, Callable]]


def slab(grid: Grid, physics: Physics, u: np.ndarray, rho: np.ndarray, phi: np.ndarray) -> tuple:
    """H_h of u (d, M), rho and phi (C, M) and its derivatives in each."""
    W, D, to = grid.weight, grid.slope, grid.node
    U, slope_of_U = physics.energy
    v, R, total = u[:, to], rho[:, to], rho.sum(axis=0)[to]
    dv = np.einsum("apm,bm->bap", D, u)
    drho, dphi = (np.einsum("apm,cm->cap", D, f) for f in (rho, phi))
    speed2 = (v**2).sum(axis=0)
    nu = np.sqrt(NOISE**2 + grid.h**2 * speed2)
    flux = (drho * dphi).sum(axis=(0, 1))
    along = np.einsum("ap,cap->cp", v, dphi)
    weightv = KINETIC * total + DECAY
    density = weightv * speed2 / 2 + SMOOTHNESS**2 / 2 * (dv**2).sum(axis=(0, 1)) + U(total)
    density = density + ((physics.potential[:, to] - along) * R).sum(axis=0) + nu * flux
    by_u = weightv * v - np.einsum("cp,cap->ap", R, dphi) + grid.h**2 * v / nu * flux
    by_u = grid.at_nodes(W * by_u) + SMOOTHNESS**2 * np.einsum("apm,p,bap->bm", D, W, dv)
    by_rho = grid.at_nodes(W * (KINETIC / 2 * speed2 + slope_of_U(total) + physics.potential[:, to] - along))
    by_rho = by_rho + np.einsum("apm,p,cap->cm", D, W * nu, dphi)
    by_phi = np.einsum("apm,cap->cm", D, W * (nu * drho - R[:, None] * v[None]))
    return (W * density).sum(), by_u, by_rho, by_phi


def layout(d: int, classes: int, nodes: int, slabs: int, cuts: list[int]) -> tuple[dict[str, tuple], int]:
    """Name -> (where, shape) of the variables; "end" are the densities that losses see, "phi" has one layer more a cut."""
    shapes = {
        "u": (slabs, d, nodes),
        "r": (slabs, classes, nodes),
        "phi": (slabs + len(cuts), classes, nodes),
        "end": (len(cuts), classes, nodes),
    }
    places, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        places[name] = (slice(start, start + size), shape)
        start += size
    return places, start


def action(grid: Grid, physics: Physics, rho0: np.ndarray, steps: tuple, theta: float, z: np.ndarray) -> tuple:
    """S_h(z), dS_h/dz and the fields; cuts are the layers with a loss, the last one among them."""
    cuts = sorted(physics.losses)
    places, size = layout(grid.x.shape[1], len(rho0), len(grid.x), len(steps), cuts)
    f = {name: z[where].reshape(shape) for name, (where, shape) in places.items()}
    out = np.zeros(size, dtype=z.dtype)
    g = {name: out[where].reshape(shape) for name, (where, shape) in places.items()}
    M, value, level = grid.mass, 0.0, 0
    for part, (first, last) in enumerate(zip([0, *cuts], cuts, strict=False)):
        value = value - (M * (rho0 if part == 0 else f["end"][part - 1]) * f["phi"][level]).sum()
        g["phi"][level] -= M * (rho0 if part == 0 else f["end"][part - 1])
        if part > 0:
            g["end"][part - 1] -= M * f["phi"][level]
        for k in range(first, last):
            low, high, r = f["phi"][level], f["phi"][level + 1], f["r"][k]
            H, by_u, by_rho, by_phi = slab(grid, physics, f["u"][k], r, theta * low + (1 - theta) * high)
            value = value - (M * r * (high - low)).sum() + steps[k] * H
            g["u"][k] += steps[k] * by_u
            g["r"][k] += steps[k] * by_rho - M * (high - low)
            g["phi"][level] += M * r + steps[k] * theta * by_phi
            g["phi"][level + 1] += -M * r + steps[k] * (1 - theta) * by_phi
            level += 1
        G, slope_of_G = physics.losses[last]
        value = value + (M * f["end"][part] * f["phi"][level]).sum() + (M * G(f["end"][part])).sum()
        g["phi"][level] += M * f["end"][part]
        g["end"][part] += M * (f["phi"][level] + slope_of_G(f["end"][part]))
        level += 1
    return value, out, f


def newton(gradient: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """Damped Newton on gradient(z) = 0 with complex-step Hessians."""
    tiny = 1e-30
    for _ in range(60):
        residual = gradient(z)
        if np.abs(residual).max() < 1e-14:
            break
        eye = 1j * tiny * np.eye(len(z))
        hessian = np.array([gradient(z + row).imag / tiny for row in eye])
        step = np.linalg.solve(hessian.T, -residual)
        scale = 1.0
        for _ in range(40):
            with np.errstate(invalid="ignore", divide="ignore"):
                trial = np.linalg.norm(gradient(z + scale * step))
            if trial < (1 - 1e-4 * scale) * np.linalg.norm(residual):
                break
            scale /= 2
        else:
            break  # rounding
        z = z + scale * step
    return z
