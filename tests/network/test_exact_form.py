"""The forms of a network for other programs equal it to rounding: rectified layers, tables, neurons, NumPy scripts."""

from __future__ import annotations

import inspect
import json
import textwrap
from dataclasses import replace
from pathlib import Path

import hydrodl as hd

# isort: split
import basix.ufl
import numpy as np
import pytest
from dolfinx.mesh import create_mesh
from mpi4py import MPI
from scipy.special import softmax

from hydrodl.files.archive import write_npz
from hydrodl.mesh.gathering import lexicographic, whole
from hydrodl.network import residual_network as residual
from hydrodl.network.exact_form import exact_form
from hydrodl.network.residual_network import ResidualNetwork, neuron_form, rectify, relu_form
from hydrodl.network.table_network import TableNetwork, table_form
from hydrodl.physics.neurons import Neurons
from tests.builders.form_cases import TRAINED, everywhere, random_neurons, trained, untrained, wild

MESHES = Path(__file__).parents[2] / "meshes"
BOXES = {
    1: lambda: hd.Domain.interval(-3, 2.2, 41),
    2: lambda: hd.Domain.box([-3, -1], [2.2, 1.5], [13, 8]),
    3: lambda: hd.Domain.box([-3, -1, 0], [2.2, 1.5, 9], [6, 5, 4]),
}


def worst_layer(form: ResidualNetwork | TableNetwork, network: hd.Network, points: np.ndarray) -> float:
    """Largest difference after one layer from the same place: a wild flow is chaotic, and blows up any rounding."""
    path, worst = network.push(points), 0.0
    for k in range(len(path) - 1):
        one = replace(form, **{name: getattr(form, name)[k : k + 1] for name in layered(form)})
        worst = max(worst, float(np.abs(one.push(path[k])[1] - path[k + 1]).max()))
    return worst


def layered(form: ResidualNetwork | TableNetwork) -> list[str]:
    if isinstance(form, TableNetwork):
        return ["table", "steps"]
    return ["weights", "offsets", "outputs", "constants", "steps"]


# Rectified layers


@pytest.mark.parametrize("count", [2, 3, 4, 7, 60])
def test_a_piecewise_linear_function_is_a_sum_of_one_neuron_a_cell(count: int) -> None:
    rng = np.random.default_rng(count)
    nodes, values = np.cumsum(rng.uniform(0.01, 1, count)) - 3, rng.standard_normal((5, count))
    signs, kinks, outputs, constants = rectify(nodes, values)
    assert signs.shape == kinks.shape == outputs.shape[1:] == (count - 1,)
    x = np.concatenate([nodes, rng.uniform(nodes[0], nodes[-1], 1000)])
    found = constants[:, None] + outputs @ np.maximum(signs[:, None] * (x - kinks[:, None]), 0)
    np.testing.assert_allclose(found, [np.interp(x, nodes, v) for v in values], rtol=0, atol=1e-12)


@pytest.mark.parametrize("nodes", [101, 401])
def test_rounding_of_a_smooth_function_does_not_grow_with_the_nodes(nodes: int) -> None:
    x, points = np.linspace(-3, 3, nodes), np.random.default_rng(0).uniform(-3, 3, 3000)
    signs, kinks, outputs, constants = rectify(x, np.sin(x)[None])
    found = constants + outputs[0] @ np.maximum(signs[:, None] * (points - kinks[:, None]), 0)
    assert np.abs(found - np.interp(points, x, np.sin(x))).max() < 1e-14


@pytest.mark.parametrize("name", ["line, 3 classes, PCA", "space, lifted", *(n for n in TRAINED if "plane" in n)])
def test_trained_networks_equal_their_forms_to_rounding(name: str) -> None:
    network, samples = trained(name)
    moved = np.abs(network.push(samples.points)[-1] - samples.points).max()
    assert moved > 0.1  # otherwise anything would do
    np.testing.assert_allclose(exact_form(network).push(samples.points), network.push(samples.points), atol=1e-12)


@pytest.mark.parametrize("amplitude", [0.1, 10.0])
@pytest.mark.parametrize("nodes", [2, 3, 41, 101])
def test_rectified_layers_equal_any_flow_of_the_line(nodes: int, amplitude: float) -> None:
    network = wild(hd.Domain.interval(-3, 2.2, nodes, lumped=nodes < 40), amplitude)
    form, points = relu_form(network), everywhere(network.domain)
    assert form.offsets.shape == (3, nodes - 1) and form.activation == "relu"
    assert worst_layer(form, network, points) < 1e-12
    if amplitude < 1:
        np.testing.assert_allclose(form.push(points), network.push(points), rtol=0, atol=1e-12)
    else:
        inside = (points > -3) & (points < 2.2)
        assert (np.abs(network.push(points)[1][inside] + 0.4) == 2.6).mean() > 0.1  # the walls stop many


