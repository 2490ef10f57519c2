"""Energy-Casimir criteria of equilibria that can be computed by hand, and the a-priori estimate along perturbed
runs."""

from __future__ import annotations

from dataclasses import replace
from math import pi, sqrt
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.analysis.stability.bounds import box_numbers
from hydrodl.analysis.stability.casimir_estimate import a_priori, along
from hydrodl.analysis.stability.discrete_modes import UniformState, box_growth, noise_against_pressure
from hydrodl.analysis.stability.energy_casimir import convexity, energy_casimir
from hydrodl.analysis.stability.equilibrium import Equilibrium
from hydrodl.solver.marching import evolve

GAS = hd.Lagrangian(1e-10, decay=0.0, energy=hd.Focusing(2.0), smoothness=0.0)  # e = rho^2, c^2 = 2 rho
LINE = hd.Domain.interval(0, 1, 41)
RING = hd.Domain.interval(0, 1, 41, periodic=True)
PLANE = hd.Domain.box([-1, -1], [1, 1], [21, 81])


def uniform(domain: hd.Domain, density: float, velocity: list[float], physics: hd.Lagrangian = GAS) -> Equilibrium:
    owned = domain.owned
    return Equilibrium(domain, physics, np.full(owned, density), np.tile(np.array(velocity)[:, None], (1, owned)))


def shear(profile: Any, density: float = 2.0, physics: hd.Lagrangian = GAS) -> Equilibrium:
    """(V(y), 0) with uniform density: a steady flow along x."""
    return Equilibrium.of_functions(
        PLANE, physics, lambda x: np.full(len(x), density), lambda x: np.stack([profile(x[:, 1]), 0 * x[:, 1]], axis=1)
    )


def named(bounds: Any) -> dict[str, Any]:
    return {bound.name.split(", ")[1]: bound for bound in bounds}


@pytest.mark.parametrize(
    "domain, direction", [(LINE, [1.0]), (PLANE, [0.6, 0.8]), (RING, [1.0])], ids=["line", "plane", "ring"]
)
@pytest.mark.parametrize("mach", [0.0, 0.99, 1.01])
def test_a_uniform_stream_is_stable_when_subsonic(domain: hd.Domain, direction: list[float], mach: float) -> None:
    density = 0.8
    speed = mach * sqrt(2 * density)
    found = named(energy_casimir(uniform(domain, density, [speed * x for x in direction])))
    assert found["subsonic"].value == pytest.approx(mach**2, rel=1e-9) and found["subsonic"].holds is (mach < 1)
    assert found["convexity"].value == pytest.approx(speed**2, rel=1e-9)
    assert found["convexity"].bound == pytest.approx(2 * density, rel=1e-6)
    assert found["convexity"].holds is (mach < 1)
    assert not found["vorticity"].applies


def test_the_margin_lowers_the_convexity_bound() -> None:
    given = uniform(LINE, 1.0, [1.0], replace(GAS, energy=hd.Focusing(2.0, 3.0)))  # e'' = 4 rho
    for margin in (0.0, 0.25, 0.75):
        found = named(energy_casimir(given, margin))
        assert found["convexity"].bound == pytest.approx(4 * (1 - margin) ** 2, rel=1e-6)
        assert found["convexity"].holds is (margin < 0.5) and found["subsonic"].holds
    for margin in (-0.1, 1.0):
        with pytest.raises(hd.InputError, match="margin is"):
            energy_casimir(given, margin)


def test_noise_acts_against_pressure() -> None:
    """c = 1 at rest, nu = 0.01: 8 cells are the last without a growing wave (docs/analysis/marching.md)."""
    physics = replace(GAS, noise=0.01, energy=hd.Focusing(1.0))
    for cells in (4, 8, 9, 40):
        domain = hd.Domain.interval(0, 1, cells + 1)
        given = uniform(domain, 1.0, [0.0], physics)
        grows = box_growth(*box_numbers(domain), UniformState(1.0, 1.0, 0.0, 0.01), -1.0)
        assert (grows <= 0) is (cells <= 8)
        assert named(energy_casimir(given))["convexity"].holds is (convexity(given).modulus > 0) is (cells <= 8)
    for domain in (hd.Domain.interval(0, 1, 7), hd.Domain.box([0, 0], [1, 0.7], [6, 5])):
        ratio = noise_against_pressure(domain)  # the noise at which the first wave grows
        signs = [
            box_growth(*box_numbers(domain), UniformState(1.0, 1.0, 0.0, sqrt(x / ratio)), -1.0) for x in (0.999, 1.001)
        ]
        assert signs[0] < 0 < signs[1]


