"""What flows conserve, against numbers made here a second time, and at the rates that are promised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import ufl
from dolfinx import fem

import hydrodl as hd
from hydrodl.analysis.structure.circulation import circulation, push
from hydrodl.analysis.structure.conservation import conservation, drift, energies, energy_sources
from hydrodl.analysis.structure.euler_poincare import euler_poincare
from hydrodl.problem.flow import Flow
from tests.builders.edge_transport import edge_transport

pytestmark = pytest.mark.filterwarnings("ignore:densities are negative:RuntimeWarning")

MEANS = np.array([[-0.4, 0.3], [0.4, 0.0]])
TARGETS = np.array([[0.1, 0.5], [-0.2, -0.3]])


def solved(
    d: int,
    nodes: int,
    layers: Any,
    scheme: str,
    *,
    classes: int = 2,
    losses: Any = None,
    cells: str = "box",
    wall: float = 2.0,
    **physics: Any,
) -> hd.Solution:
    """Gaussians to Gaussians in a box so wide that the data meet the walls' conditions."""
    domain = hd.Domain.box([-wall] * d, [wall] * d, nodes, cells=cells)

    def gaussians(means: np.ndarray) -> hd.Densities:
        return hd.mixture([hd.Gaussian(m[:d], 0.5, label=c) for c, m in enumerate(means[:classes])], domain)

    numbers = {"noise": 0.1, "decay": 0.02, "smoothness": 0.3, "energy": hd.Power(0.1)} | physics
    losses = losses(gaussians(TARGETS)) if losses else hd.Density(2.0, gaussians(TARGETS), divergence="l2")
    problem = hd.Problem(domain, hd.layers(layers), gaussians(MEANS), hd.Lagrangian(**numbers), losses, scheme)
    solution = hd.train(problem, options={"tao_gatol": 1e-10})
    assert solution.converged
    return solution


def flow_of(*args: Any, **choices: Any) -> Flow:
    return solved(*args, **choices).flow


def inside(target: hd.Densities) -> list[Any]:
    return [hd.Density(1.0, target, layer=2, divergence="l2"), hd.Density(2.0, target, divergence="l2")]


def orders(values: list[float]) -> np.ndarray:
    return np.log2(np.array(values[:-1]) / np.array(values[1:]))


CASES = [(1, "box", "euler-box"), (1, "box", "midpoint"), (2, "box", "midpoint"), (2, "simplex", "euler-box")]


@pytest.mark.parametrize(("d", "cells", "scheme"), CASES)
def test_exact_laws_hold_to_rounding(d: int, cells: str, scheme: str) -> None:
    flow = flow_of(d, {1: 31, 2: 11}[d], [0.0, 0.1, 0.4, 0.7, 1.0], scheme, cells=cells, losses=inside)
    found = conservation(flow)
    np.testing.assert_allclose(found.masses, 0.5, rtol=1e-12)
    assert found.mass_error < 1e-13
    assert found.duality_residual < 1e-13 and np.abs(found.pairing).max() > 0.01
    assert found.mass_balance.max() < 1e-12 and found.potential_balance.max() < 1e-11
    assert found.momentum_balance.max() < 1e-8  # to the optimiser's tolerance
    np.testing.assert_array_equal(found.times, flow.layers.times)


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_each_balance_sees_its_own_field(scheme: str) -> None:
    flow = flow_of(1, 31, 4, scheme)
    bump = np.zeros_like(flow.velocity)
    bump[2, 0, 15] = 1e-3

    def worst(changed: Flow) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        found = conservation(changed)
        return found.mass_balance, found.potential_balance, found.momentum_balance, found.duality_residual

    mass, potential, momentum, _ = worst(replace(flow, velocity=flow.velocity + bump))
    assert min(mass[2], potential[2], momentum[2]) > 1e-6
    assert max(mass[[0, 1, 3]].max(), potential[[0, 1, 3]].max(), momentum[[0, 1, 3]].max()) < 1e-8
    layer = np.concatenate([np.zeros_like(bump[:1]), bump])  # layer 3, between slabs 2 and 3
    mass, potential, momentum, duality = worst(replace(flow, density=flow.density + layer))
    assert min(mass[2], mass[3]) > 1e-6 and mass[:2].max() < 1e-12 and duality > 1e-8
    mass, potential, _, duality = worst(replace(flow, potential=flow.potential + layer))
    assert min(potential[2], potential[3]) > 1e-6 and potential[:2].max() < 1e-11 and duality > 1e-8
    assert mass[:2].max() < 1e-12


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
@pytest.mark.parametrize("d", [1, 2])
def test_energy_and_momentum_are_the_specification(d: int, scheme: str) -> None:
    def potential(x: np.ndarray) -> np.ndarray:
        return 0.2 * x[:, 0] ** 2

    flow = flow_of(d, {1: 31, 2: 11}[d], 3, scheme, potential=potential)
    domain, physics = flow.domain, flow.lagrangian
    V, dx = domain.V, domain.dx
    u, r, q = ([fem.Function(V) for _ in range(n)] for n in (d, 2, 2))
    v = fem.Function(V)
    v.x.array[:] = potential(domain.coordinates)
    U, R = ufl.as_vector(u), r[0] + r[1]
    H = 0.5 * (R + physics.decay) * ufl.dot(U, U) + 0.05 * R**2 + R * v
    H += 0.5 * physics.smoothness**2 * ufl.inner(ufl.grad(U), ufl.grad(U))
    H -= sum(edge_transport(domain, float(physics.noise), u, a, b) for a, b in zip(r, q, strict=True))
    form = fem.form(H * dx)
    pulls = [fem.form(sum(a * b.dx(i) for a, b in zip(r, q, strict=True)) * dx) for i in range(d)]

    def load(functions: list[Any], values: np.ndarray) -> None:
        for function, nodal in zip(functions, values, strict=True):
            function.x.array[:] = nodal

    found = conservation(flow)
    for k in range(3):
        load([*u, *r, *q], [*flow.velocity[k], *flow.slab_density[k], *flow.slab_potential[k]])
        assert found.energy[k] == pytest.approx(fem.assemble_scalar(form), rel=1e-12)
    for k in range(4):
        load([*r, *q], [*flow.density[k], *flow.potential[k]])
        expected = [fem.assemble_scalar(pull) for pull in pulls]
        np.testing.assert_allclose(found.momentum[k], expected, rtol=1e-10, atol=1e-14)
    assert np.ptp(found.energy) == pytest.approx(found.energy_drift * np.abs(found.energy).max())


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "order"), [("euler-box", 1), ("midpoint", 2)])
def test_energy_drifts_at_the_order_of_the_scheme(scheme: str, order: int) -> None:
    flows = [flow_of(1, 49, N, scheme) for N in (8, 16, 32)]
    drifts, sources = [], []
    for flow in flows:
        found = conservation(flow)
        drifts.append(found.energy_drift)
        sources.append(float(found.energy_source.mean()))
    assert (np.abs(orders(drifts) - order) < 0.2).all(), drifts
    assert (np.abs(orders(sources) - order) < 0.25).all(), sources


