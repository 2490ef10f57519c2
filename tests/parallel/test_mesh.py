"""Mesh files and boxes are the same domain on any number of ranks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from dolfinx import fem
from mpi4py import MPI

from hydrodl.common.errors import MeshError
from tests.builders.on_ranks import agreed, alone_and_together, everywhere

MESHES = Path(__file__).parents[2] / "meshes"
NAMES = ("interval.xdmf", "quads.vtu", "square.msh", "disc.msh", "annulus.msh", "cube.msh")
DOMAINS: dict[str, Callable[[MPI.Comm], hd.Domain]] = {
    name: lambda comm, name=name: hd.Domain.from_file(MESHES / name, comm=comm) for name in NAMES
}
for d in (1, 2, 3):
    DOMAINS[f"box {d}"] = lambda comm, d=d: hd.Domain.box([0] * d, [1] * d, 6, comm=comm)
    DOMAINS[f"periodic {d}"] = lambda comm, d=d: hd.Domain.box([0] * d, [1] * d, 5, periodic=True, comm=comm)
    # fewer cells than ranks
    DOMAINS[f"one cell {d}"] = lambda comm, d=d: hd.Domain.box([0] * d, [1] * d, 2, comm=comm)


def measure(domain: hd.Domain) -> dict[str, object]:
    volume = fem.assemble_scalar(fem.form(fem.Constant(domain.mesh, 1.0) * domain.dx))
    h = domain.edge_length
    cells = h.function_space.dofmap.index_map
    return {
        "nodes": domain.nodes,
        "owned": domain.comm.allreduce(domain.owned),
        "cells": cells.size_global,
        "volume": domain.comm.allreduce(volume),
        "edges": domain.comm.allreduce(float(h.x.array[: cells.size_local].sum())),
        "negative weights": domain.edge_weights.wrong,
        "weights": domain.edge_weights.of,
        "low": domain.bounds[0].tolist(),
        "high": domain.bounds[1].tolist(),
    }


@pytest.mark.three_ranks
@pytest.mark.parametrize("name", DOMAINS)
def test_the_same_domain_on_any_number_of_ranks(name: str) -> None:
    one, many = alone_and_together(lambda comm: measure(DOMAINS[name](comm)))
    assert one["owned"] == one["nodes"]
    for key, value in one.items():
        assert many[key] == pytest.approx(value, rel=1e-12), key


def test_a_missing_file_is_refused_on_every_rank() -> None:
    with pytest.raises(MeshError) as refused:
        hd.Domain.from_file("nowhere.msh")
    assert agreed(str(refused.value)) == "mesh nowhere.msh: no such file"


@pytest.mark.parametrize(
    ("cells", "dimension", "degree"), [("box", 1, 1), ("box", 2, 1), ("simplex", 2, 2), ("box", 3, 1)]
)
def test_nodes_and_values_are_gathered_in_one_order(cells: str, dimension: int, degree: int) -> None:
    domain = hd.Domain.box([-1] * dimension, [1] * dimension, 5, cells=cells, degree=degree)
    x = domain.coordinates[: domain.owned].T
    nodes, values = everywhere(domain, np.stack([x.sum(axis=0), x[-1] ** 2]))
    assert values.shape == (2, domain.nodes)
    np.testing.assert_allclose(values, [nodes.sum(axis=1), nodes[:, -1] ** 2], atol=1e-12)
