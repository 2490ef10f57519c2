"""On one rank the nodes of a uniform box are numbered as on its grid, in every space over them."""

from __future__ import annotations

import numpy as np
import pytest
from dolfinx import fem

import hydrodl as hd


@pytest.mark.parametrize("d", [1, 2, 3])
def test_nodes_are_numbered_as_the_grid(d: int) -> None:
    lower, upper, nodes = [-1.0, 0.3, 2.0][:d], [1.0, 1.4, 2.1][:d], [5, 4, 3][:d]
    domain = hd.Domain.box(lower, upper, nodes)
    axes = [np.linspace(a, b, n) for a, b, n in zip(lower, upper, nodes, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, d)
    np.testing.assert_allclose(domain.coordinates, grid, atol=1e-14)
    pair = domain.space(2)
    np.testing.assert_array_equal(pair.dofmap.list, domain.V.dofmap.list)
    field = fem.Function(pair)
    field.interpolate(lambda x: np.stack([x[0], 2 * x[d - 1]]))
    np.testing.assert_allclose(
        field.x.array.reshape(-1, 2), np.stack([grid[:, 0], 2 * grid[:, -1]], axis=1), atol=1e-14
    )
    mean = fem.assemble_scalar(fem.form(field[0] * domain.dx)) / domain.volume
    assert mean == pytest.approx(np.mean([lower[0], upper[0]]), abs=1e-14)


def test_other_meshes_keep_their_order() -> None:
    for choices in ({"cells": "simplex"}, {"degree": 2}):
        domain = hd.Domain.box([0.0, 0.0], [1.0, 1.0], 4, **choices)
        np.testing.assert_array_equal(domain.space(3).dofmap.list, domain.V.dofmap.list)
