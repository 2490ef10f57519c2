"""Boxes without walls: shared nodes, points outside, trainings that do not know where the box begins, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.adaptivity.mesh_refinement import check_refinable
from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.files.checkpoint import load_checkpoint, save_checkpoint
from hydrodl.mesh.interpolation import interpolate, into

TORUS = hd.Domain.box([0, -1], [1, 1], [6, 8], periodic=True)


def problem(shift: int = 0, scheme: str = "euler-box") -> hd.Problem:
    """Two classes on the torus that want to be where they are not, all of it ``shift`` cells along x_1."""

    def bump(x: Floats, centre: float) -> Floats:
        return np.exp(np.cos(2 * np.pi * (x[:, 0] - centre - shift / 6)) + np.sin(np.pi * x[:, 1]))

    made = [
        hd.densities_from_function([lambda x, c=c: bump(x, c) for c in centres], TORUS)  # type: ignore[misc]
        for centres in ((0.2, 0.7), (0.5, 0.6))
    ]
    physics = hd.Lagrangian(0.05, energy=hd.Power(0.1))
    return hd.Problem(TORUS, hd.layers(3), made[0], physics, hd.Density(2.0, made[1]), scheme)


def test_opposite_walls_are_one() -> None:
    for d, periodic, nodes in ((1, True, 5), (2, (True, False), 25), (2, True, 25), (3, True, 125)):
        for cells in ("box", "simplex"):
            domain = hd.Domain.box([0] * d, [1] * d, 5, periodic=periodic, cells=cells)
            assert domain.nodes == nodes and domain.volume == pytest.approx(1.0)
            axes = list(domain.periodic)
            assert (domain.coordinates[:, axes] < 1 - 1e-9).all() and not domain.uniform_box
            assert not domain.lumped or domain.monotone


def test_fields_go_on_across_the_seam() -> None:
    x = TORUS.coordinates
    field = (np.cos(2 * np.pi * x[:, 0]) * np.sin(np.pi * x[:, 1]))[None]
    points = np.random.default_rng(0).uniform([0, -1], [1, 1], (20, 2))
    assert np.allclose(
        interpolate(TORUS, field, points), interpolate(TORUS, field, points + np.array([3, -4])), atol=1e-13
    )
    assert (into(TORUS, points + 7) == points + 7).all()
    half = hd.Domain.box([0, -1], [1, 1], [6, 8], periodic=[True, False])
    assert (into(half, np.array([[7.0, 7.0]])) == [[7.0, 1.0]]).all()


def test_waves_are_eigenvectors() -> None:
    line = hd.Domain.interval(0, 2, 9, periodic=True)
    recovery = Recovery(hd.evolve(line, hd.layers(1), hd.Lagrangian(1e-6), *np.ones((2, 1, 9))))
    h, wave = 2 / 9, np.pi * 3
    field = np.cos(wave * line.coordinates[:, 0])[None]
    assert np.allclose(recovery.laplacians(field), -((2 / h * np.sin(wave * h / 2)) ** 2) * field, atol=1e-11)
    slope = -np.sin(wave * h) / h * np.sin(wave * line.coordinates[:, 0])
    assert np.allclose(recovery.gradients(field)[0, 0], slope, atol=1e-12)


def test_training_does_not_know_where_the_box_begins() -> None:
    found = [hd.train(problem(shift)) for shift in (0, 2)]
    assert all(solution.converged for solution in found)
    assert found[0].objective == pytest.approx(found[1].objective, rel=1e-11)
    assert found[0].mass_error < 1e-14
    assert min(solution.density.min() for solution in found) > 0
    points = np.array([[0.9, 0.3], [0.05, -0.9]])
    ends = [hd.Network(s).push(points + np.array([a, 0]))[-1] for s, a in zip(found, (0, 1 / 3), strict=True)]
    assert np.allclose(ends[1] - ends[0], [1 / 3, 0], atol=1e-6)


def test_derivatives_on_the_torus() -> None:
    random = np.random.default_rng(3)
    for scheme in ("euler-box", "midpoint"):
        functional = hd.ReducedFunctional(problem(scheme=scheme))
        orders = hd.taylor_orders(functional, *0.3 * random.standard_normal((2, 3, 2, TORUS.owned)))
        assert min(orders.gradient) > 1.9 and min(orders.hessian) > 1.9


def test_files(tmp_path: Path) -> None:
    given = problem()
    solution = hd.train(given)
    save_checkpoint(tmp_path / "s.h5", TORUS, given.layers, solution.velocity, attributes={})
    assert (load_checkpoint(tmp_path / "s.h5", TORUS, given.layers).velocity == solution.velocity).all()
    hd.write_vtk(tmp_path / "vtk", solution)
    pyvista = pytest.importorskip("pyvista")
    seen = pyvista.read(next((tmp_path / "vtk").glob("fields_000000.vtu")))
    assert len(seen.points) == 7 * 9 and seen.bounds[:4] == pytest.approx((0, 1, -1, 1))
    total = interpolate(TORUS, solution.density[0].sum(axis=0)[None], seen.points[:, :2].astype(float))[:, 0]
    assert np.allclose(seen.point_data["total density"], total, rtol=1e-6)


def test_nothing_knows_where_a_ring_begins() -> None:
    """A mixture across the seam, its training, and labels: turned by a quarter they are the same, turned."""
    found = []
    for turn in (0.0, 0.5):
        ring = hd.Domain.interval(-1.0, 1.0, 24, periodic=True)
        parts = [hd.Gaussian(mean + turn, 0.2, label=mean) for mean in (-1.0, 0.0)]
        given = hd.mixture(parts, ring)
        place = np.argsort(np.mod(ring.coordinates[: ring.owned, 0] - turn + 1e-9, 2.0))
        found.append(given.values[:, place])
    assert np.allclose(*found, rtol=1e-12)
    wanted = [hd.Gaussian(0.25, 0.3, label=label) for label in (-1.0, 0.0)]
    loss = [hd.Classification(4.0), hd.Density(1.0, hd.mixture(wanted, ring))]
    network = hd.Network(hd.train(hd.Problem(ring, hd.layers(3), given, hd.Lagrangian(noise=0.1), loss)))
    points = np.linspace(-1, 1, 9)[:, None]
    shares = network.predict_proba(points)
    assert np.abs(network.push(points)[-1]).max() > 1 > np.abs(network.transform(points)).max()  # some cross the seam
    assert np.allclose(network.predict_proba(points + 4), shares, atol=1e-12)
    assert np.allclose(shares[0], shares[-1])
    with pytest.raises(hd.InputError, match="this one is periodic"):
        hd.exact_form(network)


def test_what_a_periodic_box_refuses() -> None:
    for choices, words in (
        ({"nodes": 2}, "at least 3"),
        ({"degree": 2}, "degree 1"),
        ({"periodic": [True]}, "True or False, or 2"),
        ({"periodic": 1}, "True or False"),
    ):
        with pytest.raises(hd.InputError, match=words):
            hd.Domain.box([0, 0], [1, 1], **({"nodes": 5, "periodic": True} | choices))  # type: ignore[arg-type]
    with pytest.raises(hd.InputError, match="'euler-box' and 'midpoint' are possible"):
        replace(problem(), scheme="strang")
    with pytest.raises(hd.InputError, match="a sum of neurons is not periodic"):
        replace(problem(), control=hd.Neurons(4))
    with pytest.raises(hd.InputError, match="leave stream out"):
        replace(problem(), lagrangian=hd.Lagrangian(0.1, stream=[1.0, 0.0]))
    with pytest.raises(hd.InputError, match="a periodic box cannot be refined"):
        check_refinable(hd.Domain.box([0, 0], [1, 1], 5, cells="simplex", periodic=True), 0.5)
    with pytest.raises(hd.InputError, match="this is a periodic box"):
        hd.exact_form(hd.Network(hd.train(problem())))
