"""ONNX files: onnxruntime, given raw features, says what the network says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydrodl as hd

# isort: split
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from hydrodl.application import cli
from hydrodl.files import onnx_file as onnxfile
from hydrodl.files.onnx_file import write_onnx
from hydrodl.physics.neurons import Neurons
from tests.builders.cli_runs import MOONS
from tests.builders.form_cases import TRAINED, everywhere, random_neurons, trained, untrained, wild

MESHES = Path(__file__).parents[2] / "meshes"
FORMS = {"line": "residual, relu", "plane": "table", "space": "table"}


def run(path: Path, features: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.get_inputs()[0].type]
    return dict(zip(names, session.run(names, {"features": features.astype(kind)}), strict=True))


def single(features: np.ndarray) -> np.ndarray:
    """Features as the file sees them: rounded to single precision."""
    return features.astype(np.float32).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_onnxruntime_agrees_on_every_test_point(name: str, tmp_path: Path) -> None:
    network, samples = trained(name)
    found = run(write_onnx(tmp_path / "network.onnx", network), samples.features)
    assert list(found) == ["probabilities", "label"]
    assert (found["probabilities"].dtype, found["label"].dtype) == (np.float32, np.int64)
    expected = network.predict_proba(samples.features)
    assert np.ptp(expected, axis=0).min() > 0.2  # otherwise anything would do
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found["label"], network.predict(samples.features))
    exact = network.predict_proba(single(samples.features))
    np.testing.assert_allclose(found["probabilities"], exact, rtol=0, atol=6.1e-8)  # the rounding of the output


def test_labels_are_those_of_the_network_whatever_the_offset_and_the_spread(tmp_path: Path) -> None:
    """On features that float32 would round to a few values, the file takes double."""
    network, samples = trained("plane, 2 classes")
    kept, seen = network.preprocessing, set()
    for power in range(-12, 13, 4):
        for offset in [0.0, *(10.0**k for k in range(0, 13, 3))]:
            spread = 10.0**power
            if offset > 1e10 * spread:
                continue  # where doubles hold few values themselves
            moved = replace(kept, mean=kept.mean * spread + offset, scale=kept.scale * spread)
            features = samples.features * spread + offset
            here = hd.Network(network.solution, moved)
            found = run(write_onnx(tmp_path / "network.onnx", here), features)
            np.testing.assert_array_equal(found["label"], here.predict(features), err_msg=f"{offset:g} + {spread:g} x")
            seen.add(found["probabilities"].dtype)
    assert seen == {np.dtype(np.float32), np.dtype(np.float64)}


def test_single_precision_that_changes_labels_says_how_many(tmp_path: Path) -> None:
    network, samples = trained("plane, 2 classes")
    kept = network.preprocessing
    moved = hd.Network(network.solution, replace(kept, mean=30 * kept.mean + 1.7e9, scale=30 * kept.scale))
    with pytest.warns(UserWarning, match=r"single precision \d{3,4} of 2000 points .* another label"):
        path = write_onnx(tmp_path / "network.onnx", moved, precision="single")
    features = 30 * samples.features + 1.7e9
    found = run(path, features)
    assert found["probabilities"].dtype == np.float32 and (found["label"] != moved.predict(features)).mean() > 0.05
    still = wild(hd.Domain.interval(-1, 1, 4), 0.0, hd.Position(1.0, [[0.0]] * 2))
    position = hd.Network(still.solution, hd.Preprocessing(np.array([1e9]), np.ones(1)))
    with pytest.warns(UserWarning, match=r"\d+ of 2000 points .* end elsewhere"):
        write_onnx(tmp_path / "network.onnx", position, precision="single")
    with pytest.raises(hd.InputError, match="precision is 'half', must be 'auto' or 'single' or 'double'"):
        write_onnx(tmp_path / "network.onnx", network, precision="half")


@pytest.mark.parametrize("amplitude", [1.0, 20.0])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_any_flow_in_and_far_outside_its_box(d: int, amplitude: float, tmp_path: Path) -> None:
    domain = hd.Domain.box([-3, -1, 0][:d], [2.2, 1.5, 9][:d], [31, 8, 4][:d])
    network, points = wild(domain, amplitude), single(everywhere(domain))
    points[0] = 3e38
    found = run(write_onnx(tmp_path / "network.onnx", network), points)
    path, expected = network.push(points), network.predict_proba(points)
    stopped = np.isclose(path[1:], domain.bounds[0]) | np.isclose(path[1:], domain.bounds[1])
    assert stopped.mean() > 0.1
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=1e-6)
    clear = np.abs(expected[:, 0] - 0.5) > 1e-6
    np.testing.assert_array_equal(found["label"][clear], expected.argmax(axis=1)[clear])


def test_a_graded_mesh_of_the_line(tmp_path: Path) -> None:
    network = wild(hd.Domain.from_file(MESHES / "interval.xdmf"), 1.0)
    points = single(everywhere(network.domain))
    found = run(write_onnx(tmp_path / "network.onnx", network), points)
    np.testing.assert_allclose(found["probabilities"], network.predict_proba(points), rtol=0, atol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_neurons_become_matrix_products_on_any_mesh_of_a_box(activation: str, tmp_path: Path) -> None:
    domain = hd.Domain.box([-3, -1], [2.2, 1.5], [6, 5], cells="simplex", lumped=True)
    network, points = random_neurons(domain, Neurons(7, activation), 1.0), single(everywhere(domain))
    path = write_onnx(tmp_path / "network.onnx", network)
    np.testing.assert_allclose(run(path, points)["probabilities"], network.predict_proba(points), rtol=0, atol=1e-6)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count({"tanh": "Tanh", "relu": "Relu"}[activation]) == 3 and "GridSample" not in kinds


@pytest.mark.parametrize("name", [n for n in TRAINED if n != "space, 3 classes, PCA"])
def test_another_implementation_agrees(name: str, tmp_path: Path) -> None:
    """The file means what the standard says, not what one program makes of it."""
    network, samples = trained(name)
    features = samples.features[:6]
    path = write_onnx(tmp_path / "network.onnx", network)
    inputs = {"features": features.astype(np.float32)}
    probabilities, label = ReferenceEvaluator(str(path)).run(["probabilities", "label"], inputs)
    np.testing.assert_allclose(probabilities, network.predict_proba(features), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(label, network.predict(features))


def test_without_a_readout_the_last_position_comes_out(tmp_path: Path) -> None:
    domain = hd.Domain.box([-3, -1], [2.2, 1.5], [9, 8])
    network, points = wild(domain, 0.5, hd.Position(1.0, [[-1.0, 0.0], [1.0, 1.0]])), single(everywhere(domain))
    found = run(write_onnx(tmp_path / "network.onnx", network), points)
    assert list(found) == ["position"] and found["position"].dtype == np.float32
    np.testing.assert_allclose(found["position"], network.transform(points), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["line, 3 classes, PCA", "plane, 3 classes, PCA", "neurons, tanh", "space, lifted"])
def test_rows_that_are_not_finite_are_told_and_leave_the_others_alone(name: str, tmp_path: Path) -> None:
    network, samples = trained(name)
    path, features = write_onnx(tmp_path / "network.onnx", network), samples.features[:9].copy()
    whole = run(path, features)
    features[1, 0], features[4, -1], features[6, 0] = np.nan, np.inf, -np.inf
    found, fine = run(path, features), [0, 2, 3, 5, 7, 8]
    assert np.isnan(found["probabilities"][[1, 4, 6]]).all()
    np.testing.assert_array_equal(found["label"][[1, 4, 6]], -1)
    np.testing.assert_allclose(found["probabilities"][fine], whole["probabilities"][fine], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(found["label"][fine], whole["label"][fine])


@pytest.mark.parametrize("name", ["line, 3 classes, PCA", "plane, 2 classes", "space, lifted", "neurons, tanh"])
def test_one_row_and_no_row(name: str, tmp_path: Path) -> None:
    network, samples = trained(name)
    path = write_onnx(tmp_path / "network.onnx", network)
    assert run(path, samples.features[:1])["label"].shape == (1,)
    assert run(path, samples.features[:0])["probabilities"].shape == (0, len(network.class_names))


@pytest.mark.parametrize("name", TRAINED)
def test_the_file_says_what_it_is(name: str, tmp_path: Path) -> None:
    network, samples = trained(name)
    model = onnx.load(write_onnx(tmp_path / "network.onnx", network))
    onnx.checker.check_model(model, full_check=True)
    words = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(words["class_names"]) == list(network.class_names)
    assert json.loads(words["feature_names"]) == list(samples.feature_names)
    assert words["hydrodl_version"] == hd.__version__ == model.producer_version
    assert words["opset"] == "20" and [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
    control = network.solution.problem.control
    assert words["form"] == (f"residual, {control.activation}" if control else FORMS[name.split(",")[0]])
    (features,) = model.graph.input
    assert [axis.dim_param or axis.dim_value for axis in features.type.tensor_type.shape.dim] == [
        "rows",
        samples.features.shape[1],
    ]


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    network, _ = trained("plane, 2 classes")
    first, second = (write_onnx(tmp_path / name, network).read_bytes() for name in ("a.onnx", "b.onnx"))
    assert first == second


# What cannot be written


@pytest.mark.parametrize(
    "make",
    [
        lambda: wild(hd.Domain.box([-1, -1], [1, 1], 4, cells="simplex"), 0.1),
        lambda: wild(hd.Domain.from_file(MESHES / "disc.msh"), 0.1),
        lambda: wild(hd.Domain.interval(-1, 1, 9, degree=2), 0.1),
        lambda: random_neurons(hd.Domain.from_file(MESHES / "disc.msh"), Neurons(3), 0.1),
    ],
)
def test_networks_without_an_exact_form_are_refused(make: Any, tmp_path: Path) -> None:
    with pytest.raises(hd.InputError, match=r"the (table|rectified|residual) form needs") as caught:
        write_onnx(tmp_path / "network.onnx", make())
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_onnx_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(hd.InputError, match=r"onnx is not installed; .* pip install 'hydrodl\[export\]'"):
        write_onnx(tmp_path / "network.onnx", untrained(hd.Domain.interval(-1, 1, 4)))


def test_a_network_too_large_for_the_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxfile, "LARGEST", 500)
    with pytest.raises(hd.InputError, match="at most 2 GB; use the npz format"):
        write_onnx(tmp_path / "network.onnx", untrained(hd.Domain.interval(-1, 1, 40)))
    assert not list(tmp_path.iterdir())


def test_a_failure_keeps_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = untrained(hd.Domain.interval(-1, 1, 4))
    before = write_onnx(tmp_path / "network.onnx", network).read_bytes()
    broken = network.solution.with_velocity(network.solution.velocity + 1.0)
    monkeypatch.setattr(onnxfile, "OPSET", 3)  # the checker finds nodes that this version does not know
    with pytest.raises(onnx.checker.ValidationError):
        write_onnx(tmp_path / "network.onnx", hd.Network(broken))
    assert (tmp_path / "network.onnx").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("path", ["file/network.onnx", "none/network.onnx", "."])
def test_a_path_that_cannot_be_written(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(hd.InputError, match=r"[Dd]irectory"):
        write_onnx(tmp_path / path, untrained(hd.Domain.interval(-1, 1, 4)))


# The command line


def test_the_command_writes_all_formats(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["export", str(trained), "--out", str(tmp_path / "e")]) == 0
    assert capsys.readouterr().err == ""
    assert {"fields.pvd", "network.onnx", "network.npz"} <= {path.name for path in (tmp_path / "e").iterdir()}
    features = np.random.default_rng(0).uniform(-2, 3, (50, 2))
    table = "\n".join(["x,y", *(f"{float(a)!r},{float(b)!r}" for a, b in single(features))])
    model = onnx.load(tmp_path / "e" / "network.onnx")
    names = json.loads({entry.key: entry.value for entry in model.metadata_props}["feature_names"])
    (tmp_path / "q.csv").write_text(table.replace("x,y", ",".join(names)))
    assert cli.invoke(["predict", str(trained), str(tmp_path / "q.csv"), "--out", str(tmp_path / "p.csv")]) == 0
    rows = [line.split(",")[1:] for line in (tmp_path / "p.csv").read_text().splitlines()[1:]]
    found = run(tmp_path / "e" / "network.onnx", features)["probabilities"]
    np.testing.assert_allclose(found, np.array(rows, dtype=float), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_run_on_a_mesh_file_is_exported_but_for_onnx(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mesh = MOONS.replace("nodes = 11", f'mesh = "{MESHES / "disc.msh"}"')
    Path("p.toml").write_text(mesh + "tao_max_it = 1\n")
    assert cli.invoke(["train", "p.toml", "--out", "o"]) == 3
    capsys.readouterr()
    assert cli.invoke(["export", "o", "--out", "all"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hydrodl: warning: no ONNX file: the table form needs")
    assert Path("all/network.npz").is_file() and not Path("all/network.onnx").exists()
    assert cli.invoke(["export", "o", "--format", "npz,onnx", "--out", "some"]) == 2
    assert "the table form needs" in capsys.readouterr().err and not list(Path("some").iterdir())
