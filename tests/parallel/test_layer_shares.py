"""Operators shared out by layers are the operators shared out by nodes, on any number of ranks."""

from __future__ import annotations

from itertools import pairwise

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.discretisation.box_transport import Generator, box_slabs, march
from hydrodl.discretisation.layer_recursion import March
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.linear_algebra.layered_family import LayeredFamily
from hydrodl.linear_algebra.operator_family import OperatorFamily
from tests.builders.on_ranks import WORLD, agreed, alone_and_together

CLASSES = 3


@pytest.fixture(scope="module")
def box() -> hd.Domain:
    return hd.Domain.box([0, 0], [1, 2], [7, 6])


@pytest.mark.three_ranks
@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_stacks_go_there_and_back(box: hd.Domain, count: int) -> None:
    """Every entry says where it belongs: global node + 1000 (position in the stack)."""
    split, place = Shares(box, count), 1000.0 * np.arange(count * 2).reshape(count, 2, 1)
    stack = place + box.V.dofmap.index_map.local_range[0] + np.arange(box.owned)
    mine, everywhere = split.to_layers(stack), place + np.arange(box.nodes)
    back = np.zeros_like(stack)
    split.to_nodes(mine, back)
    np.testing.assert_array_equal(mine, everywhere[split.layers])
    np.testing.assert_array_equal(back, stack)
    np.testing.assert_array_equal(split.everywhere(stack[0]), everywhere[0])


@pytest.mark.three_ranks
@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_every_layer_has_one_holder(box: hd.Domain, count: int) -> None:
    split = Shares(box, count)
    layers, holders = WORLD.allgather(split.layers.tolist()), [split.holder(k) for k in range(count)]
    segments = [(rank, part.tolist()) for rank, part in split.segments]
    assert sorted(k for own in layers for k in own) == list(range(count))
    assert all(holders[k] == rank for rank, own in enumerate(layers) for k in own)
    assert [k for _, part in segments for k in part] == list(range(count))
    assert all(holders[k] == rank for rank, part in segments for k in part)
    sizes, longest = [len(own) for own in layers], max(len(part) for _, part in segments)
    assert WORLD.size == 1 or max(sizes) - min(sizes) <= longest
    if count == 1:
        assert layers == [[0], *[[]] * (WORLD.size - 1)]
    if count == 50 and WORLD.size > 1:  # neighbouring segments lie on different ranks
        assert len(segments) > 16 and all(a != b for (a, _), (b, _) in pairwise(segments))


class Pair:
    """The same operators M - step L(u_k) twice, and their mass."""

    def __init__(self, domain: hd.Domain, count: int) -> None:
        self.domain, self.count = domain, count
        generator = Generator(domain, hd.Lagrangian(0.1, smoothness=0.0))
        pattern, columns, self.mass = generator.pattern, generator.columns, generator.mass
        direct = {"ksp_type": "preonly", "pc_type": "lu"}
        across = direct | ({"pc_factor_mat_solver_type": "mumps"} if WORLD.size > 1 else {})
        self.nodes = OperatorFamily(domain, pattern, columns, count, CLASSES, options=across, name="operator")
        self.layers = LayeredFamily(domain, pattern, columns, count, options=direct, name="operator")
        x = domain.coordinates[: domain.owned].sum(axis=1)
        for k in range(count):
            velocity = np.array([np.sin(k + x + i) for i in range(domain.dimension)])
            entries = generator.mass_values - 0.3 * generator.values(velocity)
            self.nodes.set(k, entries)
            self.layers.set(k, entries)
        self.layers.factor()

    def marches(self, theta: float) -> tuple[March, March]:
        """Both recursions with slabs of the box schemes."""
        families = self.nodes, self.layers
        one, two = (march(family, box_slabs(family, self.mass, theta), WORLD) for family in families)
        return one, two

    def stack(self, *shape: int) -> np.ndarray:
        """Smooth duals (*shape, owned), the same on any number of ranks."""
        x = self.domain.coordinates[: self.domain.owned].sum(axis=1)
        number = np.arange(np.prod(shape)).reshape(*shape, 1)
        return np.cos(number * x + number)


def close(one: np.ndarray, two: np.ndarray) -> None:
    """Equal on all ranks up to 1e-12 of the largest value."""
    scale = WORLD.allreduce(float(np.abs(one).max(initial=0)), MPI.MAX)
    assert scale > 0
    assert WORLD.allreduce(float(np.abs(one - two).max(initial=0)), MPI.MAX) < 1e-12 * scale


