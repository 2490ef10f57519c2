"""A dense Newton method on the full space-time system, written apart from the package, finds the same optimum.

S_h of all variables (u_k, rho_{k+1}, phi_k and the last density) is stated in NumPy over quadrature points, the pairs
(cell, vertex) of the vertex rule; its gradient by hand, its Hessian by the complex step of that gradient (exact to
rounding). A loss inside the depth joins two such actions: the last density of one is the first of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

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
    h: np.ndarray

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
        return cls(x, weight, np.array(points), np.stack(rows, axis=1), spacing)

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
    h, mean = grid.h[:, None], np.abs(D) * grid.h[:, None, None] / 2  # over the two ends of the edge along each axis
    edge = np.einsum("apm,am->ap", mean, u)
    p = edge * h / (2 * NOISE)
    nu, bend = NOISE * (1 + p**4) ** 0.25, h / 2 * p**3 * (1 + p**4) ** -0.75
    flux = (drho * dphi).sum(axis=0)
    along = np.einsum("ap,cap->cp", edge, dphi)
    weightv = KINETIC * total + DECAY
    density = weightv * speed2 / 2 + SMOOTHNESS**2 / 2 * (dv**2).sum(axis=(0, 1)) + U(total)
    density = density + ((physics.potential[:, to] - along) * R).sum(axis=0) + (nu * flux).sum(axis=0)
    by_edge = bend * flux - np.einsum("cp,cap->ap", R, dphi)
    by_u = grid.at_nodes(W * weightv * v) + np.einsum("apm,ap->am", mean, W * by_edge)
    by_u = by_u + SMOOTHNESS**2 * np.einsum("apm,p,bap->bm", D, W, dv)
    by_rho = grid.at_nodes(W * (KINETIC / 2 * speed2 + slope_of_U(total) + physics.potential[:, to] - along))
    by_rho = by_rho + np.einsum("apm,ap,cap->cm", D, W * nu, dphi)
    by_phi = np.einsum("apm,cap->cm", D, W * (nu * drho - R[:, None] * edge[None]))
    return (W * density).sum(), by_u, by_rho, by_phi


def layout(d: int, classes: int, nodes: int, slabs: int, cuts: list[int]) -> tuple[dict[str, tuple], int]:
    """Name -> (where, shape) of the variables; "end" are the densities that losses see; a cut adds one to "phi"."""
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


# U of the package, U and dU/dR apart from it
ENERGIES: dict[str, tuple] = {
    "none": (None, np.zeros_like, np.zeros_like),
    "entropy": (
        hd.Entropy(0.2, 1e-3),
        lambda R: 0.2 * (R + 1e-3) * np.log(R + 1e-3),
        lambda R: 0.2 * (np.log(R + 1e-3) + 1),
    ),
    "congestion": (hd.Power(0.4, 2.5), lambda R: 0.4 / 2.5 * R**2.5, lambda R: 0.4 * R**1.5),
    "focusing": (hd.Focusing(0.1, 2), lambda R: -0.05 * R * R, lambda R: -0.1 * R),
}


def linear(weight: float, phi: np.ndarray) -> tuple[Callable, Callable]:
    """G density and slope of a loss lambda phi_c rho_c."""
    return lambda rho: weight * phi * rho, lambda rho: weight * phi + 0 * rho


def loss(kind: str, x: np.ndarray, target: hd.Densities, reorder: np.ndarray, layer: int | None = None) -> tuple:
    """A loss of the package and, apart from it, its density and slope at the grid's nodes."""
    star, d = target.values[:, reorder], x.shape[1]
    if kind == "classification":
        W, b = np.array([[1.0, 0.5], [-0.8, 0.3]])[:, :d], np.array([0.1, -0.2])
        z = x @ W.T + b
        phi = np.log(np.exp(z).sum(axis=1)) - z.T
        return hd.Classification(3.0, hd.Readout(W, b), layer), *linear(3.0, phi)
    if kind == "position":
        b = np.array([[0.5, 0.2], [-0.4, 0.1]])[:, :d]
        phi = ((x[None] - b[:, None]) ** 2).sum(axis=2) / 2
        return hd.Position(2.0, b, layer), *linear(2.0, phi)
    if kind == "l2":
        return (
            hd.Density(2.0, target, layer=layer, divergence="l2"),
            lambda r: (r - star) ** 2,
            lambda r: 2 * (r - star),
        )
    floor = 1e-4
    delta = floor / np.ptp(x, axis=0).prod()
    ratio: Callable = lambda r: np.log((r + delta) / (star + delta))  # noqa: E731
    return (
        hd.Density(1.5, target, "kl", floor, layer),
        lambda r: 1.5 * ((r + delta) * ratio(r) - r + star),
        lambda r: 1.5 * ratio(r),
    )


class Trained(NamedTuple):
    """What the package found, and what an independent solution of the same problem needs, in its order of nodes.

    Attributes:
        start: rho_c at the first layer; potential: V_c; losses: by layer, their density and its slope.
    """

    solution: hd.Solution
    order: np.ndarray
    steps: tuple[float, ...]
    start: np.ndarray
    potential: np.ndarray
    losses: dict[int, Any]


