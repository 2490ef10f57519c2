"""The layer-map schemes in layers: orders of modified energies and residuals, and what layers add to J."""

from __future__ import annotations

from functools import cache
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpmath import mp as mpmath

from hydrodl.analysis.backward_error.map_energy import half_way
from hydrodl.analysis.backward_error.map_residuals import JetGrid, MapSlab
from hydrodl.analysis.backward_error.modified_system import layer_residuals, modified_energy, modified_system
from hydrodl.analysis.backward_error.objective_error import fourth_cumulant, objective_error
from hydrodl.discretisation.heat_step import AxisHeat
from hydrodl.problem.flow import Flow
from tests.convergence.test_modified import mirrored

SCHEMES = ("residual", "strang")


@cache
def exchanged(nodes: int, layers: int, scheme: str) -> Flow:
    """Two classes change places between reflecting walls, smooth mirrors."""
    domain = hd.Domain.interval(0.0, 1.0, nodes)
    start, target = (
        hd.densities_from_function([mirrored(s, np.ones(1)), mirrored(-s, np.ones(1))], domain) for s in (1, -1)
    )
    physics = hd.Lagrangian(0.05, 0.5, 0.1, potential=lambda x: 0.1 * np.cos(np.pi * x[:, 0]))
    losses = hd.Density(2.0, target, divergence="l2")
    solution = hd.train(
        hd.Problem(domain, hd.layers(layers), start, physics, losses, scheme), options={"tao_gatol": 1e-12}
    )
    assert solution.converged
    return solution.flow


@pytest.mark.parametrize("scheme", SCHEMES)
def test_energies_of_two_and_four_layers_are_conserved_to_order_2_and_4(scheme: str) -> None:
    coarse, fine = (modified_energy(exchanged(41, n, scheme), window=0.8) for n in (28, 56))
    orders = [np.log2(coarse.drift / fine.drift), np.log2(coarse.modified_drift / fine.modified_drift)]
    assert orders == pytest.approx([2, 4], abs=0.2)
    assert fine.order == 4 and fine.modified_drift < fine.drift / 50


@pytest.mark.parametrize("scheme", ["residual", "strang-cubic"])
def test_residuals_fall_with_the_orders_of_the_terms(scheme: str) -> None:
    """Third terms with splines of degree 3: what those of degree 2 leave at the nodes, 1e-5, would be seen in them."""
    coarse, fine = (layer_residuals(exchanged(101, n, scheme)) for n in (36, 54))
    more = (1, 2, 3) if scheme == "strang-cubic" else (1, 2)
    assert fine.levels[2]["potential"] < fine.levels[1]["potential"] / 15
    for name, orders in (("density", (1, 2)), ("potential", more), ("velocity", more)):
        for order, rough, smooth in zip(orders, coarse.levels, fine.levels, strict=False):
            assert np.log(rough[name] / smooth[name]) / np.log(1.5) > order - 0.25, (name, order)
    assert fine.falls and fine.step == 1 / 54
    assert "layer map" in modified_system(exchanged(101, 54, scheme)).note


def test_a_field_that_does_not_solve_the_scheme_is_seen() -> None:
    flow = exchanged(101, 54, "strang")
    change = 1 + 1e-4 * np.cos(3 * flow.layers.times)[:, None, None]
    wrong = Flow(
        *(flow.domain, flow.layers, flow.lagrangian, flow.scheme, flow.velocity, flow.density),
        flow.potential * change,
        flow.jumps,
    )
    good, bad = (layer_residuals(f).modified_residual_4["potential"] for f in (flow, wrong))
    assert bad > 3 * good


def test_one_slab_of_series_is_the_slab_itself() -> None:
    """On cosines of a periodic line: all orders of e add up to push, noise and what acts at both ends, made here."""
    n, step = 64, 0.02
    x = np.arange(n) / n
    grid, u = JetGrid(np.array([1 / n]), 9), 0.3 + 0.1 * np.sin(2 * np.pi * x)
    rho, phi = 1 + 0.3 * np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)
    kick, still = 0.5 * np.cos(4 * np.pi * x), [np.zeros((1, n))] * 3
    slab = MapSlab(grid, step, np.array([0.01]), np.array([0.02]), np.array([0.005]))
    curves = ([field[None], *still] for field in (rho, phi, kick))
    found = slab.residuals(u[None], *curves, np.zeros((1, n)), np.zeros((1, n)))
    eigen = 1j * 2 * np.pi * np.fft.fftfreq(n, 1 / n)
    kappa = (2 * n * np.sin(np.pi * np.fft.fftfreq(n))) ** 2

    def noise(f: np.ndarray, amount: float) -> np.ndarray:
        heat = AxisHeat.of(step * amount * n**2)
        factors = [1 - 4 * share * np.sin(np.pi * k * np.fft.fftfreq(n)) ** 2 for k, share in heat.explicit]
        apart = np.prod(factors, axis=0)
        return np.fft.ifft(np.fft.fft(f) * apart / (1 + heat.implicit * kappa / n**2)).real

    def smoothed(f: np.ndarray) -> np.ndarray:
        return np.fft.ifft(np.fft.fft(f) * (1 - step * 0.005 * kappa)).real

    above, low = phi - step / 2 * kick, phi + step / 2 * kick
    q = smoothed(noise(above, 0.02))
    moved = np.real(np.exp(np.outer(x + step * u, eigen)) @ np.fft.fft(q)) / n  # trigonometric interpolation at y
    expected = (noise(moved, 0.01) - low) / step
    assert np.abs(sum(found["potential"][0])[0] - expected).max() < 2e-3 * np.abs(expected).max()
    below = noise(rho, 0.01)
    pairing = (below * moved).sum()  # the push is the transpose of the pull
    density = sum(found["density"][0])[0]
    assert ((rho - step * density) * above).sum() == pytest.approx(pairing, abs=1e-4 * np.abs(below * moved).sum())


