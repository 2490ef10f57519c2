"""Domain: boxes, mesh files, cell sizes and every message; Layers."""

from __future__ import annotations

from math import hypot, pi, sqrt
from pathlib import Path
from types import SimpleNamespace

import meshio
import numpy as np
import pytest
import ufl
from dolfinx import fem
from mpi4py import MPI

from hydrodl.common.errors import InputError, MeshError
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers, layers
from hydrodl.mesh.mesh_file import mesh_of

MESHES = Path(__file__).parents[2] / "meshes"
# dimension, cells, closed-form volume, its relative error on a polygon
FILES = {
    "interval.xdmf": (1, "interval", 6.0, 1e-12),
    "quads.vtu": (2, "quadrilateral", 24.0, 1e-12),
    "square.msh": (2, "triangle", 36.0, 1e-12),
    "disc.msh": (2, "triangle", 9 * pi, 2e-3),
    "annulus.msh": (2, "triangle", 8 * pi, 2e-3),
    "cube.msh": (3, "tetrahedron", 64.0, 1e-12),
}
BRICK = np.array([[x, y, z] for x in (0.0, 2.0) for y in (0.0, 3.0) for z in (0.0, 4.0)])


def integral(domain: Domain, integrand: ufl.core.expr.Expr) -> float:
    return float(domain.comm.allreduce(fem.assemble_scalar(fem.form(integrand * domain.dx))))


def volume(domain: Domain) -> float:
    return integral(domain, fem.Constant(domain.mesh, 1.0))


def write(path: Path, points: object, **cells: object) -> Path:
    meshio.write(path, meshio.Mesh(np.asarray(points, dtype=float), cells), file_format="vtu", compression=None)
    return path


# Boxes


@pytest.mark.parametrize("cells", ["box", "simplex"])
@pytest.mark.parametrize("nodes", [[5], [5, 4], [5, 4, 3]])
def test_box(nodes: list[int], cells: str) -> None:
    d = len(nodes)
    low, high = np.array([-1.0, 0.0, 2.0])[:d], np.array([1.0, 3.0, 2.5])[:d]
    domain = Domain.box(low, high, nodes, cells=cells)
    assert domain.dimension == d
    assert domain.nodes == domain.owned == np.prod(nodes)
    assert volume(domain) == pytest.approx(np.prod(high - low), rel=1e-12)
    np.testing.assert_allclose(domain.bounds, (low, high), rtol=1e-14)
    assert domain.coordinates.shape == (np.prod(nodes), d)
    grid = np.meshgrid(*(np.linspace(*ends) for ends in zip(low, high, nodes, strict=True)), indexing="ij")
    expected = {tuple(np.round(x, 9)) for x in np.stack(grid, axis=-1).reshape(-1, d)}
    assert {tuple(np.round(x, 9)) for x in domain.coordinates} == expected
    assert domain.lumped and domain.uniform_box is (cells == "box")


def test_one_number_of_nodes_means_that_many_in_every_direction() -> None:
    assert Domain.box([0, 0, 0], [1, 2, 3], 4).nodes == 64
    assert Domain.interval(-1, 1, 7).nodes == 7


@pytest.mark.parametrize(("lumped", "expected"), [(None, 0.375), (True, 0.375), (False, 1 / 3)])
def test_lumping_is_the_trapezoidal_rule(lumped: bool | None, expected: float) -> None:
    domain = Domain.interval(0, 1, 3, lumped=lumped)
    x = ufl.SpatialCoordinate(domain.mesh)
    assert domain.lumped is (lumped is not False)
    assert integral(domain, x[0] ** 2) == pytest.approx(expected, rel=1e-13)


def test_the_vertex_rule_is_the_default_of_degree_one_alone() -> None:
    simplices = Domain.box([0, 0], [1, 1], 3, cells="simplex")
    for domain in (simplices, Domain(simplices.mesh), Domain.from_file(MESHES / "disc.msh")):
        assert domain.lumped is True and domain.monotone
    for domain in (Domain(simplices.mesh, 2), Domain.from_file(MESHES / "disc.msh", lumped=False)):
        assert domain.lumped is False and not domain.monotone


@pytest.mark.parametrize("cells", ["box", "simplex"])
def test_degree_two_is_consistent_and_exact_for_quadratics(cells: str) -> None:
    domain = Domain.box([0, 0], [1, 2], [3, 4], cells=cells, degree=2)
    assert not domain.lumped
    assert domain.nodes == 5 * 7
    field = fem.Function(domain.V)
    field.x.array[:] = domain.coordinates[:, 0] ** 2 * 3 + domain.coordinates[:, 1] ** 2
    assert integral(domain, field) == pytest.approx(2 + 8 / 3, rel=1e-13)


