"""Generates the feature meshes of this folder; they are committed, so nobody needs to run this.

    python meshes/generate.py [folder]

Coordinates are standardised units: samples lie within about three of the origin. ``interval`` and ``quads`` need
only NumPy and meshio; the others need gmsh (the extra ``mesh``, and the system's libGLU on Linux).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import meshio
import numpy as np

HERE = Path(__file__).resolve().parent


def interval(path: Path) -> None:
    """[-3, 3], finer in the middle: where two classes meet is where the flow has its smallest scales."""
    s = np.linspace(-1.0, 1.0, 101)
    x = 3.0 * (0.4 * s + 0.6 * s**3)
    cells = np.column_stack([np.arange(100), np.arange(1, 101)])
    points = np.column_stack([x, np.zeros_like(x)])  # XDMF has no geometry of one coordinate
    meshio.write(path, meshio.Mesh(points, {"line": cells}), data_format="XML")


def quads(path: Path) -> None:
    """[-3, 3] x [-2, 2] in quadrilaterals whose inner vertices are moved, so that no two cells are alike."""
    nx, ny = 25, 19
    s, t = np.meshgrid(np.linspace(0.0, 1.0, nx), np.linspace(0.0, 1.0, ny), indexing="ij")
    bump = 0.04 * np.sin(2 * np.pi * s) * np.sin(2 * np.pi * t)
    points = np.stack([6 * (s + bump) - 3, 4 * (t - bump) - 2, np.zeros_like(s)], axis=-1).reshape(-1, 3)
    index = np.arange(nx * ny).reshape(nx, ny)
    corners = [index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]]  # counter-clockwise
    cells = np.stack([corner.ravel() for corner in corners], axis=1)
    meshio.write(path, meshio.Mesh(points, {"quad": cells}), compression=None)


def square(path: Path) -> None:
    """[-3, 3]^2 in unstructured triangles."""
    _gmsh(path, 2, 0.3, lambda occ: occ.addRectangle(-3, -3, 0, 6, 6))


def disc(path: Path) -> None:
    """The disc of radius 3."""
    _gmsh(path, 2, 0.27, lambda occ: occ.addDisk(0, 0, 0, 3, 3))


def annulus(path: Path) -> None:
    """The points with distance 1 to 3 from the origin: a domain with a hole."""
    _gmsh(path, 2, 0.25, lambda occ: occ.cut([(2, occ.addDisk(0, 0, 0, 3, 3))], [(2, occ.addDisk(0, 0, 0, 1, 1))]))


def cube(path: Path) -> None:
    """[-2, 2]^3 in unstructured tetrahedra."""
    _gmsh(path, 3, 0.55, lambda occ: occ.addBox(-2, -2, -2, 4, 4, 4))


FILES: dict[str, Callable[[Path], None]] = {
    "interval.xdmf": interval,
    "quads.vtu": quads,
    "square.msh": square,
    "disc.msh": disc,
    "annulus.msh": annulus,
    "cube.msh": cube,
}


def _gmsh(path: Path, dimension: int, size: float, shape: Callable[[Any], object]) -> None:
    """Meshes one shape of the OpenCASCADE kernel and writes its cells of the highest dimension only."""
    import gmsh

    gmsh.initialize(["gmsh", "-nopopup"])
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("General.NumThreads", 1)  # the same mesh every time
        gmsh.option.setNumber("Mesh.MeshSizeMin", size)
        gmsh.option.setNumber("Mesh.MeshSizeMax", size)
        gmsh.option.setNumber("Mesh.MshFileVersion", 4.1)
        shape(gmsh.model.occ)
        gmsh.model.occ.synchronize()
        entities = [tag for _, tag in gmsh.model.getEntities(dimension)]
        gmsh.model.addPhysicalGroup(dimension, entities, 1, name="domain")
        gmsh.model.mesh.generate(dimension)
        gmsh.write(str(path))
    finally:
        gmsh.finalize()


def main(folder: Path = HERE) -> None:
    """Writes every mesh into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, generate in FILES.items():
        generate(folder / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
