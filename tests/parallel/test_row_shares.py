"""Nodes of layer maps that are shared out by rows give what whole slabs give, on any number of ranks."""

from __future__ import annotations

import hydrodl as hd

# isort: split
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.discretisation import slab_layouts
from hydrodl.discretisation.heat_step import AxisHeat, HeatStep
from hydrodl.discretisation.row_operators import RowHeat, RowStiffness
from hydrodl.discretisation.slab_layouts import SharedSlabs, WholeSlabs, better_by_nodes, slab_layout
from hydrodl.discretisation.stacks import RowStacks, placed
from hydrodl.linear_algebra.grid_operators import GridStiffness
from hydrodl.linear_algebra.row_lines import RowLines
from hydrodl.linear_algebra.row_shares import RowShares, RowWindow
from hydrodl.network.noise_average import sweep_back
from tests.builders.on_ranks import WORLD, alone_and_together, everywhere, refusal

pytestmark = pytest.mark.three_ranks
CASES = [
    # d, classes, layers, losses, potentials and energy that are curved, scheme, smoothness, size of the velocity
    (2, 2, 2, False, "strang", 0.2, 0.4),
    (2, 1, 3, True, "strang", 0.2, 9.0),
    (2, 2, 1, True, "strang-cubic", 0.0, 3.0),
    (3, 2, 2, True, "residual", 0.1, 0.4),
]


