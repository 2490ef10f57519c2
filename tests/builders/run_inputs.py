"""Problem files with the tables and meshes they need."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.builders.cli_runs import TABLE

SOLVE = "[network]\nlayers = 4\n[physics]\nnoise = 0.8\n[loss]\nweight = 1.0\n[solver]\ntao_gatol = 1e-5\n"
BRIDGE = SOLVE.replace("[loss]", '[loss]\nkind = "density"\ndivergence = "l2"')
TABLES = '[data]\nsource = "plants.csv"\nlabel = "kind"\nbandwidth = 0.4\n'
SNAPSHOTS = "[data]\nbandwidth = 0.4\n" + "".join(
    f'[[data.snapshots]]\ntime = {k}.0\nsource = "t{k}.csv"\n' for k in range(3)
)
KINDS = {  # name: (problem file, whether it predicts)
    "table": (TABLES + "[domain]\nnodes = 9\n" + SOLVE, True),
    "mesh": (TABLES + '[domain]\nmesh = "square.vtu"\n' + SOLVE, True),
    "snapshots": (SNAPSHOTS + "[domain]\nnodes = 9\n" + BRIDGE, False),
    "snapshots, mesh": (SNAPSHOTS + '[domain]\nmesh = "square.vtu"\ndegree = 2\n' + BRIDGE, False),
}


def write_inputs(folder: Path, problem: str) -> None:
    """Everything a problem file needs, and the file."""
    import meshio

    (folder / "p.toml").write_text(problem)
    (folder / "plants.csv").write_text(TABLE)
    rng = np.random.default_rng(0)
    for k in range(3):
        table = rng.standard_normal((40, 2)) + np.array([k, 0.0])
        np.savetxt(folder / f"t{k}.csv", table, delimiter=",", header="x,y", comments="")
    grid = np.stack(np.meshgrid(*[np.linspace(-6, 6, 8)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    corner = np.arange(49) // 7 * 8 + np.arange(49) % 7
    cells = np.concatenate([corner[:, None] + np.array([0, 8, 9]), corner[:, None] + np.array([0, 1, 9])])
    meshio.write(folder / "square.vtu", meshio.Mesh(np.pad(grid, ((0, 0), (0, 1))), [("triangle", cells)]))
