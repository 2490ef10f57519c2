"""Mesh files and boxes are the same domain on one, two and three ranks."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.parallel.launch import run_on_ranks

pytestmark = pytest.mark.parallel
MESHES = Path(__file__).parents[2] / "meshes"
NAMES = ("interval.xdmf", "quads.vtu", "square.msh", "disc.msh", "annulus.msh", "cube.msh")

CODE = """
import json
import hydrodl
import numpy as np
from dolfinx import fem
from hydrodl.mesh.domain import Domain
from hydrodl.common.errors import MeshError

def measure(domain):
    volume = fem.assemble_scalar(fem.form(fem.Constant(domain.mesh, 1.0) * domain.dx))
    h = domain.edge_length
    cells = h.function_space.dofmap.index_map
    return dict(
        nodes=domain.nodes,
        owned=domain.comm.allreduce(domain.owned),
        cells=cells.size_global,
        volume=domain.comm.allreduce(volume),
        edges=domain.comm.allreduce(float(h.x.array[: cells.size_local].sum())),
        low=domain.bounds[0].tolist(),
        high=domain.bounds[1].tolist(),
    )

found = {{name: measure(Domain.from_file({folder!r} + "/" + name)) for name in {names!r}}}
for d in (1, 2, 3):
    found[f"box {{d}}"] = measure(Domain.box([0] * d, [1] * d, 6))
    found[f"one cell {{d}}"] = measure(Domain.box([0] * d, [1] * d, 2))  # fewer cells than ranks
domain = Domain.box([0, 0], [1, 1], 2)
try:
    Domain.from_file("nowhere.msh")
except MeshError as error:
    refusals = domain.comm.gather(str(error))
if domain.comm.rank == 0:
    print(json.dumps([refusals, found]))
"""


@cache
def measured(ranks: int) -> tuple[list[str], dict[str, dict[str, object]]]:
    """What the ranks found: each rank's message for a missing file, and the numbers of each domain."""
    output = run_on_ranks(CODE.format(folder=str(MESHES), names=NAMES), ranks, timeout=120)
    refusals, found = json.loads(output.strip().splitlines()[-1])
    return refusals, found


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_same_domain_on_any_number_of_ranks(ranks: int) -> None:
    one, several = measured(1)[1], measured(ranks)[1]
    assert len(several) == len(NAMES) + 6
    for name, expected in one.items():
        assert expected["owned"] == expected["nodes"]
        for key, value in expected.items():
            assert several[name][key] == pytest.approx(value, rel=1e-12), (name, key)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_missing_file_is_refused_on_every_rank(ranks: int) -> None:
    assert measured(ranks)[0] == ["mesh nowhere.msh: no such file"] * ranks
