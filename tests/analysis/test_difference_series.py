"""Series of difference operators: against the operators themselves, the assembled scheme, and identities they obey."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import sympy

import hydrodl as hd
from hydrodl.analysis.backward_error import difference_series as series
from hydrodl.analysis.backward_error.difference_series import ADVECTED, CARRIED, ETA, SMOOTHING, TRANSPORT, XI, H
from hydrodl.analysis.backward_error.slab_samples import SlabStack
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.problem.flow import Flow

NOISE, DECAY, SMOOTHNESS, KINETIC = 0.3, 0.2, 0.4, 0.7
FORWARD, BACKWARD = series.layer_difference(1.0)
MIDPOINT = series.layer_difference(0.5)[0]
SHAPES = {1: (7,), 2: (6, 5), 3: (5, 4, 6)}
ZETA = sympy.Symbol("zeta")


@pytest.mark.parametrize("symbol", [TRANSPORT, CARRIED, ADVECTED, SMOOTHING, FORWARD, BACKWARD, MIDPOINT])
def test_series_leaves_the_next_order_only(symbol: sympy.Expr) -> None:
    """Each level takes two powers of h (one of a one-sided difference) off the distance to the operator itself."""
    values = {XI: sympy.Rational(7, 5), ETA: sympy.Rational(-9, 11)}
    exact, total = symbol.subs(values), sympy.Integer(0)
    for terms in series.expand(symbol):
        total += sum(
            t.coefficient * H**t.power * sympy.prod(d**n for d, n in zip((XI, ETA), t.orders, strict=False))
            for t in terms
        ).subs(values)
        gaps = [
            float(abs(sympy.N((exact - total).subs(H, h), 60))) for h in (sympy.Rational(1, 50), sympy.Rational(1, 100))
        ]
        after = terms[0].power + (1 if symbol in (FORWARD, BACKWARD) else 2)
        assert np.log2(gaps[0] / gaps[1]) == pytest.approx(after, abs=0.05)


def test_numbers_of_the_specification() -> None:
    found = [(t.power, t.orders, t.coefficient) for terms in series.expand(MIDPOINT) for t in terms]
    assert found == [(0, (1,), 1), (2, (3,), sympy.Rational(-1, 12)), (4, (5,), sympy.Rational(1, 120))]
    assert [terms[0].coefficient for terms in series.expand(BACKWARD)] == [
        1,
        sympy.Rational(1, 2),
        sympy.Rational(1, 6),
    ]


def test_text_of_the_series() -> None:
    euler, midpoint = series.modified_operators(1.0), series.modified_operators(0.5)
    assert midpoint["d_t rho"] == "d_t rho - Delta^2/12 d_t^3 rho + Delta^4/120 d_t^5 rho"
    assert euler["d_t rho"] == "d_t rho - Delta/2 d_t^2 rho + Delta^2/6 d_t^3 rho"
    assert euler["d_x (u rho) on edges"].startswith("d_x u rho + u d_x rho + h^2/6 d_x^3 u rho + h^2/4 d_x^2 u d_x rho")


@pytest.mark.parametrize("theta", [1.0, 0.5])
def test_layer_differences_are_minus_adjoint(theta: float) -> None:
    ahead, back = series.layer_difference(theta)
    assert sympy.simplify((ahead.subs(XI, -XI) + back).rewrite(sympy.exp)) == 0


@pytest.mark.parametrize("theta", [1.0, 0.5])
def test_modified_energy_telescopes(theta: float) -> None:
    """rho_1 D* phi - phi_1 D rho beyond the first terms is d_t of what ``layer_residuals`` says it is."""
    t, ahead, back = sympy.Symbol("t"), *map(series.expand, series.layer_difference(theta))
    rho, phi = sympy.Function("rho")(t), sympy.Function("phi")(t)
    for r_terms, q_terms in zip(ahead[1:], back[1:], strict=True):
        (r,), (q,) = r_terms, q_terms
        n = q.orders[0]
        work = rho.diff(t) * q.coefficient * phi.diff(t, n) - phi.diff(t) * r.coefficient * rho.diff(t, n)
        stored = sum((-1) ** (j + 1) * rho.diff(t, j) * phi.diff(t, n - j) for j in range(1, n))
        assert sympy.expand(work - q.coefficient * stored.diff(t)) == 0


def test_fluxes_are_divergences() -> None:
    """What the local laws of mass and energy call a divergence vanishes where all derivatives add up to 0."""
    assert sympy.simplify(CARRIED.subs(ETA, -XI)) == 0
    assert sympy.simplify(TRANSPORT + TRANSPORT.subs(XI, -XI)) == 0  # rho u with phi_t
    # u, rho, phi_t: phi_t delta(mu(u) mu(rho)) + rho mu(mu(u) delta phi_t)
    exchange = CARRIED + ADVECTED.subs(ETA, ZETA)
    assert sympy.simplify(exchange.subs(ZETA, -XI - ETA).rewrite(sympy.exp)) == 0


def test_noise_of_edges() -> None:
    p = 0.1
    assert 1 + series.edge_noise() * p**4 == pytest.approx((1 + p**4) ** 0.25, abs=p**8 / 10)


@pytest.mark.parametrize("points", [7, 9, 13])
def test_stencil_weights_are_exact_on_polynomials(points: int) -> None:
    x = np.arange(points) - points // 2
    for order in range(1, 7):
        weights = np.array(series.stencil_weights(order, points))
        found = [float(weights @ x.astype(float) ** n) for n in range(points)]
        wanted = [float(sympy.factorial(order)) if n == order else 0.0 for n in range(points)]
        assert found == pytest.approx(wanted, abs=1e-9 * float(points // 2) ** points)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: series.layer_difference(0.7), "theta is 0.7"),
        (lambda: series.stencil_weights(2, 8), "points is 8"),
        (lambda: series.stencil_weights(7, 7), "points is 7"),
        (lambda: series.expand(1 + H**2 * XI), "2 orders"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(hd.InputError, match=words):
        call()


# the symbols against what the package assembles


def applied(symbol: sympy.Expr, fields: list[np.ndarray], axis: int, spacing: float) -> np.ndarray:
    """The finite differences of a symbol along an axis of grid fields, periodic (so: right inside)."""
    total = np.zeros_like(fields[0])
    for place, coefficient in series.stencil(symbol).items():
        term = float(coefficient.subs(H, spacing)) * np.ones_like(fields[0])
        for half_steps, field in zip(place, fields, strict=True):
            assert half_steps % 2 == 0
            term = term * np.roll(field, -half_steps // 2, axis)
        total += term
    return total


def both(edges: np.ndarray, axis: int) -> np.ndarray:
    """The mean of the edges on both sides of a node."""
    return (edges + np.roll(edges, 1, axis)) / 2


class Box:
    """A box of different spacings, random fields on it, and the way between nodes and grid."""

    def __init__(self, d: int) -> None:
        rng = np.random.default_rng(d)
        self.shape = SHAPES[d]
        self.sides = np.array([1.0, 1.7, 0.8])[:d]
        self.domain = hd.Domain.box(np.zeros(d), self.sides, list(self.shape))
        self.spacing = self.sides / (np.array(self.shape) - 1)
        index = np.rint(self.domain.coordinates / self.spacing).astype(int)
        self.place = np.ravel_multi_index(tuple(index.T), self.shape)
        self.inside = (Ellipsis, *[slice(1, -1)] * d)
        self.u, self.r, self.q = rng.standard_normal((d, *self.shape)), *rng.uniform(1, 2, (2, 1, *self.shape))

    def nodal(self, grid: np.ndarray) -> np.ndarray:
        return grid.reshape(-1, grid[0].size)[:, self.place]

    def grid(self, nodal: np.ndarray) -> np.ndarray:
        out = np.empty((len(nodal), nodal.shape[1]))
        out[:, self.place] = nodal
        return out.reshape(-1, *self.shape)

    def edge(self, axis: int) -> tuple[np.ndarray, ...]:
        """On the edges from i to i + 1 along an axis: nu D(p), its slope in the mean of u, delta rho and delta phi."""
        ahead, h = (lambda f: np.roll(f, -1, axis)), self.spacing[axis]
        p = (self.u[axis] + ahead(self.u[axis])) / 2 * h / (2 * NOISE)
        noise, slope = NOISE * (1 + p**4) ** 0.25, p**3 * (1 + p**4) ** -0.75 * h / 2
        return noise, slope, *((ahead(f[0]) - f[0]) / h for f in (self.r, self.q))

    def transported(self) -> np.ndarray:
        """L(u) r as the symbols have it."""
        rho, total = self.r[0], np.zeros(self.shape)
        for axis, h in enumerate(self.spacing):
            total -= applied(CARRIED, [self.u[axis], rho], axis, h)
            noise, _, falling, _ = self.edge(axis)
            total += (noise * falling - np.roll(noise * falling, 1, axis)) / h
        return total

    def momentum(self) -> np.ndarray:
        """dH/du as the symbols have it."""
        rho, phi = self.r[0], self.q[0]
        axes = list(enumerate(self.spacing))
        total = (KINETIC * rho + DECAY) * self.u
        for axis, h in axes:
            _, slope, falling, rising = self.edge(axis)
            total[axis] += both(slope * falling * rising, axis) - applied(ADVECTED, [rho, phi], axis, h)
            for component in range(len(axes)):
                total[component] -= SMOOTHNESS**2 * applied(SMOOTHING, [self.u[component]], axis, h)
        return total

    def energy(self) -> np.ndarray:
        """The density of H_h as the symbols have it."""
        rho, phi = self.r[0], self.q[0]
        total = (KINETIC * rho + DECAY) / 2 * (self.u**2).sum(axis=0)
        for axis, h in enumerate(self.spacing):
            noise, _, falling, rising = self.edge(axis)
            total += both(noise * falling * rising, axis) - rho * applied(ADVECTED, [self.u[axis], phi], axis, h)
            for component in self.u:
                slope = (np.roll(component, -1, axis) - component) / h
                total += SMOOTHNESS**2 / 2 * both(slope**2, axis)
        return total

    def slabs(self) -> SlabStack:
        """One slab with these fields."""
        shape = (2, 1, self.domain.owned)
        density, potential = (np.broadcast_to(self.nodal(f), shape) for f in (self.r, self.q))
        lagrangian = hd.Lagrangian(NOISE, DECAY, SMOOTHNESS, KINETIC)
        velocity, none = self.nodal(self.u)[None], np.zeros((1, *shape[1:]))
        return SlabStack(
            Flow(self.domain, hd.layers(1), lagrangian, BoxScheme("midpoint", 0.5), velocity, density, potential, none)
        )


@pytest.mark.parametrize("d", [1, 2, 3])
def test_stencils_are_the_assembled_generator(d: int) -> None:
    box = Box(d)
    action = SlabAction(box.domain, hd.Lagrangian(NOISE, DECAY, SMOOTHNESS, KINETIC))
    action.set_slab(box.nodal(box.u))
    data = action.assemble(action.generator).copy()
    matrix = action._matrices[1]
    rows = np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr))
    dual = np.bincount(rows, data * box.nodal(box.r)[0][matrix.indices])
    found = box.grid(dual[None])[0] / np.prod(box.spacing)
    assert np.abs(found - box.transported())[box.inside].max() < 1e-12 * np.abs(found).max()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_stencils_are_the_assembled_momentum(d: int) -> None:
    box = Box(d)
    found = box.grid(box.slabs().gradient(0).velocity) / np.prod(box.spacing)
    assert np.abs(found - box.momentum())[box.inside].max() < 1e-12 * np.abs(found).max()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_stencils_are_the_energy_of_a_patch(d: int) -> None:
    box = Box(d)
    found = box.grid(box.slabs().energies(0)[None])[0] / np.prod(box.spacing)
    assert np.abs(found - box.energy())[box.inside].max() < 1e-12 * np.abs(found).max()


def test_stencil_of_two_arguments() -> None:
    """delta(mu(u) mu(rho)): what flows out on the right less what flows in on the left, a quarter of each product."""
    found = series.stencil(CARRIED)
    for i, j in product((-2, 0, 2), repeat=2):
        expected = (sympy.Rational(1, 4) if i >= 0 and j >= 0 else 0) - (
            sympy.Rational(1, 4) if i <= 0 and j <= 0 else 0
        )
        assert found.get((i, j), 0) * H == expected