def linear_quadratic(scheme: str, layers: int) -> hd.Solution:
    domain = hd.Domain.interval(-4.0, 4.0, 81)
    rho = hd.mixture([hd.Gaussian([-1.0], 0.5, label="a")], domain)
    problem = hd.Problem(
        domain, hd.layers(layers), rho, hd.Lagrangian(0.05, 1e-7, 0.0), hd.Position(5.0, [[1.0]]), scheme
    )
    return hd.train(problem)


def test_what_layers_add_to_the_linear_quadratic_problem() -> None:
    """1.8604213 in infinitely many layers; strang has no error of first order there, by its quadratic potentials."""
    solution = linear_quadratic("residual", 16)
    found = objective_error(solution)
    error = solution.objective - 1.8604213
    assert found.layers == pytest.approx(error, rel=0.1)
    assert found.parts["order of the noise"].sum() == pytest.approx(found.layers, rel=1e-3)
    assert abs(objective_error(linear_quadratic("strang", 16)).layers) < 1e-5
    assert found.order == 1 and not found.noise.any()


@cache
def two_classes(scheme: str, layers: int) -> hd.Solution:
    domain = hd.Domain.interval(-3.0, 3.0, 121)
    rho = hd.mixture([hd.Gaussian([m], 0.4, label=m) for m in (-0.6, 0.6)], domain)
    physics = hd.Lagrangian(0.1, 0.02, 0.3, energy=hd.Power(0.2), potential=lambda x: 0.2 * x[:, 0] ** 2)
    return hd.train(hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(4.0), scheme))


def test_both_schemes_extrapolate_to_one_value_at_order_2() -> None:
    """With every part of the running cost and a loss that is not quadratic: 24 layers, 6 times nearer than J."""
    values = {}
    for scheme in SCHEMES:
        deep = {n: (s := two_classes(scheme, n)).objective - objective_error(s).layers for n in (6, 12, 24)}
        assert np.log2((deep[6] - deep[12]) / (deep[12] - deep[24])) == pytest.approx(2.0, abs=0.45)
        values[scheme] = deep[24] + (deep[24] - deep[12]) / 3
        assert abs(deep[24] - values[scheme]) < abs(two_classes(scheme, 24).objective - values[scheme]) / 3
    assert values["residual"] == pytest.approx(values["strang"], abs=2e-4)


def test_a_larger_noise_of_splines_is_told_apart() -> None:
    """Half as many nodes than the noise asks for: what J gains is the noise, not the layers."""
    domain = hd.Domain.interval(-3.0, 3.0, 31)
    rho = hd.mixture([hd.Gaussian([m], 0.4, label=m) for m in (-0.6, 0.6)], domain)
    made = [
        hd.Problem(domain, hd.layers(16), rho, hd.Lagrangian(nu, 0.1, 0.3), hd.Classification(4.0), "residual")
        for nu in (0.07, 0.08)
    ]
    coarse, asked = (hd.train(problem) for problem in made)
    assert coarse.effective_noise[0] == pytest.approx(0.08)
    found = objective_error(coarse)
    noise = found.noise.sum()
    assert noise > 0 and objective_error(asked).noise.sum() < 1e-12
    assert coarse.objective == pytest.approx(asked.objective, rel=1e-9)  # the same problem


def test_the_fourth_cumulant_is_that_of_the_symbols() -> None:
    h, t, before, after = 0.1, 0.05, 0.02, 0.05  # one step of either kind
    for p in (2, 3):

        def symbol(k: Any, p: int = p) -> Any:
            kappa = 4 * mpmath.sin(k * h / 2) ** 2
            spread = mpmath.sinc(k * h / 2) ** (p + 1)
            for s in (before, after):
                heat = AxisHeat.of(t * s / h**2)
                ((stride, share),) = heat.explicit
                assert stride == 1
                spread *= (1 - share * kappa) / (1 + heat.implicit * kappa)
            return mpmath.log(spread)

        with mpmath.workdps(40):
            series = [float(c / t) for c in mpmath.taylor(symbol, 0, 4)]
        found = fourth_cumulant(t, np.array([h]), p, np.array([before]), np.array([after]))
        assert found[0] == pytest.approx(series[4], rel=1e-9)
        assert -series[2] == pytest.approx(before + after + (p + 1) * h**2 / (24 * t), rel=1e-9)


def test_half_way_differences_are_exact_on_polynomials() -> None:
    at = np.arange(6) - 2.5
    for n in range(6):
        assert np.array(half_way(0, 6)) @ at**n == pytest.approx(float(n == 0), abs=1e-12)
        assert np.array(half_way(1, 6)) @ at**n == pytest.approx(float(n == 1), abs=1e-12)
