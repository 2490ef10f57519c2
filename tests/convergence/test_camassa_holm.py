"""Camassa-Holm (w = 0, eps = alpha = 1, no energy) marched: m = u - u_xx = rho phi_x with rho = m, phi = x at first.

Peakons u = p exp(-|x - q|) have m = 2 p delta(x - q); a delta is started as a Gaussian two cells wide, so that what is
asked of the discrete peakons is first order in h at best. Smooth momentum is compared with a Fourier reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hydrodl as hd
from hydrodl.problem.flow import Flow
from hydrodl.solver.marching import evolve

CAMASSA_HOLM = hd.Lagrangian(1e-12, decay=1.0, smoothness=1.0, kinetic=0.0)
HALF = 10.0
SCHEMES = {"euler-box": 1, "midpoint": 2}


@dataclass(frozen=True)
class Run:
    """Fields sorted by x, one class: u (N, n) at slab times, rho and phi (N + 1, n) at layers."""

    x: np.ndarray
    t: np.ndarray
    u: np.ndarray
    rho: np.ndarray
    phi: np.ndarray

    @classmethod
    def of(cls, flow: Flow) -> Run:
        x = flow.domain.coordinates[: flow.domain.owned, 0]
        order = np.argsort(x)
        rho, phi = flow.density[:, 0][:, order], flow.potential[:, 0][:, order]
        return cls(x[order], flow.layers.times, flow.velocity[:, 0][:, order], rho, phi)

    @property
    def middles(self) -> np.ndarray:
        return (self.t[1:] + self.t[:-1]) / 2

    @property
    def energy(self) -> np.ndarray:
        """1/2 int u^2 + u_x^2 of every slab."""
        h = self.x[1] - self.x[0]
        return 0.5 * h * (self.u**2).sum(axis=1) + 0.5 * (np.diff(self.u) ** 2).sum(axis=1) / h

    def peaks(self, k: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Places (by a parabola) and heights of the highest maxima of |u| in slab k, from left to right."""
        u = np.abs(self.u[k])
        inside = np.flatnonzero((u[1:-1] > u[:-2]) & (u[1:-1] >= u[2:])) + 1
        i = np.sort(inside[np.argsort(u[inside])[-count:]])
        bend = u[i - 1] - 2 * u[i] + u[i + 1]
        return self.x[i] + 0.5 * (self.x[1] - self.x[0]) * (u[i - 1] - u[i + 1]) / bend, u[i]


def gaussian(x: np.ndarray, middle: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - middle) / width) ** 2) / (np.sqrt(2 * np.pi) * width)


@cache
def peakons(cells: int, depth: float, *parts: tuple[float, float], steps: int = 2) -> Run:
    """Peakons (p, q), each a Gaussian momentum two cells wide; midpoint scheme, ``steps`` layers a cell."""
    domain = hd.Domain.interval(-HALF, HALF, cells + 1)
    h = 2 * HALF / cells
    x = domain.coordinates[: domain.owned, 0]
    m = sum(2 * p * gaussian(x, q, 2 * h) for p, q in parts)
    return Run.of(evolve(domain, hd.layers(round(steps * depth / h), depth), CAMASSA_HOLM, [m], [x], "midpoint"))


def train_of(t: np.ndarray, *parts: tuple[float, float]) -> np.ndarray:
    """p and q of exact peakons at times t, rows p_1 .. p_n, q_1 .. q_n: q' = sum_j p_j e^{-|q - q_j|}, and so on."""

    def rates(_: float, state: np.ndarray) -> np.ndarray:
        p, q = np.split(state, 2)
        gap = q[:, None] - q
        bond = np.exp(-np.abs(gap))
        return np.concatenate([p * ((np.sign(gap) * bond) @ p), bond @ p])

    start = np.array(parts).T.ravel()
    return solve_ivp(rates, (0, t[-1]), start, t_eval=t, rtol=1e-10, atol=1e-12).y