def test_the_local_energy_balance_sees_a_source() -> None:
    """The same fields with another noise: energy appears at nodes where none should, at a rate that no layer mends."""
    flow = flow_of(1, 49, 32, "midpoint")
    other = replace(flow, lagrangian=replace(flow.lagrangian, noise=0.15))
    assert energy_sources(other).mean() > 50 * energy_sources(flow).mean()


def test_a_loss_inside_breaks_the_run_of_energies() -> None:
    flow = flow_of(1, 49, 8, "midpoint", losses=inside)
    np.testing.assert_array_equal(flow.losses_inside, np.arange(1, 8) == 2)
    found = conservation(flow)
    whole = float(np.ptp(found.energy) / np.abs(found.energy).max())
    assert found.energy_drift < 0.2 * whole
    np.testing.assert_array_equal(np.isnan(found.energy_source), np.arange(1, 8) == 2)
    assert np.nanmax(found.energy_source) < 0.05
    assert drift(flow, np.array([1.0, 1.5, 9.0, 9.0, 9.0, 9.0, 9.0, 10.0])) == pytest.approx(0.1)


def test_momentum_is_conserved_without_a_potential_and_not_with_one() -> None:
    free = conservation(flow_of(1, 81, 16, "midpoint", wall=3.0)).momentum[:, 0]
    assert np.ptp(free) < 1e-3 * np.abs(free).max() and np.abs(free).max() > 1e-3
    pulled = conservation(flow_of(1, 81, 16, "midpoint", wall=3.0, potential=lambda x: 0.3 * x[:, 0])).momentum[:, 0]
    # d/dt sum (rho, grad phi) = sum (rho, grad V) = 0.3 times the mass
    assert pulled[-1] - pulled[0] == pytest.approx(0.3, rel=2e-3)


def test_circulation_of_one_class_vanishes_with_h() -> None:
    sizes = [np.abs(circulation(flow_of(2, n, 4, "midpoint", classes=1))).max() for n in (17, 33)]
    several = np.abs(circulation(flow_of(2, 13, 4, "midpoint"))).min()
    assert orders(sizes)[0] > 1.5 and sizes[0] < 0.1 * several


def test_circulation_of_several_classes_is_kept_without_noise_in_one_potential() -> None:
    def changed(**physics: Any) -> float:
        values = circulation(flow_of(2, 25, 6, "midpoint", fitted=False, **physics))
        return float(np.ptp(values) / np.abs(values).max())

    noisy, quiet = changed(noise=0.1), changed(noise=0.01)
    assert quiet < 0.04 < noisy
    shared = changed(noise=0.01, potential=lambda x: 0.3 * x[:, 0] ** 2)
    apart = changed(noise=0.01, potential=[lambda x: 0.3 * x[:, 0] ** 2, lambda x: 0.3 * x[:, 1]])
    assert shared < 0.04 < 4 * shared < apart


