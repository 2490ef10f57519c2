"""Other people's meshes: the right domain, or one line that says what is wrong with it and where."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.common.errors import MeshError
from hydrodl.common.text import printable
from hydrodl.mesh import mesh_file
from hydrodl.mesh.domain import Domain
from tests.hostile.meshes import MESHES, Case, P, T, grid, ring


def outcome(case: Case, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What came of a mesh that should not have."""
    content = meshio.Mesh(np.asarray(case.points, dtype=float), [(kind, np.array(cells)) for kind, cells in case.cells])
    monkeypatch.setattr(mesh_file, "_meshio_read", lambda path: content)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            domain = Domain.from_file("m.vtu", comm=MPI.COMM_SELF)
        except MeshError as error:
            words = str(error)
            one_line = words.startswith("mesh m.vtu ") and printable(words) == words
            return None if case.words and case.words in words and one_line else f"refused: {words}"
    found = (domain.dimension, domain.nodes, domain.volume)
    right = found[:2] == (case.dimension, case.vertices) and np.isclose(found[2], case.volume, rtol=1e-9)
    merged = len(np.unique(np.concatenate([np.ravel(cells) for _, cells in case.cells]))) - case.vertices
    second = any(kind[-1].isdigit() for kind, _ in case.cells)
    if not right or case.words:
        return f"read as {found}"
    return None if second or bool(said) == (merged > 0) else f"said {said}, merged {merged}"


def test_other_peoples_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {name: found for name, case in MESHES.items() if (found := outcome(case, monkeypatch)) is not None}
    assert wrong == {}
    assert len(MESHES) >= 50


def test_a_surface_in_two_groups_of_a_gmsh_file(tmp_path: Path) -> None:
    """As gmsh writes it in format 2.2: every triangle once for each group."""
    lines = ["$MeshFormat", "2.2 0 8", "$EndMeshFormat", "$Nodes", str(len(P))]
    lines += [f"{k + 1} {' '.join(map(str, point))}" for k, point in enumerate(P)]
    lines += ["$EndNodes", "$Elements", str(2 * len(T))]
    for k in range(2 * len(T)):
        group = 1 + k // len(T)
        lines.append(f"{k + 1} 2 2 {group} {group} {' '.join(str(v + 1) for v in T[k % len(T)])}")
    (tmp_path / "m.msh").write_text("\n".join([*lines, "$EndElements", ""]))
    domain = Domain.from_file(tmp_path / "m.msh", comm=MPI.COMM_SELF)
    assert domain.nodes == 16 and domain.volume == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    "numbers", ["Binary:/dev/zero", "HDF:/dev/zero:/a", "HDF:../m.h5:/a", "HDF:none.h5:/a", "Binary:."]
)
def test_a_mesh_takes_its_numbers_from_files_beside_it(numbers: str, tmp_path: Path) -> None:
    kind, _, place = numbers.partition(":")
    item = f'<DataItem DataType="Float" Dimensions="3 2" Format="{kind}" Precision="8">{place}</DataItem>'
    inner = f'<Topology NumberOfElements="1" TopologyType="Triangle">{item}</Topology><Geometry>{item}</Geometry>'
    text = f'<Xdmf Version="3.0"><Domain><Grid Name="Grid">{inner}</Grid></Domain></Xdmf>'
    (tmp_path / "m.h5").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.xdmf").write_text(text)
    with pytest.raises(MeshError, match="must be a file beside it"):
        Domain.from_file(tmp_path / "in" / "m.xdmf", comm=MPI.COMM_SELF)


@pytest.mark.parametrize("line", ["*INCLUDE,INPUT=/dev/zero", " *include, input=m.inp", "*INC*LUDE,INPUT=other.inp"])
def test_a_mesh_includes_no_other_file(line: str, tmp_path: Path) -> None:
    (tmp_path / "m.inp").write_text(f"*HEADING\n{line}\n")
    with pytest.raises(MeshError, match="includes another file"):
        Domain.from_file(tmp_path / "m.inp", comm=MPI.COMM_SELF)


def test_a_mesh_with_numbers_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 999999999999999999999\n")
    with pytest.raises(MeshError, match="cannot be read"):
        Domain.from_file(tmp_path / "m.obj", comm=MPI.COMM_SELF)


def test_a_mesh_with_its_numbers_beside_it_is_read(tmp_path: Path) -> None:
    meshio.write(tmp_path / "m.xdmf", meshio.Mesh(P, [("triangle", T)]))
    assert (tmp_path / "m.h5").is_file()
    assert Domain.from_file(tmp_path / "m.xdmf", comm=MPI.COMM_SELF).nodes == 16


def test_any_pair_of_cells_that_overlaps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random square of cells on another one, turned and shifted: overlapping unless it lies outside."""
    rng, missed = np.random.default_rng(0), []
    for _ in range(40):
        angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(-0.8, 0.8, 2)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        fine, cells = grid(int(rng.integers(1, 9)))
        other = (fine[:, :2] - 0.5) @ turn * rng.uniform(0.05, 1.5) + 0.5 + shift
        apart = _apart(other)
        case = Case(np.concatenate([P[:, :2], other]), [("triangle", np.concatenate([T, cells + len(P)]))])
        found = outcome(case._replace(words="pieces" if apart else "overlap"), monkeypatch)
        missed += [found] if found else []
    assert missed == []


def test_random_cells_are_a_mesh_or_refused() -> None:
    """What passes the checks has no more volume than there is room, and DOLFINx takes it."""
    rng, made = np.random.default_rng(0), 0
    for _ in range(200):
        d, n = int(rng.integers(1, 4)), int(rng.integers(2, 9))
        corners = 2**d if rng.random() < 0.4 else d + 1
        points = rng.integers(0, 3, (n, d)).astype(float) if rng.random() < 0.6 else rng.standard_normal((n, d))
        cells = rng.integers(0, n, (int(rng.integers(1, 5)), corners))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mesh = mesh_file.mesh_of("mesh m", lambda: (points, cells), MPI.COMM_SELF)  # noqa: B023
        except MeshError:
            continue
        made += 1
        assert 0 < Domain(mesh).volume <= np.prod(np.ptp(points, axis=0)) * (1 + 1e-9)
    assert made > 10


def _apart(points: Any) -> bool:
    """Whether a square lies outside the unit square: by the axes of both."""
    corners = points[[0, -1]], points[[int(np.sqrt(len(points))) - 1, -int(np.sqrt(len(points)))]]
    square, unit = np.concatenate(corners), np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    axes = [np.array([1.0, 0]), np.array([0, 1.0]), square[1] - square[2], square[1] - square[3]]
    return any((square @ a).min() > (unit @ a).max() or (square @ a).max() < (unit @ a).min() for a in axes)


def test_checks_cost_little_more_than_the_mesh() -> None:
    """A hundred thousand triangles, and as thin ones as a boundary layer has."""
    points, cells = grid(224)
    points[:, 1] **= 4
    made = mesh_file.mesh_of("mesh m", lambda: (points[:, :2], cells), MPI.COMM_SELF)
    assert made.topology.index_map(2).size_global == len(cells)
    points, cells = ring(0.99, 400)
    mesh_file.mesh_of("mesh m", lambda: (points, cells[:, [0, 1, 3, 2]]), MPI.COMM_SELF)
