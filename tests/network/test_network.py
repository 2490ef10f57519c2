"""Readout and Network: anchors, pushing points through the layers, walls, accuracy."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.mesh.interpolation import interpolate, into

MESHES = Path(__file__).parents[2] / "meshes"
TIMES = [0.0, 0.3, 0.5, 1.0]

# Readout


@pytest.mark.parametrize(
    ("classes", "d", "nearest"),
    # the smallest distance between anchors where the best spread is known
    [
        (2, 2, 2),
        (3, 2, 3**0.5),
        (5, 2, 2 * np.sin(np.pi / 5)),
        (2, 3, 2),
        (3, 3, 3**0.5),
        (4, 3, (8 / 3) ** 0.5),
        (6, 3, 2**0.5),
        (1, 2, None),
        (1, 3, None),
    ],
)
def test_anchors_are_spread_evenly_on_the_sphere(classes: int, d: int, nearest: float | None) -> None:
    readout = hd.Readout.spread(classes, d)
    assert readout.weights.shape == (classes, d)
    np.testing.assert_allclose(np.linalg.norm(readout.weights, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(readout.offsets, 0, atol=1e-12)
    if nearest is not None:
        gaps = np.linalg.norm(readout.weights[:, None] - readout.weights, axis=2)[np.triu_indices(classes, 1)]
        assert gaps.min() == pytest.approx(nearest, rel=1e-3)


def test_ten_anchors_in_space_keep_their_distance() -> None:
    a = hd.Readout.spread(10, 3).weights
    gaps = np.linalg.norm(a[:, None] - a, axis=2) + 9 * np.eye(10)
    assert gaps.min() > 1.05  # the optimum of Tammes' problem is 1.0914; of Coulomb's, a little less


@pytest.mark.parametrize(("classes", "d"), [(2, 1), (3, 1), (5, 1), (4, 2), (5, 3)])
def test_the_nearest_anchor_wins(classes: int, d: int) -> None:
    readout = hd.Readout.spread(classes, d)
    x = np.random.default_rng(0).uniform(-2, 2, (200, d))
    nearest = np.linalg.norm(x[:, None] - readout.weights, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(readout.logits(x).argmax(axis=1), nearest)


def test_probabilities_and_cross_entropy() -> None:
    readout = hd.Readout([[1.0, 0.0], [0.0, 2.0]], [0.5, -0.5])
    x = np.array([[1.0, 1.0], [0.0, 0.0], [1e4, 0.0]])
    z = np.array([[1.5, 1.5], [0.5, -0.5], [1e4 + 0.5, -0.5]])
    np.testing.assert_allclose(readout.logits(x), z)
    np.testing.assert_allclose(readout.probabilities(x)[0], [0.5, 0.5])
    np.testing.assert_allclose(readout.cross_entropy(x)[1], np.log(1 + np.exp([-1.0, 1.0])))
    np.testing.assert_allclose(readout.cross_entropy(x)[2], [0.0, 1e4 + 1])  # no overflow
    np.testing.assert_allclose(readout.probabilities(x).sum(axis=1), 1)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_aligned_recovers_a_turned_and_dealt_out_spread(d: int, classes: int) -> None:
    rng = np.random.default_rng(classes)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    means = 0.7 * (hd.Readout.spread(classes, d).weights @ turn)[rng.permutation(classes)] + 5.0
    aligned = hd.Readout.aligned(means)
    centred = means - means.mean(axis=0)
    np.testing.assert_array_equal(aligned.logits(centred).argmax(axis=1), range(classes))
    np.testing.assert_allclose(aligned.weights, centred / 0.7, atol=1e-5)


def test_aligned_is_the_best_of_all_turns_and_dealings() -> None:
    means = np.random.default_rng(3).standard_normal((4, 2))
    centred, anchors = means - means.mean(axis=0), hd.Readout.spread(4, 2).weights
    best = -np.inf
    for order in permutations(range(4)):
        best = max(best, np.linalg.svd(centred.T @ anchors[list(order)], compute_uv=False).sum())
    found = float((hd.Readout.aligned(means).weights * centred).sum())
    assert found == pytest.approx(best, rel=1e-9)


def test_aligned_with_equal_means_is_a_spread() -> None:
    weights = hd.Readout.aligned(np.ones((3, 2))).weights
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "offsets"), [(np.ones((2, 2)), [1.0]), ([[np.nan, 1]], [0.0]), (np.ones((2, 2)), [1.0, np.inf])]
)
def test_bad_readouts(weights: object, offsets: object) -> None:
    with pytest.raises(hd.InputError, match="readout: weights"):
        hd.Readout(weights, offsets)  # type: ignore[arg-type]


def test_a_readout_of_another_shape_than_the_problem() -> None:
    given = network(hd.Domain.box([-1, -1], [1, 1], 4)).solution.problem
    with pytest.raises(hd.InputError, match=r"readout has shape \(3, 2\), must be .* \(2, 2\)"):
        hd.train(replace(given, losses=hd.Classification(1.0, hd.Readout.spread(3, 2))))


# Network


def network(domain: hd.Domain, loss: object = None, times: object = TIMES) -> hd.Network:
    """An untrained network on any domain, whose velocity a test then chooses."""
    means = np.array([[-0.2], [0.3]]) * np.ones(domain.dimension)
    rho = hd.mixture([hd.Gaussian(m, 0.6, label=c) for c, m in enumerate(means)], domain)
    given = hd.Problem(
        domain, hd.layers(times), rho, hd.Lagrangian(0.1, smoothness=0.0), loss or hd.Classification(1.0)
    )  # type: ignore[arg-type]
    return hd.Network(hd.train(given, monitor=lambda entry: True))


def moving(net: hd.Network, fields: list[object]) -> hd.Network:
    x = net.domain.coordinates[: net.domain.owned]
    velocity = np.array([field(x).T for field in fields])  # type: ignore[operator]
    return hd.Network(net.solution.with_velocity(velocity))


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("cells", ["box", "simplex"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_affine_layers_are_pushed_exactly(d: int, cells: str, degree: int) -> None:
    rng = np.random.default_rng(d)
    A, b = 0.3 * rng.standard_normal((3, d, d)), 0.2 * rng.standard_normal((3, d))
    net = network(hd.Domain.box([-3.0] * d, [4.0] * d, 4, cells=cells, degree=degree))
    net = moving(net, [lambda x, k=k: x @ A[k].T + b[k] for k in range(3)])
    x = rng.uniform(-1, 1, (17, d))
    path = net.push(x)
    assert path.shape == (4, 17, d)
    np.testing.assert_array_equal(path[0], x)
    for k, step in enumerate(np.diff(TIMES)):
        np.testing.assert_allclose(path[k + 1], path[k] + step * (path[k] @ A[k].T + b[k]), atol=1e-12)


def test_bilinear_layers_are_exact_on_boxes() -> None:
    field = lambda x: np.stack([0.5 * x[:, 0] * x[:, 1] - 0.1, 0.3 * x[:, 0] * x[:, 1]], axis=1)  # noqa: E731
    net = moving(network(hd.Domain.box([-2, -2], [2, 3], [4, 5])), [field] * 3)
    path = net.push(np.random.default_rng(0).uniform(-1, 1, (30, 2)))
    for k, step in enumerate(np.diff(TIMES)):
        np.testing.assert_allclose(path[k + 1], path[k] + step * field(path[k]), atol=1e-12)


@pytest.mark.parametrize("cells", ["box", "simplex"])
def test_walls_stop_what_would_leave(cells: str) -> None:
    net = moving(
        network(hd.Domain.box([-1, -2], [1, 2], 5, cells=cells)), [lambda x: np.tile([10.0, 0.5], (len(x), 1))] * 3
    )
    path = net.push([[0.0, 0.0], [-0.9, 1.9]])
    np.testing.assert_allclose(path[1], [[1.0, 0.15], [1.0, 2.0]], atol=1e-8)
    np.testing.assert_allclose(path[-1], [[1.0, 0.5], [1.0, 2.0]], atol=1e-8)
    np.testing.assert_allclose(net.push([[7.0, 0.0]])[0], [[1.0, 0.0]], atol=1e-8)  # a point outside starts at the wall


def nearest_on_edges(domain: hd.Domain, points: np.ndarray) -> np.ndarray:
    """Distance from points to the mesh's edges, by projection onto each of them."""
    corners = domain.mesh.geometry.x[domain.mesh.geometry.dofmaps[0]][:, :, :2]
    a = np.concatenate([corners[:, i] for i in range(3)])
    along = np.concatenate([corners[:, (i + 1) % 3] for i in range(3)]) - a
    t = np.einsum("pei,ei->pe", points[:, None] - a, along) / (along**2).sum(axis=1)
    foot = a + np.clip(t, 0, 1)[..., None] * along
    return np.linalg.norm(points[:, None] - foot, axis=2).min(axis=1)