def test_circulation_of_a_known_field_and_loop() -> None:
    """m / R = grad phi_0 + s_1 grad(phi_1 - phi_0): with s_1 = x and phi_1 = y around the unit square it is 1."""
    flow = flow_of(2, 9, 1, "euler-box", wall=1.5)
    x, y = flow.domain.coordinates[: flow.domain.owned].T
    share = 0.5 + 0.25 * x
    density = np.repeat(np.array([1 - share, share])[None], 2, axis=0)
    potential = np.repeat(np.array([0 * x, y])[None], 2, axis=0)
    shift = np.zeros_like(flow.velocity)
    shift[:, 0] = 0.25
    made = replace(flow, density=density, potential=potential, velocity=shift)
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    np.testing.assert_allclose(circulation(made, square), 0.25, rtol=1e-12)
    np.testing.assert_allclose(circulation(made, square[::-1]), -0.25, rtol=1e-12)
    np.testing.assert_allclose(push(made, square)[1], square + np.array([0.25, 0.0]), atol=1e-12)
    with pytest.raises(hd.InputError, match=r"the loop has shape \(2, 2\)"):
        circulation(flow, square[:2])
    with pytest.raises(hd.InputError, match="lies outside feature space"):
        circulation(flow, 4 * square)


def test_material_points_follow_the_scheme() -> None:
    points = np.array([[-0.3, 0.2], [0.4, -0.1]])
    solution = solved(2, 13, 4, "euler-box")
    np.testing.assert_allclose(push(solution.flow, points), hd.Network(solution).push(points), atol=1e-14)
    # a velocity that is linear in x: the midpoint rule multiplies by (1 + D a / 2) / (1 - D a / 2)
    flow = flow_of(2, 13, 4, "midpoint")
    linear = np.repeat(-0.8 * flow.domain.coordinates[: flow.domain.owned].T[None], 4, axis=0)
    factor = (1 - 0.1) / (1 + 0.1)
    path = push(replace(flow, velocity=linear), points)
    np.testing.assert_allclose(path[-1], factor**4 * points, atol=1e-11)


def test_circulation_needs_a_plane() -> None:
    flow = flow_of(1, 21, 2, "euler-box")
    assert conservation(flow).circulation is None
    with pytest.raises(hd.InputError, match="circulation needs d = 2"):
        conservation(flow, loop=[[0, 0], [1, 0], [0, 1]])


@pytest.mark.slow
@pytest.mark.parametrize("fitted", [False, True])
def test_the_momentum_equation_holds_to_second_order(fitted: bool) -> None:
    grids = ((25, 8), (49, 16), (97, 32))
    found = [euler_poincare(flow_of(1, n, N, "midpoint", fitted=fitted)) for n, N in grids]
    values = [result.relative for result in found]
    assert (np.abs(orders(values) - 2) < 0.15).all(), values
    assert values[-1] < 5e-3
    np.testing.assert_allclose(found[0].times, np.arange(1, 8) / 8)
    assert found[0].nodes == 25 - 2 * 5


def test_the_momentum_equation_holds_in_the_plane() -> None:
    values = [euler_poincare(flow_of(2, n, N, "midpoint")).relative for n, N in ((21, 5), (41, 10))]
    assert orders(values)[0] == pytest.approx(2, abs=0.25) and values[-1] < 0.01


@pytest.mark.slow
def test_the_momentum_equation_holds_to_first_order_in_the_euler_box() -> None:
    values = [euler_poincare(flow_of(1, 129, N, "euler-box", fitted=False)).relative for N in (32, 64, 128)]
    assert (orders(values) > 0.7).all() and orders(values)[-1] == pytest.approx(1, abs=0.2), values


def test_the_momentum_equation_sees_every_term() -> None:
    flow = flow_of(1, 97, 32, "midpoint", fitted=False, potential=lambda x: 0.2 * np.cos(np.pi * x[:, 0] / 2))
    exact, physics = euler_poincare(flow).relative, flow.lagrangian
    changes: list[dict[str, Any]] = [
        {"noise": 0.11},
        {"kinetic": 0.9},
        {"energy": hd.Power(0.2)},
        {"potential": None},
        {"smoothness": 0.33},
    ]
    for change in changes:
        assert euler_poincare(replace(flow, lagrangian=replace(physics, **change))).relative > 3 * exact, change


def test_the_momentum_equation_away_from_walls_and_losses() -> None:
    flow = flow_of(1, 49, 8, "midpoint", losses=inside)
    found = euler_poincare(flow, margin=1.0)
    np.testing.assert_array_equal(np.isnan(found.residual), np.arange(1, 8) == 2)
    assert found.nodes == 25 and found.relative < 0.05
    with pytest.raises(hd.InputError, match=r"further than 4 cells and 2\.5 from every wall"):
        euler_poincare(flow, margin=2.5)
    with pytest.raises(hd.InputError, match="at least 2 layers"):
        euler_poincare(flow_of(1, 21, 1, "midpoint"))


def test_energies_alone() -> None:
    flow = flow_of(1, 21, 3, "euler-box")
    np.testing.assert_array_equal(energies(flow), conservation(flow).energy)
