"""The estimate of a march about a uniform gas: exact identities of the steps, no march leaves it, Mach 0.9 and 1.1."""

from __future__ import annotations

from dataclasses import replace
from math import pi
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.analysis.stability.discrete_modes import UniformState, box_growth, pencil_top
from hydrodl.analysis.stability.march_estimate import march_estimate, measured
from hydrodl.analysis.stability.marching_bounds import discrete_hyperbolic
from hydrodl.analysis.stability.uniform_march import UniformMarch
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.problem.flow import Flow

GAS = hd.Lagrangian(1e-6, decay=0.0, smoothness=0.0, energy=hd.Focusing(1.0))  # e = rho^2/2: c = 1 at R = 1
SCHEMES = ("midpoint", "euler-box")


def march(
    scheme: str, cells: int, size: float, mach: Any = None, physics: hd.Lagrangian = GAS, d: int = 1, **choices: Any
) -> Flow:
    """A gas of R = 1 with waves of a size in density and velocity; with a Mach number a stream without walls."""
    walls = mach is None
    domain = hd.Domain.box([0.0] * d, [1.0] * d, cells + walls, periodic=not walls)
    x = domain.coordinates[: domain.owned]
    wave = pi * x[:, 0] * (1 if walls else 2) + (0 if walls else 2 * pi) * x[:, -1] * (d > 1)
    density = 1 + size * np.cos(wave) + size / 3 * np.cos(3 * wave)
    stream = None if walls else [mach, *[0.0] * (d - 1)]
    layers = hd.layers(choices.get("layers", 4 * cells), choices.get("depth", 1.0))
    potential = size / (2 * pi) * np.cos(2 * wave)
    return hd.evolve(
        domain, layers, replace(physics, stream=stream), density[None], potential[None], scheme, force=True
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_step_changes_the_energy_by_what_is_cubic_in_its_change(scheme: str) -> None:
    """E' - E = 1/8 (d rho, |d w|^2) for the midpoint box and 1/4 for the modified energy of the Euler box."""
    for mach, d, cells in ((None, 1, 8), (0.6, 1, 9), (0.6, 2, 5)):
        flow = march(scheme, cells, 0.2, mach, d=d, layers=6, depth=0.3)
        found, recovery = march_estimate(flow), Recovery(flow)
        euler = scheme == "euler-box"
        rho = (flow.slab_density if euler else flow.density)[:, 0]
        phi = (flow.slab_potential if euler else flow.potential)[:, 0]
        change, kicks = np.diff(rho, axis=0), recovery.gradients(np.diff(phi, axis=0))
        cubic = recovery.mass.integrals(change * (kicks**2).sum(axis=1))
        # H is cubic: Simpson's rule is exact on it, and E = -H
        expected = cubic * (1 / 4 if euler else -1 / 8)
        assert np.abs(np.diff(found.functional)).max() > 1e-9
        np.testing.assert_allclose(np.abs(np.diff(found.functional)), np.abs(expected), rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_step_changes_what_the_stream_adds_by_what_is_cubic(scheme: str) -> None:
    """dQ = Delta (delta, w.(s.D w) - s.D|w|^2/2) at the middle of the step, or the mean over both slabs."""
    for d, cells in ((1, 9), (2, 5)):
        flow = march(scheme, cells, 0.2, 0.6, d=d, layers=6, depth=0.3)
        recovery, euler = Recovery(flow), scheme == "euler-box"
        numbers = UniformMarch.of(flow.domain, flow.lagrangian, 1.0, flow.theta, 0.05)
        _, (whole, comoving) = measured(flow, recovery, numbers)
        rho = (flow.slab_density if euler else flow.density)[:, 0]
        phi = (flow.slab_potential if euler else flow.potential)[:, 0]
        if not euler:
            rho, phi = (rho[1:] + rho[:-1]) / 2, (phi[1:] + phi[:-1]) / 2
        w = recovery.gradients(phi)
        along = 0.6 * np.stack([recovery.gradients(w[:, a])[:, 0] for a in range(d)], axis=1)
        square = 0.6 * recovery.gradients((w**2).sum(axis=1))[:, 0]
        cubic = recovery.mass.integrals((rho - 1) * ((w * along).sum(axis=1) - square / 2))
        expected = 0.05 * ((cubic[1:] + cubic[:-1]) / 2 if euler else cubic)
        assert np.abs(expected).max() > 1e-7
        np.testing.assert_allclose(np.diff(whole - comoving), expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_stream_below_the_speed_of_sound_is_certified_and_stays(scheme: str) -> None:
    for mach, holds in ((0.0, True), (0.9, True), (1.1, False)):
        found = march_estimate(march(scheme, 17, 1e-5, mach, layers=17 * 3, depth=1.0))
        streams = [bound.value for bound in found.bounds if bound.name == "energy-Casimir, stream"]
        assert found.holds is holds and streams == ([pytest.approx(mach)] if mach else [])
        if holds:
            assert found.ratio <= 1 and (found.functional <= found.limit).all()
            assert found.share / 2 * found.norms.max() > 0.01 * found.limit[0]


def test_no_march_leaves_an_estimate_that_holds() -> None:
    """A small version of benchmarks/marches.py."""
    random, certified = np.random.default_rng(2), 0
    for _ in range(8):
        mach = [None, 0.0, *random.uniform(0, 2, 1)][random.integers(3)]
        scheme, cells = SCHEMES[random.integers(2)], 2 * int(random.integers(3, 8)) + 1
        physics = replace(GAS, noise=10 ** random.uniform(-5, -2))
        flow = march(scheme, cells, 10 ** random.uniform(-4, -2), mach, physics, layers=int(random.integers(10, 40)))
        found = march_estimate(flow)
        if found.holds:
            certified += 1
            assert found.ratio <= 1 and (found.functional <= found.limit).all()
            assert np.abs(flow.density - 1).max() <= found.margin
    assert 2 <= certified <= 6


def test_the_number_of_nodes_is_where_waves_begin_to_grow() -> None:
    physics = replace(GAS, noise=0.01)
    walls = march_estimate(march("midpoint", 6, 1e-4, None, physics, layers=4)).bounds[0].most_nodes
    assert walls == 9  # 8 cells, see docs/analysis/marching.md
    for cells in (8, 9):
        grows = box_growth((1.0,), (cells,), UniformState(1.0, 1.0, 0.0, 0.01), -1.0)
        assert (grows > 0) is (cells + 1 > walls)
    free = march_estimate(march("midpoint", 7, 1e-4, 0.0, physics, layers=4)).bounds[0].most_nodes
    assert free is not None and free % 2 == 1
    assert discrete_hyperbolic(march("midpoint", 7, 1e-6, 0.4, physics, layers=1)).most_nodes == free
    for cells, stable in ((free, True), (free + 2, False)):
        x = 2 * pi * np.arange(1, cells // 2 + 1) / cells
        kappa, drift = (2 * cells * np.sin(x / 2)) ** 2, (cells * np.sin(x)) ** 2
        assert bool(((0.01 * kappa) ** 2 <= drift).all()) is stable
        assert pencil_top((1.0,), (cells,), (0,)) == pytest.approx((kappa**2 / drift).max())


def test_the_euler_box_at_rest_asks_for_the_step_at_which_waves_grow() -> None:
    domain = hd.Domain.interval(0, 1, 33, periodic=True)
    for step, below in ((1.98 / 33, True), (2.02 / 33, False)):
        found = UniformMarch.of(domain, replace(GAS, noise=1e-12), 1.0, 1.0, step)
        assert (found.lean() < 1) is below


def test_an_even_number_of_nodes_is_told() -> None:
    bound = march_estimate(march("midpoint", 8, 1e-4, 0.0, layers=2)).bounds[0]
    assert not bound.holds and "odd" in bound.note


def test_what_the_estimate_needs() -> None:
    trials: list[tuple[dict[str, Any], str]] = [
        ({"decay": 0.1}, "decay 0"),
        ({"energy": None}, "internal energy"),
        ({"potential": lambda x: x[:, 0]}, "constant potential"),
    ]
    for change, words in trials:
        with pytest.raises(hd.InputError, match=words):
            march_estimate(march("midpoint", 5, 1e-4, None, replace(GAS, **change), layers=2))
    with pytest.raises(hd.InputError, match="margin is"):
        march_estimate(march("midpoint", 5, 1e-4, layers=2), 1.0)


def test_a_stream_needs_a_way() -> None:
    x = np.ones((1, 5))
    for stream, words in (([1.0], "direction 1, where there are walls"), ([1.0, 0.0], "stream has 2 numbers")):
        with pytest.raises(hd.InputError, match=words):
            hd.evolve(hd.Domain.interval(0, 1, 5), hd.layers(1), replace(GAS, stream=stream), x, x)
    with pytest.raises(hd.InputError, match="must be finite numbers"):
        replace(GAS, stream=[np.nan])
