"""Second derivatives entry by entry: what they are, and that a problem's own functions stand in what is kept."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI

import hydrodl as hd
from hydrodl.common.errors import SolverError
from hydrodl.discretisation.second_derivatives import entries_of, linear_parts


def evaluated(nodes: int, weight: float) -> tuple[np.ndarray, weakref.ref[dmesh.Mesh]]:
    """Second derivatives of c det(J) z_0^2 z_1 + c^2 z_1 d/dx z_0 at the first point of a mesh of (0, 1)."""
    mesh = dmesh.create_interval(MPI.COMM_SELF, nodes, (0.0, 1.0))
    z, c = fem.Function(fem.functionspace(mesh, ("Lagrange", 1, (2,)))), fem.Constant(mesh, weight)
    z.x.array[:2] = [3.0, 5.0]
    density = c * ufl.JacobianDeterminant(mesh) * z[0] ** 2 * z[1] + c**2 * z[1] * ufl.grad(z)[0, 0]
    found = entries_of(density, z, [[(0, 0)], [(0, 1)], [(1, 1)]], lambda slot: slot)
    assert found.kinds == [[(0, 0)], [(0, 0), (1, 0)], []]
    return fem.Expression(found.vector, np.zeros((1, 1))).eval(mesh, np.array([0], dtype=np.int32)).ravel(), (
        weakref.ref(mesh)
    )


def test_every_problem_has_its_own_functions_numbers_and_mesh() -> None:
    for nodes, weight in ((4, 2.0), (10, 0.5), (4, 2.0)):
        values, mesh = evaluated(nodes, weight)
        np.testing.assert_allclose(values, [2 * weight / nodes * 5, 2 * weight / nodes * 3, weight**2], rtol=1e-12)
        gc.collect()
        assert mesh() is None  # what is kept keeps no mesh


def test_parts_of_a_condition_and_of_a_nonlinear_expression() -> None:
    domain = hd.Domain.interval(0, 1, 3)
    space = fem.functionspace(domain.mesh, ("Lagrange", 1, (2,)))
    f, v = fem.Function(domain.V), ufl.TestFunction(space)
    choice: Any = ufl.conditional(ufl.gt(f, 0), 3 * v[0], ufl.grad(v)[1, 0] / 2)
    parts = linear_parts(choice, v)
    assert set(parts) == {(0, 0), (1, 1)}
    with pytest.raises(SolverError, match="holds Power of a test function"):
        linear_parts(v[0] ** 2, v)