def test_rectified_layers_equal_a_flow_on_a_graded_mesh() -> None:
    network = wild(hd.Domain.from_file(MESHES / "interval.xdmf"), 0.2)
    points = network.push(np.linspace(-2, 2, 900)[:, None])
    assert np.abs(points).max() < 3  # away from the walls
    np.testing.assert_allclose(relu_form(network).push(points[0]), points, rtol=0, atol=1e-12)


def test_the_wall_is_two_more_rectified_neurons() -> None:
    form = relu_form(wild(hd.Domain.interval(-3, 2.2, 21), 30.0))
    x = np.linspace(-3, 2.2, 500)[:, None]
    y = x + form.steps[0] * (np.maximum(x @ form.weights[0].T + form.offsets[0], 0) @ form.outputs[0].T)
    y += form.steps[0] * form.constants[0]
    wall = form.lower + np.maximum(y - form.lower, 0) - np.maximum(y - form.upper, 0)
    assert (y < -3).any() and (y > 2.2).any()
    np.testing.assert_allclose(wall, form.push(x)[1], rtol=0, atol=1e-14)


def test_rectified_layers_are_for_one_interval_of_degree_one() -> None:
    points, cells = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]), np.array([[0, 1], [1, 2], [3, 4]])
    gap = create_mesh(MPI.COMM_SELF, cells, basix.ufl.element("Lagrange", "interval", 1, shape=(1,)), points)
    for domain, reason in (
        (hd.Domain.box([-1, -1], [1, 1], 4), "needs d = 1, feature space has d = 2"),
        (hd.Domain.interval(-1, 1, 9, degree=2), "these have degree 2"),
        (hd.Domain(gap, lumped=True), "this one has gaps"),
    ):
        with pytest.raises(hd.InputError, match=reason):
            relu_form(wild(domain, 0.1))
    with pytest.raises(hd.InputError, match="neurons already"):
        relu_form(random_neurons(hd.Domain.interval(-1, 1, 5), Neurons(3), 1.0))


# Tables


@pytest.mark.parametrize("amplitude", [0.3, 20.0])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_tables_equal_any_flow_on_a_box(d: int, amplitude: float) -> None:
    network = wild(BOXES[d](), amplitude)
    form, points = table_form(network), everywhere(network.domain)
    assert form.table.shape[:2] == (3, d) and form.table[0, 0].size == network.domain.nodes
    assert worst_layer(form, network, points) < 1e-12
    if amplitude < 1:
        np.testing.assert_allclose(form.push(points), network.push(points), rtol=0, atol=1e-12)
    else:
        before, after = network.push(points)[:2]
        stopped = np.isclose(after, network.domain.bounds[0]) | np.isclose(after, network.domain.bounds[1])
        assert (stopped & ~np.isclose(before, after)).mean() > 0.1


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: hd.Domain.box([-1, -1], [1, 1], 4, cells="simplex"), "other cells or from a file with degree 1"),
        (lambda: hd.Domain.box([-1, -1], [1, 1], 4, degree=2), "a box with degree 2"),
        (lambda: hd.Domain.from_file(MESHES / "disc.msh"), "other cells or from a file with degree 1"),
    ],
)
def test_other_meshes_have_no_table(make: object, found: str) -> None:
    network = wild(make(), 0.1)  # type: ignore[operator]
    with pytest.raises(hd.InputError, match=f"{found}; the npz format holds any mesh"):
        exact_form(network)


# Neurons


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_neurons_are_the_network_and_not_their_interpolant(d: int, activation: str) -> None:
    network = random_neurons(BOXES[d](), Neurons(9, activation, seed=4), 1.0)
    form, points = exact_form(network), everywhere(network.domain)
    assert isinstance(form, ResidualNetwork) and form.activation == activation
    assert worst_layer(form, network, points) < 1e-12
    table = table_form(hd.Network(replace(network.solution, coefficients=None)))
    assert np.abs(table.push(points) - network.push(points)).max() > 0.1
    with pytest.raises(hd.InputError, match="no table equals"):
        table_form(network)


