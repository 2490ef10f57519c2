"""The multisymplectic form as data, and its discrete conservation law on patches and at layers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy
from sympy.calculus.euler import euler_equations

import hydrodl as hd
from hydrodl.analysis.structure.multisymplectic_form import multisymplectic_form
from hydrodl.analysis.structure.multisymplectic_law import (
    multisymplecticity,
    patch_sum,
    random_data,
    random_patches,
    two_form,
)
from hydrodl.analysis.structure.space_time_action import SpaceTime, Tangent
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.problem.flow import Flow
from hydrodl.solver.marching import evolve

pytestmark = pytest.mark.filterwarnings("ignore:densities are negative:RuntimeWarning")

NODES = {1: 21, 2: 8}
PHYSICS: dict[str, Any] = {"decay": 0.05, "smoothness": 0.2, "kinetic": 0.8}


def problem(d: int, classes: int, scheme: str, *, times: Any = 5, losses: Any = None, **choices: Any) -> hd.Problem:
    nodes = choices.pop("nodes", NODES[d])
    domain = hd.Domain.box([-1.5] * d, [1.6] * d, nodes, **choices)
    means = [np.full(d, -0.5 + 0.9 * c) for c in range(classes)]
    rho = hd.mixture([hd.Gaussian(m, 0.5, weight=2 / (1 + c), label=c) for c, m in enumerate(means)], domain)
    lagrangian = hd.Lagrangian(0.1, energy=hd.Power(0.1), potential=lambda x: x[:, 0] ** 2 / 9, **PHYSICS)
    losses = losses or [hd.Position(2.0, [-m for m in means])]
    return hd.Problem(domain, hd.layers(times), rho, lagrangian, losses, scheme)


def trained(*args: Any, **choices: Any) -> Flow:
    solution = hd.train(problem(*args, **choices), options={"tao_gatol": 1e-10})
    assert solution.converged
    return solution.flow


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("d", [1, 2])
def test_the_form_is_the_euler_lagrange_system(d: int, classes: int, alpha: float) -> None:
    """After elimination of j, b and W the rows of u, rho, phi are variations of the action; the others are 0 = 0."""
    nu, eps, w = (sympy.Rational(1, n) for n in (8, 4, 2))
    form = multisymplectic_form(hd.Lagrangian(float(nu), float(eps), alpha, float(w)), d, classes)
    t, x = sympy.Symbol("t"), form.x
    field = {name: sympy.Function(name)(t, *x) for name in form.names if name.split("_")[0] in ("u", "rho", "phi")}
    u = [field[f"u_{i}"] for i in range(d)]
    rho, phi = ([field[f"{name}_{c}"] for c in range(classes)] for name in ("rho", "phi"))

    def grad(f: Any) -> list[Any]:
        return [sympy.diff(f, y) for y in x]

    def dot(a: Any, b: Any) -> Any:
        return sum(p * q for p, q in zip(a, b, strict=True))

    R = sum(rho)
    action = (w * R + eps) / 2 * dot(u, u) + sympy.Function("U")(R)
    action += sympy.Rational(alpha) ** 2 / 2 * sum(dot(grad(v), grad(v)) for v in u)
    for c in range(classes):
        action += -rho[c] * sympy.diff(phi[c], t) + rho[c] * sympy.Function(f"V_{c}")(*x)
        action += -rho[c] * dot(u, grad(phi[c])) + nu * dot(grad(rho[c]), grad(phi[c]))
    names = [name for name in form.names if name in field]
    expected = {
        name: euler_equations(action, field[name], (t, *x))[0].lhs.doit() for name in names
    }  # one at a time: sympy orders them its own way

    values = dict(field)
    for c in range(classes):
        for i in range(d):
            values[f"b_{c}_{i}"] = grad(phi[c])[i]
            values[f"j_{c}_{i}"] = rho[c] * u[i] - nu * grad(rho[c])[i]
    values |= {f"W_{i}_{j}": grad(u[i])[j] for i in range(d) for j in range(d)}
    z = [values[name] for name in form.names]
    matrices = [form.K, *form.L]
    for matrix in matrices:
        np.testing.assert_array_equal(matrix, -matrix.T)
    assert ("W_0_0" in form.names) == (alpha > 0)
    for row, name in enumerate(form.names):
        left = sum(
            sympy.nsimplify(M[row, n]) * sympy.diff(f, y)
            for M, y in zip(matrices, (t, *x), strict=True)
            for n, f in enumerate(z)
        )
        right = sympy.nsimplify(form.gradient[row]).subs(dict(zip(form.z, z, strict=True))).doit()
        assert sympy.expand((left - right - expected.get(name, 0)).doit()) == 0, name
    assert len(expected) == d + 2 * classes


def test_two_forms_of_the_data() -> None:
    form = multisymplectic_form(hd.Lagrangian(0.1, smoothness=0.5), 2, 1)
    first, second = np.random.default_rng(0).standard_normal((2, 4, len(form.names)))
    place = {name: n for n, name in enumerate(form.names)}
    both = form.two_form(first, second)
    np.testing.assert_allclose(both, -form.two_form(second, first), atol=1e-14)
    rho, phi = place["rho_0"], place["phi_0"]
    np.testing.assert_allclose(both[:, 0], first[:, phi] * second[:, rho] - first[:, rho] * second[:, phi], atol=1e-14)
    with pytest.raises(hd.InputError, match="dimension is 4"):
        multisymplectic_form(hd.Lagrangian(0.1, smoothness=0.0), 4, 1)
    with pytest.raises(hd.InputError, match="classes is 0"):
        multisymplectic_form(hd.Lagrangian(0.1, smoothness=0.0), 1, 0)


ALL = [
    pytest.mark.parametrize("scheme", ["euler-box", "midpoint"]),
    pytest.mark.parametrize("classes", [1, 2]),
    pytest.mark.parametrize("d", [1, 2]),
]


def everywhere(function: Any) -> Any:
    for mark in ALL:
        function = mark(function)
    return function


@everywhere
def test_the_law_holds_on_random_patches_and_at_every_layer(d: int, classes: int, scheme: str) -> None:
    found = multisymplecticity(trained(d, classes, scheme), patches=9)
    assert found.residual <= 1e-13
    assert found.two_form_drift <= 1e-13
    assert all(patch.interior > 0 and patch.border > 0 and patch.size > 1e-3 for patch in found.patches)
    assert len({patch.pairs for patch in found.patches}) > 4  # many shapes
    assert np.abs(found.two_form).min() > 1e-3 * found.two_form_size.max()


def test_the_law_holds_for_more_fields_than_a_dolfinx_block_takes() -> None:
    assert multisymplecticity(trained(2, 3, "midpoint"), patches=3).residual <= 1e-13


@pytest.mark.slow
@pytest.mark.parametrize(("d", "classes", "scheme"), [(1, 1, "euler-box"), (1, 2, "midpoint"), (2, 2, "euler-box")])
def test_the_law_fails_for_tangents_of_another_scheme(d: int, classes: int, scheme: str) -> None:
    flow = trained(d, classes, scheme)
    system, data = SpaceTime(flow), [random_data(flow, 0), random_data(flow, 1)]
    patches = random_patches(flow, 6, 0)

    def worst(other: Flow) -> float:
        V, W = SpaceTime(other).tangents(data)
        return max(patch_sum(system, V, W, patch).residual for patch in patches)

    exact = max(worst(flow), 1e-16)
    assert exact < 1e-13
    physics = flow.lagrangian
    changes = [
        replace(flow, lagrangian=replace(physics, noise=1.001 * physics.noise)),
        replace(flow, lagrangian=replace(physics, smoothness=1.01 * physics.smoothness)),
        replace(flow, lagrangian=replace(physics, fitted=False)),
        replace(flow, scheme=BoxScheme("wrong", 0.51 if flow.theta == 0.5 else 0.99)),
        replace(flow, velocity=1.001 * flow.velocity),
    ]
    for changed in changes:
        assert worst(changed) > max(1e4 * exact, 1e-8)
    # kinetic and internal energy change S(z) node by node and neither K nor L: their law is the same law
    for same in (replace(physics, kinetic=0.5), replace(physics, energy=None)):
        other = replace(flow, lagrangian=same)
        V, true = SpaceTime(other).tangents(data[:1])[0], system.tangents(data[:1])[0]
        assert np.abs(V.velocity - true.velocity).max() > 1e-3 * np.abs(true.velocity).max()
        assert worst(other) < 1e-13


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_a_scheme_without_an_action_loses_the_two_form(scheme: str) -> None:
    """The backward sweep with 0.1 percent more noise than the forward sweep, everything solved exactly."""
    flow = trained(1, 2, scheme)
    noisy = replace(flow, lagrangian=replace(flow.lagrangian, noise=1.001 * flow.lagrangian.noise))
    system, other = SpaceTime(flow), SpaceTime(noisy)
    matrices = [s._matrix().convert("dense").getDenseArray() for s in (system, other)]
    fields, classes = 5, 2  # rows of a slab: u, phi_0, phi_1, then those of rho_0, rho_1: the backward sweep

    def tangents(backward: int) -> list[Tangent]:
        rows = np.arange(len(matrices[0])) % fields >= fields - classes
        matrix = np.where(rows[:, None], matrices[backward], matrices[0])
        out = []
        for data in (random_data(flow, 0), random_data(flow, 1)):
            sides = [s._right_hand_side(*data) for s in (system, other)]
            unknowns = np.linalg.solve(matrix, np.where(rows, sides[backward], sides[0]))
            out.append(system._tangent(unknowns, *data))
        return out

    values, size = two_form(system, *tangents(0))
    assert np.ptp(values) < 1e-12 * size.max()
    values, size = two_form(system, *tangents(1))
    assert np.ptp(values) > 1e-6 * size.max()


def test_fields_that_solve_nothing_do_not_satisfy_the_law() -> None:
    flow = trained(2, 1, "midpoint")
    system, rng = SpaceTime(flow), np.random.default_rng(1)
    shapes = [flow.velocity.shape, flow.slab_density.shape, flow.density.shape, flow.potential.shape]
    V, W = (Tangent(*(rng.standard_normal(shape) for shape in shapes)) for _ in range(2))
    patches = random_patches(flow, 6, 0)
    assert min(patch_sum(system, V, W, patch).residual for patch in patches) > 1e-4
    # over unknowns of all kinds the sum vanishes by symmetry alone: one pair has no interior
    single = np.zeros_like(patches[0])
    single[2, 5] = True
    found = patch_sum(system, V, W, single)
    assert (found.interior, found.pairs) == (0, 1) and found.residual < 1e-14
    nothing = patch_sum(system, V, W, np.zeros_like(single))
    assert (nothing.value, nothing.size, nothing.residual, nothing.border) == (0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize("theta", [1.0, 0.5])
def test_a_patch_between_two_layers_is_the_difference_of_their_two_forms(theta: float) -> None:
    flow = trained(1, 2, "euler-box" if theta == 1 else "midpoint")
    system = SpaceTime(flow)
    V, W = system.tangents([random_data(flow, 0), random_data(flow, 1)])
    patch = np.zeros((5, 20), dtype=bool)
    patch[1:4] = True
    found, (values, size) = patch_sum(system, V, W, patch), two_form(system, V, W)
    nodes, classes = flow.domain.nodes, 2
    # walls do not count as border: the border is phi at two layers
    assert (found.border, found.interior) == (2 * classes * nodes, nodes * (3 * (1 + classes) + 2 * classes))
    assert found.size == pytest.approx(size[1] + size[4], rel=1e-10)
    assert abs(found.value - (values[1] - values[4])) < 1e-13 * found.size


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_tangents_are_derivatives_of_trained_solutions(scheme: str) -> None:
    """d/de of training with rho0 + e s and loss weight (1 + e): dphi_N = phi_N."""
    made = problem(1, 2, scheme)
    flow = hd.train(made, options={"tao_gatol": 1e-13}).flow
    change = random_data(flow, 3)[0]

    def at(e: float) -> Flow:
        rho = replace(made.densities, values=made.densities.values + e * change)
        loss = replace(made.terms[0], weight=2.0 * (1 + e))
        solution = hd.train(replace(made, densities=rho, losses=loss), options={"tao_gatol": 1e-13})
        return solution.flow

    e = 1e-5  # so small that no density turns negative
    above, below = at(e), at(-e)
    (V,) = SpaceTime(flow).tangents([(change, flow.potential[-1])])
    for name in ("velocity", "slab_density", "density", "potential"):
        slope = (getattr(above, name) - getattr(below, name)) / (2 * e)
        gap = np.abs(slope - getattr(V, name)).max()
        assert gap < 2e-4 * np.abs(slope).max(), name


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_other_meshes_uneven_layers_and_losses_inside(scheme: str) -> None:
    losses = [hd.Position(1.0, np.array([[0.5, 0.0]]), layer=2), hd.Position(2.0, np.array([[-0.5, 0.3]]))]
    flow = trained(2, 1, scheme, times=[0.0, 0.3, 0.5, 1.0], losses=losses, nodes=6, cells="simplex", degree=2)
    assert flow.jumps[1].any()
    found = multisymplecticity(flow)
    assert found.residual < 1e-13 and found.two_form_drift < 1e-13


def test_a_window_is_a_flow_of_its_own() -> None:
    losses = [hd.Position(1.0, np.array([[0.5]]), layer=3), hd.Position(2.0, np.array([[-0.5]]))]
    flow = trained(1, 1, "midpoint", times=[0.0, 0.1, 0.3, 0.5, 0.8, 1.0], losses=losses)
    part = flow.window(1, 3)
    np.testing.assert_array_equal(part.slab_potential, flow.slab_potential[1:3])
    np.testing.assert_array_equal(part.slab_density, flow.slab_density[1:3])
    np.testing.assert_allclose(part.layers.steps, flow.layers.steps[1:3], rtol=1e-14)
    found = multisymplecticity(flow, slabs=(1, 5))
    assert len(found.two_form) == 5 and found.residual < 1e-13
    assert not flow.window(1, 3).jumps.any() and flow.window(1, 4).jumps[1].any()
    with pytest.raises(hd.InputError, match=r"slabs are \(3, 3\)"):
        multisymplecticity(flow, slabs=(3, 3))


def test_bad_input_is_named() -> None:
    flow = trained(1, 1, "euler-box")
    system = SpaceTime(flow)
    with pytest.raises(hd.InputError, match="patches is 0"):
        multisymplecticity(flow, patches=0)
    with pytest.raises(hd.InputError, match="tangent data must be finite"):
        system.tangents([(np.full((1, 21), np.nan), np.zeros((1, 21)))])
    (V,) = system.tangents([random_data(flow, 0)])
    with pytest.raises(hd.InputError, match=r"the patch has shape \(5, 3\)"):
        patch_sum(system, V, V, np.ones((5, 3), dtype=bool))


def test_patches_differ_and_overlap_slabs() -> None:
    flow = trained(1, 1, "euler-box")
    patches = random_patches(flow, 9, 0)
    assert all(patch.any(axis=1).sum() >= 2 for patch in patches)
    assert all((a != b).any() for a, b in pairwise(patches))


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_a_marched_wave_keeps_the_law_too(scheme: str) -> None:
    domain = hd.Domain.interval(0.0, 1.0, 41)
    density = 1 + 0.05 * np.cos(np.pi * domain.coordinates[None, : domain.owned, 0])
    physics = hd.Lagrangian(1e-4, decay=0.0, energy=hd.Focusing(1.0), smoothness=0.0)
    flow = evolve(domain, hd.layers(40), physics, density, np.zeros_like(density), scheme)
    found = multisymplecticity(flow, patches=6)
    assert found.residual < 1e-11 and found.two_form_drift < 1e-11