def trained(domain: hd.Domain, x: np.ndarray, energy: str, kinds: tuple[str, ...], scheme: str) -> Trained:
    """Two classes with a potential each; two kinds of losses act at the first and at the last layer."""
    d, order = domain.dimension, _match(x, domain.coordinates[: domain.owned])
    rho0 = hd.mixture([hd.Gaussian([-0.3, 0.1][:d], 0.5, label=0), hd.Gaussian([0.4, 0.3][:d], 0.6, label=1)], domain)
    target = hd.mixture([hd.Gaussian([0.4, 0.5][:d], 0.6, label=0), hd.Gaussian([-0.2, 0.0][:d], 0.5, label=1)], domain)
    bowl: Callable = lambda x: 0.3 * (x**2).sum(axis=1)  # noqa: E731
    tilt: Callable = lambda x: 0.2 * x[:, 0]  # noqa: E731
    steps = STEPS[d]
    layers = [1, len(steps)] if len(kinds) == 2 else [len(steps)]
    losses = [loss(kind, x, target, order, layer) for kind, layer in zip(kinds, layers, strict=True)]
    problem = hd.Problem(
        domain,
        hd.layers(np.concatenate([[0.0], np.cumsum(steps)])),
        rho0,
        hd.Lagrangian(NOISE, DECAY, SMOOTHNESS, KINETIC, ENERGIES[energy][0], [bowl, tilt]),
        [item[0] for item in losses],
        scheme,
    )
    solution = hd.train(problem, options={"tao_gatol": 1e-12})
    by_layer = {layer: item[1:] for layer, item in zip(layers, losses, strict=True)}
    return Trained(solution, order, steps, rho0.values[:, order], np.stack([bowl(x), tilt(x)]), by_layer)


CASES = [
    (1, "none", ("classification",)),
    (1, "entropy", ("kl",)),
    (1, "congestion", ("l2",)),
    (1, "focusing", ("position",)),
    (1, "congestion", ("kl", "classification")),
    (2, "entropy", ("l2",)),
]


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
@pytest.mark.parametrize(("d", "energy", "kinds"), CASES)
def test_training_agrees_with_dense_newton(d: int, energy: str, kinds: tuple[str, ...], scheme: str) -> None:
    """Velocity, slab and layer densities, potentials and objective to 1e-9."""
    lower, upper, nodes = [-1.0, -0.8][:d], [1.0, 1.5][:d], [7] if d == 1 else [4, 4]
    grid = Grid.of(lower, upper, nodes)
    run = trained(hd.Domain.box(lower, upper, nodes), grid.x, energy, kinds, scheme)
    solution, order, steps, start_density = run.solution, run.order, run.steps, run.start
    physics, layers = Physics(ENERGIES[energy][1:], run.potential, run.losses), list(run.losses)
    theta = 1.0 if scheme == "euler-box" else 0.5
    evaluate = lambda z: action(grid, physics, start_density, steps, theta, z)  # noqa: E731
    places, size = layout(d, 2, len(grid.x), len(steps), layers)
    z = np.zeros(size)
    for name in ("r", "end"):  # the first densities everywhere: not a solution of any of the equations
        z[places[name][0]] = np.broadcast_to(start_density, places[name][1]).ravel()
    # from rest the velocity of a strong loss is too far for damped Newton: half of the way there
    z[places["u"][0]] = 0.5 * solution.velocity[..., order].ravel()
    z = newton(lambda y: evaluate(y)[1], z)
    value, residual, fields = evaluate(z)
    assert np.abs(residual).max() < 1e-13
    close = {"rtol": 0.0, "atol": 1e-9}
    assert solution.objective == pytest.approx(value, abs=1e-11)
    np.testing.assert_allclose(solution.velocity[..., order], fields["u"], **close)
    density = layer_densities(start_density, fields["r"], theta)
    np.testing.assert_allclose(solution.density[..., order], density, **close)
    np.testing.assert_allclose(density[layers], fields["end"], **close)
    # one potential more than layers where a loss acts inside: the package keeps the later one, before the loss
    keep = [0, *range(2, len(steps) + 2)] if len(layers) == 2 else range(len(steps) + 1)
    np.testing.assert_allclose(solution.potential[..., order], fields["phi"][keep], **close)


def layer_densities(first: np.ndarray, slabs: np.ndarray, theta: float) -> np.ndarray:
    """rho at t_0 .. t_N: theta R' = r - (1 - theta) R."""
    out = [first]
    for r in slabs:
        out.append((r - (1 - theta) * out[-1]) / theta)
    return np.array(out)


def _match(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """i -> j with y_j = x_i."""
    distance = np.abs(x[:, None] - y[None]).max(axis=2)
    assert distance.min(axis=1).max() < 1e-12
    return distance.argmin(axis=1)


@pytest.mark.parametrize("d", [1, 2])
def test_the_gradient_by_hand_is_the_derivative_of_the_action(d: int) -> None:
    """Complex step of S_h in random directions, so that the reference stands on S_h alone."""
    nodes = [5] if d == 1 else [3, 4]
    grid = Grid.of([-1.0, -0.8][:d], [1.0, 1.5][:d], nodes)
    rng = np.random.default_rng(3)
    M = len(grid.x)
    _, value, slope = ENERGIES["entropy"]
    star = rng.random((2, M))
    losses = {1: (lambda r: (r - star) ** 2, lambda r: 2 * (r - star)), 2: linear(2.0, star)}
    physics = Physics((value, slope), rng.random((2, M)), losses)
    size = layout(d, 2, M, 2, [1, 2])[1]
    z, rho0 = 0.5 + rng.random(size), rng.random((2, M))
    for theta in (1.0, 0.5):
        gradient = action(grid, physics, rho0, (0.3, 0.7), theta, z)[1]
        for direction in rng.standard_normal((4, size)):
            slope_of_S = action(grid, physics, rho0, (0.3, 0.7), theta, z + 1e-30j * direction)[0].imag / 1e-30
            assert slope_of_S == pytest.approx(gradient @ direction, rel=1e-12)
