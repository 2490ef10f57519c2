"""The mesh files are what their generator makes and what their table says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import meshio
import numpy as np
import pytest

from hydrodl.mesh.domain import Domain
from meshes import generate
from tests.builders.launch import AT_MOST

MESHES = Path(generate.__file__).parent
WITHOUT_GMSH = ("interval.xdmf", "quads.vtu")
WITH_GMSH = sorted(set(generate.FILES) - set(WITHOUT_GMSH))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every mesh made anew; in its own process, because gmsh and MPI both handle signals."""
    probe = subprocess.run([sys.executable, "-c", "import gmsh"], capture_output=True, text=True, timeout=AT_MOST)
    if probe.returncode != 0:
        pytest.skip(f"gmsh cannot be loaded: {probe.stderr.strip().splitlines()[-1]}")
    folder = tmp_path_factory.mktemp("meshes")
    subprocess.run([sys.executable, MESHES / "generate.py", folder], check=True, timeout=AT_MOST)
    return folder


@pytest.mark.parametrize("name", WITHOUT_GMSH)
def test_numpy_meshes_are_made_again_exactly(name: str, tmp_path: Path) -> None:
    generate.FILES[name](tmp_path / name)
    made, kept = meshio.read(tmp_path / name), meshio.read(MESHES / name)
    np.testing.assert_allclose(made.points, kept.points, atol=1e-14)
    np.testing.assert_array_equal(made.cells[0].data, kept.cells[0].data)


@pytest.mark.parametrize("name", WITH_GMSH)
def test_gmsh_meshes_are_made_again(name: str, generated: Path) -> None:
    made, kept = Domain.from_file(generated / name), Domain.from_file(MESHES / name)
    assert made.nodes == pytest.approx(kept.nodes, rel=0.1)  # another gmsh may place vertices differently
    np.testing.assert_allclose(made.bounds, kept.bounds, atol=0.05)


def test_every_file_has_its_generator() -> None:
    kept = {path.name for path in MESHES.iterdir() if path.suffix not in (".py", ".md") and path.is_file()}
    assert kept == set(generate.FILES)


def test_the_table_tells_the_sizes() -> None:
    rows = re.findall(r"^\| `(\S+)` \|.*\| (\d+) \| (\d+) \|[^|]*\|$", (MESHES / "README.md").read_text(), re.MULTILINE)
    assert {name for name, _, _ in rows} == set(generate.FILES)
    for name, vertices, cells in rows:
        content = meshio.read(MESHES / name)
        highest = max(content.cells, key=lambda block: block.dim)
        assert (len(content.points), len(highest.data)) == (int(vertices), int(cells)), name
