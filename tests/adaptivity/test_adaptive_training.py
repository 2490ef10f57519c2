"""Layers where the flow bends and nodes where it is steep: less error with as many, or as much with fewer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.adaptive_training import adapt
from hydrodl.adaptivity.layer_placement import adapted_layers, layer_at, objective_errors
from hydrodl.adaptivity.velocity_transfer import transfer
from hydrodl.analysis.stability.layer_gradients import lipschitz
from hydrodl.analysis.stability.training_bounds import depth_convergence
from tests.builders.networks import network

Floats = np.ndarray
EARLY = 0.1


def pulled(domain: hd.Domain, layers: hd.Layers, scheme: str = "euler-box") -> hd.Problem:
    """One Gaussian, moved to 1 by the last layer."""
    rho = hd.mixture([hd.Gaussian(-1.0, 0.3)], domain)
    return hd.Problem(
        domain, layers, rho, hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.0), hd.Position(2.5, [[1.0]]), scheme
    )


def hurried(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """The same, to be near 1 at a tenth of the depth already, and then at 0.5."""
    losses = [hd.Position(20.0, [[1.0]], layer=layer_at(layers, EARLY)), hd.Position(0.5, [[0.5]])]
    return replace(pulled(domain, layers), losses=losses)


def split(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
    """Two narrow classes in a wide box."""
    rho = hd.mixture([hd.Gaussian(-0.5, 0.2, label=0), hd.Gaussian(0.5, 0.2, label=1)], domain)
    loss = hd.Classification(2.0, hd.Readout([[-2.0], [2.0]], [0.0, 0.0]))
    return hd.Problem(domain, layers, rho, hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.0), loss, "euler-box")


def still(problem: hd.Problem) -> hd.Solution:
    """Not trained at all."""
    return hd.train(problem, monitor=lambda entry: True)


def moving(function: Any, layers: hd.Layers, nodes: int = 21) -> hd.Solution:
    """A solution in d = 1 with velocity u(t, x), t in the middle of each layer; other fields are not its own."""
    domain = hd.Domain.interval(-2.0, 2.0, nodes)
    solution = still(pulled(domain, layers))
    middle = (layers.times[1:] + layers.times[:-1]) / 2
    x = domain.coordinates[: domain.owned, 0]
    return solution.with_velocity(np.array([[np.broadcast_to(function(t, x), x.shape)] for t in middle]))


@pytest.fixture(scope="module")
def line() -> hd.Domain:
    return hd.Domain.interval(-2.5, 2.5, 41)


@pytest.fixture(scope="module")
def exact(line: hd.Domain) -> float:
    """J of ``pulled`` in infinitely many layers, from two numbers of them and the known order 2."""
    two, four = (hd.train(pulled(line, hd.layers(n), "midpoint")).objective for n in (20, 40))
    return (4 * four - two) / 3


@pytest.fixture(scope="module")
def in_haste(line: hd.Domain) -> dict[int, hd.Solution]:
    return {n: hd.train(hurried(line, hd.layers(n))) for n in (10, 40)}


@pytest.mark.parametrize("scheme", ["euler-box", "midpoint"])
def test_the_error_of_the_objective_is_known_beforehand(line: hd.Domain, exact: float, scheme: str) -> None:
    solution = hd.train(pulled(line, hd.layers({"euler-box": 10, "midpoint": 20}[scheme]), scheme))
    error = solution.objective - exact
    assert abs(error) > 1e-3
    assert objective_errors(solution).sum() == pytest.approx(error, rel=0.02)


@pytest.mark.slow
def test_placed_layers_beat_four_times_as_many(line: hd.Domain, in_haste: dict[int, hd.Solution]) -> None:
    found = adapt(hurried, line, hd.layers(10), 3, bulk=None)
    assert [len(s.problem.layers) for s in found] == [10, 10, 10] and all(s.converged for s in found)
    # corrected by its own estimate, the network in placed layers is the reference
    deep = hd.train(hurried(line, adapted_layers(found[-1], 40, margin=None)), initial=None)
    reference = deep.objective - objective_errors(deep).sum()
    placed, same, many = (s.objective - reference for s in (found[-1], in_haste[10], in_haste[40]))
    assert 0 < placed < same / 5
    assert placed < many / 1.5
    assert (deep.objective - reference) < placed / 3


def test_every_layer_has_the_same_share(line: hd.Domain, in_haste: dict[int, hd.Solution]) -> None:
    layers = adapted_layers(in_haste[40], 12, margin=None)
    placed = np.abs(objective_errors(hd.train(hurried(line, layers))))
    cut = layer_at(layers, EARLY)
    assert placed[:cut].max() < 2.5 * placed[:cut].mean()
    uniform = np.abs(objective_errors(in_haste[10]))
    assert uniform.max() > 5 * uniform.mean()


def test_depths_of_losses_stay_layers(in_haste: dict[int, hd.Solution]) -> None:
    flow = in_haste[10].flow
    assert np.flatnonzero(flow.losses_inside).tolist() == [0]
    for count in (2, 3, 7, 23):
        layers = adapted_layers(flow, count, margin=None)
        assert len(layers) == count and layers.depth == 1.0
        assert layers.times[layer_at(layers, EARLY)] == pytest.approx(EARLY, abs=1e-14)
    with pytest.raises(hd.InputError, match="losses inside make 2 layers the fewest"):
        adapted_layers(flow, 1, margin=None)
    with pytest.raises(hd.InputError, match=r"no layer is at depth 0\.1; the nearest one is at 0\.25"):
        layer_at(hd.layers(4), EARLY)


def test_a_tolerance_says_how_many(in_haste: dict[int, hd.Solution]) -> None:
    counts = [len(adapted_layers(in_haste[40], tolerance=tol, margin=None)) for tol in (0.8, 0.4, 0.2)]
    ratios = np.array(counts[1:]) / counts[:-1]  # first order
    assert (ratios > 1.7).all() and (ratios < 2.2).all()
    domain = in_haste[40].problem.domain
    solution = hd.train(hurried(domain, adapted_layers(in_haste[40], tolerance=0.4, margin=None)))
    assert objective_errors(solution).sum() == pytest.approx(0.4, rel=0.25)


def test_nothing_moves_so_layers_are_equal(line: hd.Domain) -> None:
    solution = moving(lambda t, x: 0.0 * x, hd.layers([0, 0.1, 0.5, 1.0]))
    np.testing.assert_allclose(adapted_layers(solution, 5, goal="network").steps, 0.2, rtol=1e-9)
    assert len(adapted_layers(solution, tolerance=0.1, goal="network")) == 1


def test_layers_for_the_network_are_nearer_to_the_infinitely_deep_one() -> None:
    # x' = e^{-10 t} 5 cos x, known along trajectories by its own closed form: gd(x) moves as (1 - e^{-10 t}) / 2
    def push(layers: hd.Layers) -> float:
        net = hd.Network(moving(lambda t, x: 5 * np.exp(-10 * t) * np.cos(x), layers, nodes=401))
        x = np.linspace(-1.0, 1.0, 9)[:, None]
        moved = np.arcsinh(np.tan(x)) + (1 - np.exp(-10.0)) / 2
        return float(np.abs(net.push(x)[-1] - np.arctan(np.sinh(moved))).max())

    coarse = moving(lambda t, x: 5 * np.exp(-10 * t) * np.cos(x), hd.layers(20))
    placed, flow = adapted_layers(coarse, 16, goal="network"), coarse.flow
    assert push(placed) < push(hd.layers(32))
    assert (np.diff(placed.steps) > -1e-9).all()  # this flow only ever calms down
    asked = adapted_layers(flow, tolerance=0.2, goal="network")
    needed = depth_convergence(flow, 0.2, by_layer=True).needs_layers
    assert needed is not None and len(asked) < needed / 1.5


def test_residual_blocks_do_not_fold() -> None:
    # all of the bending is early, all of the stretching is late
    def velocity(t: float, x: Floats) -> Floats:
        return 20 * (0.3 - t) if t < 0.3 else 8 * np.sin(x) * (t > 0.7)

    flow = moving(velocity, hd.layers(40)).flow
    free = adapted_layers(flow, 12, goal="network", margin=None)
    bound = adapted_layers(flow, 12, goal="network", margin=0.5)

    def worst(layers: hd.Layers) -> float:
        at = np.minimum((layers.times[:-1, None] + layers.steps[:, None] * np.linspace(0, 1, 99)) * 40, 39.99)
        return float((lipschitz(flow)[at.astype(int)].mean(axis=1) * layers.steps).max())

    assert worst(bound) < 0.55 and worst(free) > worst(bound)
    with pytest.raises(hd.InputError, match=r"count is 2: Delta_k Lip\(u_k\) < 1 takes 5 layers"):
        adapted_layers(flow, 2, goal="network", margin=0.5)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "either a count or a tolerance"),
        ({"count": 3, "tolerance": 0.1}, "either a count or a tolerance"),
        ({"count": 0}, "count is 0, must be a whole number of at least 1"),
        ({"count": 2.5}, "count is 2.5"),
        ({"tolerance": 0.0}, "tolerance is 0"),
        ({"tolerance": 1e-12}, "tolerance is 1e-12: that takes"),
        ({"count": 3, "goal": "speed"}, "goal is 'speed', must be 'objective' or 'network'"),
        ({"count": 3, "margin": 1.0}, "margin is 1.0, must lie between 0 and 1, or be None"),
    ],
)
def test_placing_refuses(in_haste: dict[int, hd.Solution], choices: dict[str, Any], message: str) -> None:
    with pytest.raises(hd.InputError, match=message):
        adapted_layers(in_haste[10], **choices)


@pytest.mark.parametrize("cells", ["box", "simplex"])
def test_transfer_is_exact_for_what_is_linear(cells: str) -> None:
    old = hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 5, cells=cells)
    new = hd.Domain.box([-1.5, -2.0], [2.0, 1.0], [8, 4], cells="simplex", degree=2)
    rho = [hd.mixture([hd.Gaussian([0.0, 0.0], 0.8)], domain) for domain in (old, new)]
    loss, physics = hd.Position(1.0, [[0.5, 0.0]]), hd.Lagrangian(0.5, smoothness=0.0)
    layers = [hd.layers([0, 0.2, 0.5, 1.0]), hd.layers([0, 0.3, 0.6])]

    def linear(domain: hd.Domain, t: Floats) -> Floats:
        x, y = domain.coordinates[: domain.owned].T
        return np.array([[1 + 2 * x - y, t_k * (x + 3 * y)] for t_k in t])

    start = still(hd.Problem(old, layers[0], rho[0], physics, loss))
    start = start.with_velocity(linear(old, np.array([0.1, 0.35, 0.75])))
    moved = transfer(start, hd.Problem(new, layers[1], rho[1], physics, loss))
    # middles 0.15, 0.45 of a depth of 0.6 are 0.25 and 0.75 of 1, and the shorter network is as much faster
    np.testing.assert_allclose(moved, linear(new, np.array([0.25, 0.75])) / 0.6, atol=1e-10)
    np.testing.assert_array_equal(transfer(start, start.problem), start.velocity)


def test_transfer_keeps_jumps_and_goes_no_further_than_the_mesh(in_haste: dict[int, hd.Solution]) -> None:
    solution = in_haste[10]
    x = solution.problem.domain.coordinates[: solution.problem.domain.owned, 0]
    sudden = np.array([[x if k == 0 else -x] for k in range(10)])
    wide = hd.Domain.interval(-4.0, 4.0, 17)
    layers = hd.layers([0, 0.05, 0.1, 0.11, 1.0])
    moved = transfer(solution.with_velocity(sudden), hurried(wide, layers))
    z = np.clip(wide.coordinates[: wide.owned, 0], -2.5, 2.5)
    np.testing.assert_allclose(moved, np.array([z, z, -z, -z])[:, None], atol=1e-12)


def test_transfer_saves_steps(line: hd.Domain, in_haste: dict[int, hd.Solution]) -> None:
    problem = hurried(hd.Domain.interval(-2.5, 2.5, 61), hd.layers(20))
    warm, cold = hd.train(problem, initial=transfer(in_haste[10], problem)), hd.train(problem)
    assert warm.converged and warm.objective == pytest.approx(cold.objective, rel=1e-8)
    assert warm.initial_gradient_norm < cold.initial_gradient_norm / 4
    assert warm.iterations < cold.iterations


def test_transfer_refuses(in_haste: dict[int, hd.Solution]) -> None:
    plane = network("euler-box", d=2, nodes=3).solution.problem
    with pytest.raises(hd.InputError, match="the solution has dimension 1, the problem has dimension 2"):
        transfer(in_haste[10], plane)
    problem = replace(in_haste[10].problem, control=hd.Neurons(4))
    with pytest.raises(hd.InputError, match="neurons have coefficients of their own"):
        transfer(in_haste[10], problem)


@pytest.mark.slow
def test_fewer_nodes_at_the_same_error() -> None:
    layers = hd.layers(3)
    # second order, resolved: a finer one differs by less than 1e-4
    reference = hd.train(split(hd.Domain.interval(-8.0, 8.0, 2049, lumped=False), layers)).objective
    found = adapt(split, hd.Domain.interval(-8.0, 8.0, 33), layers, 7, bulk=0.6, growth=None)
    assert all(s.converged and s.min_density >= 0 for s in found)
    uniform = hd.train(split(hd.Domain.interval(-8.0, 8.0, 129), layers))
    errors = np.array([s.objective - reference for s in found])
    assert (np.diff(errors[:-1]) < 0).all() and abs(errors[-1]) < errors[0] / 20
    assert abs(errors[-1]) < (uniform.objective - reference) / 1.5
    assert found[-1].problem.unknowns < uniform.problem.unknowns / 2


def test_layers_nodes_and_a_trained_readout_together() -> None:
    def problem_on(domain: hd.Domain, layers: hd.Layers) -> hd.Problem:
        return replace(split(domain, layers), losses=hd.Classification(5.0, trained=True))

    found = adapt(problem_on, hd.Domain.interval(-3.0, 3.0, 17), hd.layers(4), 3, growth=1.5)
    assert [len(s.problem.layers) for s in found] == [4, 6, 9] and all(s.converged for s in found)
    assert found[0].problem.domain.nodes < found[1].problem.domain.nodes < found[2].problem.domain.nodes
    assert found[2].initial_gradient_norm < found[0].initial_gradient_norm / 2


def test_rounds_end_where_training_fails(line: hd.Domain) -> None:
    assert len(adapt(pulled, line, hd.layers(2), 3, options={"tao_max_it": 1})) == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"rounds": 0}, "rounds is 0, must be a whole number of at least 1"),
    ({"bulk": 0.0}, "bulk is 0.0, must be a share above 0 and at most 1"),
    ({"bulk": 1.5}, "bulk is 1.5"),
    ({"growth": 0.5}, "growth is 0.5, must be a number of at least 1"),
    ({"domain": hd.Domain.box([-1, -1], [1, 1], 3)}, "a mesh of quadrilateral cells cannot be refined locally; make"),
    ({"problem_on": lambda domain, layers: pulled(domain, hd.layers(2))}, "on another domain or other layers"),
    (
        {"problem_on": lambda domain, layers: replace(pulled(domain, layers), control=hd.Neurons(3))},
        "neurons cannot be adapted",
    ),
]


@pytest.mark.parametrize(("choices", "message"), BAD)
def test_adapt_refuses(line: hd.Domain, choices: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"problem_on": pulled, "domain": line, "layers": hd.layers(2)} | choices
    with pytest.raises(hd.InputError, match=message):
        adapt(**given)