@pytest.mark.parametrize(
    ("cells", "nodes", "length"),
    [
        ("box", [5], 1 / 4),
        ("box", [5, 11], 1 / 4),
        ("box", [11, 5], 1 / 4),
        ("box", [9, 5, 3], 1 / 2),
        ("simplex", [5, 11], hypot(1 / 4, 1 / 10)),
        ("simplex", [5, 3, 2], sqrt(1 / 16 + 1 / 4 + 1)),
    ],
)
def test_edge_length_on_boxes(cells: str, nodes: list[int], length: float) -> None:
    d = len(nodes)
    h = Domain.box([0.0] * d, [1.0] * d, nodes, cells=cells).edge_length
    np.testing.assert_allclose(h.x.array, length, rtol=1e-12)


@pytest.mark.parametrize("name", FILES)
def test_edge_length_of_every_cell(name: str) -> None:
    domain = Domain.from_file(MESHES / name)
    h, x = domain.edge_length, domain.mesh.geometry.x
    pairs = [(0, 1), (0, 2), (1, 3), (2, 3)] if name == "quads.vtu" else None  # a diagonal is not an edge
    expected = np.empty_like(h.x.array)
    for cell, corners in enumerate(domain.mesh.geometry.dofmaps[0]):
        edges = pairs or [(i, j) for i in range(len(corners)) for j in range(i)]
        longest = max(float(np.linalg.norm(x[corners[i]] - x[corners[j]])) for i, j in edges)
        expected[h.function_space.dofmap.cell_dofs(cell)] = longest
    np.testing.assert_allclose(h.x.array, expected, rtol=1e-12)
    assert np.ptp(expected) > 0.01  # else the order of the cells would not matter


# Around samples


def test_around_leaves_a_margin() -> None:
    points = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 0.0]])
    for samples in (points, SimpleNamespace(points=points)):
        domain = Domain.around(samples, nodes=[5, 6], margin=0.5)
        np.testing.assert_allclose(domain.bounds, ([-0.5, -1.5], [2.5, 1.5]))
        assert domain.nodes == 30
        assert domain.lumped


# Mesh files


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("degree", [1, 2])
def test_mesh_file(name: str, degree: int) -> None:
    dimension, cell, expected, tolerance = FILES[name]
    domain = Domain.from_file(MESHES / name, degree=degree, dimension=dimension)
    assert (domain.dimension, domain.mesh.topology.cell_name(), domain.degree) == (dimension, cell, degree)
    assert domain.lumped is (degree == 1)
    assert not domain.uniform_box
    assert volume(domain) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(("name", "euler"), [("square.msh", 1), ("disc.msh", 1), ("annulus.msh", 0)])
def test_node_counts_obey_eulers_formula(name: str, euler: int) -> None:
    linear, quadratic = (Domain.from_file(MESHES / name, degree=degree) for degree in (1, 2))
    triangles = linear.mesh.topology.index_map(2).size_global
    assert linear.nodes == len(meshio.read(MESHES / name).points)
    assert quadratic.nodes == linear.nodes + (linear.nodes + triangles - euler)  # vertices and edges


def test_boundary_cells_and_unused_vertices_are_left_out(tmp_path: Path) -> None:
    points = [[9, 9, 9], [0, 0, 0], [1, 0, 0], [0, 1, 0]]
    domain = Domain.from_file(write(tmp_path / "a.vtu", points, vertex=[[1]], line=[[1, 2]], triangle=[[1, 2, 3]]))
    assert domain.nodes == 3
    assert volume(domain) == pytest.approx(0.5)


def test_hexahedra_in_the_file_order_of_vertices(tmp_path: Path) -> None:
    order = [0, 4, 6, 2, 1, 5, 7, 3]  # counter-clockwise below, then above
    domain = Domain.from_file(write(tmp_path / "brick.vtu", BRICK, hexahedron=[order]))
    assert volume(domain) == pytest.approx(24.0)
    np.testing.assert_allclose(domain.edge_length.x.array, 4.0)


# Messages


def test_messages_of_elements() -> None:
    with pytest.raises(InputError, match=r"^element degree is 0, must be a whole number from 1 to 8$"):
        Domain.interval(0, 1, 3, degree=0)
    with pytest.raises(InputError, match=r"^the vertex rule needs elements of degree 1, got degree 2$"):
        Domain.interval(0, 1, 3, degree=2, lumped=True)