@pytest.mark.parametrize(("scheme", "cells"), [("midpoint", 8), ("euler-box", 8), ("midpoint", 16)])
def test_no_march_leaves_an_estimate_that_holds(scheme: str, cells: int) -> None:
    """From rest, its shortest wave and a long one: where waves grow the criteria do not hold."""
    domain = hd.Domain.interval(0, 1, cells + 1)
    physics = replace(GAS, noise=0.01, energy=hd.Focusing(1.0))
    x = domain.coordinates[:, 0]
    for mode in (1, cells - 1):
        start = 1 + 1e-3 * np.cos(mode * pi * x)
        flow = evolve(domain, hd.layers(60, 1.0), physics, start[None], 0 * x[None], scheme, force=True)
        found = along(uniform(domain, 1.0, [0.0], physics), flow, 0.1)
        assert found.stable is (cells <= 8)
        if found.stable:
            assert found.inside and found.ratio <= 1 and found.holds
            assert found.drift < (1e-4 if scheme == "midpoint" else 0.2)


@pytest.mark.parametrize(
    "profile, ratio", [(np.cosh, 1.0), (np.cos, -1.0), (lambda y: np.cosh(2 * y), 0.25)], ids=["cosh", "cos", "cosh 2y"]
)
def test_vorticity_of_a_shear_flow(profile: Any, ratio: float) -> None:
    """B'(Omega)/Omega = rho^2 V/V'': Arnold's first theorem; cosh is stable, cos is not shown to be."""
    found = named(energy_casimir(shear(lambda y: 0.3 * profile(y))))
    assert found["vorticity"].applies and found["vorticity"].holds is (ratio > 0)
    assert found["vorticity"].value == pytest.approx(4 * ratio, rel=0.05)


def test_vorticity_converges_with_the_mesh() -> None:
    errors = []
    for nodes in (41, 81):
        domain = hd.Domain.box([-1, -1], [1, 1], [5, nodes])
        y = domain.coordinates[:, 1]
        stream = np.stack([np.cosh(y), 0 * y])
        given = Equilibrium(domain, GAS, np.full(domain.owned, 2.0), stream)
        errors.append(abs(convexity(given).vortical - 4))
    assert errors[1] < 0.6 * errors[0] and errors[1] < 0.2


def test_a_layered_atmosphere_is_irrotational_and_stable() -> None:
    """At rest under gravity: V = 2 rho_e in e'(rho_e) = V, the Bernoulli function is uniform."""
    physics = replace(GAS, potential=lambda x: 2 * (2 - 0.5 * x[:, 0]))
    given = Equilibrium.of_functions(PLANE, physics, lambda x: 2 - 0.5 * x[:, 0], lambda x: np.zeros_like(x))
    found = named(energy_casimir(given))
    assert found["convexity"].holds and not found["vorticity"].applies
    assert found["convexity"].bound == pytest.approx(3.0, rel=1e-6)


BAD: list[tuple[hd.Domain, hd.Lagrangian, str]] = [
    (hd.Domain.box([0, 0, 0], [1, 1, 1], 3), GAS, "d = 1 or 2"),
    (hd.Domain.box([0, 0], [1, 1], 3, cells="simplex"), GAS, "uniform box"),
    (hd.Domain.interval(0, 1, 2), GAS, "at least 3 nodes"),
    (LINE, replace(GAS, decay=0.1), "decay 0"),
    (LINE, replace(GAS, energy=None), "internal energy"),
]


@pytest.mark.parametrize("domain, physics, words", BAD, ids=lambda x: x if isinstance(x, str) else "")
def test_what_the_analysis_needs(domain: hd.Domain, physics: hd.Lagrangian, words: str) -> None:
    with pytest.raises(hd.InputError, match=words):
        uniform(domain, 1.0, [0.0] * domain.dimension, physics)


