"""Checkpoints come back as they were, damaged or foreign ones are refused, exported fields hold the right values."""

from __future__ import annotations

import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hydrodl  # noqa: F401  # first: it loads the platform in the order that works

# isort: split
import h5py
import numpy as np
import pytest

from hydrodl.common.errors import InputError
from hydrodl.files.archive import write_npz
from hydrodl.files.checkpoint import load_checkpoint, save_checkpoint
from hydrodl.files.paraview import write_vtk
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather, lexicographic
from hydrodl.mesh.layer_partition import layers

TIMES = [0.0, 0.25, 1.0]


def smooth(x: np.ndarray, seed: int) -> np.ndarray:
    """A different smooth field for every seed."""
    return np.sin(x @ np.arange(1.0, x.shape[1] + 1) + seed) + seed


def fake_solution(domain: Domain, class_names: tuple[str, ...] = ("a", "b"), partition: Any = None) -> Any:
    """What storage needs to know of a Solution: rho_c(t_k) = smooth(100 + 10 k + c) and so on."""
    depth = layers(TIMES if partition is None else partition)
    x, n, classes = domain.coordinates[: domain.owned], len(depth), range(len(class_names))
    densities = SimpleNamespace(class_names=class_names, preprocessing=None)
    return SimpleNamespace(
        problem=SimpleNamespace(domain=domain, layers=depth, densities=densities),
        readout=None,
        coefficients=None,
        neurons=None,
        velocity=np.array([[smooth(x, 10 * k + i) for i in range(domain.dimension)] for k in range(n)]),
        density=np.array([[smooth(x, 100 + 10 * k + c) for c in classes] for k in range(n + 1)]),
        potential=np.array([[smooth(x, -10 * k - c) for c in classes] for k in range(n + 1)]),
        jumps=np.array([[smooth(x, 7 * k - c) for c in classes] for k in range(n)]),
        objective=np.float64(1.5),
        gradient_norm=1e-9,
        converged=True,
        reason="gradient small enough",
        iterations=7,
        hessian_products=31,
        timings={"sweeps": 0.5},
        history=({"iteration": 0, "objective": 2.0},),
    )


def save_solution(path: Path, solution: Any) -> None:
    """A checkpoint of the fields of a solution, its class names and history."""
    fields = {name: getattr(solution, name) for name in ("density", "potential", "jumps")}
    facts = {"objective": solution.objective, "iterations": solution.iterations, "history": solution.history}
    facts["class_names"] = solution.problem.densities.class_names
    known = solution.problem
    save_checkpoint(path, known.domain, known.layers, solution.velocity, **fields, attributes=facts)


@pytest.fixture
def square() -> Domain:
    return Domain.box([-1, -1], [1, 2], [5, 4])


@pytest.fixture
def saved(tmp_path: Path, square: Domain) -> Path:
    save_solution(tmp_path / "solution.h5", fake_solution(square))
    return tmp_path / "solution.h5"


def refused(path: Path, domain: Domain, partition: Any = None) -> str:
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, domain, layers(TIMES if partition is None else partition))
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize(("cells", "degree"), [("box", 1), ("simplex", 2)])
def test_checkpoint_returns_every_field_exactly(tmp_path: Path, dimension: int, cells: str, degree: int) -> None:
    domain = Domain.box([-1] * dimension, [1] * dimension, 4, cells=cells, degree=degree)
    solution = fake_solution(domain)
    save_solution(tmp_path / "solution.h5", solution)
    loaded = load_checkpoint(tmp_path / "solution.h5", domain, layers(TIMES))
    assert np.array_equal(loaded.velocity, solution.velocity)
    assert loaded.density is not None and np.array_equal(loaded.density, solution.density)
    assert loaded.potential is not None and np.array_equal(loaded.potential, solution.potential)
    assert loaded.jumps is not None and np.array_equal(loaded.jumps, solution.jumps)
    assert loaded.attributes["objective"] == 1.5 and loaded.attributes["class_names"] == ["a", "b"]
    assert loaded.attributes["history"] == [{"iteration": 0, "objective": 2.0}]