@pytest.fixture(scope="module", params=["box, 1", "box, 2", "box, 5", "triangles, 4"])
def pair(request: pytest.FixtureRequest, box: hd.Domain) -> Pair:
    cells, count = request.param.split(", ")
    return Pair(box if cells == "box" else hd.Domain.box([0, 0], [1, 2], 5, cells="simplex", degree=2), int(count))


@pytest.mark.three_ranks
def test_solves_and_products_agree(pair: Pair) -> None:
    rhs = pair.stack(pair.count, CLASSES)
    close(pair.nodes.solve_all(rhs), pair.layers.solve_all(rhs))
    for k in (0, pair.count - 1):
        close(pair.nodes.product(k, rhs[k]), pair.layers.product(k, rhs[k]))
        for transpose in (False, True):
            one = pair.nodes.solve(k, rhs[k], transpose=transpose)
            close(one, pair.layers.solve(k, rhs[k], transpose=transpose))


@pytest.mark.parametrize("theta", [1.0, 0.5])
def test_sweeps_agree(pair: Pair, theta: float) -> None:
    """Fields of all slabs, and states at some layers on the way."""
    count, owned = pair.count, pair.domain.owned
    rhs, start, sources = pair.stack(count, CLASSES), pair.stack(CLASSES), pair.stack(count, 2 * CLASSES)
    pulls = {count: start, 1: 2 * start}
    marches = pair.marches(theta)
    forward, alone, backward = ([np.zeros_like(rhs) for _ in marches] for _ in range(3))
    both = [np.zeros((count, 2 * CLASSES, owned)) for _ in marches]
    above, below = ([{layer: np.zeros_like(start) for layer in seen} for _ in marches] for seen in ((1, count), (0,)))
    for n, one in enumerate(marches):
        one.forward(start, rhs, forward[n], above[n])
        one.forward(start, None, alone[n], {})
        one.backward(rhs, pulls, backward[n], below[n])
        one.both(sources, pulls, both[n], {})
    for found in (forward, alone, backward, both):
        close(*found)
    for states in (above, below):
        for layer in states[0]:
            close(states[0][layer], states[1][layer])
    one_each = np.zeros_like(rhs)
    marches[1].forward(np.zeros_like(rhs[0]), sources[:, :CLASSES], one_each, {})
    close(one_each, both[1][:, CLASSES:])
    marches[1].backward(sources[:, CLASSES:], pulls, one_each, {})
    close(one_each, both[1][:, :CLASSES])


@pytest.mark.three_ranks
def test_a_failure_on_one_rank_is_told_to_all(box: hd.Domain) -> None:
    pair = Pair(box, 4)
    pair.layers.set(3, np.zeros(pair.layers.pattern.size))
    with pytest.raises(hd.SolverError) as failed:
        pair.layers.factor()
        pair.marches(1.0)[1].forward(pair.stack(CLASSES), None, pair.stack(4, CLASSES), {})
    assert agreed(str(failed.value)) == "operator 3: linear solve failed"


@pytest.mark.parametrize("classes", [2, 3])
def test_iterations_in_space_share_layers_where_classes_keep_all_ranks_busy(classes: int) -> None:
    def found(comm: MPI.Comm) -> tuple[str, bool, float]:
        domain = hd.Domain.box([-2.0] * 3, [2.0] * 3, 17, comm=comm)
        corners = [hd.Gaussian([c - 1.0, 0.5 * (-1) ** c, 0.0], 0.5, label=str(c)) for c in range(classes)]
        physics = hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.1)
        problem = hd.Problem(
            domain, hd.layers(2), hd.mixture(corners, domain), physics, hd.Classification(1.0), "euler-box"
        )
        solution = hd.train(problem, options={"tao_gatol": 1e-4})
        return solution.linear_solver, solution.converged, solution.objective

    (solver, converged, objective), together = alone_and_together(found)
    shared = "gmres/ilu by layers" if WORLD.size <= classes else "gmres/bjacobi-ilu"
    assert (solver, converged) == ("gmres/ilu", True)
    assert together[:2] == (shared if WORLD.size > 1 else solver, True)
    assert together[2] == pytest.approx(objective, rel=1e-10)  # solves are to 1e-12
