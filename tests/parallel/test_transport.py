"""A bridge and a held-out snapshot do not depend on the number of ranks."""

from __future__ import annotations

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from tests.builders.on_ranks import WORLD, each_alone_and_together, refusal


def ends(comm: MPI.Comm) -> tuple[hd.Densities, hd.Densities]:
    domain = hd.Domain.box([-2.5, -2.5], [2.5, 2.5], 15, comm=comm)
    start = hd.mixture([hd.Gaussian([-0.4, 0.0], 0.6)], domain)
    scaled = hd.Preprocessing(np.zeros(2), np.array([2.0, 3.0]))
    return (
        hd.Densities(domain, start.values, start.class_names, scaled),
        hd.mixture([hd.Gaussian([0.4, 0.2], 0.7)], domain),
    )


def test_a_bridge_does_not_depend_on_the_ranks() -> None:
    one, many = each_alone_and_together(lambda comm: hd.bridge(*ends(comm), hd.layers(3), 0.3, tolerance=0.1))
    assert one.converged
    for name in ("converged", "reason", "rounds"):
        assert getattr(many, name) == getattr(one, name), name
    for name in ("cost", "raw_cost", "distance", "sinkhorn_cost"):
        assert getattr(many, name) == pytest.approx(getattr(one, name), rel=1e-6), name


def test_a_mass_that_only_some_ranks_could_see_to_be_wrong_is_refused_by_all() -> None:
    start, target = ends(WORLD)
    heavy = hd.Densities(target.domain, 1.5 * target.values, target.class_names)
    assert "mass" in refusal(lambda: hd.bridge(start, heavy, hd.layers(3), 0.3))


def test_a_held_out_snapshot_does_not_depend_on_the_ranks() -> None:
    rng = np.random.default_rng(0)
    sets = hd.snapshots([0, 1, 2], [rng.standard_normal((60, 2)) * 0.6 + [shift, 0.0] for shift in (0.0, 0.5, 1.0)])
    # the same on all ranks is all that is asked
    few = {"max_rounds": 1, "floor": 1e-2, "options": {"tao_gatol": 1e-3}}
    small = {"layers": 2, "nodes": 13, "bandwidth": 0.5, "draws": 60}
    one, many = each_alone_and_together(lambda comm: hd.leave_one_out(sets, 1, 0.3, **small, **few, comm=comm))
    assert [many.distance, *many.baselines.values()] == pytest.approx([one.distance, *one.baselines.values()], rel=1e-3)
