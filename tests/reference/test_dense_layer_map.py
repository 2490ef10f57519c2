"""A dense Newton method on the action of the layer maps, written apart from the package, finds the same optimum.

S_h of all variables (u_k, rho_{k+1}, phi_{k+1}) is stated in NumPy with dense matrices: the push, heat steps as
inverses and products, stiffness as products of one-dimensional ones, V and U at r or, with noise before the map, half
at either end of a slab. Its gradient is by hand, its Hessian the complex step of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pytest

import hydrodl as hd
from tests.reference.test_dense_newton import DECAY, ENERGIES, KINETIC, NOISE, SMOOTHNESS, newton, trained


def spline(t: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (m, n) of the quadratic spline at places t in spacings, and slopes; images folded, t clamped."""
    inside = (t.real >= 0) & (t.real <= n - 1)
    t = np.where(inside, t, np.clip(t.real, 0, n - 1))
    nearest = np.floor(t.real + 0.5).astype(int)
    f = t - nearest
    parts = [(0.5 * (0.5 - f) ** 2, f - 0.5), (0.75 - f * f, -2 * f), (0.5 * (0.5 + f) ** 2, f + 0.5)]
    weights, slopes = np.zeros((2, len(t), n), dtype=t.dtype)
    for offset, (w, dw) in zip((-1, 0, 1), parts, strict=True):
        node = np.abs(nearest + offset)
        node = np.minimum(node, 2 * (n - 1) - node)
        np.add.at(weights, (np.arange(len(t)), node), w)
        np.add.at(slopes, (np.arange(len(t)), node), dw * inside)
    return weights, slopes


