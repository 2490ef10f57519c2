"""Compares operators shared out by layers with operators shared out by nodes; run by test_layered_parallel."""

from __future__ import annotations

import json
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

from hydrodl.discretisation.layer_recursion import LayerMarch, NodeMarch
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.linear_algebra.layered_family import LayeredFamily
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.linear_algebra.operator_family import OperatorFamily

COMM = MPI.COMM_WORLD
CLASSES = 3


def numbered(domain: hd.Domain, *shape: int) -> np.ndarray:
    """A stack whose every entry says where it belongs: global node + 1000 (position in ``shape``)."""
    first = domain.V.dofmap.index_map.local_range[0]
    place = np.arange(np.prod(shape)).reshape(*shape, 1)
    return 1000.0 * place + first + np.arange(domain.owned)


def shares(domain: hd.Domain, count: int) -> dict[str, Any]:
    split = Shares(domain, count)
    stack = numbered(domain, count, 2)
    mine = split.to_layers(stack)
    places = 1000.0 * np.arange(count * 2).reshape(count, 2, 1) + np.arange(domain.nodes)
    back = np.zeros_like(stack)
    split.to_nodes(mine, back)
    everywhere = split.everywhere(stack[0])
    return {
        "right": bool(
            np.array_equal(mine, places[split.layers])
            and np.array_equal(back, stack)
            and np.array_equal(everywhere, places[0])
        ),
        "layers": COMM.allgather(split.layers.tolist()),
        "holders": [split.holder(k) for k in range(count)],
        "segments": [[rank, part.tolist()] for rank, part in split.segments],
    }


class Pair:
    """The same operators M - step L(u_k) twice, and their mass."""

    def __init__(self, domain: hd.Domain, count: int) -> None:
        self.domain, self.count = domain, count
        action = SlabAction(domain, hd.Lagrangian(0.1, smoothness=0.0))
        massive = action.nonzeros(action.mass, reduce=True)
        pattern = action.pattern(action.nonzeros(action.generator, reduce=True) | massive, reduce=True)
        own, columns = action.pattern(massive, reduce=True), action.column_owners()
        self.mass = Mass(domain, own, columns, own.values(action.assemble(action.mass, reduce=True)).copy())
        direct = {"ksp_type": "preonly", "pc_type": "lu"}
        across = direct | ({"pc_factor_mat_solver_type": "mumps"} if COMM.size > 1 else {})
        self.nodes = OperatorFamily(domain, pattern, columns, count, CLASSES, options=across, name="operator")
        self.layers = LayeredFamily(domain, pattern, columns, count, options=direct, name="operator")
        values = pattern.values(action.assemble(action.mass, reduce=True)).copy()
        x = domain.coordinates
        for k in range(count):
            action.set_slab(np.array([np.sin(k + x.sum(axis=1) + i) for i in range(domain.dimension)]))
            entries = values - 0.3 * action.entries(action.generator, pattern)
            self.nodes.set(k, entries)
            self.layers.set(k, entries)
        self.layers.factor()

    def stack(self, *shape: int) -> np.ndarray:
        """Smooth duals (*shape, owned), the same on any number of ranks."""
        x = self.domain.coordinates[: self.domain.owned].sum(axis=1)
        number = np.arange(np.prod(shape)).reshape(*shape, 1)
        return np.cos(number * x + number)

    def difference(self, one: np.ndarray, two: np.ndarray) -> float:
        """Largest difference over all ranks, relative to the largest value."""
        scale = COMM.allreduce(float(np.abs(one).max(initial=0)), MPI.MAX)
        return COMM.allreduce(float(np.abs(one - two).max(initial=0)), MPI.MAX) / scale