def test_nodes_are_matched_by_coordinates_not_by_number(tmp_path: Path, square: Domain) -> None:
    """The same nodes numbered otherwise (here: triangles instead of quadrilaterals) find their values."""
    velocity = fake_solution(square).velocity
    save_checkpoint(tmp_path / "u.h5", square, layers(TIMES), velocity, attributes={})
    other = Domain.box([-1, -1], [1, 2], [5, 4], cells="simplex")
    assert not np.allclose(other.coordinates, square.coordinates)
    loaded = load_checkpoint(tmp_path / "u.h5", other, layers(TIMES))
    assert np.allclose(loaded.velocity, fake_solution(other).velocity, rtol=1e-13)
    assert loaded.density is None and loaded.potential is None


def test_attributes_of_numpy_and_long_histories_survive(tmp_path: Path, square: Domain) -> None:
    """An HDF5 attribute would end at 64 kB."""
    given = {"mean": np.arange(3.0), "flag": np.bool_(True), "history": [{"objective": 0.1 * k} for k in range(9000)]}
    velocity = fake_solution(square).velocity
    save_checkpoint(tmp_path / "u.h5", square, layers(TIMES), velocity, attributes=given)
    found = load_checkpoint(tmp_path / "u.h5", square, layers(TIMES)).attributes
    assert found == {"mean": [0.0, 1.0, 2.0], "flag": True, "history": given["history"]}


def test_missing_file_is_refused(tmp_path: Path, square: Domain) -> None:
    assert "no such file" in refused(tmp_path / "solution.h5", square)


def test_file_that_is_not_hdf5_is_refused(tmp_path: Path, square: Domain) -> None:
    (tmp_path / "solution.h5").write_text("objective = 1")
    assert "not an HDF5 file" in refused(tmp_path / "solution.h5", square)


def test_foreign_hdf5_file_is_refused(tmp_path: Path, square: Domain) -> None:
    with h5py.File(tmp_path / "solution.h5", "w") as h5:
        h5["x"] = np.arange(4)
    assert "of another kind" in refused(tmp_path / "solution.h5", square)


def test_newer_version_is_refused(saved: Path, square: Domain) -> None:
    with h5py.File(saved, "a") as h5:
        h5.attrs["version"] = np.bytes_("99")
    assert "version 99" in refused(saved, square)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.99])
def test_truncated_file_is_refused(saved: Path, square: Domain, keep: float) -> None:
    saved.write_bytes(saved.read_bytes()[: int(keep * saved.stat().st_size)])
    assert "corrupted or truncated" in refused(saved, square)


@pytest.mark.parametrize("name", ["velocity", "density", "potential", "nodes", "times"])
def test_changed_value_is_refused(saved: Path, square: Domain, name: str) -> None:
    with h5py.File(saved, "a") as h5:
        h5[name][1] *= 1 + 1e-15
    assert "checksum" in refused(saved, square)


def test_changed_attributes_are_refused(saved: Path, square: Domain) -> None:
    with h5py.File(saved, "a") as h5:
        text = h5["attributes"][:].tobytes()
        h5["attributes"][:] = np.frombuffer(text.replace(b"1.5", b"1.4"), np.uint8)
    assert "checksum" in refused(saved, square)


def test_damaged_byte_is_harmless_or_refused(saved: Path, square: Domain) -> None:
    whole, solution, refusals = bytearray(saved.read_bytes()), fake_solution(square), 0
    for place in range(0, len(whole), 61):
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        saved.write_bytes(damaged)
        try:
            loaded = load_checkpoint(saved, square, layers(TIMES))
        except InputError:
            refusals += 1
        else:  # a byte that nothing uses
            assert np.array_equal(loaded.velocity, solution.velocity)
            assert np.array_equal(loaded.density, solution.density)
            assert np.array_equal(loaded.potential, solution.potential)
    assert 61 * refusals >= 0.9 * (solution.velocity.nbytes + 2 * solution.density.nbytes)  # every value counts


