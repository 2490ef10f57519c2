"""Every point of a mesh is found once, in a cell that holds it; on uniform boxes by arithmetic alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dolfinx import mesh as dmesh
from mpi4py import MPI

import hydrodl as hd
from hydrodl.common.errors import InputError
from hydrodl.mesh import point_location
from hydrodl.mesh.point_location import locate

MESHES = Path(__file__).resolve().parents[2] / "meshes"


def bent() -> hd.Domain:
    """Quadrilaterals that are no parallelograms, on a square."""
    mesh = dmesh.create_unit_square(MPI.COMM_WORLD, 8, 8, dmesh.CellType.quadrilateral)
    x = mesh.geometry.x
    x[:, 0] += 0.04 * np.sin(np.pi * x[:, 0]) * np.sin(2 * np.pi * x[:, 1])
    return hd.Domain(mesh)


DOMAINS = {
    "line": lambda: hd.Domain.interval(-1.0, 2.0, nodes=14),
    "box": lambda: hd.Domain.box([0, -1], [3, 1e-3], nodes=[7, 12]),
    "space": lambda: hd.Domain.box([0, 0, 0], [1, 2, 3], nodes=[4, 5, 6]),
    "triangles": lambda: hd.Domain.box([0, -1], [3, 1], nodes=[7, 12], cells="simplex"),
    "annulus": lambda: hd.Domain.from_file(MESHES / "annulus.msh"),
    "tetrahedra": lambda: hd.Domain.from_file(MESHES / "cube.msh"),
    "bent": bent,
}


@pytest.mark.parametrize("name", DOMAINS)
def test_a_point_is_where_its_reference_coordinates_say(name: str) -> None:
    domain, rng = DOMAINS[name](), np.random.default_rng(0)
    low, high = domain.bounds
    points = np.vstack([low + (high - low) * rng.random((500, domain.dimension)), domain.coordinates])  # nodes: borders
    found = locate(domain, points)
    assert len(np.unique(found.rows)) == len(found.rows) == len(points) - len(found.outside)
    assert len(found.outside) == 0 or name == "annulus"
    table = domain.V.element.basix_element.tabulate(0, found.reference)[0, :, :, 0]
    assert table.min() > -1e-15
    back = np.einsum("ki,kij->kj", table, domain.coordinates[domain.V.dofmap.list[found.cells]])
    np.testing.assert_allclose(back, points[found.rows], atol=1e-12)


@pytest.mark.parametrize("name", DOMAINS)
def test_points_outside_are_told(name: str) -> None:
    domain = DOMAINS[name]()
    low, high = domain.bounds
    points = np.array([low - 1e-3, high + 1e-3, low - 1e-14 * (high - low)])
    assert locate(domain, points[:2]).outside.tolist() == [0, 1]
    if domain.uniform_box:
        assert locate(domain, points).outside.tolist() == [0, 1]  # rounding is not outside


def test_boxes_need_no_search_and_no_newton(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("bb_tree", "compute_collisions_points"):
        monkeypatch.delattr(f"hydrodl.mesh.point_location.geometry.{word}")
    monkeypatch.delattr(point_location._Cells, "_newton")
    assert len(locate(DOMAINS["box"](), np.array([[1.0, -0.5]])).rows) == 1


def test_a_domain_is_made_ready_once_and_forgotten_with_it() -> None:
    domain = DOMAINS["triangles"]()
    locate(domain, domain.coordinates)
    known = point_location._KNOWN[domain]
    locate(domain, domain.coordinates)
    assert point_location._KNOWN[domain] is known
    before = len(point_location._KNOWN)
    del domain
    assert len(point_location._KNOWN) == before - 1


def test_points_of_another_dimension_are_refused() -> None:
    with pytest.raises(InputError, match=r"points have shape \(3, 1\), must be \(n, 2\)"):
        locate(DOMAINS["box"](), np.zeros((3, 1)))