def test_fields_must_fit() -> None:
    with pytest.raises(hd.InputError, match="positive density"):
        uniform(LINE, 0.0, [0.0])
    with pytest.raises(hd.InputError, match="positive density"):
        Equilibrium(LINE, GAS, np.ones(LINE.owned), np.zeros((2, LINE.owned)))
    given = uniform(LINE, 1.0, [0.0])
    with pytest.raises(hd.InputError, match="a run needs"):
        a_priori(given, np.ones((0, LINE.owned)), np.zeros((0, 1, LINE.owned)))
    with pytest.raises(hd.InputError, match="a run needs"):
        a_priori(given, np.ones((2, LINE.owned)), np.zeros((1, 1, LINE.owned)))


def test_the_functional_is_the_energy_beyond_first_order() -> None:
    """d = 1, a stream: E = H - H_e - (flux, mass terms), by direct integration of the quadratic energy."""
    given, x = uniform(LINE, 0.8, [0.5]), LINE.coordinates[:, 0]
    density, velocity = 0.8 + 0.1 * np.cos(pi * x), 0.5 + 0.05 * np.sin(pi * x)
    found = a_priori(given, density[None], velocity[None, None], 0.2)
    drho, dv = density - 0.8, velocity - 0.5
    integrand = density * dv**2 / 2 + 0.5 * drho * dv + drho**2
    assert found.functional[0] == pytest.approx(float(np.trapezoid(integrand, x)), rel=1e-6)
    energy = np.trapezoid(density * velocity**2 / 2 + density**2, x) - (0.8 * 0.25 / 2 + 0.64)
    first = np.trapezoid((0.125 + 1.6) * drho + 0.4 * dv, x)
    assert found.functional[0] == pytest.approx(float(energy - first), rel=1e-6)
    assert 0 < found.norms[0] <= found.functional[0] and found.holds and found.inside


@pytest.mark.parametrize("kind", ["line", "plane", "shear", "noisy"])
def test_the_norm_stays_below_the_functional(kind: str) -> None:
    """Q <= E for any state whose density stays in the region."""
    base = {
        "line": uniform(LINE, 1.0, [0.7]),
        "plane": uniform(PLANE, 1.0, [0.5, 0.2]),
        "shear": shear(lambda y: 0.3 * np.cosh(y), 1.0),
        "noisy": uniform(LINE, 1.0, [0.0], replace(GAS, noise=1e-5)),
    }[kind]
    random, domain = np.random.default_rng(4), base.domain
    density = base.density * (1 + 0.29 * random.uniform(-1, 1, (20, domain.owned)))
    x = domain.coordinates.T
    waves = random.standard_normal((20, domain.dimension, 3))
    shapes = np.array([np.sin((j + 1) * x.sum(axis=0)) for j in range(3)])
    velocity = base.velocity + 0.1 * np.einsum("kaj,jn->kan", waves, shapes)
    found = a_priori(base, density, velocity, 0.3)
    assert found.inside and found.stable
    assert (found.norms > 0).all() and (found.norms <= found.functional * (1 + 1e-9)).all()


def test_a_supersonic_stream_has_no_estimate() -> None:
    base = uniform(LINE, 0.8, [2.0])
    found = a_priori(base, base.density[None] * 1.01, base.velocity[None], 0.1)
    assert not found.stable and not found.holds


def test_leaving_the_region_is_noticed() -> None:
    base = uniform(LINE, 0.8, [0.0])
    assert not a_priori(base, base.density[None] * 1.2, base.velocity[None], 0.1).inside


@pytest.mark.slow
@pytest.mark.parametrize(
    "scheme, crossings, steps, size, margin, drift",
    [("midpoint", 50, 1000, 5e-4, 0.1, 1e-3), ("euler-box", 5, 400, 5e-3, 0.3, 0.06)],
)
def test_a_perturbed_gas_at_rest_stays_within_the_estimate(
    scheme: str, crossings: int, steps: int, size: float, margin: float, drift: float
) -> None:
    domain = hd.Domain.interval(0, 1, 33)
    x = domain.coordinates[:, 0]
    density, potential = 0.5 * (1 + size * np.cos(pi * x)), size / 2 * np.cos(2 * pi * x)  # c = 1
    flow = evolve(domain, hd.layers(steps, float(crossings)), GAS, density[None], potential[None], scheme)
    found = along(uniform(domain, 0.5, [0.0]), flow, margin)
    assert found.stable and found.inside and found.drift < drift
    assert found.ratio <= 1 and found.holds
    assert found.norms.min() > 0.5 * found.functional[0]  # and the estimate is not idle