@pytest.mark.parametrize("name", ["disc", "annulus"])
def test_points_outside_a_mesh_move_to_its_nearest_point(name: str) -> None:
    domain = hd.Domain.from_file(MESHES / f"{name}.msh")
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 40)
    radius = np.random.default_rng(1).uniform(3.05, 6, 40)
    if name == "annulus":
        radius[:20] = np.random.default_rng(2).uniform(0.05, 0.9, 20)  # in the hole
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    moved = into(domain, points.copy())
    np.testing.assert_allclose(np.linalg.norm(moved - points, axis=1), nearest_on_edges(domain, points), atol=1e-7)
    assert nearest_on_edges(domain, moved).max() < 1e-7
    interpolate(domain, np.zeros((1, len(domain.coordinates))), moved)  # every one lies in the mesh
    inside = 2 * points / radius[:, None]
    np.testing.assert_array_equal(into(domain, inside.copy()), inside)


def test_push_on_a_disc_ends_at_the_rim() -> None:
    net = moving(network(hd.Domain.from_file(MESHES / "disc.msh")), [lambda x: 20 * x] * 3)
    path = net.push([[0.5, 0.2], [0.0, -1.0], [0.05, 0.0]])
    radii = np.linalg.norm(path[-1], axis=1)
    assert (radii > 2.9).all() and (radii <= 3 + 1e-9).all()
    np.testing.assert_allclose(path[-1][1], [0.0, -3.0], atol=0.1)