def test_neurons_live_on_any_mesh_of_a_box() -> None:
    square = random_neurons(hd.Domain.from_file(MESHES / "square.msh"), Neurons(5), 1.0)
    points = everywhere(square.domain)
    assert worst_layer(neuron_form(square), square, points) < 1e-6  # a mesh that is no box stops points a little inside
    inside = np.abs(square.push(points)).max(axis=(0, 2)) < 3 - 1e-6
    assert inside.sum() > 100
    np.testing.assert_allclose(neuron_form(square).push(points[inside]), square.push(points[inside]), atol=1e-12)
    with pytest.raises(hd.InputError, match="no box"):
        neuron_form(random_neurons(hd.Domain.from_file(MESHES / "disc.msh"), Neurons(5), 1.0))
    with pytest.raises(hd.InputError, match="no neurons"):
        neuron_form(untrained(hd.Domain.interval(-1, 1, 4)))


# Both


def test_all_nodes_come_sorted_and_keep_their_values() -> None:
    domain = hd.Domain.from_file(MESHES / "square.msh")
    x = domain.coordinates[: domain.owned]
    nodes, values = whole(domain, x.T[None])
    np.testing.assert_array_equal(values[0].T, nodes)
    np.testing.assert_array_equal(lexicographic(nodes), np.arange(len(nodes)))
    assert not np.array_equal(nodes, x)


@pytest.mark.parametrize("name", ["line, 3 classes, PCA", "plane, 2 classes", "neurons, tanh"])
def test_forms_survive_json_exactly(name: str) -> None:
    network, samples = trained(name)
    form = exact_form(network)
    read = type(form).from_dict(json.loads(json.dumps(form.to_dict())))
    np.testing.assert_array_equal(read.push(samples.points), form.push(samples.points))


def test_many_points_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    form = relu_form(wild(hd.Domain.interval(-3, 2.2, 21), 1.0))
    points = np.linspace(-4, 4, 101)[:, None]
    whole = form.push(points)
    monkeypatch.setattr(residual, "_BLOCK", 7 * 20)
    np.testing.assert_allclose(form.push(points), whole, rtol=0, atol=1e-13)
    assert form.push(np.zeros((0, 1))).shape == (4, 0, 1)


def test_bad_points() -> None:
    box = hd.Domain.box([-1, -1], [1, 1], 4)
    for form in (table_form(untrained(box)), neuron_form(random_neurons(box, Neurons(3), 1.0))):
        for points in ([[0.0]], [[0.0, np.nan]], np.zeros((2, 2, 2)), [["a", "b"]]):
            with pytest.raises(hd.InputError, match="points"):
                form.push(points)  # type: ignore[arg-type]


# The archive


def scripts() -> tuple[str, str]:
    """The two scripts in the documentation of write_npz: of a table, and the loop of neurons."""
    blocks: list[list[str]] = [[]]
    for line in (inspect.getdoc(write_npz) or "").splitlines():
        if line.startswith("    "):
            blocks[-1].append(line)
        elif line and blocks[-1]:
            blocks.append([])
    table, neurons = (textwrap.dedent("\n".join(block)) for block in blocks if block and "np." in block[0])
    return table, neurons


def predicted(path: Path, features: np.ndarray) -> np.ndarray:
    """What somebody with NumPy and the documentation gets from an archive."""
    table, neurons = (script.replace("network.npz", str(path)) for script in scripts())
    names = {"np": np, "features": features}
    with np.load(path) as archive:
        if "coefficients" in archive:
            start, rest = table.split("for step")
            table = start + neurons + "\nlogits" + rest.split("logits", 1)[1]
    exec(table, names)
    return np.asarray(names["probabilities"])


@pytest.mark.parametrize("name", TRAINED)
def test_the_documented_script_predicts(name: str, tmp_path: Path) -> None:
    network, samples = trained(name)
    write_npz(tmp_path / "network.npz", network.solution)
    expected = network.predict_proba(samples.features)
    np.testing.assert_allclose(predicted(tmp_path / "network.npz", samples.features), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_documented_script_stops_at_the_walls(d: int, tmp_path: Path) -> None:
    network = wild(BOXES[d](), 0.6)
    write_npz(tmp_path / "network.npz", network.solution)
    points = everywhere(network.domain)
    expected = softmax(network.readout.logits(network.push(points)[-1]), axis=1)
    np.testing.assert_allclose(predicted(tmp_path / "network.npz", points), expected, rtol=0, atol=1e-11)


def test_an_archive_of_a_mesh_without_order_has_no_counts(tmp_path: Path) -> None:
    write_npz(tmp_path / "disc.npz", wild(hd.Domain.from_file(MESHES / "disc.msh"), 0.1).solution)
    with np.load(tmp_path / "disc.npz") as archive:
        assert "counts" not in archive and "coefficients" not in archive
        np.testing.assert_array_equal(archive["input_matrix"], np.eye(2))
        np.testing.assert_allclose(archive["steps"], [0.3, 0.2, 0.5])
        np.testing.assert_allclose(archive["upper"], [3, 3], atol=0.02)