def test_one_peakon_keeps_its_speed() -> None:
    """Speed 1 and height 1; the distance in L1, mostly a delay, falls faster than h; the energy stays."""
    speeds, heights, distances = [], [], []
    for cells in (200, 400, 800):
        run = peakons(cells, 4.0, (1.0, -2.0))
        places = np.array([run.peaks(k, 1)[0][0] for k in range(len(run.u))])
        late = run.middles > 1
        speeds.append(float(np.polyfit(run.middles[late], places[late], 1)[0]))
        heights.append(float(run.peaks(-1, 1)[1][0]))
        exact = np.exp(-np.abs(run.x + 2 - run.middles[-1]))
        distances.append(float(np.abs(run.u[-1] - exact).sum() / exact.sum()))
        assert np.abs(run.energy / run.energy[0] - 1).max() < 0.004
    print("PEAKON", speeds, heights, distances)
    gaps = 1 - np.array([speeds, heights])
    assert (gaps > 0).all() and (np.diff(gaps) < 0).all()
    assert (gaps[:, -1] < [0.015, 0.05]).all()
    assert (np.log2(np.divide(distances[:-1], distances[1:])) > 1).all()


def test_a_negative_momentum_is_the_mirror_image() -> None:
    """An antipeakon, a density below zero, runs left as the peakon runs right."""
    right, left = peakons(200, 4.0, (1.0, -2.0)), peakons(200, 4.0, (-1.0, 2.0))
    np.testing.assert_allclose(left.u, -right.u[:, ::-1], atol=1e-10)
    np.testing.assert_allclose(left.rho, -right.rho[:, ::-1], atol=1e-9)


def test_two_peakons_exchange_their_momentum() -> None:
    """The one behind, higher, hands its height to the one in front and stays behind, as exact ones do."""
    parts = ((1.0, -6.0), (0.4, -3.0))
    errors = []
    for cells in (400, 800):
        run = peakons(cells, 12.0, *parts, steps=1)
        p, q = np.split(train_of(run.middles, *parts), 2)
        exact = (p[:, :, None] * np.exp(-np.abs(run.x - q[:, :, None]))).sum(axis=0)
        wanted = np.array([np.interp(place, run.x, exact[-1]) for place in q[:, -1]])
        (_, before), (places, after) = run.peaks(0, 2), run.peaks(-1, 2)
        away = np.sqrt(((run.u - exact) ** 2).sum(axis=1) / (exact**2).sum(axis=1)).max()
        print("TWO", cells, before, after, wanted, places, q[:, -1], away, np.ptp(run.energy) / run.energy[0])
        assert before[0] > 2 * before[1] and after[1] > 2 * after[0]
        assert np.ptp(run.energy) < 0.03 * run.energy[0]
        errors.append([np.abs(after - wanted).max(), np.abs(places - q[:, -1]).max(), away])
    assert (errors[-1] < np.array([0.06, 0.5, 0.4])).all()  # heights of 1, a path of 13, fields
    assert (np.log2(np.divide(*errors)) > [0.3, 0.8, 0.7]).all()


def test_two_classes_carry_a_momentum_of_either_sign() -> None:
    """m+ grad x + m- grad(-x) with two positive densities moves exactly as m grad x with one signed density."""
    domain = hd.Domain.interval(-HALF, HALF, 161)
    x = domain.coordinates[: domain.owned, 0]
    up, down, layers = 2 * gaussian(x, -2, 0.4), 1.2 * gaussian(x, 2, 0.5), hd.layers(10, 1.0)
    for scheme in SCHEMES:
        one = evolve(domain, layers, CAMASSA_HOLM, [up - down], [x], scheme)
        two = evolve(domain, layers, CAMASSA_HOLM, [up, down], [x, -x], scheme)
        assert np.ptp(one.velocity[-1]) > 0.5
        np.testing.assert_allclose(two.velocity, one.velocity, atol=1e-11)
        np.testing.assert_allclose(two.density[:, 0] - two.density[:, 1], one.density[:, 0], atol=1e-10)


WIDTH, DEPTH = 0.8, 1.0