def test_no_points() -> None:
    assert network(hd.Domain.interval(-1, 1, 5)).push(np.zeros((0, 1))).shape == (4, 0, 1)


@pytest.mark.parametrize("points", [[[0.0]], [[0.0, np.nan]], [[np.inf, 0.0]], np.zeros((2, 2, 2)), [["a", "b"]]])
def test_bad_points(points: object) -> None:
    net = network(hd.Domain.box([-1, -1], [1, 1], 4))
    with pytest.raises(hd.InputError, match="points"):
        net.push(points)  # type: ignore[arg-type]


def test_interpolating_outside_is_an_error() -> None:
    domain = hd.Domain.interval(-1, 1, 5)
    with pytest.raises(hd.InputError, match=r"point \[1.5\] \(row 2\) lies outside feature space"):
        interpolate(domain, np.zeros((1, 5)), np.array([[0.0], [1.5]]))


def test_without_a_classification_loss_there_is_no_prediction() -> None:
    net = network(hd.Domain.interval(-1, 1, 5), hd.Position(1.0, [[-1.0], [1.0]]))
    assert net.push([[0.3]]).shape == (4, 1, 1)
    with pytest.raises(hd.InputError, match="no readout"):
        net.predict([[0.3]])


# Prediction

COMPONENTS = [hd.Gaussian([-1.0, 0.4], 0.35, label="left"), hd.Gaussian([0.9, -0.2], 0.35, label="right")]


@pytest.fixture(scope="module")
def trained() -> tuple[hd.Network, hd.Samples]:
    samples = hd.sample_mixture(COMPONENTS, 200, seed=1)
    domain = hd.Domain.around(samples, 11)
    rho = hd.densities(samples, domain, 0.3)
    solution = hd.train(
        hd.Problem(domain, hd.layers(3), rho, hd.Lagrangian(0.05, smoothness=0.0), hd.Classification(5.0))
    )
    assert solution.converged
    return hd.Network(solution), samples


def test_prediction(trained: tuple[hd.Network, hd.Samples]) -> None:
    net, samples = trained
    fresh = hd.sample_mixture(COMPONENTS, 300, seed=2)
    assert net.accuracy(samples) > 0.97 and net.accuracy(fresh) > 0.97
    chances = net.predict_proba(fresh.features)
    assert chances.shape == (300, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_array_equal(net.predict(fresh.features), chances.argmax(axis=1))
    assert net.accuracy(fresh) == (net.predict(fresh.features) == fresh.labels).mean()
    np.testing.assert_array_equal(net.transform(fresh.features), net.push(fresh.points)[-1])
    # training moves the classes apart
    before, after = net.readout.probabilities(fresh.points), chances
    own = np.arange(300), fresh.labels
    assert -np.log(after[own]).mean() < 0.8 * -np.log(before[own]).mean()


def test_preprocessing_comes_from_the_training_data() -> None:
    samples = hd.load_dataset("iris", dimensions=2)
    domain = hd.Domain.around(samples, 9)
    given = hd.Problem(
        domain, hd.layers(2), hd.densities(samples, domain), hd.Lagrangian(0.1, smoothness=0.0), hd.Classification(1.0)
    )
    net = hd.Network(hd.train(given, monitor=lambda entry: True))
    assert net.preprocessing is samples.preprocessing
    np.testing.assert_allclose(net.transform(samples.features), samples.points, atol=1e-12)  # u = 0 so far
    other = hd.Preprocessing.identity(2)
    assert hd.Network(net.solution, other).preprocessing is other


def test_accuracy_needs_the_same_classes_and_a_sample(trained: tuple[hd.Network, hd.Samples]) -> None:
    net, samples = trained
    with pytest.raises(hd.InputError, match="samples have classes"):
        net.accuracy(replace(samples, class_names=("right", "left")))
    with pytest.raises(hd.InputError, match="at least one sample"):
        net.accuracy(replace(samples, features=samples.features[:0], labels=samples.labels[:0]))