def problem(comm: MPI.Comm, d: int, classes: int, layers: int, curved: bool, scheme: str, smooth: float) -> hd.Problem:
    domain = hd.Domain.box([-2.0, -1.5, -1.0][:d], [2.0, 1.5, 1.0][:d], [12, 6, 5][:d], comm=comm)
    means = np.array([[0.5 * np.cos(c), 0.4 * np.sin(2 * c), 0.1 * c][:d] for c in range(classes)])
    rho, target = (
        hd.mixture([hd.Gaussian(sign * mean, 0.6, label=str(c)) for c, mean in enumerate(means)], domain)
        for sign in (1, -1)
    )
    given: dict[str, Any] = {}
    if curved:
        given = {"energy": hd.Power(0.1), "potential": lambda x: 0.1 * x[:, 0] ** 2}
    physics = hd.Lagrangian(0.3, 0.1, smooth, **given)
    losses = [hd.Density(1.0, target, "kl"), hd.Density(2.0, target, "l2", layer=(layers + 1) // 2)]
    return hd.Problem(domain, hd.layers(layers), rho, physics, losses if curved else hd.Position(1.0, -means), scheme)


def derivatives(given: hd.Problem, share: str, size: float) -> list[np.ndarray]:
    """J, its gradient and a Hessian product at all nodes, and what the inner product makes of both."""
    functional, x = hd.ReducedFunctional(given, {"slab_share": share}), given.domain.coordinates[: given.domain.owned].T
    shift = np.arange(functional.shape[0])[:, None, None]
    u, v = size * np.sin(3 * x + shift), np.cos(2 * x + shift)
    value = functional.evaluate(u)
    functional.linearise(u)
    gradient = functional.gradient(u)
    stacks = gradient, functional.hessian_product(v), functional.precondition(v), functional.metric_product(v)
    density, norm = functional.sweeps.density[..., : given.domain.owned], functional.norm(gradient)
    functional.close()
    return [np.array([value, norm]), *(everywhere(given.domain, stack)[1] for stack in (*stacks, density))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_derivatives_are_those_of_whole_slabs(case: tuple[Any, ...]) -> None:
    """Displacements as large as the box too: then every rank's window is the whole of it."""
    *parts, size = case
    alone, together = alone_and_together(
        lambda comm: derivatives(problem(comm, *parts), "layers" if comm.size < WORLD.size else "nodes", size)
    )
    for one, all_ in zip(alone, together, strict=True):
        np.testing.assert_allclose(all_, one, rtol=0, atol=1e-12 * np.abs(one).max())


def test_training_does_not_depend_on_what_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """J, its parts, and what a run reports of its fields, to 1e-10; and the posterior, of single slabs."""
    monkeypatch.setattr(slab_layouts, "NODES", 1)

    def trained(comm: MPI.Comm) -> tuple[list[float], np.ndarray]:
        share = "layers" if comm.size < WORLD.size else "nodes"
        given = problem(comm, 2, 2, 2, False, "strang", 0.1)
        found = hd.train(given, options={"slab_share": share})
        assert found.converged and not [words for words in found.warnings if "option" in words]
        numbers = [found.objective, *found.parts.values(), found.peclet, found.largest_noise, *found.effective_noise]
        swept = sweep_back(found, np.array([np.sin(given.domain.coordinates[: given.domain.owned].sum(axis=1))]))
        return numbers, everywhere(given.domain, swept)[1]

    for together, alone in zip(*alone_and_together(trained), strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-10)


def test_rows_are_what_they_say() -> None:
    """To rows and back, windows, sums of windows, and a tridiagonal solve: against the whole on one rank."""
    domain = hd.Domain.box([0.0, 0.0], [1.0, 2.0], [9, 5])
    shares, rng = RowShares(domain), np.random.default_rng(1)
    x, y = domain.coordinates[: domain.owned].T
    line = np.add.outer(10 * np.linspace(0, 1, 9), np.linspace(0, 2, 5)).ravel()
    own = slice(shares.first * 5, shares.first * 5 + shares.width)
    for count in (1, 3):
        number = 100.0 * np.arange(2 * count).reshape(count, 2, 1)
        stacks, given = RowStacks(domain, count), 10 * x + y + number
        rows = placed(stacks, given)
        np.testing.assert_allclose(rows, (line + number)[..., own], atol=1e-12)
        np.testing.assert_array_equal(stacks.collect(rows), given)
        np.testing.assert_allclose(stacks.everywhere(given[0]), rows[0], atol=1e-12)
        np.testing.assert_array_equal(stacks.field(rows, count - 1), given[-1])

    windows = np.sort([rng.choice(10, 2, replace=False) for _ in range(WORLD.size)])
    first, end = windows[WORLD.rank]
    window, fields = RowWindow(shares, windows), rng.uniform(size=(2, 45))
    seen = window.fetch(np.ascontiguousarray(fields[:, own]))
    np.testing.assert_array_equal(seen, fields[:, 5 * first : 5 * end])
    window.join(np.ones((2, 5 * (end - first))), joined := np.empty((2, shares.width)))
    count = np.array([sum(a <= row < b for a, b in windows) for row in range(9)])
    np.testing.assert_array_equal(joined, np.tile(np.repeat(count, 5)[own], (2, 1)))

    lower, upper = -rng.uniform(0.5, 3.0, size=(2, 9))
    diagonal = 0.01 + np.r_[0, -lower[1:]] + np.r_[-upper[:-1], 0]
    matrix = np.diag(diagonal) + np.diag(lower[1:], -1) + np.diag(upper[:-1], 1)
    solved = fields[:, own].copy()
    RowLines(shares, lower, diagonal, upper).solve(solved)
    whole = np.linalg.solve(matrix, fields.reshape(2, 9, 5)).reshape(2, 45)
    np.testing.assert_allclose(solved, whole[:, own], rtol=1e-10)


def test_operators_on_rows_are_those_on_the_whole() -> None:
    """Heat steps of next to no time, and of so much that they reach beyond the walls; the stiffness."""
    shape, spacing, rng = (9, 5), np.array([0.3, 0.5]), np.random.default_rng(2)
    shares = RowShares(hd.Domain.box([0.0, 0.0], [1.0, 2.0], shape))
    own, fields = slice(shares.first * 5, shares.first * 5 + shares.width), rng.uniform(size=(2, 45))
    for time in (0.0, 0.1, 0.5, 3.0, 90.0):
        axes = [AxisHeat.of(time), AxisHeat.of(0.7 * time)]
        found = RowHeat(shares, shape, spacing, axes).smooth(fields[:, own])
        np.testing.assert_allclose(found, HeatStep(shape, spacing, axes).smooth(fields)[:, own], rtol=1e-12)
    found = RowStiffness(shares, shape, spacing, 2.0).product(fields[:, own])
    whole = GridStiffness(shape, spacing, 2.0).product(fields)[:, own]
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-12)


def test_which_is_chosen_and_what_is_refused() -> None:
    """Nodes for more ranks than slabs, if there are enough; and what cannot be shared out is said."""
    assert not better_by_nodes(4, 4, (200, 400)) and better_by_nodes(5, 4, (300, 400))
    assert not better_by_nodes(5, 4, (200, 400)) and not better_by_nodes(5, 4, (10**6,))
    assert not better_by_nodes(20, 4, (79, 10000)) and better_by_nodes(20, 4, (80, 10000))
    line, square, thin = (hd.Domain.box([0.0] * len(n), [1.0] * len(n), n) for n in ([40], [6, 5], [2, 30]))
    for domain in (line, square):
        assert isinstance(slab_layout(domain, 1, {}), WholeSlabs)
    assert isinstance(slab_layout(square, 9, {"slab_share": "nodes"}), SharedSlabs)
    assert "must be 'layers' or 'nodes'" in refusal(lambda: slab_layout(square, 1, {"slab_share": "rows"}))
    assert "interval" in refusal(lambda: slab_layout(line, 1, {"slab_share": "nodes"}))
    if WORLD.size > 2:
        assert f"{WORLD.size} ranks share 2 rows" in refusal(lambda: slab_layout(thin, 1, {"slab_share": "nodes"}))