@cache
def reference(modes: int = 512) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, rho and phi at t = DEPTH on a circle of length 2 HALF: Fourier in x, Runge-Kutta of order 8 in t."""
    x = -HALF + 2 * HALF * np.arange(modes) / modes
    k = np.pi / HALF * np.fft.rfftfreq(modes, 1 / modes)

    def derivative(f: np.ndarray) -> np.ndarray:
        return np.fft.irfft(1j * k * np.fft.rfft(f), modes)

    def rates(_: float, state: np.ndarray) -> np.ndarray:
        rho, label = np.split(state, 2)
        stretch = 1 + derivative(label)
        u = np.fft.irfft(np.fft.rfft(rho * stretch) / (1 + k**2), modes)
        return np.concatenate([-derivative(u * rho), -u * stretch])

    start = np.concatenate([2 * gaussian(x, -1.0, WIDTH), 0 * x])
    end = solve_ivp(rates, (0, DEPTH), start, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    rho, label = np.split(end, 2)
    return x, rho, x + label


@cache
def smooth_errors(cells: int, layers: int, scheme: str) -> np.ndarray:
    """Largest errors of rho and phi at the last layer, in |x| <= 5; walls and images are 5e-5 away."""
    domain = hd.Domain.interval(-HALF, HALF, cells + 1)
    x = domain.coordinates[: domain.owned, 0]
    start = 2 * gaussian(x, -1.0, WIDTH)
    run = Run.of(evolve(domain, hd.layers(layers, DEPTH), CAMASSA_HOLM, [start], [x], scheme))
    nodes, rho, phi = reference()
    near, every = np.abs(nodes[:: 512 // 128]) <= 5, 512 // 128
    ours = slice(0, cells, cells // 128)
    return np.array(
        [np.abs(mine[-1, ours] - exact[::every])[near].max() for mine, exact in ((run.rho, rho), (run.phi, phi))]
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_in_layers_and_nodes_together(scheme: str) -> None:
    """Steps of a fixed fraction of a cell: order 2 for the midpoint, 1 for the Euler box."""
    errors = np.array([smooth_errors(cells, cells // 16, scheme) for cells in (128, 256, 512)])
    orders = np.log2(errors[:-1] / errors[1:])
    print("SMOOTH", scheme, errors, orders)
    np.testing.assert_allclose(orders[-1], SCHEMES[scheme], atol=0.2)


def test_order_in_nodes() -> None:
    errors = np.array([smooth_errors(cells, 64, "midpoint") for cells in (128, 256, 512)])
    orders = np.log2(errors[:-1] / errors[1:])
    print("NODES", errors, orders)
    np.testing.assert_allclose(orders, 2, atol=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_in_layers(scheme: str) -> None:
    """Successive differences on one mesh, in which the error in nodes cancels."""
    domain = hd.Domain.interval(-HALF, HALF, 257)
    x = domain.coordinates[: domain.owned, 0]
    start = 2 * gaussian(x, -1.0, WIDTH)
    ends = []
    for layers in (10, 20, 40, 80):
        flow = evolve(domain, hd.layers(layers, DEPTH), CAMASSA_HOLM, [start], [x], scheme)
        ends.append(np.array([flow.density[-1, 0], flow.potential[-1, 0]]))
    gaps = np.abs(np.diff(ends, axis=0)).max(axis=-1)
    print("LAYERS", scheme, gaps, np.log2(gaps[:-1] / gaps[1:]))
    np.testing.assert_allclose(np.log2(gaps[-2] / gaps[-1]), SCHEMES[scheme], atol=0.15)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_energy_error_is_of_the_scheme_s_order(scheme: str) -> None:
    """int u^2 + u_x^2 while the momentum is smooth: both are symplectic, and the error is that of the layers alone."""
    domain = hd.Domain.interval(-HALF, HALF, 257)
    x = domain.coordinates[: domain.owned, 0]
    spans = []
    for layers in (16, 32, 64):
        flow = evolve(domain, hd.layers(layers, DEPTH), CAMASSA_HOLM, [2 * gaussian(x, -1.0, WIDTH)], [x], scheme)
        energy = Run.of(flow).energy
        spans.append(np.ptp(energy) / energy[0])
    orders = np.log2(np.divide(spans[:-1], spans[1:]))
    print("ENERGY", scheme, spans, orders)
    np.testing.assert_allclose(orders[-1], SCHEMES[scheme], atol=0.1)
    assert spans[-1] < 0.1 / 64 ** SCHEMES[scheme] * 4


def test_the_energy_error_does_not_grow() -> None:
    """A peakon over 12 units of time: the second half of its way adds nothing."""
    energy = peakons(400, 12.0, (1.0, -6.0), steps=1).energy
    first, second = np.array_split(energy / energy[0] - 1, 2)
    print("LONG", np.abs(first).max(), np.abs(second).max(), np.ptp(first), np.ptp(second))
    assert np.abs(energy / energy[0] - 1).max() < 0.02
    assert np.ptp(second) < np.ptp(first)
