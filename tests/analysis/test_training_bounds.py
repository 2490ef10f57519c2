"""Stability bounds against flows that can be computed by hand, and the recommendation that follows from them."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, inf
from typing import Any

import numpy as np
import pytest
from dolfinx import mesh as dmesh
from mpi4py import MPI

import hydrodl as hd
from hydrodl.analysis.stability import bounds
from hydrodl.analysis.stability import training_bounds as stability
from hydrodl.analysis.stability.element_gradients import Elements
from hydrodl.analysis.stability.recommendation import recommend, weigh
from hydrodl.discretisation.box_scheme import BoxScheme
from hydrodl.solver.sweeps import Sweeps
from tests.builders.analysed_flows import GAS, PLAIN, box, flow, linear, rest, scaled

FAMILIES: list[tuple[int, dict[str, Any]]] = [
    (1, {}),
    (2, {}),
    (3, {}),
    (2, {"cells": "simplex"}),
    (3, {"cells": "simplex"}),
    (1, {"degree": 2}),
    (2, {"cells": "simplex", "degree": 2}),
    (2, {"cells": "simplex", "degree": 3}),
    (2, {"degree": 2}),
]


def sampled_gradients(domain: hd.Domain, u: np.ndarray, points: int = 9) -> np.ndarray:
    """grad u at many points of affine cells, (cells, points, d, d)."""
    d = domain.dimension
    line = np.meshgrid(*[np.linspace(0, 1, points)] * d, indexing="ij")
    x = np.stack(line, axis=-1).reshape(-1, d)
    if domain.mesh.topology.cell_name() in ("triangle", "tetrahedron"):
        x = x[x.sum(axis=1) <= 1]
    table = domain.V.element.basix_element.tabulate(1, x)[1:, :, :, 0]
    cells = domain.V.dofmap.list
    nodes = domain.coordinates[cells]
    jacobian = np.einsum("jpb,cbi->cpij", table, nodes)
    return np.einsum("jpb,icb->cpij", table, u[:, cells]) @ np.linalg.inv(jacobian)


@pytest.mark.parametrize("d, choices", FAMILIES, ids=str)
def test_lipschitz_constant_of_a_linear_velocity_is_the_norm_of_its_matrix(d: int, choices: dict[str, Any]) -> None:
    matrix = np.random.default_rng(d).standard_normal((d, d))
    given = flow(box(d, **choices), linear(matrix), 3)
    np.testing.assert_allclose(hd.analysis.lipschitz(given), np.linalg.norm(matrix, 2), rtol=1e-12)
    identity = np.eye(d)
    np.testing.assert_allclose(hd.analysis.layer_lipschitz(given), np.linalg.norm(identity + matrix / 3, 2), rtol=1e-12)
    np.testing.assert_allclose(hd.analysis.layer_determinants(given), np.linalg.det(identity + matrix / 3), rtol=1e-11)
    farthest = np.linalg.norm(given.domain.coordinates @ (matrix @ matrix).T, axis=1).max()
    np.testing.assert_allclose(hd.analysis.accelerations(given), farthest, rtol=1e-11)


@pytest.mark.parametrize("d, choices", FAMILIES, ids=str)
def test_no_point_of_an_element_exceeds_the_lipschitz_constant(d: int, choices: dict[str, Any]) -> None:
    domain = box(d, **choices)
    u = np.random.default_rng(1).standard_normal((d, domain.owned))
    found, seen = Elements(domain).lipschitz(u), np.linalg.norm(sampled_gradients(domain, u), 2, axis=(-2, -1)).max()
    if domain.degree == 1 or (domain.degree == 2 and choices.get("cells") == "simplex") or d == 1:
        assert found == pytest.approx(seen, rel=1e-12)  # the sample holds the vertices, where the maximum is
    else:
        assert seen <= found <= 4 * seen


def test_on_bent_cells_the_lipschitz_constant_is_a_bound() -> None:
    mesh = dmesh.create_rectangle(MPI.COMM_WORLD, [[0, 0], [1, 1]], [4, 4], dmesh.CellType.quadrilateral)
    x = mesh.geometry.x
    inside = (x[:, :2] > 1e-9).all(axis=1) & (x[:, :2] < 1 - 1e-9).all(axis=1)
    x[inside, :2] += 0.03 * np.random.default_rng(0).standard_normal((inside.sum(), 2))
    domain = hd.Domain(mesh)
    elements = Elements(domain)
    assert not elements.affine
    u = np.random.default_rng(1).standard_normal((2, domain.owned))
    seen = np.linalg.norm(sampled_gradients(domain, u), 2, axis=(-2, -1)).max()
    assert seen <= elements.lipschitz(u) <= 4 * seen
    assert seen / 8 - 1 <= elements.layer_lipschitz(u, 1 / 8)


@pytest.mark.parametrize("a, needed", [(-3.5, 4), (-4.0, 5), (4.0, 5), (0.25, 1), (0.0, 1)])
def test_layer_invertibility(a: float, needed: int) -> None:
    domain = hd.Domain.interval(-1, 1, 9)
    found = stability.layer_invertibility(flow(domain, scaled(a), 2))
    assert found.value == pytest.approx(abs(a) / 2, rel=1e-12) and found.bound == 1
    assert found.needs_layers == needed and found.needs_nodes is None
    for layers in range(1, 7):
        given = flow(domain, scaled(a), layers)
        assert stability.layer_invertibility(given).holds == (layers >= needed)
        if layers >= needed:
            assert (hd.analysis.layer_determinants(given) > 0).all()
    if a == -4.0:  # sharp: with one layer fewer each layer sends everything to one point
        np.testing.assert_allclose(hd.analysis.layer_determinants(flow(domain, scaled(a), 4)), 0, atol=1e-13)


def test_determinants_of_a_random_velocity() -> None:
    domain = box(2)
    u = np.random.default_rng(3).standard_normal((1, 2, domain.owned))
    given = replace(flow(domain, rest, 1), velocity=u)
    seen = np.linalg.det(np.eye(2) + sampled_gradients(domain, u[0])).min()
    assert hd.analysis.layer_determinants(given)[0] == pytest.approx(seen, rel=1e-12)
    assert seen < 0


@pytest.mark.parametrize("a", [1.5, -1.5])
def test_depth_convergence_of_a_linear_velocity(a: float) -> None:
    domain, layers, start = hd.Domain.interval(-1, 1, 9), 8, min(1.0, exp(-a))  # never beyond the walls
    given = flow(domain, scaled(a), layers)
    found = stability.depth_convergence(given, 0.02)
    assert found.value == pytest.approx(1 / 16 * a**2 * (exp(abs(a)) - 1) / abs(a), rel=1e-12)
    sharp = stability.depth_convergence(given, 0.02, by_layer=True)
    error = start * abs(exp(a) - (1 + a / layers) ** layers)
    assert sharp.value >= error > sharp.value / 6 and sharp.value <= found.value * (1 + 1e-12)
    if a < 0:
        assert sharp.value < found.value / 2
    for bound, options in ((found, {}), (sharp, {"by_layer": True})):
        assert bound.needs_layers is not None and bound.needs_layers > layers and not bound.holds
        enough = flow(domain, scaled(a), bound.needs_layers)
        assert stability.depth_convergence(enough, 0.02, **options).holds
    fewer = flow(domain, scaled(a), (found.needs_layers or 0) - 1)
    assert not stability.depth_convergence(fewer, 0.02).holds


def test_depth_convergence_sees_the_change_in_depth() -> None:
    given = flow(hd.Domain.interval(0, 1, 5), lambda x, t: 3 * t + 0 * x, [0.0, 0.1, 0.4, 1.0], depth=1.0)
    np.testing.assert_allclose(hd.analysis.accelerations(given), 3.0, rtol=1e-12)
    for by_layer in (False, True):  # Lip = 0: Delta/2 |x''| T with the largest Delta
        assert stability.depth_convergence(given, 1.0, by_layer=by_layer).value == pytest.approx(0.9, rel=1e-12)
    single = flow(hd.Domain.interval(0, 1, 5), scaled(2.0), 1)
    np.testing.assert_allclose(hd.analysis.accelerations(single), 4.0, rtol=1e-12)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, inf])
def test_a_tolerance_must_be_positive(tolerance: float) -> None:
    with pytest.raises(hd.InputError, match="tolerance is"):
        stability.depth_convergence(flow(hd.Domain.interval(0, 1, 5), rest), tolerance)


def test_a_huge_lipschitz_constant_asks_for_no_number_of_layers() -> None:
    found = stability.depth_convergence(flow(hd.Domain.interval(-1, 1, 5), scaled(1e4)), 0.1)
    assert found.value == inf and not found.holds and found.needs_layers is None
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["value"] is None


@pytest.mark.parametrize("speed", [0.0, 0.7, -0.7])
def test_maximum_principle_of_a_constant_velocity(speed: float) -> None:
    domain, h, nu = hd.Domain.interval(0, 2, 9), 0.25, 0.1
    given = flow(domain, lambda x, t: speed + 0 * x, 4, theta=0.5)
    noise = nu * (1 + (abs(speed) * h / (2 * nu)) ** 4) ** 0.25
    rate = 2 * noise / h**2 + abs(speed) / h  # at the wall that the flow leaves
    found = hd.analysis.maximum_principle(given)
    assert found.value == pytest.approx(rate / 8, rel=1e-12)
    assert found.holds == (rate <= 8) and found.needs_layers == int(np.ceil(rate / 2)) and found.note == ""
    euler = hd.analysis.maximum_principle(replace(given, scheme=BoxScheme("euler", 1.0)))
    assert euler.value == 0 and euler.holds and euler.needs_layers == 1


def test_the_maximum_principle_is_sharp_for_one_layer() -> None:
    """A single loaded node loses more than it has as soon as the bound fails."""
    domain = hd.Domain.interval(0, 1, 5)
    point = hd.densities_from_function([lambda x: np.where(abs(x[:, 0] - 0.5) < 1e-9, 1.0, 0.0)], domain)
    for depth, good in ((0.6, True), (0.64, False)):  # value = depth nu/h^2 = 1.6 depth
        given = flow(domain, rest, 1, theta=0.5, depth=depth)
        problem = hd.Problem(domain, given.layers, point, PLAIN, hd.Position(1.0, [[0.5]]), "midpoint")
        sweeps = Sweeps(problem, {})
        sweeps.set_velocity(given.velocity)
        sweeps.forward()
        assert hd.analysis.maximum_principle(given).holds is good
        middle = sweeps.density[1, 0, np.abs(domain.coordinates[:, 0] - 0.5) < 1e-9]
        assert hd.analysis.maximum_principle(given).value == pytest.approx(1.6 * depth, rel=1e-12)
        # (M - a K) rho' = (M + a K) rho: the explicit half at the loaded node is 1 - value
        assert middle > 0 and (1 - 1.6 * depth > 0) is good


def test_the_maximum_principle_knows_when_nodes_are_coupled_wrongly() -> None:
    domain = hd.Domain.interval(0, 1, 11)
    unfitted = replace(PLAIN, fitted=False)
    fast = hd.analysis.maximum_principle(flow(domain, lambda x, t: 5 + 0 * x, lagrangian=unfitted))  # Peclet 2.5
    assert not fast.holds and fast.value == 0 and fast.needs_nodes == 26 and "wrong sign" in fast.note
    fine = hd.Domain.interval(0, 1, 26)
    assert hd.analysis.maximum_principle(flow(fine, lambda x, t: 5 + 0 * x, lagrangian=unfitted)).holds
    simplex = hd.Domain.box([0, 0], [1, 1], 5, cells="simplex", lumped=False)
    assert not hd.analysis.maximum_principle(flow(simplex, rest, 100)).holds  # consistent mass and thin layers
    assert hd.analysis.maximum_principle(flow(simplex, rest, 1, depth=10.0)).value == 0


def test_cell_peclet() -> None:
    def fast(x: np.ndarray, t: float) -> np.ndarray:
        return np.tile([3.0, 4.0], (len(x), 1))

    found = hd.analysis.cell_peclet(flow(hd.Domain.box([0, 0], [1, 2], [11, 5]), fast))  # h = 1/2
    assert found.value == pytest.approx(5 * 0.5 / 0.2, rel=1e-12) and not found.holds
    assert found.needs_nodes == 126  # ten cells 12.5 times finer
    line = [hd.analysis.cell_peclet(flow(hd.Domain.interval(0, 1, n), scaled(5.0))) for n in (26, 25, 11)]
    assert [bound.holds for bound in line] == [True, False, False]
    assert {bound.needs_nodes for bound in line} == {26}
    simplex = hd.Domain.box([0, 0], [1, 1], 9, cells="simplex")
    assert bounds.cells_per_direction(simplex) == pytest.approx((8, 8))
    assert bounds.cells_per_direction(hd.Domain.interval(0, 1, 5, degree=2)) == (8,)


def plain_bound(name: str, holds: bool, layers: int | None, nodes: int | None, **more: Any) -> bounds.Bound:
    return bounds.Bound(name, 1.0, 1.0, holds, "", True, "", needs_layers=layers, needs_nodes=nodes, **more)


def test_the_recommendation_takes_the_largest_need_and_names_it() -> None:
    made = weigh((plain_bound("a", True, 5, None), plain_bound("b", False, 12, 3), plain_bound("c", False, 2, 40)))
    assert (made.layers, made.nodes, made.binding, made.feasible) == (12, 40, "b; c", True)
    assert made.binds == {"layers": "b", "nodes": "c"}
    ignored = plain_bound("d", False, 99, 99, applies=False)
    assert weigh((plain_bound("a", True, 5, None), ignored)).to_dict() == {
        "layers": 5,
        "nodes": 2,
        "binding": "a",
        "feasible": True,
        "width": None,
        "error": None,
        "binds": {"layers": "a"},
    }
    lost = weigh((plain_bound("a", True, 5, 7), plain_bound("b", False, None, None)))
    assert not lost.feasible and lost.binding == "b; a"
    crossed = weigh((plain_bound("a", False, 5, 7), plain_bound("b", True, None, None, most_nodes=6)))
    assert not crossed.feasible and crossed.binding == "b; a"


def test_the_recommendation_of_a_linear_flow() -> None:
    given = flow(hd.Domain.interval(-1, 1, 9), scaled(-1.5), 4)
    made = recommend(given, 0.05)
    assert {bound.name for bound in made.bounds} == {
        "maximum principle",
        "cell Peclet",
        "layer invertibility",
        "depth convergence",
    }
    assert made.feasible and made.binding == "depth convergence; cell Peclet"
    assert made.nodes == 16 and made.layers > 4  # 1.5 h/(2 nu) <= 1
    again = recommend(flow(hd.Domain.interval(-1, 1, made.nodes), scaled(-1.5), made.layers), 0.05)
    assert all(bound.holds for bound in again.bounds)
    for bound in made.bounds:
        json.dumps(bound.to_dict(), allow_nan=False)
        assert bound.name in str(bound)


def test_the_recommendation_of_a_marched_flow() -> None:
    given = flow(hd.Domain.interval(0, 1, 21), rest, 4, lagrangian=GAS)
    made = recommend(given, marched=True)
    assert made.layers == 20 and made.binding == "explicit marching" and made.feasible
    assert "discrete hyperbolic" in {bound.name for bound in made.bounds}


def test_the_recommendation_of_a_solution_has_the_second_variation() -> None:
    domain = hd.Domain.interval(-2, 2, 15)
    rho = hd.mixture([hd.Gaussian([-0.5], 0.4, label="a"), hd.Gaussian([0.5], 0.4, label="b")], domain)
    problem = hd.Problem(domain, hd.layers(3), rho, PLAIN, hd.Classification(2.0))
    solution = hd.train(problem)
    functional = hd.ReducedFunctional(problem)
    functional.linearise(solution.velocity)
    made = recommend(solution, 0.5, functional=functional)
    found = {bound.name: bound for bound in made.bounds}["second variation"]
    assert found.holds and found.value > 0.1 and not found.sufficient_only
    assert len(recommend(solution, 0.5).bounds) == len(made.bounds) - 1
