"""The layer-map schemes: exact laws, the two-form at layers, the multisymplectic law on patches of their elements."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.analysis.structure.conservation import conservation
from hydrodl.analysis.structure.map_elements import Part
from hydrodl.analysis.structure.map_law import MapLaw, random_parts
from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.multisymplectic_law import multisymplecticity, random_data, two_form
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.problem.flow import Flow

pytestmark = pytest.mark.filterwarnings("ignore:densities are negative:RuntimeWarning")

SCHEMES = ("residual", "strang")
NODES = {1: 41, 2: 13}


def problem(d: int, classes: int, scheme: str, *, times: Any = 5, losses: Any = None) -> hd.Problem:
    domain = hd.Domain.box([-1.5] * d, [1.6] * d, NODES[d])
    means = [np.full(d, -0.5 + 0.9 * c) for c in range(classes)]
    rho = hd.mixture([hd.Gaussian(m, 0.5, weight=2 / (1 + c), label=c) for c, m in enumerate(means)], domain)
    physics = hd.Lagrangian(
        0.1, 0.05, 0.2, 0.8, energy=hd.Power(0.1), potential=lambda x: x[:, 0] ** 2 / 9
    )  # nu, eps, alpha, w
    return hd.Problem(domain, hd.layers(times), rho, physics, losses or hd.Position(2.0, [-m for m in means]), scheme)


@cache
def trained(d: int, classes: int, scheme: str) -> Flow:
    solution = hd.train(problem(d, classes, scheme), options={"tao_gatol": 1e-10})
    assert solution.converged
    return solution.flow


def law_of(flow: Flow) -> tuple[MapTangents, MapLaw]:
    system = MapTangents(flow)
    assert isinstance(flow.scheme, LayerMapScheme)
    return system, MapLaw(system, flow.scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("d", "classes"), [(1, 1), (2, 2)])
def test_exact_laws_hold_to_rounding(d: int, classes: int, scheme: str) -> None:
    flow = trained(d, classes, scheme)
    kept, found = conservation(flow), multisymplecticity(flow, patches=9)
    assert kept.mass_error < 1e-13 and kept.duality_residual < 1e-13 and np.abs(kept.pairing).max() > 0.01
    assert kept.mass_balance.max() < 1e-12 and kept.potential_balance.max() < 1e-11
    assert kept.momentum_balance.max() < 1e-8  # to the optimiser's tolerance
    assert kept.energy_source is None
    assert found.residual <= 1e-13 and found.two_form_drift <= 1e-13
    assert all(patch.interior > 0 and patch.border > 0 and patch.size > 1e-3 for patch in found.patches)
    assert len({patch.pairs for patch in found.patches}) > 4
    assert np.abs(found.two_form).min() > 1e-3 * found.two_form_size.max()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_law_fails_for_tangents_of_another_scheme(scheme: str) -> None:
    flow = trained(1, 2, scheme)
    _, law = law_of(flow)
    data, patches = [random_data(flow, 0), random_data(flow, 1)], random_parts(law.elements, 3, 0)

    def worst(other: Flow) -> float:
        return max(patch.residual for patch in law.sums(*MapTangents(other).tangents(data), patches))

    assert worst(flow) < 1e-13
    physics, maps = flow.lagrangian, flow.scheme
    assert isinstance(maps, LayerMapScheme)
    changes = [
        replace(flow, lagrangian=replace(physics, noise=1.001 * physics.noise)),
        replace(flow, lagrangian=replace(physics, smoothness=1.01 * physics.smoothness)),
        replace(flow, scheme=replace(maps, degree=3)),
        replace(flow, scheme=replace(maps, before=0.25)),
        replace(flow, velocity=1.001 * flow.velocity),
    ]
    for changed in changes:
        assert worst(changed) > 1e-7


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_patch_between_two_layers_is_the_difference_of_their_two_forms(scheme: str) -> None:
    flow = trained(2, 2, scheme)
    system, law = law_of(flow)
    V, W = system.tangents([random_data(flow, 0), random_data(flow, 1)])
    whole = np.ones((12, 12), dtype=bool), np.ones((13, 13), dtype=bool)
    parts = [Part(*(mask & (1 <= k < 4) for mask in whole)) for k in range(5)]
    (found,), (values, size) = law.sums(V, W, [parts]), two_form(system, V, W)
    assert found.border == 2 * 2 * 169  # walls do not count as border: it is phi at two layers
    assert found.size == pytest.approx(size[1] + size[4], rel=1e-10)
    assert abs(found.value - (values[1] - values[4])) < 1e-13 * found.size


def test_fields_that_solve_nothing_do_not_satisfy_the_law() -> None:
    """Halving one part of a tangent breaks the law, on patches with an inside and on no others."""
    flow = trained(1, 2, "strang")
    system, law = law_of(flow)
    V, W = system.tangents([random_data(flow, 0), random_data(flow, 1)])
    wrong = replace(V, velocity=0.5 * V.velocity)
    assert min(patch.residual for patch in law.sums(wrong, W, random_parts(law.elements, 3, 0))) > 1e-6
    cells, nodes = np.zeros(40, dtype=bool), np.zeros(41, dtype=bool)
    none = [Part(cells, nodes)] * 5
    single = [*none[:2], Part(np.arange(40) == 7, nodes), *none[3:]]
    empty, alone = law.sums(wrong, W, [none, single])
    assert (empty.value, empty.size, empty.residual, empty.border) == (0.0, 0.0, 0.0, 0)
    assert (alone.interior, alone.pairs) == (0, 1) and alone.size > 0 and alone.residual < 1e-14


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tangents_are_derivatives_of_trained_solutions(scheme: str) -> None:
    """d/de of training with rho0 + e s and loss weight (1 + e): dphi_N = phi_N."""
    made = problem(1, 2, scheme)
    flow = hd.train(made, options={"tao_gatol": 1e-13}).flow
    change = random_data(flow, 3)[0]

    def at(e: float) -> Flow:
        rho = replace(made.densities, values=made.densities.values + e * change)
        loss = replace(made.terms[0], weight=2.0 * (1 + e))
        return hd.train(replace(made, densities=rho, losses=loss), options={"tao_gatol": 1e-13}).flow

    step = 1e-5  # so short that no node crosses a joint of the splines, where second derivatives jump
    above, below = at(step), at(-step)
    (V,) = MapTangents(flow).tangents([(change, flow.potential[-1])])
    for name in ("velocity", "slab_density", "density", "potential"):
        slope = (getattr(above, name) - getattr(below, name)) / (2 * step)
        assert np.abs(slope - getattr(V, name)).max() < 1e-7 * np.abs(slope).max(), name


def test_uneven_layers_losses_inside_and_windows() -> None:
    losses = [hd.Position(1.0, np.array([[0.5, 0.0]]), layer=2), hd.Position(2.0, np.array([[-0.5, 0.3]]))]
    made = problem(2, 1, "strang", times=[0.0, 0.3, 0.5, 0.8, 1.0], losses=losses)
    flow = hd.train(made, options={"tao_gatol": 1e-10}).flow
    assert flow.jumps[1].any()
    for part in (flow, flow.window(1, 4)):
        kept, found = conservation(part), multisymplecticity(part, patches=4)
        assert found.residual < 1e-13 and found.two_form_drift < 1e-13 and len(found.two_form) == len(part.layers) + 1
        assert kept.duality_residual < 1e-13 and kept.potential_balance.max() < 1e-11
        assert kept.mass_balance.max() < 1e-12 and kept.momentum_balance.max() < 1e-8


def test_each_balance_sees_its_own_field() -> None:
    flow = trained(1, 1, "strang")
    fields = ("density", "potential", "velocity")
    for name in fields:
        values = getattr(flow, name).copy()
        values[2] += 1e-3 * np.abs(values[2]).max()
        found = conservation(replace(flow, **{name: values}))
        seen = [found.mass_balance.max(), found.potential_balance.max(), found.momentum_balance.max()]
        assert seen[fields.index(name)] > 1e-5, name


def test_data_that_are_no_numbers_are_refused() -> None:
    flow = trained(1, 1, "strang")
    with pytest.raises(hd.InputError, match="tangent data must be finite"):
        MapTangents(flow).tangents([(np.full((1, 41), np.nan), np.zeros((1, 41)))])