def compare(domain: hd.Domain, count: int) -> dict[str, float]:
    pair = Pair(domain, count)
    rhs, found = pair.stack(count, CLASSES), {}
    found["solve"] = pair.difference(pair.nodes.solve_all(rhs), pair.layers.solve_all(rhs))
    for k in (0, count - 1):
        found[f"product {k}"] = pair.difference(pair.nodes.product(k, rhs[k]), pair.layers.product(k, rhs[k]))
        for transpose in (False, True):
            one = pair.nodes.solve(k, rhs[k], transpose=transpose)
            found[f"{k} {transpose}"] = pair.difference(one, pair.layers.solve(k, rhs[k], transpose=transpose))
    pulls = {count: pair.stack(CLASSES), 1: 2 * pair.stack(CLASSES)}
    for theta in (1.0, 0.5):
        marches = NodeMarch(pair.nodes, pair.mass, theta), LayerMarch(pair.layers, pair.mass, theta)
        outs = [np.zeros_like(rhs) for _ in range(6)]
        two, one_each = [np.zeros((count, 2 * CLASSES, domain.owned)) for _ in marches], np.zeros_like(rhs)
        for march, (first, second, third) in zip(marches, (outs[:3], outs[3:]), strict=True):
            march.forward(pair.stack(CLASSES), rhs, first)
            march.forward(pair.stack(CLASSES), None, second)
            march.backward(rhs, pulls, third)
        sources = pair.stack(count, 2 * CLASSES)
        for march, out in zip(marches, two, strict=True):
            march.both(sources, pulls, out)
        found[f"both {theta}"] = pair.difference(*two)
        marches[1].forward(np.zeros_like(rhs[0]), sources[:, :CLASSES], one_each)
        found[f"both, up {theta}"] = pair.difference(one_each, two[1][:, CLASSES:])
        marches[1].backward(sources[:, CLASSES:], pulls, one_each)
        found[f"both, down {theta}"] = pair.difference(one_each, two[1][:, :CLASSES])
        for name, one, two in zip(("forward", "start", "backward"), outs[:3], outs[3:], strict=True):
            found[f"{name} {theta}"] = pair.difference(one, two)
    pair.nodes.destroy()
    pair.layers.destroy()
    return found


def failing(domain: hd.Domain) -> list[str]:
    """What every rank is told when the last operator is singular."""
    pair = Pair(domain, 4)
    pair.layers.set(3, np.zeros(pair.layers.pattern.size))
    said = "nothing"
    try:
        pair.layers.factor()
        LayerMarch(pair.layers, pair.mass, 1.0).forward(pair.stack(CLASSES), None, pair.stack(4, CLASSES))
    except hd.SolverError as error:
        said = str(error)
    return COMM.allgather(said)


def in_space(classes: int) -> dict[str, Any]:
    """The optimum on a mesh of d = 3 where slabs are solved by iteration."""
    domain = hd.Domain.box([-2.0] * 3, [2.0] * 3, 17)
    corners = [hd.Gaussian([c - 1.0, 0.5 * (-1) ** c, 0.0], 0.5, label=str(c)) for c in range(classes)]
    physics = hd.Lagrangian(noise=0.05, decay=0.02, smoothness=0.1)
    problem = hd.Problem(domain, hd.layers(3), hd.mixture(corners, domain), physics, hd.Classification(5.0))
    found = hd.train(problem, options={"tao_gatol": 1e-6})
    return {"solver": found.linear_solver, "J": found.objective, "converged": found.converged}


if __name__ == "__main__":
    box, triangles = hd.Domain.box([0, 0], [1, 2], [7, 6]), hd.Domain.box([0, 0], [1, 2], 5, cells="simplex", degree=2)
    report = {
        "shares": {str(count): shares(box, count) for count in (1, 2, 3, 7, 50)},
        "box": {str(count): compare(box, count) for count in (1, 2, 5)},
        "triangles": {"4": compare(triangles, 4)},
        "failing": failing(box),
        "in_space": {str(classes): in_space(classes) for classes in (2, 3)},
    }
    right = COMM.allreduce(int(all(entry["right"] for entry in report["shares"].values())), MPI.MIN)
    if COMM.rank == 0:
        print(json.dumps(report | {"right": bool(right)}))