@pytest.mark.parametrize(
    ("lower", "upper", "nodes", "message"),
    [
        ([0, 0], [1], 3, r"corners of a box need d = 1, 2 or 3 numbers each, got \[0.0, 0.0\] and \[1.0\]"),
        ([0] * 4, [1] * 4, 3, "corners of a box need d = 1, 2 or 3 numbers each"),
        ([], [], 3, "corners of a box need d = 1, 2 or 3 numbers each"),
        ([[0]], [[1]], 3, "corners of a box need d = 1, 2 or 3 numbers each"),
        ([0, 1], [1, 1], 3, r"needs lower < upper in every direction, got \[0.0, 1.0\] and \[1.0, 1.0\]"),
        ([0, np.nan], [1, 1], 3, "needs lower < upper in every direction"),
        ([0, 0], [1, np.inf], 3, "needs lower < upper in every direction"),
        ([0, 0], [1, 1e-9], 3, "more than 1e[+]08 times as long as wide"),
        ([-1e200, 0], [1e200, 1], 3, "more than 1e[+]08 times as long as wide"),
        ([0, 0], [1e-300, 1e-300], 3, "more than 1e[+]08 times as long as wide"),
        ([1e15, 1e15], [1e15 + 1, 1e15 + 1], 3, "too little for coordinates of that size"),
        ([0], [1], 1, "nodes is 1, must be whole numbers of at least 2 per feature direction"),
        ([0, 0], [1, 1], [4, 1], r"nodes is \[4, 1\], must be whole numbers of at least 2"),
        ([0], [1], 3.0, "nodes is 3.0, must be whole numbers of at least 2"),
        ([0, 0], [1, 1], [3, 3, 3], r"nodes is \[3, 3, 3\], must be one number or 2, one per feature direction"),
        ([0, 0], [1, 1], [3], r"nodes is \[3\], must be one number or 2"),
    ],
)
def test_messages_of_boxes(lower: list[float], upper: list[float], nodes: int | list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Domain.box(lower, upper, nodes)


def test_message_of_cells() -> None:
    with pytest.raises(InputError, match=r"^cells is 'triangle', must be 'box' or 'simplex'$"):
        Domain.box([0], [1], 3, cells="triangle")


@pytest.mark.parametrize("margin", [-0.1, np.nan])
def test_message_of_margin(margin: float) -> None:
    with pytest.raises(InputError, match=f"^margin is {margin}, must be a number that is not negative, at most"):
        Domain.around(np.zeros((2, 2)), margin=margin)


def test_messages_of_points() -> None:
    with pytest.raises(InputError, match="around no sample points: at least one is needed"):
        Domain.around(np.zeros((0, 2)))
    with pytest.raises(InputError, match="needs lower < upper"):
        Domain.around(np.array([[0.0, 1.0], [1.0, 1.0]]), margin=0.0)
    with pytest.raises(InputError, match="needs lower < upper"):
        Domain.around(np.array([[0.0, np.nan], [1.0, 1.0]]))


def refusal(path: Path, **options: int) -> str:
    """The message, one line that begins with the file."""
    with pytest.raises(MeshError) as caught:
        Domain.from_file(path, **options)
    message = str(caught.value)
    assert message.startswith(f"mesh {path}")
    assert "\n" not in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.msh").endswith("none.msh: no such file")
    assert refusal(tmp_path).endswith(": no such file")  # a folder


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.msh", "nonsense", "Couldn't read file"),
        ("a.nonsense", "nonsense", "Could not deduce file format"),
        ("a.vtk", "nonsense", "Illegal VTK header"),
        ("a.xdmf", "", "no element found"),
    ],
)
def test_unreadable_file(tmp_path: Path, name: str, text: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text(text)
    message = refusal(tmp_path / name)
    assert "cannot be read: " in message
    assert reason in message
    assert capfd.readouterr() == ("", "")  # meshio's own words are in the message, and nowhere else


def test_file_without_usable_cells(tmp_path: Path) -> None:
    nodes = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]]
    message = refusal(write(tmp_path / "a.vtu", nodes, wedge=[[0, 1, 2, 3, 4, 5]]))
    assert message.endswith(" holds wedge; allowed are line, triangle, quad, tetra, hexahedron")
    (tmp_path / "empty.msh").write_text("$MeshFormat\n2.2 0 8\n$EndMeshFormat\n")
    assert " holds no cells; allowed are " in refusal(tmp_path / "empty.msh")


def test_file_of_the_wrong_dimension() -> None:
    message = refusal(MESHES / "disc.msh", dimension=3)
    assert message.endswith("disc.msh has dimension 2, the data need dimension 3")


def test_file_of_mixed_cells(tmp_path: Path) -> None:
    points = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0]]
    path = write(tmp_path / "a.vtu", points, quad=[[0, 1, 2, 3]], triangle=[[1, 4, 2]])
    assert refusal(path).endswith(" mixes quad and triangle; one kind of cell is allowed")


