from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.parallel.launch import launch, run_on_ranks

pytestmark = pytest.mark.parallel

# Prints one JSON line: per case the nodes (sorted) with the values there, masses and means.
DENSITIES = """
import json, sys
import hydrodl
import numpy as np
from dolfinx import mesh as dmesh
from mpi4py import MPI
from hydrodl.common.parallel import gather, gather_nodes, lexicographic
from hydrodl.data.datasets import load_dataset, read_csv
from hydrodl.data.class_densities import Gaussian, densities, mixture
from hydrodl.mesh.domain import Domain

comm = MPI.COMM_WORLD
moons, wine = load_dataset("two_moons", n=60), load_dataset("wine", dimensions=3)
line = load_dataset("circles", n=40, dimensions=1)
# samples on nodes, edges and walls: the ones that several ranks see
lattice = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2), axis=-1).reshape(-1, 2)
shared = moons.with_preprocessing(hydrodl.data.preprocessing.Preprocessing.identity(2))
object.__setattr__(shared, "features", lattice[:60])
ghosted = dmesh.create_rectangle(comm, [[-4, -4], [4, 4]], [12, 12], ghost_mode=dmesh.GhostMode.shared_facet)
cases = {
    "box": densities(moons, Domain.around(moons, 21)),
    "shared": densities(shared, Domain.box([-1, -1], [1, 1], 9), 0.1),
    "ghost cells": densities(moons, Domain(ghosted), 0.3),
    "triangles P2": densities(moons, Domain.around(moons, 9, degree=2, cells="simplex"), 0.3),
    "interval": densities(line, Domain.around(line, 31)),
    "two cells": densities(line, Domain.interval(-5, 5, 3)),
    "cube": densities(wine, Domain.around(wine, 9), 0.5),
    "mixture": mixture([Gaussian([0, 0], 0.5), Gaussian([1, 1], 0.3, label=1)], Domain.box([-2, -2], [3, 3], 15)),
    "table": densities(read_csv(sys.argv[1], label="kind"), Domain.box([-4, -4], [4, 4], 9)),
}
out = {}
for name, rho in cases.items():
    nodes, values = gather_nodes(rho.domain), gather(rho.domain, rho.values)
    masses, means = rho.masses, rho.means
    if comm.rank == 0:
        order = lexicographic(nodes)
        out[name] = [nodes[order].tolist(), values[:, order].tolist(), masses.tolist(), means.tolist()]
if comm.rank == 0:
    print(json.dumps(out))
"""

# Every rank writes the error it met: one that met none, or another, shows.
ERRORS = """
import sys
from pathlib import Path
import hydrodl
import numpy as np
from mpi4py import MPI
from hydrodl.data.datasets import load_dataset, read_csv, read_points
from hydrodl.data.class_densities import densities, densities_from_function
from hydrodl.mesh.domain import Domain
from hydrodl.common.errors import InputError

moons, line = load_dataset("two_moons", n=30), Domain.interval(0, 1, 11)
trials = [
    lambda: read_csv(sys.argv[1], label="kind"),
    lambda: read_points(sys.argv[1], ["a"]),
    lambda: densities(moons, Domain.box([-9, -9], [0, 0], 5)),
    lambda: densities_from_function([lambda x: x[:, 0] - 0.01], line),  # negative on one rank only
]
for trial in trials:
    try:
        trial()
        said = "nothing"
    except InputError as error:
        said = str(error)
    everyone = MPI.COMM_WORLD.gather(said)
    if MPI.COMM_WORLD.rank == 0:
        print(len(everyone), len(set(everyone)), everyone[0])
"""


def results(ranks: int, path: Path) -> dict[str, list[np.ndarray]]:
    read = json.loads(run_on_ranks(DENSITIES, ranks, path))
    return {name: [np.array(part) for part in parts] for name, parts in read.items()}


def test_densities_do_not_depend_on_the_ranks(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b,kind\n1,2,x\n2,1,x\n3,5,y\n4,4,y\n")
    one, *others = (results(ranks, path) for ranks in (1, 2, 3))
    assert len(one) == 9
    for other in others:
        for name, (nodes, values, masses, means) in one.items():
            np.testing.assert_allclose(other[name][0], nodes, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(other[name][1], values, rtol=0, atol=1e-12 * values.max(), err_msg=name)
            np.testing.assert_allclose(other[name][2], masses, rtol=1e-12, err_msg=name)
            np.testing.assert_allclose(other[name][3], means, rtol=1e-10, atol=1e-12, err_msg=name)
    # positive to the last digit of the tails, on any number of ranks: no cancellation anywhere
    np.testing.assert_allclose(others[1]["box"][1], one["box"][1], rtol=1e-11)


@pytest.mark.parametrize("ranks", [2, 3])
def test_every_rank_meets_the_same_error(ranks: int, tmp_path: Path) -> None:
    lines = run_on_ranks(ERRORS, ranks, tmp_path / "missing.csv").splitlines()
    messages = ["no such file", "no such file", "lies outside the mesh", "density of class 0 is -0.01 at (0)"]
    for line, message in zip(lines, messages, strict=True):
        assert line.startswith(f"{ranks} 1 ") and message in line


def test_the_launcher_reports_failure_and_ends_a_deadlock() -> None:
    assert launch("import sys; sys.exit(3)", 2).returncode == 3
    with pytest.raises(RuntimeError, match="ended with exit code"):
        run_on_ranks("import time; time.sleep(60)", 2, timeout=2)