def test_other_mesh_is_refused(saved: Path) -> None:
    assert "20 nodes in dimension 2, not 25 in dimension 2" in refused(saved, Domain.box([-1, -1], [1, 2], 5))
    assert "20 nodes in dimension 2, not 20 in dimension 1" in refused(saved, Domain.interval(-1, 1, 20))
    assert "nodes lie elsewhere" in refused(saved, Domain.box([-1, -1], [1, 2.001], [5, 4]))
    assert "nodes lie elsewhere" in refused(saved, Domain.box([-1, -1], [1, 2], [4, 5]))


def test_other_layers_are_refused(saved: Path, square: Domain) -> None:
    assert "2 of total depth 1, not 3 of total depth 1" in refused(saved, square, 3)
    assert "2 of total depth 1, not 2 of total depth 2" in refused(saved, square, [0, 0.5, 2])
    assert "other layers" in refused(saved, square, [0, 0.5, 1])


def test_wrong_shapes_and_attributes_are_refused_before_anything_is_written(tmp_path: Path, square: Domain) -> None:
    path, solution = tmp_path / "solution.h5", fake_solution(square)
    with pytest.raises(InputError, match=r"velocity has shape \(2, 2, 19\), must be \(2, 2, 20\)"):
        save_checkpoint(path, square, layers(TIMES), solution.velocity[..., :-1], attributes={})
    with pytest.raises(InputError, match=r"density has shape \(2, 2, 20\), must be \(3, C, 20\)"):
        save_checkpoint(path, square, layers(TIMES), solution.velocity, density=solution.velocity, attributes={})
    with pytest.raises(InputError, match="cannot hold a set"):
        save_checkpoint(path, square, layers(TIMES), solution.velocity, attributes={"x": {1}})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [save_solution, write_npz])
def test_path_that_cannot_be_written_is_an_input_error(tmp_path: Path, square: Domain, write: Any) -> None:
    (tmp_path / "file").touch()
    for path, why in (("file/solution", "Not a directory"), ("none/solution", "No such file"), (".", "irectory")):
        with pytest.raises(InputError, match=why):
            write(tmp_path / path, fake_solution(square))


@pytest.mark.parametrize("write", [save_solution, write_npz])
def test_full_disk_keeps_the_older_file(tmp_path: Path, write: Any) -> None:
    path, domain = tmp_path / "solution", Domain.box([0, 0], [1, 1], 41)
    write(path, fake_solution(domain))
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            write(path, fake_solution(domain))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_full_disk_while_writing_fields_is_an_input_error(tmp_path: Path) -> None:
    solution, limits = fake_solution(Domain.box([0, 0], [1, 1], 41)), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(InputError, match="completely"):
            write_vtk(tmp_path, solution)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_gather_keeps_leading_axes(square: Domain) -> None:
    values = np.arange(2 * 3 * square.owned, dtype=float).reshape(2, 3, -1)
    whole = gather(square, values)
    assert whole is not None and np.array_equal(whole, values)


def test_lexicographic_order_is_blind_to_rounding() -> None:
    grid = np.stack(np.meshgrid([0.0, 1.0, 2.0], [5.0, 6.0], indexing="ij"), axis=-1).reshape(-1, 2)
    noisy = grid + 1e-15 * np.random.default_rng(0).normal(size=grid.shape)
    shuffle = np.random.default_rng(1).permutation(len(grid))
    assert np.allclose(noisy[shuffle][lexicographic(noisy[shuffle])], grid)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize(("cells", "degree"), [("box", 1), ("box", 2), ("simplex", 1), ("simplex", 2)])
