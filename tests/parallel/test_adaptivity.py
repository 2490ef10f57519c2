"""Placed layers and refined meshes on several ranks: the layers, the nodes and the optimum of one rank."""

from __future__ import annotations

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.adaptivity.adaptive_training import adapt
from hydrodl.adaptivity.corrected_layers import corrected
from hydrodl.adaptivity.error_bar import error_bar
from hydrodl.adaptivity.layer_placement import adapted_layers, layer_at, objective_errors
from hydrodl.adaptivity.mesh_refinement import cell_errors
from hydrodl.adaptivity.velocity_transfer import transfer
from tests.builders.on_ranks import WORLD, agreed, alone_and_together, each_alone_and_together, refusal

POINTS = np.random.default_rng(0).uniform(-2.9, 2.9, (40, 2))
Rounds = list[hd.Solution]


def problem_on(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two classes, sorted early and once more at the end."""
    rho = hd.mixture([hd.Gaussian([-0.5, 0.0], 0.4, label=0), hd.Gaussian([0.5, 0.2], 0.4, label=1)], domain)
    half = [[-4.0, 0.0], [4.0, 0.0]]
    early = hd.Position(3.0, [[-1.0, 0.0], [1.0, 0.0]], layer=layer_at(layers, 0.25))
    losses = [early, hd.Classification(3.0, hd.Readout(half, [0.0, 0.0]))]
    return hd.Problem(domain, layers, rho, hd.Lagrangian(noise=0.1, smoothness=0.1), losses)


def other_box(comm: MPI.Comm) -> hd.Domain:
    return hd.Domain.box([-3.5, -3.0], [3.0, 3.5], [8, 14], comm=comm)


@pytest.fixture(scope="module")
def rounds() -> tuple[Rounds, Rounds]:
    def run(comm: MPI.Comm) -> Rounds:
        box = hd.Domain.box([-3.0, -3.0], [3.0, 3.0], 9, cells="simplex", lumped=True, comm=comm)
        return adapt(problem_on, box, hd.layers(4), 3, bulk=0.5, growth=1.5, options={"tao_gatol": 1e-9})

    return each_alone_and_together(run)


def test_rounds(rounds: tuple[Rounds, Rounds]) -> None:
    one, many = rounds
    agreed([s.objective for s in many])
    times, expected = (found[-1].problem.layers.times for found in (many, one))
    nodes = [s.problem.domain.nodes for s in many]
    assert all(s.converged for s in many)
    assert [len(s.problem.layers) for s in many] == [4, 6, 9]
    assert nodes == [s.problem.domain.nodes for s in one] and nodes[0] < nodes[1] < nodes[2]
    np.testing.assert_allclose([s.objective for s in many], [s.objective for s in one], rtol=1e-8)
    np.testing.assert_allclose(times, expected, atol=1e-6)
    assert np.abs(times - 0.25).min() < 1e-14
    there, here = (hd.Network(found[-1]).push(POINTS)[-1] for found in rounds)
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_recommended_size() -> None:
    """Numbers, what binds and what holds are the same; one round of looking at the size found."""

    def run(comm: MPI.Comm) -> tuple[list[object], list[float]]:
        line = hd.Domain.interval(-3.0, 3.0, 33, comm=comm)
        clumps = [hd.Gaussian(mean, 0.35, label=label) for mean, label in ((-0.8, 0), (0.9, 1))]
        physics = hd.Lagrangian(0.1, decay=0.02, smoothness=0.2)
        given = hd.Problem(line, hd.layers(4), hd.mixture(clumps, line), physics, hd.Classification(3.0))
        found = hd.recommend(hd.train(given, options={"tao_gatol": 1e-9}), 0.03, rounds=2)
        words = [found.layers, found.nodes, found.binding, found.binds, [bound.holds for bound in found.bounds]]
        return words, [found.error or 0.0, *(bound.value for bound in found.bounds)]

    one, many = alone_and_together(run)
    assert agreed(many)[0] == one[0]
    np.testing.assert_allclose(many[1], one[1], rtol=1e-3, atol=1e-8)


@pytest.mark.three_ranks
def test_error_bars() -> None:
    def run(comm: MPI.Comm) -> list[list[float]]:
        found = []
        for domain in (
            other_box(comm),
            hd.Domain.box([-3.0, -3.0], [3.0, 3.0], 7, cells="simplex", lumped=True, comm=comm),
        ):
            solution = hd.train(problem_on(domain, hd.layers(4)), options={"tao_gatol": 1e-9})
            found.append(list(error_bar(solution).to_dict().values()))
        return found

    one, many = alone_and_together(run)
    np.testing.assert_allclose(agreed(many), one, rtol=1e-5, atol=1e-7)


def test_corrected_layers() -> None:
    def run(comm: MPI.Comm) -> list[float]:
        found = []
        for scheme in ("midpoint", "euler-box", "strang"):
            domain = hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 9, comm=comm)
            rho = hd.mixture([hd.Gaussian([-0.5, 0.0], 0.5, label=0), hd.Gaussian([0.5, 0.2], 0.5, label=1)], domain)
            loss = hd.Position(1.0, [[-1.0, 0.0], [1.0, 0.0]])
            problem = hd.Problem(domain, hd.layers(5), rho, hd.Lagrangian(0.2), loss, scheme)
            solved = corrected(problem, rounds=1, options={"tao_gatol": 1e-10})
            found += [solved.objective, solved.solution.objective, *solved.rounds]
        return found

    one, many = alone_and_together(run)
    np.testing.assert_allclose(agreed(many), one, rtol=1e-6)


def test_what_decides(rounds: tuple[Rounds, Rounds]) -> None:
    one, many = (found[-1] for found in rounds)
    placed = [adapted_layers(last, tolerance=0.05, goal="network").times for last in (one, many)]
    np.testing.assert_allclose(placed[1], placed[0], atol=1e-5)
    np.testing.assert_allclose(objective_errors(many), objective_errors(one), rtol=1e-4, atol=1e-7)
    estimate = WORLD.allreduce(float(cell_errors(many).sum()))
    assert estimate == pytest.approx(float(cell_errors(one).sum()), rel=1e-4)


def test_cells_are_shared_out(rounds: tuple[Rounds, Rounds]) -> None:
    mine = len(cell_errors(rounds[1][-1]))
    assert WORLD.allreduce(mine, MPI.MAX) * WORLD.size < 1.2 * WORLD.allreduce(mine)


def test_a_velocity_moves_to_another_mesh_and_other_layers(rounds: tuple[Rounds, Rounds]) -> None:
    moved = []
    for last, comm in zip((found[-1] for found in rounds), (MPI.COMM_SELF, WORLD), strict=True):
        given = problem_on(other_box(comm), hd.layers(8))
        network = hd.Network(hd.train(given, initial=transfer(last, given), monitor=lambda entry: True))
        moved.append(network.velocity(3, np.vstack([POINTS, [[-3.4, 3.4]]])))
    np.testing.assert_allclose(moved[1], moved[0], atol=1e-5)


def test_cells_that_cannot_be_refined_are_refused_by_all() -> None:
    assert "quadrilateral" in refusal(lambda: adapt(problem_on, other_box(WORLD), hd.layers(4)))
