"""Meshes refined where the estimate says so: what is marked, what becomes of the mesh, what the estimate sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.mesh_refinement import cell_errors, marked, refine_cells, refined
from tests.builders.networks import network


@pytest.mark.parametrize("d", [1, 2, 3])
def test_refined_meshes_conform(d: int) -> None:
    domain = hd.Domain.box([-1.0] * d, [1.0] * d, 5, cells="simplex", lumped=True)
    corner = (domain.coordinates[domain.V.dofmap.list] < -0.4).all(axis=(1, 2))
    finer = refine_cells(domain, np.flatnonzero(corner))
    assert finer.lumped and finer.degree == 1 and not finer.uniform_box
    assert finer.volume == pytest.approx(2.0**d, rel=1e-12)
    near = (finer.coordinates < -0.4).all(axis=1).sum() / (domain.coordinates < -0.4).all(axis=1).sum()
    far = (finer.coordinates > 0.4).all(axis=1).sum() / (domain.coordinates > 0.4).all(axis=1).sum()
    assert near >= 1.5 and far == 1.0


def test_bulk_marks_the_fewest_worst_cells() -> None:
    domain = hd.Domain.interval(0.0, 1.0, 11)
    errors = np.array([8.0, 1, 1, 4, 1, 1, 2, 1, 1, 0])
    assert list(marked(domain, errors, 0.4)) == [0]
    assert list(marked(domain, errors, 0.5)) == [0, 3]
    assert list(marked(domain, errors, 0.7)) == [0, 3, 6]
    assert list(marked(domain, errors, 0.71)) == [0, 1, 2, 3, 4, 5, 6, 7, 8]  # equals go together


def test_the_estimate_knows_what_is_resolved() -> None:
    """Fields that are linear in features have no error but that of the fitted diffusion."""
    net = network("euler-box", 2, d=2, nodes=5, cells="simplex", lumped=True)
    plain, fitted = (
        replace(net.solution.problem, lagrangian=hd.Lagrangian(0.1, fitted=f, smoothness=0.0)) for f in (False, True)
    )
    x, y = net.domain.coordinates[: net.domain.owned].T
    zero = np.zeros_like(net.solution.density)
    velocity = np.array([[x - y, 2 * x]] * 2)
    flow = plain.flow(velocity, zero + x + 3, zero + x + y, zero[1:])
    linear = replace(net.solution, problem=plain, flow=flow)
    assert cell_errors(linear).max() < 1e-20
    bent = linear.with_velocity(np.array([[np.abs(x), 0 * x]] * 2))
    errors, middle = cell_errors(bent), np.abs(net.domain.coordinates[net.domain.V.dofmap.list][..., 0]).max(axis=1)
    assert errors[middle < 1.1].min() > 0 and errors[middle > 1.1].max() < 1e-20
    assert cell_errors(replace(flow, lagrangian=fitted.lagrangian)).min() > 1e-3


def test_boxes_refuse_to_be_refined() -> None:
    with pytest.raises(hd.InputError, match="cells='simplex'"):
        refined(network("euler-box", d=2, nodes=3).solution)