def heat(t: float, h: float, masses: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """R for the time t, from powers of L; for t above 5/6 by neighbours one and two nodes apart."""
    one = np.eye(len(masses))
    L = -(h**2) * stiffness / masses[:, None]
    if t <= 5 / 6:
        implicit = max(t / 2 - 1 / 12, t / 32)
        explicit = one + (t - implicit) * L
    else:
        assert 0.92 < t < 3.7
        wide = ((t - 1 / 4) ** 2 / 2 + (t - 1 / 4) / 12 - 1 / 96) / (t - 1 / 2)
        implicit, explicit = t - 1 / 4 - wide, (one + L / 4) @ (one + wide / 4 * (4 * L + L @ L))
    return np.linalg.solve(one - implicit * L, explicit) / masses


@dataclass(frozen=True)
class Box:
    """Nodes (M, d) of a grid, x_1 slowest, its spacing, lumped mass (M,) and stiffness (M, M)."""

    x: np.ndarray
    shape: list[int]
    spacing: np.ndarray
    masses: list[np.ndarray]
    stiffnesses: list[np.ndarray]

    @classmethod
    def of(cls, lower: list[float], upper: list[float], nodes: list[int]) -> Box:
        axes = [np.linspace(*ends) for ends in zip(lower, upper, nodes, strict=True)]
        x = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
        spacing = np.array([a[1] - a[0] for a in axes])
        edges = [np.diff(np.eye(n), axis=0) for n in nodes]
        stiffnesses = [e.T @ e / h for e, h in zip(edges, spacing, strict=True)]
        masses = [np.r_[h / 2, np.full(n - 2, h), h / 2] for n, h in zip(nodes, spacing, strict=True)]
        return cls(x, nodes, spacing, masses, stiffnesses)

    @property
    def mass(self) -> np.ndarray:
        return reduce(np.kron, self.masses)

    @property
    def stiffness(self) -> np.ndarray:
        axes, diagonals = range(len(self.shape)), [np.diag(m) for m in self.masses]
        parts = [[self.stiffnesses[b] if b == a else diagonals[b] for b in axes] for a in axes]
        return np.sum([reduce(np.kron, factors) for factors in parts], axis=0)

    def heat(self, step: float, share: float) -> tuple[np.ndarray, np.ndarray]:
        """R' (the inverse of M where there is no noise before the map) and R''."""
        before, after = [], []
        for h, m, k in zip(self.spacing, self.masses, self.stiffnesses, strict=True):
            rest = NOISE - h * h / (8 * step)
            first = min(share * NOISE, rest)
            before.append(heat(step * first / h**2, h, m, k))
            after.append(heat(step * (rest - first) / h**2, h, m, k))
        return reduce(np.kron, before), reduce(np.kron, after)

    def push(self, displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W (M, M) and its derivatives in y, (d, M, M), for a displacement (d, M)."""
        places = np.indices(self.shape).reshape(len(self.shape), -1) + displacement / self.spacing[:, None]
        along = [spline(t, n) for t, n in zip(places, self.shape, strict=True)]

        def product(factors: list[np.ndarray]) -> np.ndarray:
            return reduce(lambda a, b: np.einsum("mi,mj->mij", a, b).reshape(len(a), -1), factors)

        W = product([w for w, _ in along])
        D = [product([s / h if b == a else w for b, (w, s) in enumerate(along)]) for a, h in enumerate(self.spacing)]
        return W, np.array(D)


@dataclass(frozen=True)
class Action:
    """S_h and its gradient for variables stacked as u, rho, phi."""

    box: Box
    rho0: np.ndarray
    steps: tuple[float, ...]
    share: float
    energy: tuple[Callable, Callable]
    potential: np.ndarray
    losses: dict[int, tuple[Callable, Callable]]

    def split(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        N, (C, M), d = len(self.steps), self.rho0.shape, len(self.box.shape)
        u, rho, phi = np.split(z, np.cumsum([N * d * M, N * C * M]))
        return u.reshape(N, d, M), rho.reshape(N, C, M), phi.reshape(N, C, M)

    def outer(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What V and U cost at densities (C, M), and its slope."""
        (U, slope_of_U), M, total = self.energy, self.box.mass, rho.sum(axis=0)
        return (M * (U(total) + (self.potential * rho).sum(axis=0))).sum(), M * (slope_of_U(total) + self.potential)

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        box, M, K = self.box, self.box.mass, SMOOTHNESS**2 * self.box.stiffness
        u, rho, phi = self.split(z)
        out = np.zeros_like(z)
        by_u, by_rho, by_phi = self.split(out)
        value = z.dtype.type(0)
        for k, step in enumerate(self.steps):
            first, then = box.heat(step, self.share)
            W, D = box.push(step * u[k])
            r = (M * (self.rho0 if k == 0 else rho[k - 1])) @ first
            q, total, speed = (M * phi[k]) @ then, r.sum(axis=0), (u[k] ** 2).sum(axis=0)
            inertia = KINETIC * total + DECAY
            ends = [(r, 1.0)] if self.share == 0 else [(self.rho0 if k == 0 else rho[k - 1], 0.5), (rho[k], 0.5)]
            cost = (M * inertia * speed / 2).sum() + sum(share * self.outer(R)[0] for R, share in ends)
            cost = cost + np.einsum("am,mn,an->", u[k], K, u[k]) / 2
            value = value + step * cost + (M * rho[k] * phi[k]).sum() - (M * r * (q @ W.T)).sum()
            by_u[k] += step * (M * inertia * u[k] + u[k] @ K - np.einsum("m,cm,amn,cn->am", M, r, D, q))
            by_r = step * M * KINETIC * speed / 2 - M * (q @ W.T)
            if self.share == 0:
                by_r = by_r + step * self.outer(r)[1]
            else:
                by_rho[k] += step / 2 * self.outer(rho[k])[1]
            if k > 0:
                by_rho[k - 1] += M * (by_r @ first)
                by_rho[k - 1] += 0.0 if self.share == 0 else step / 2 * self.outer(rho[k - 1])[1]
            by_rho[k] += M * phi[k]
            by_phi[k] += M * (rho[k] - ((M * r) @ W) @ then)
        for layer, (G, slope_of_G) in self.losses.items():
            value = value + (M * G(rho[layer - 1])).sum()
            by_rho[layer - 1] += M * slope_of_G(rho[layer - 1])
        return value, out


CASES = [
    (1, "none", ("classification",)),
    (1, "entropy", ("kl",)),
    (1, "focusing", ("position",)),
    (1, "congestion", ("kl", "classification")),
    (2, "entropy", ("l2",)),
]


@pytest.mark.parametrize("scheme", ["residual", "strang"])
@pytest.mark.parametrize(("d", "energy", "kinds"), CASES)
def test_training_agrees_with_dense_newton(d: int, energy: str, kinds: tuple[str, ...], scheme: str) -> None:
    """Velocity, densities, potentials and objective to 1e-9."""
    lower, upper, nodes = [-1.0, -0.8][:d], [1.0, 1.1][:d], [9] if d == 1 else [5, 5]
    box = Box.of(lower, upper, nodes)
    run = trained(hd.Domain.box(lower, upper, nodes), box.x, energy, kinds, scheme)
    solution, order, steps = run.solution, run.order, run.steps
    before = 0.5 if scheme == "strang" else 0.0
    action = Action(box, run.start, steps, before, ENERGIES[energy][1:], run.potential, run.losses)
    N, C, M = len(steps), 2, len(box.x)
    # from rest the velocity of two losses is too far for damped Newton: half of the way there
    half = 0.5 * solution.velocity[..., order].ravel()
    start = np.concatenate([half, np.tile(action.rho0, (N, 1, 1)).ravel(), np.zeros(N * C * M)])
    z = newton(lambda y: action(y)[1], start)
    value, residual = action(z)
    u, rho, phi = action.split(z)
    assert np.abs(residual).max() < 1e-13
    close = {"rtol": 0.0, "atol": 1e-9}
    assert solution.objective == pytest.approx(value, abs=1e-11)
    np.testing.assert_allclose(solution.velocity[..., order], u, **close)
    np.testing.assert_allclose(solution.density[1:][..., order], rho, **close)
    # what a loss inside adds to a potential stands in the jumps; potentials at layers have acted on phi, not on these
    if scheme == "strang":
        phi = phi + np.array([step / 2 * action.outer(R)[1] / box.mass for step, R in zip(steps, rho, strict=True)])
    np.testing.assert_allclose((solution.potential[1:] + solution.jumps)[..., order], phi, **close)


@pytest.mark.parametrize("d", [1, 2])
def test_the_gradient_by_hand_is_the_derivative_of_the_action(d: int) -> None:
    """Complex step of S_h in random directions, so that the reference stands on S_h alone."""
    box = Box.of([-1.0, -0.8][:d], [1.0, 1.1][:d], [9] if d == 1 else [4, 5])
    rng, M = np.random.default_rng(3), len(box.x)
    _, value, slope = ENERGIES["entropy"]
    star = rng.random((2, M))
    losses = {1: (lambda r: (r - star) ** 2, lambda r: 2 * (r - star))}
    action = Action(box, 0.5 + rng.random((2, M)), (0.6, 0.4), 0.5, (value, slope), rng.random((2, M)), losses)
    z = 0.5 + 0.2 * rng.random(2 * (d + 4) * M)
    gradient = action(z)[1]
    for direction in rng.standard_normal((4, len(z))):
        slope_of_S = action(z + 1e-30j * direction)[0].imag / 1e-30
        assert slope_of_S == pytest.approx(gradient @ direction, rel=1e-12)
