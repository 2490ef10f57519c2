"""Slabs that are whole on a rank hand states on, whatever the numbers of ranks, classes and layers."""

from __future__ import annotations

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.discretisation.layer_march import bundles
from hydrodl.discretisation.stacks import LayerStacks, placed
from tests.builders.on_ranks import WORLD, alone_and_together, everywhere

LAYERS = (1, 7, 30)


def problem(comm: MPI.Comm, classes: int, layers: int, curved: bool) -> hd.Problem:
    domain = hd.Domain.box([-2.0, -1.5], [2.0, 1.5], [9, 7], comm=comm)
    means = np.array([[0.5 * np.cos(c), 0.4 * np.sin(2 * c)] for c in range(classes)])
    rho, target = (
        hd.mixture([hd.Gaussian(sign * mean, 0.6, label=str(c)) for c, mean in enumerate(means)], domain)
        for sign in (1, -1)
    )
    losses = [hd.Density(1.0, target, "kl"), hd.Density(2.0, target, "l2", layer=(layers + 1) // 2)]
    physics = hd.Lagrangian(0.3, 0.1, 0.2, energy=hd.Power(0.1) if curved else None)
    return hd.Problem(domain, hd.layers(layers), rho, physics, losses if curved else hd.Position(1.0, -means), "strang")


def derivatives(given: hd.Problem) -> list[np.ndarray]:
    """J, its gradient and a Hessian product at all nodes, and what the inner product makes of both."""
    functional, x = hd.ReducedFunctional(given), given.domain.coordinates[: given.domain.owned].T
    shift = np.arange(functional.shape[0])[:, None, None]
    u, v = 0.3 * np.sin(x + shift), np.cos(2 * x + shift)
    value = functional.evaluate(u)
    functional.linearise(u)
    stacks = (
        functional.gradient(u),
        functional.hessian_product(v),
        functional.precondition(v),
        functional.metric_product(v),
    )
    density, norm = functional.sweeps.density[..., : given.domain.owned], functional.norm(stacks[0])
    functional.close()
    return [np.array([value, norm]), *(everywhere(given.domain, stack)[1] for stack in (*stacks, density))]


@pytest.mark.three_ranks
@pytest.mark.parametrize("curved", [False, True], ids=["linear", "curved"])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_derivatives_do_not_depend_on_the_ranks(classes: int, curved: bool) -> None:
    """One chain for all ranks, fewer and more chains than ranks, ranks without layers."""
    for layers in LAYERS:

        def found(comm: MPI.Comm, layers: int = layers) -> list[np.ndarray]:
            return derivatives(problem(comm, classes, layers, curved))

        for alone, together in zip(*alone_and_together(found), strict=True):
            np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12 * np.abs(alone).max(), err_msg=str(layers))


@pytest.mark.three_ranks
def test_stacks_go_to_the_grid_and_back() -> None:
    """Every entry says where it belongs, by its coordinates and its layer."""
    domain = hd.Domain.box([0.0, 0.0], [1.0, 2.0], [6, 5])
    x, y = domain.coordinates[: domain.owned].T
    line = np.add.outer(10 * np.linspace(0, 1, 6), np.linspace(0, 2, 5)).ravel()
    for count in LAYERS:
        stacks, number = LayerStacks(domain, count), 100.0 * np.arange(2 * count).reshape(count, 2, 1)
        given = 10 * x + y + number
        own = placed(stacks, given)
        np.testing.assert_allclose(own, (line + number)[stacks.layers], atol=1e-12)
        np.testing.assert_array_equal(stacks.collect(own), given)
        np.testing.assert_allclose(stacks.everywhere(given[0]), line + number[0], atol=1e-12)
        for k in (0, count - 1):
            np.testing.assert_array_equal(stacks.field(own, k), given[k])
        sizes = WORLD.allgather(len(stacks.layers))
        assert sum(sizes) == count and max(sizes) - min(sizes) <= -(-count // (4 * WORLD.size))


def test_chains_are_enough_for_all_ranks_and_no_more() -> None:
    for classes in range(1, 7):
        for sweeps in (1, 2):
            for ranks in range(1, 9):
                chains = bundles(classes, sweeps, ranks)
                assert [c for chain in chains for c in range(classes)[chain]] == list(range(classes))
                assert len({chain.stop - chain.start for chain in chains}) == 1
                assert len(chains) * sweeps >= ranks or len(chains) == classes
