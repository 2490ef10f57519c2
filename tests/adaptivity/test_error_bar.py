"""J with an error bar: it holds J of four times the layers and nodes, and is not much wider than that takes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.error_bar import error_bar
from hydrodl.adaptivity.refined_problem import finer_domain, finer_layers, on_domain, on_layers, velocity_on
from hydrodl.analysis.backward_error.objective_error import noise_error


def classes(domain: hd.Domain, layers: int, scheme: str | None = None) -> hd.Problem:
    """Two overlapping classes, told apart."""
    rho = hd.mixture([hd.Gaussian([m] * domain.dimension, 0.5, label=m) for m in (-0.6, 0.6)], domain)
    loss = hd.Classification(4.0, hd.Readout([[-2.0] * domain.dimension, [2.0] * domain.dimension], [0.0, 0.0]))
    return hd.Problem(domain, hd.layers(layers), rho, hd.Lagrangian(0.1, 0.02, 0.2), loss, scheme)


@cache
def trained(layers: int, nodes: int, scheme: str) -> hd.Solution:
    solution = hd.train(classes(hd.Domain.interval(-3.0, 3.0, nodes), layers, scheme))
    assert solution.converged
    return solution


@pytest.mark.parametrize(
    ("scheme", "sizes"), [("strang", [(4, 21), (8, 41), (16, 21)]), ("residual", [(4, 21)]), ("euler-box", [(4, 21)])]
)
def test_it_holds_four_times_the_layers_and_nodes(scheme: str, sizes: list[tuple[int, int]]) -> None:
    """(16, 21): the splines bring 1.8 times the noise asked for."""
    for layers, nodes in sizes:
        solution, fine = trained(layers, nodes, scheme), trained(4 * layers, 4 * nodes - 3, scheme)
        bar, error = error_bar(solution), abs(solution.objective - fine.objective)
        assert error <= bar.total <= 5 * error, (layers, nodes)
        assert bar.extrapolated == pytest.approx(fine.objective, abs=0.7 * error + 1e-4), (layers, nodes)


@pytest.mark.slow
def test_triangles() -> None:
    """Every edge is cut in two; the data stay the same functions."""
    domain = hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 9, cells="simplex", lumped=True)
    solution = hd.train(classes(domain, 4))
    bar, twice = error_bar(solution), finer_domain(finer_domain(domain))
    problem = on_domain(solution.problem, twice)
    for _ in range(2):
        problem = on_layers(problem, finer_layers(problem.layers))
    fine = hd.train(problem, initial=velocity_on(solution.flow, problem.layers, problem.domain))
    error = abs(solution.objective - fine.objective)
    assert error <= bar.total <= 5 * error and bar.nodes != 0 != bar.noise


def test_where_the_mesh_cannot_be_refined_layers_are() -> None:
    solution = hd.train(classes(hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 5, degree=2), 4))
    bar = error_bar(solution)
    assert bar.nodes == 0 and bar.layers > 0
    with pytest.raises(hd.InputError, match="cannot be refined"):
        finer_domain(solution.problem.domain)


def test_neurons_and_losses_inside_and_uneven_layers() -> None:
    domain = hd.Domain.interval(-3.0, 3.0, 31)
    plain = classes(domain, 4)
    early = hd.Position(1.0, [[-0.8], [0.8]], layer=2)
    neurons = hd.Problem(domain, hd.layers(4), plain.densities, plain.lagrangian, plain.losses, control=hd.Neurons(12))
    uneven = hd.layers([0.0, 0.2, 0.5, 0.7, 1.0])
    inside = hd.Problem(domain, uneven, plain.densities, plain.lagrangian, [early, *plain.terms])
    for problem in (neurons, inside):
        solution = hd.train(problem)
        bar = error_bar(solution)
        assert 0 < bar.total < 0.1 * solution.objective
    finer = on_layers(inside, finer_layers(uneven))
    assert finer.terms[0].layer == 4 and len(finer.layers) == 8


def test_the_velocity_of_a_layer_map_follows_its_paths() -> None:
    """Two thin layers x + Delta/2 u move points to where the layer x + Delta u moves them, to third order."""
    solution = trained(4, 21, "strang")
    nodes = solution.problem.domain.coordinates[:, 0]
    steady = solution.with_velocity(np.tile(0.8 * nodes, (4, 1, 1)))
    fine = on_layers(solution.problem, finer_layers(solution.problem.layers))
    slope = velocity_on(steady.flow, fine.layers, fine.domain)[0, 0, 14] / nodes[14]
    once, twice, same = 1 + 0.8 / 4, (1 + slope / 8) ** 2, (1 + 0.8 / 8) ** 2
    assert abs(once - twice) < 0.15 * abs(once - same)


def test_noise_beyond_the_one_asked_for_is_seen() -> None:
    """Of the edges, summed by hand; of the splines, where the nodes are too few."""
    flow = trained(4, 21, "euler-box").flow
    edge = 0.5 * (flow.velocity[:, 0, 1:] + flow.velocity[:, 0, :-1])
    beyond = 0.1 * ((1 + (abs(edge) * 0.3 / 0.2) ** 4) ** 0.25 - 1)
    products = (np.diff(flow.slab_density) * np.diff(flow.slab_potential)).sum(axis=1)
    assert noise_error(flow) == pytest.approx(0.25 * (beyond * products / 0.3).sum(axis=1), rel=1e-9)
    assert not noise_error(trained(8, 41, "strang")).any() and noise_error(trained(16, 21, "strang")).sum() > 0.1


def test_densities_made_anew_are_taken() -> None:
    solution = trained(4, 21, "strang")
    asked = []

    def problem_on(domain: hd.Domain) -> hd.Problem:
        asked.append(domain.nodes)
        return classes(domain, 4, "strang")

    found, own = error_bar(solution, problem_on=problem_on), error_bar(solution)
    assert asked == [41] and found.nodes == pytest.approx(own.nodes, rel=0.1)
