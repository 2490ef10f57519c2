"""Networks, their noisy forms, their files and their pictures do not depend on the number of ranks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from mpi4py import MPI

from hydrodl.data.density_sampling import sample_density
from hydrodl.files.archive import write_npz
from hydrodl.files.onnx_file import write_onnx
from hydrodl.network.exact_form import exact_form
from hydrodl.network.markov_chain import sample_chain
from hydrodl.network.noise_average import posterior
from hydrodl.network.random_paths import sample_paths
from hydrodl.physics.neurons import Neurons
from hydrodl.pictures import animation
from hydrodl.pictures.animation import animate
from hydrodl.pictures.calibration import plot_calibration
from hydrodl.pictures.decision import plot_decision
from hydrodl.pictures.trajectories import plot_trajectories
from tests.builders.form_cases import everywhere, random_neurons, wild
from tests.builders.networks import network, waves
from tests.builders.on_ranks import LAST, WORLD, agreed, alone_and_together, refusal

MESHES = Path(__file__).parents[2] / "meshes"
DOMAINS: dict[str, dict[str, Any]] = {
    "line": {"d": 1, "nodes": 15},
    "box": {"d": 2, "nodes": [9, 8]},
    "cube": {"d": 3, "nodes": 5},
    "P1": {"d": 2, "nodes": 6, "cells": "simplex", "lumped": False},
    "P2": {"d": 2, "nodes": 5, "cells": "simplex", "degree": 2},
    "lumped": {"d": 2, "nodes": 6, "cells": "simplex", "lumped": True},
}
RUNS = [
    "line euler-box",
    "line midpoint",
    "box euler-box",
    "box midpoint",
    "cube euler-box",
    "P1 midpoint",
    "P2 euler-box",
    "lumped euler-box",
]


def plane(comm: MPI.Comm) -> hd.Domain:
    return hd.Domain.box([-3, -1], [2.2, 1.5], [9, 8], comm=comm)


FORMS: dict[str, Callable[[MPI.Comm], hd.Network]] = {
    "line": lambda comm: wild(hd.Domain.interval(-3, 2.2, 31, comm=comm), 0.4),
    "graded": lambda comm: wild(hd.Domain.from_file(MESHES / "interval.xdmf", comm=comm), 0.1),
    "plane": lambda comm: wild(plane(comm), 2.0),
    "bridge": lambda comm: wild(plane(comm), 0.5, hd.Position(1.0, np.eye(2))),
    "space": lambda comm: wild(hd.Domain.box([-3, -1, 0], [2.2, 1.5, 9], [6, 5, 4], comm=comm), 2.0),
    "neurons": lambda comm: random_neurons(plane(comm), Neurons(6), 1.0),
}


@pytest.mark.parametrize("case", RUNS)
def test_what_noise_makes_of_a_network_does_not_depend_on_the_ranks(case: str) -> None:
    name, scheme = case.split()

    def found(comm: MPI.Comm) -> dict[str, Any]:
        net = waves(network(scheme, comm=comm, **DOMAINS[name]))
        points = np.random.default_rng(3).uniform(-2.1, 2.1, (12, net.domain.dimension))
        density = net.solution.problem.densities.values[0]
        out: dict[str, np.ndarray] = {
            "posterior": posterior(net).at(points, layer=1),
            "proba": posterior(net.solution).predict_proba(points),
            "density": sample_density(net.domain, density, 30, seed=1),
            "paths": sample_paths(net, points, 2, seed=2, substeps=2),
        }
        if net.domain.lumped and scheme == "euler-box":
            ends = sample_chain(net, points, 500, seed=3)
            out |= {"nodes": ends.nodes, "counts": ends.counts}
        return {key: np.asarray(values).tolist() for key, values in out.items()}

    one, many = alone_and_together(found)
    assert set(one) == set(agreed(many))
    assert ("counts" in one) == (case in ("line euler-box", "box euler-box", "cube euler-box", "lumped euler-box"))
    for key, values in one.items():
        np.testing.assert_allclose(many[key], values, atol=1e-10, err_msg=key)


def test_ranks_fail_together(folder: Path) -> None:
    line = waves(network("euler-box", **DOMAINS["line"]))
    bad = np.full(line.domain.owned, np.nan if LAST else 1.0)
    assert refusal(lambda: sample_density(line.domain, bad, 3)).startswith("density is not finite")
    assert refusal(lambda: animate(line, None, folder / "none" / "flow.gif"))  # type: ignore[arg-type]


def test_pictures_are_drawn_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "FRAMES", 4)
    blobs = [hd.Gaussian([m] * 2, 0.6, label=c) for c, m in enumerate((-0.5, 0.6, 0.1))]
    samples, net = hd.sample_mixture(blobs, 40), waves(network("euler-box", **DOMAINS["box"]))
    drawn = [
        plot_decision(net, samples, folder / "decision.png"),
        plot_trajectories(net, samples, folder / "trajectories.png"),
        plot_calibration(net, samples, folder / "calibration.png"),
        animate(net, samples, folder / "flow.gif"),
    ]
    assert [path.name for path in drawn] == ["decision.png", "trajectories.png", "calibration.png", "flow.gif"]
    WORLD.barrier()
    assert sorted(folder.iterdir()) == sorted(drawn)
    assert all(path.stat().st_size > 1000 for path in drawn)


@pytest.mark.parametrize("name", ["line", "plane", "neurons"])
def test_certificates_do_not_depend_on_the_ranks(name: str) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (5, 1 if name == "line" else 2))
    one, many = alone_and_together(lambda comm: FORMS[name](comm).certify(points))
    agreed((many.labels.tolist(), many.radius.tolist(), many.invertible.tolist()))
    np.testing.assert_array_equal(many.labels, one.labels)
    np.testing.assert_allclose(many.radius, one.radius, rtol=1e-6)
    np.testing.assert_allclose(many.stretch, one.stretch, rtol=1e-9)


@pytest.mark.parametrize("name", FORMS)
def test_any_number_of_ranks_writes_the_same_files(name: str, folder: Path, tmp_path: Path) -> None:
    """Each rank writes its own files alone, into ``tmp_path``, and all of them write one together."""
    for comm, where in ((MPI.COMM_SELF, tmp_path / "alone"), (WORLD, folder / "together")):
        where.mkdir(exist_ok=True)
        net = FORMS[name](comm)
        write_onnx(where / "form.onnx", net)
        write_npz(where / "form.npz", net.solution)
        points = everywhere(net.domain, 300)
        if name == "graded":  # that mesh is no box to the network, which stops points a little inside
            points = np.clip(points, -2, 2)
        np.testing.assert_allclose(exact_form(net).push(points), net.push(points), rtol=0, atol=1e-12)
    WORLD.barrier()
    alone, together = tmp_path / "alone", folder / "together"
    assert (together / "form.onnx").read_bytes() == (alone / "form.onnx").read_bytes()
    with np.load(alone / "form.npz") as one, np.load(together / "form.npz") as many:
        assert set(one) == set(many)
        for key in ("counts", "steps", "velocity", "neuron_weights", "coefficients", "input_matrix", "lower"):
            if key in one:
                np.testing.assert_array_equal(many[key], one[key])


def test_a_file_that_cannot_be_is_refused_on_every_rank(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disc = wild(hd.Domain.from_file(MESHES / "disc.msh"), 0.1)
    assert "the table form needs" in refusal(lambda: write_onnx(folder / "disc.onnx", disc))
    fine = FORMS["line"](WORLD)
    assert "No such file" in refusal(lambda: write_onnx(folder / "none" / "line.onnx", fine))
    if WORLD.rank == 0:
        monkeypatch.setitem(sys.modules, "onnx", None)
    assert "onnx is not installed" in refusal(lambda: write_onnx(folder / "line.onnx", fine))
    assert not list(folder.iterdir())


def test_lifted_networks_do_not_depend_on_the_ranks() -> None:
    samples = hd.load_dataset("circles", n=80, noise=0.1, dimensions=3)

    def found(comm: MPI.Comm) -> tuple[float, np.ndarray]:
        domain = hd.Domain.around(samples, nodes=7, margin=[0.5, 0.5, 1.0], comm=comm)
        rho = hd.densities(samples, domain, bandwidth=0.4)
        physics = hd.Lagrangian(noise=0.05, smoothness=0.1)
        solution = hd.train(hd.Problem(domain, hd.layers(2), rho, physics, hd.Classification(10.0)))
        assert solution.converged
        return solution.objective, hd.Network(solution).predict_proba(samples.features)[:, 1]

    (objective, chances), many = alone_and_together(found)
    assert max(chances) > 0.6 and min(chances) < 0.4
    assert many[0] == pytest.approx(objective, rel=1e-9)
    np.testing.assert_allclose(many[1], chances, atol=1e-6)