def test_file_of_a_curved_surface(tmp_path: Path) -> None:
    points = [[0, 0, 0], [1, 0, 0], [0, 1, 0.1], [1, 1, 0]]
    path = write(tmp_path / "a.vtu", points, triangle=[[0, 1, 2], [1, 2, 3]])
    assert refusal(path).endswith(" is a 2-dimensional surface in 3 dimensions; it must be flat")


def test_flat_may_be_off_the_origin(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vtu", [[0, 0, 7], [1, 0, 7], [0, 1, 7]], triangle=[[0, 1, 2]])
    assert Domain.from_file(path).dimension == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_file_with_coordinates_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    path = write(tmp_path / "a.vtu", [[0, 0, 0], [1, 0, 0], [0, bad, 0]], triangle=[[0, 1, 2]])
    assert refusal(path).endswith(" has coordinates that are not finite")


@pytest.mark.parametrize("vertex", [3, -1])
def test_file_with_vertices_out_of_range(tmp_path: Path, vertex: int) -> None:
    path = write(tmp_path / "a.vtu", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], triangle=[[0, 1, vertex]])
    assert refusal(path).endswith(" has cells with vertices out of range; it has 3 vertices")


def test_file_with_too_few_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "a.xdmf"
    meshio.write(path, meshio.Mesh(BRICK[:4, 1:], {"tetra": np.array([[0, 1, 2, 3]])}), data_format="XML")
    assert refusal(path).endswith(" has 3-dimensional cells, its vertices have 2 coordinates")


# Layers


def test_equal_layers() -> None:
    made = layers(4, depth=2.0)
    np.testing.assert_array_equal(made.times, [0.0, 0.5, 1.0, 1.5, 2.0])
    np.testing.assert_array_equal(made.steps, [0.5] * 4)
    assert (len(made), made.depth) == (4, 2.0)
    assert (len(layers(np.int64(3))), layers(3).depth) == (3, 1.0)


def test_given_layers() -> None:
    made = layers([0, 0.1, 0.4, 3.0])
    np.testing.assert_allclose(made.steps, [0.1, 0.3, 2.6])
    assert (len(made), made.depth) == (3, 3.0)


@pytest.mark.parametrize("number", [0, -3])
def test_message_of_too_few_layers(number: int) -> None:
    with pytest.raises(InputError, match=f"^layers is {number}, must be a whole number of at least 1"):
        layers(number)


@pytest.mark.parametrize("depth", [0.0, -1.0, np.nan, np.inf])
def test_message_of_depth(depth: float) -> None:
    with pytest.raises(InputError, match=f"^depth is {depth}, must be a positive number"):
        layers(3, depth)


@pytest.mark.parametrize("times", [[0.0], [], 2.5, [[0.0, 1.0]]])
def test_message_of_no_layer(times: object) -> None:
    with pytest.raises(InputError, match=r"^layers: at least 1 is needed$"):
        Layers(np.asarray(times))


@pytest.mark.parametrize("times", [[0.1, 1.0], [0.0, 1.0, 1.0], [0.0, 2.0, 1.0], [0.0, np.nan], [0.0, np.inf]])
def test_message_of_times(times: list[float]) -> None:
    with pytest.raises(InputError, match=r"^layer times must start at 0 and increase strictly$"):
        layers(times)


def test_another_communicator() -> None:
    assert Domain.interval(0, 1, 3, comm=MPI.COMM_SELF).comm.size == 1
    assert Domain.from_file(MESHES / "disc.msh", comm=MPI.COMM_SELF).comm.size == 1


THIN: dict[str, tuple[list[list[float]], list[list[int]]]] = {
    "a vertex twice": ([[0, 0], [1, 0], [0, 1]], [[0, 1, 1]]),
    "a line": ([[0, 0], [1, 0], [2, 0]], [[0, 1, 2]]),
    "a point": ([[1, 1], [1, 1], [1, 1]], [[0, 1, 2]]),
    "a folded box": ([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2, 3]]),  # round the square, not row by row
    "no length": ([[0], [0]], [[0, 1]]),
    "no cells": ([[0, 0], [1, 0], [0, 1]], []),
}


@pytest.mark.parametrize("name", THIN)
def test_cells_without_volume_are_refused(name: str) -> None:
    points, cells = (np.array(part) for part in THIN[name])
    with pytest.raises(MeshError, match=r"without volume|no cells"):
        mesh_of("mesh x", lambda: (points.astype(float), cells), MPI.COMM_WORLD)