def test_paraview_series_holds_values_and_times(tmp_path: Path, dimension: int, cells: str, degree: int) -> None:
    pyvista = pytest.importorskip("pyvista")
    domain = Domain.box([-1] * dimension, [1] * dimension, 4, cells=cells, degree=degree)
    reader = pyvista.get_reader(write_vtk(tmp_path / "out", fake_solution(domain)))
    assert np.allclose(reader.time_values, TIMES)
    for k, time in enumerate(TIMES):
        reader.set_active_time_value(time)
        grid = reader.read()[0]
        x, data = grid.points[:, :dimension], grid.point_data
        assert grid.n_points == domain.nodes
        for c, name in enumerate(("a", "b")):
            assert np.allclose(data[f"density of class {name}"], smooth(x, 100 + 10 * k + c), rtol=1e-6)
            assert np.allclose(data[f"potential of class {name}"], smooth(x, -10 * k - c), rtol=1e-6)
        assert np.allclose(data["total density"], data["density of class a"] + data["density of class b"])
        velocity = np.stack([smooth(x, 10 * min(k, 1) + i) for i in range(dimension)], axis=1)
        u, way = data["velocity"], data["displacement"]
        assert u.shape == way.shape == (domain.nodes, 3) and np.allclose(u[:, :dimension], velocity, rtol=1e-6)
        assert not u[:, dimension:].any() and bool(way.any()) == (k > 0)
        assert np.all(np.abs(x + way[:, :dimension]) < 1 + 1e-6)  # nothing leaves the box
        cells = grid.compute_cell_sizes(length=dimension == 1, area=dimension == 2, volume=dimension == 3).cell_data
        assert sum(cells[("Length", "Area", "Volume")[dimension - 1]]) == pytest.approx(2**dimension)


def test_paraview_names_are_safe_and_an_earlier_series_goes(tmp_path: Path, square: Domain) -> None:
    pyvista = pytest.importorskip("pyvista")
    for name in ("fields_notes.vtu", "fields000007.pvtu", "fields_p0_000007.vtu", "paths_000001.vtp"):
        (tmp_path / name).touch()
    write_vtk(tmp_path, fake_solution(square, partition=8))
    write_vtk(tmp_path, fake_solution(square, ("Iris setosa", "Iris-setosa", "±")))
    assert len(list(tmp_path.glob("fields_0*.vtu"))) == 3 and (tmp_path / "fields_notes.vtu").exists()
    names = set(pyvista.get_reader(tmp_path / "fields.pvd").read()[0].point_data)
    assert {f"density of class {name}" for name in ("Iris_setosa", "Iris_setosa_1", "2")} <= names
    assert not [
        name for name in ("fields000007.pvtu", "fields_p0_000007.vtu", "paths_000001.vtp") if (tmp_path / name).exists()
    ]


def test_paraview_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path, square: Domain) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Not a directory"):
        write_vtk(tmp_path / "file" / "out", fake_solution(square))


def test_npz_is_sorted_and_complete(tmp_path: Path, square: Domain) -> None:
    solution = fake_solution(square, ("a", "b", "ü"))
    solution.readout = SimpleNamespace(weights=np.ones((3, 2)), offsets=np.zeros(3))
    known = {"mean": [1.0, 2.0], "scale": [3.0, 4.0], "components": None, "feature_names": ["p", "q"]}
    solution.problem.densities.preprocessing = SimpleNamespace(to_dict=lambda: known)
    write_npz(tmp_path / "network.npz", solution)
    with np.load(tmp_path / "network.npz") as archive:
        x = archive["nodes"]
        assert np.allclose(x.reshape(5, 4, 2)[:, :, 0], np.linspace(-1, 1, 5)[:, None])
        assert np.allclose(x.reshape(5, 4, 2)[:, :, 1], np.linspace(-1, 2, 4)[None, :])
        assert np.array_equal(archive["times"], TIMES) and archive["class_names"].tolist() == ["a", "b", "ü"]
        for k in range(3):
            assert np.allclose(archive["density"][k, 2], smooth(x, 102 + 10 * k), rtol=1e-13)
            assert np.allclose(archive["potential"][k, 1], smooth(x, -10 * k - 1), rtol=1e-13)
        assert archive["velocity"].shape == (2, 2, 20) and np.allclose(archive["velocity"][1, 0], smooth(x, 10))
        assert archive["readout_weights"].shape == (3, 2) and archive["preprocessing_feature_names"][1] == "q"
        assert archive["preprocessing_scale"].tolist() == [3.0, 4.0] and "preprocessing_components" not in archive
