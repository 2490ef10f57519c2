"""Lifting: added coordinates in preprocessing, mesh, density, readout, a trained network, a run on the disk."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest

from hydrodl.application import cli
from hydrodl.common.errors import DataError, InputError
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.tables import read_csv
from hydrodl.mesh.quadrature import moment
from hydrodl.pictures.canvas import axis_names
from hydrodl.problem_file import reading as config

CHEAP = {"tao_gatol": 1e-3}


def line(n: int = 60) -> hd.Samples:
    """One feature, the class of the samples in the middle inside that of the others: no flow of the line parts them."""
    x = np.linspace(-1, 1, n)[:, None]
    return hd.Samples(x, (np.abs(x[:, 0]) < 0.5).astype(int), ("out", "in"), ("x",), Preprocessing.fit(x, lift=1))


def trained(samples: hd.Samples, nodes: int, layers: int = 3) -> hd.Network:
    domain = hd.Domain.around(samples, nodes=nodes, margin=[*[0.5] * (samples.points.shape[1] - 1), 1.0])
    rho = hd.densities(samples, domain, bandwidth=0.3)
    physics = hd.Lagrangian(noise=0.02, smoothness=0.1)
    problem = hd.Problem(domain, hd.layers(layers), rho, physics, hd.Classification(10.0))
    return hd.Network(hd.train(problem, options=CHEAP))


# Preprocessing


@pytest.mark.parametrize(
    ("name", "words", "shape"),
    [
        ("circles", {"lift": 1}, (2, 1)),
        ("circles", {"dimensions": 3}, (2, 1)),  # more than there are features: the same
        ("circles", {"dimensions": 3, "lift": 1}, (2, 1)),
        ("circles", {"dimensions": 2, "lift": 1}, (2, 1)),
        ("circles", {"dimensions": 1, "lift": 2}, (1, 2)),
        ("circles", {"dimensions": 1, "lift": 1}, (1, 1)),
        ("wine", {"lift": 1}, (2, 1)),
        ("wine", {"dimensions": 1, "lift": 2}, (1, 2)),
    ],
)
def test_added_coordinates_are_zero_and_the_others_as_before(
    name: str, words: dict[str, int], shape: tuple[int, int]
) -> None:
    kept, added = shape
    lifted, flat = hd.load_dataset(name, **words), hd.load_dataset(name, dimensions=kept)
    assert lifted.preprocessing.lift == added and lifted.preprocessing.dimension == kept + added
    np.testing.assert_array_equal(lifted.points[:, :kept], flat.points)
    np.testing.assert_array_equal(lifted.points[:, kept:], np.zeros((len(flat), added)))


def test_lift_survives_json_and_older_files_have_none() -> None:
    lifted = hd.load_dataset("circles", lift=1)
    content = json.loads(json.dumps(lifted.preprocessing.to_dict()))
    assert np.array_equal(Preprocessing.from_dict(content).apply(lifted.features), lifted.points)
    del content["lift"]
    assert Preprocessing.from_dict(content).dimension == 2


@pytest.mark.parametrize(("name", "words"), [("circles", {"lift": 1}), ("wine", {"dimensions": 2, "lift": 1})])
def test_split_refits_and_keeps_the_lift(name: str, words: dict[str, int]) -> None:
    train, test = hd.load_dataset(name, **words).split(0.3)
    assert train.points.shape[1] == test.points.shape[1] == 3
    assert train.preprocessing.lift == 1 and not test.points[:, 2].any()
    np.testing.assert_allclose(train.points[:, :2].std(axis=0), 1, rtol=1e-12)


def test_tables_are_lifted(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,kind\n1,x\n2,x\n3,y\n4,y\n")
    for words in ({"lift": 2}, {"dimensions": 3}):
        assert read_csv(path, label="kind", **words).points.shape == (4, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"lift": 2}, "lift is 2, but 2 features and lift 2 make 4 dimensions; at most 3 are possible"),
        ({"dimensions": 3, "lift": 2}, "dimensions is 3 and lift is 2, but 2 features and lift 2 make 4"),
        ({"dimensions": 1, "lift": 3}, "lift is 3, must be 0, 1 or 2"),
        ({"dimensions": 4, "lift": 1}, "dimensions is 4, must be 1, 2 or 3"),
        ({"lift": -1}, "lift is -1, must be 0, 1 or 2"),
        ({"lift": True}, "lift is True, must be 0, 1 or 2"),
        ({"lift": 1.0}, "lift is 1.0, must be 0, 1 or 2"),
        ({"lift": "1"}, "lift is '1', must be 0, 1 or 2"),
    ],
)
def test_messages(words: dict[str, object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        hd.load_dataset("circles", **words)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_messages_of_one_feature_and_of_a_bad_preprocessing() -> None:
    with pytest.raises(DataError, match=r"^dimensions is 3 and lift is 1, but 1 feature and lift 1 make 2$"):
        Preprocessing.fit(np.arange(4.0)[:, None], dimensions=3, lift=1)
    with pytest.raises(DataError, match=r"^lift is -1, must be"):
        Preprocessing(np.zeros(2), np.ones(2), lift=-1)


# Mesh and density


def test_the_box_gives_the_added_direction_a_margin_and_the_spacing_of_the_others() -> None:
    samples = hd.load_dataset("circles", n=100, lift=1)
    domain = hd.Domain.around(samples, nodes=11, margin=[0.5, 0.5, 1.0])
    low, high = domain.bounds
    assert (low[2], high[2]) == (-1.0, 1.0)
    np.testing.assert_allclose(low[:2], samples.points[:, :2].min(axis=0) - 0.5)
    axes = [np.unique(domain.coordinates[:, i].round(12)) for i in range(3)]
    assert len(axes[0]) == len(axes[1]) == 11 and len(axes[2]) % 2 == 1 and 0.0 in axes[2]
    spacing = [np.diff(axis).max() for axis in axes]
    assert abs((len(axes[2]) - 1) * spacing[2] / max(spacing[:2]) - (len(axes[2]) - 1)) <= 1  # the nearest odd number
    for direction, count in enumerate((9, 8, 4)):  # a list is taken as it is
        chosen = hd.Domain.around(samples, nodes=[9, 8, 4]).coordinates
        assert len(np.unique(chosen[:, direction].round(12))) == count


def test_a_narrow_added_direction_still_has_a_node_in_the_middle() -> None:
    domain = hd.Domain.around(line(), nodes=5, margin=[1.0, 0.01])
    np.testing.assert_allclose(np.unique(domain.coordinates[:, 1].round(12)), [-0.01, 0, 0.01])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"margin": [1.0, 1.0]}, "margin is [1.0, 1.0], must be one number or 3"),
        ({"margin": [1.0, 1.0, -0.5]}, "margin is -0.5, must be a number that is not negative"),
        ({"margin": [1.0, 1.0, 0.0]}, "the box needs lower < upper"),
        ({"nodes": 1}, "nodes is 1, must be whole numbers of at least 2"),
        ({"nodes": [5, 5]}, "nodes is [5, 5], must be one number or 3"),
        ({"nodes": 5.5}, "nodes is 5.5, must be whole numbers"),
    ],
)
def test_messages_of_the_box(words: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        hd.Domain.around(hd.load_dataset("circles", n=20, lift=1), **words)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_the_density_is_thin_in_the_added_direction() -> None:
    """Mean 0 and variance bandwidth^2 there, exactly: the mesh has a node where the points are."""
    samples = hd.load_dataset("circles", n=80, lift=1)
    domain = hd.Domain.around(samples, nodes=15, margin=2.0)
    rho = hd.densities(samples, domain, bandwidth=0.25)
    assert rho.lift == 1 and rho.values.min() > 0
    height = domain.coordinates[: domain.owned, 2]
    for values, mass in zip(rho.values * moment(domain), rho.masses, strict=True):
        assert values @ height == pytest.approx(0, abs=1e-12)
        assert values @ height**2 / mass == pytest.approx(0.25**2, rel=1e-4)


def test_without_samples_nothing_is_lifted() -> None:
    rho = hd.densities_from_function([lambda x: np.ones(len(x))], hd.Domain.interval(-1, 1, 5))
    assert rho.preprocessing is None and rho.lift == 0


# Readout


def test_few_classes_have_their_anchors_in_the_added_directions() -> None:
    means = np.array([[1.0, 2.0, 0.0], [-1.0, 0.5, 0.0]])
    two = hd.Readout.aligned(means, lift=1)
    np.testing.assert_allclose(two.weights, [[0, 0, -1], [0, 0, 1]])
    np.testing.assert_allclose(two.offsets, 0)
    three = hd.Readout.aligned(np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]]), lift=2).weights
    np.testing.assert_allclose(three[:, 0], 0)
    np.testing.assert_allclose(three @ three.T, 1.5 * np.eye(3) - 0.5, atol=1e-12)


def test_more_classes_than_fit_there_are_turned_towards_their_means() -> None:
    means = np.array([[1.0, 0, 0], [-0.5, 0.9, 0], [-0.5, -0.9, 0]])
    lifted, plain = hd.Readout.aligned(means, lift=1), hd.Readout.aligned(means)
    np.testing.assert_array_equal(lifted.weights, plain.weights)


def test_the_problem_of_lifted_samples_takes_the_lifted_readout() -> None:
    samples = hd.load_dataset("circles", n=40, lift=1)
    rho = hd.densities(samples, hd.Domain.around(samples, nodes=7), bandwidth=0.5)
    readout = hd.Problem(
        rho.domain, hd.layers(1), rho, hd.Lagrangian(0.02, smoothness=0.0), hd.Classification()
    ).readout
    assert readout is not None
    np.testing.assert_allclose(readout.weights, [[0, 0, -1], [0, 0, 1]])


# Networks


def test_one_feature_lifted_to_the_plane() -> None:
    samples = line()
    network = trained(samples, 21)
    assert network.accuracy(samples) == 1.0
    ends = network.transform(samples.features)
    assert ends.shape == (60, 2)
    assert ends[samples.labels == 1, 1].min() > 0 > ends[samples.labels == 0, 1].max()
    assert axis_names(network.solution) == ["$x_1$ (standardised)", "added"]


@pytest.mark.slow
def test_circles_are_separated_in_space() -> None:
    samples, unseen = (hd.load_dataset("circles", n=n, noise=0.1, seed=s, lift=1) for n, s in ((300, 0), (1000, 7)))
    network = trained(samples, 11)
    assert network.accuracy(unseen) >= 0.97
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    assert (network.predict(circle) == 0).all() and (network.predict(0.5 * circle) == 1).all()
    assert axis_names(network.solution) == ["x1 (standardised)", "x2 (standardised)", "added"]


# The command line

PROBLEM = """
[data]
source = "{table}"
label = "kind"
test_fraction = 0.0
bandwidth = 0.3
[domain]
nodes = 15
margin = [0.5, 1.0]
[network]
layers = 2
[solver]
tao_gatol = 1e-3
"""


@pytest.mark.slow
def test_a_lifted_run_predicts_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    samples = line(40)
    rows = [f"{x},{samples.class_names[c]}" for x, c in zip(samples.features[:, 0], samples.labels, strict=True)]
    Path("t.csv").write_text("\n".join(["x,kind", *rows]) + "\n")
    Path("p.toml").write_text(PROBLEM.format(table="t.csv"))
    for words in (
        ["train", "p.toml", "--out", "run", "--set", "data.lift=1"],
        ["plot", "run"],
        ["export", "run", "--format", "npz"],
    ):
        assert cli.invoke(words) == 0
    solved = tomllib.loads(Path("run/problem.toml").read_text())
    assert (solved["data"]["lift"], solved["domain"]["nodes"], solved["domain"]["margin"]) == (1, [15, 7], [0.5, 1.0])
    capsys.readouterr()
    assert cli.invoke(["predict", "run", "t.csv"]) == 0
    said = [row.split(",")[0] for row in capsys.readouterr().out.splitlines()[1:]]
    truth = [samples.class_names[c] for c in samples.labels]
    assert np.mean([a == b for a, b in zip(said, truth, strict=True)]) >= 0.95
    with np.load("run/network.npz") as archive:
        assert int(archive["preprocessing_lift"]) == 1 and archive["nodes"].shape == (15 * 7, 2)


def test_lift_in_a_problem_file_of_a_mixture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("[data]\nlift = 1\n[[data.mixture]]\nmean = [0.0]\nstd = 1.0\n")
    with pytest.raises(InputError, match="data: lift does not apply to a mixture"):
        config.load(path)
