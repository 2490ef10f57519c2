"""The series for ParaView: paths of samples, what is predicted, words, the script, and the size of it all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from matplotlib.image import imread

from hydrodl.files.paraview import write_paraview, write_vtk
from tests.builders.launch import AT_MOST
from tests.builders.networks import network, waves

pyvista = pytest.importorskip("pyvista")


def made(d: int, n: int = 30) -> tuple[hd.Network, hd.Samples]:
    samples = hd.sample_mixture([hd.Gaussian([m] * d, 0.3, label=c) for c, m in enumerate((-1.2, 1.2, 0.0))], n)
    return waves(network("euler-box", d=d, nodes={1: 21, 2: 9, 3: 5}[d])), samples


def read(path: Path, k: int) -> pyvista.DataSet:
    reader = pyvista.get_reader(path)
    reader.set_active_time_value(reader.time_values[k])
    return reader.read()[0]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_paths_end_where_the_network_puts_the_samples(d: int, tmp_path: Path) -> None:
    net, samples = made(d)
    write_vtk(tmp_path, net.solution, samples)
    pushed = net.push(net.preprocessing.apply(samples.features))
    for k in range(len(pushed)):
        series = read(tmp_path / "paths.pvd", k)
        here = series.points[series.point_data["layer"] == k]
        assert len(here) == len(samples) and series.n_cells == len(samples) * (2 if k else 1)
        columns = slice(0, 1) if d == 1 else slice(0, d)
        found, expected = (np.sort(points, axis=0) for points in (here[:, columns], pushed[k][:, columns]))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        if d == 1:
            np.testing.assert_allclose(here[:, 1], net.solution.problem.layers.times[k], atol=1e-7)
    assert np.bincount(series.point_data["class"]).tolist() == (len(pushed) * samples.counts).tolist()


def test_what_is_predicted_for_the_point_at_a_node(tmp_path: Path) -> None:
    net, _ = made(2)
    grid = read(write_vtk(tmp_path, net.solution), 1)
    ends = net.push(grid.points[:, :2])
    expected = net.readout.probabilities(ends[-1])
    for c, name in enumerate(net.class_names):
        np.testing.assert_allclose(grid[f"probability of class {name}"], expected[:, c], atol=1e-6)
    assert np.array_equal(grid["label"], expected.argmax(axis=1))
    np.testing.assert_allclose(grid["displacement"][:, :2], ends[1] - ends[0], atol=1e-6)


def test_the_words_in_a_file(tmp_path: Path) -> None:
    """Units, and what standardised coordinates are made of."""
    _, samples = made(2)
    scaled = hd.Preprocessing.fit(samples.features * [1.0, 40.0], names=("width", "größe\n"))
    domain = hd.Domain.box([-3, -3], [3, 3], 21)
    known = hd.Samples(samples.features * [1.0, 40.0], samples.labels, samples.class_names, ("a", "b"), scaled)
    problem = hd.Problem(domain, hd.layers(1), hd.densities(known, domain), hd.Lagrangian(0.1), hd.Classification(1.0))
    solution = hd.train(problem, monitor=lambda step: True)
    words = read(write_vtk(tmp_path, solution), 0).field_data
    first, second = words["coordinates"]
    assert f"x_1: width, standardised: (width - {scaled.mean[0]:.6g}) / {scaled.scale[0]:.6g}" == first
    assert second.startswith("x_2: gr\\xf6\\xdfe\\n, standardised")
    assert "nondimensional" in words["about"][0] and "per unit of volume" in words["about"][1]


def test_a_series_is_smaller_than_text(tmp_path: Path) -> None:
    """13 numbers a node and layer for two classes, in less than 60 bytes; as text they took 220 for 8 of them."""
    domain = hd.Domain.box([-2, -2], [2, 2], 61)
    rho = hd.mixture([hd.Gaussian([m, m], 0.5, label=c) for c, m in enumerate((-1, 1))], domain)
    problem = hd.Problem(domain, hd.layers(2), rho, hd.Lagrangian(0.1), hd.Classification(1.0))
    write_vtk(tmp_path, hd.train(problem, monitor=lambda step: True))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 60 * domain.nodes * 3


def test_the_script_names_no_place_and_takes_no_orders(tmp_path: Path) -> None:
    """Class names are in it as fields have them, and it runs as Python text."""
    net, samples = made(2)
    path = write_paraview(tmp_path, net, samples)
    text = path.read_text(encoding="ascii")
    compile(text, path.name, "exec")
    assert str(tmp_path) not in text and "density of class " in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pvbatch") is None, reason="ParaView is not installed")
def test_paraview_itself_draws_the_state(tmp_path: Path) -> None:
    path = write_paraview(tmp_path, *made(2))
    head = ["xvfb-run", "-a"] if shutil.which("xvfb-run") and "DISPLAY" not in os.environ else []
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LD_"))}
    done = subprocess.run(
        [*head, "pvbatch", path.name],
        cwd=tmp_path,
        env=plain,
        capture_output=True,
        text=True,
        timeout=AT_MOST,
        check=False,
    )
    if "bad X server connection" in done.stderr:
        pytest.skip("the X server did not come up")
    assert done.returncode == 0 and "Error" not in done.stderr, done.stderr
    picture = imread(tmp_path / "paraview.png")
    blue = np.abs(picture[..., :3] - np.array([0, 0x72, 0xB2]) / 255).max(axis=-1) < 0.1
    assert picture.shape[:2] == (800, 1600) and min(blue[:, :800].sum(), blue[:, 800:].sum()) > 50
