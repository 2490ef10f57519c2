"""Networks run backwards: exact where layers are invertible, reported where they are not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.mesh.bounding_box import folded
from hydrodl.mesh.interpolation import interpolate
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.network.inversion import solve_layer
from hydrodl.network.network import inverse_push
from hydrodl.network.table_network import PortableNetwork
from hydrodl.physics.neurons import Neurons

MESHES = Path(__file__).parents[2] / "meshes"


def network(domain: hd.Domain, size: float, layers: int = 4) -> hd.Network:
    """Layers with a smooth velocity of a given size that vanishes at the walls of the box around the domain."""
    means = np.array([[-0.2], [0.3]]) * np.ones(domain.dimension)
    rho = hd.mixture([hd.Gaussian(m, 0.6, label=c) for c, m in enumerate(means)], domain)
    given = hd.Problem(domain, hd.layers(layers), rho, hd.Lagrangian(0.1, smoothness=0.0), hd.Classification(1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # negative densities do not matter here
        solution = hd.train(given, monitor=lambda entry: True)
    x = domain.coordinates[: domain.owned]
    low, high = domain.bounds
    quiet = np.prod(np.sin(np.pi * (x - low) / (high - low)), axis=1)
    rng = np.random.default_rng(0)
    waves = [np.sin(rng.uniform(1, 3) * x.sum(axis=1) + rng.uniform(0, 6)) for _ in range(layers * domain.dimension)]
    velocity = size * quiet * np.array(waves).reshape(layers, domain.dimension, -1)
    return hd.Network(solution.with_velocity(velocity))


def points(d: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1.5, 1.5, (n, d))


KINDS = [(d, cells, degree) for d in (1, 2, 3) for cells, degree in (("box", 1), ("simplex", 1), ("simplex", 2))]


def made(d: int, cells: str, degree: int) -> hd.Domain:
    return hd.Domain.box([-2.0] * d, [2.0] * d, 9 if d < 3 else 5, cells=cells, degree=degree)


@pytest.mark.parametrize(("d", "cells", "degree"), KINDS)
def test_gradients_are_those_of_the_velocity(d: int, cells: str, degree: int) -> None:
    maps, x = network(made(d, cells, degree), 0.3), points(d)
    e = 1e-6 * np.eye(d)
    central = [(maps.velocity(1, x + shift) - maps.velocity(1, x - shift)) / 2e-6 for shift in e]
    wrong = np.abs(maps.gradient(1, x) - np.stack(central, axis=-1)).max(axis=(1, 2)) > 1e-6
    assert wrong.mean() < 0.01  # a difference across a face of two cells is no derivative


@pytest.mark.parametrize(("d", "cells", "degree"), KINDS)
def test_the_way_back_is_the_way(d: int, cells: str, degree: int) -> None:
    net, x = network(made(d, cells, degree), 0.5), points(d)
    path = net.push(x)
    assert np.abs(path[-1] - x).max() > 0.1
    back = inverse_push(net, path[-1], failures="raise")
    assert back.shape == path.shape
    np.testing.assert_allclose(back, path, atol=1e-11)


def test_on_a_mesh_from_a_file() -> None:
    net = network(hd.Domain.from_file(MESHES / "disc.msh"), 0.5)
    path = net.push(points(2))
    np.testing.assert_allclose(inverse_push(net, path[-1], failures="raise"), path, atol=1e-10)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_neurons(activation: str) -> None:
    domain = hd.Domain.box([-2.0, -2.0], [2.0, 2.0], 7)
    rho = hd.mixture([hd.Gaussian(m, 0.5, label=c) for c, m in enumerate([[-0.5, 0.0], [0.5, 0.2]])], domain)
    given = hd.Problem(
        domain,
        hd.layers(4),
        rho,
        hd.Lagrangian(0.1, smoothness=0.0),
        hd.Classification(5.0),
        control=Neurons(10, activation),
    )
    net = hd.Network(hd.train(given))
    path = net.push(points(2) / 2)
    assert np.abs(path[-1] - path[0]).max() > 0.1
    for back in (inverse_push(net, path[-1], failures="raise"), PortableNetwork.of(net).inverse(path[-1])):
        np.testing.assert_allclose(back, path, atol=1e-10)


def hat(slope: float) -> hd.Network:
    """One layer on [-2, 2] that folds where slope < -1: u = slope |x| / 1 on the middle cells."""
    net = network(hd.Domain.interval(-2.0, 2.0, 5), 0.0, layers=1)
    x = net.domain.coordinates[: net.domain.owned, 0]
    return hd.Network(net.solution.with_velocity(np.maximum(1 - np.abs(x), 0.0)[None, None] * slope))


def test_a_fold_has_points_without_preimage_and_says_so() -> None:
    steep = hat(-3.0)  # x - 3 (1 - |x|)_+ runs from -2 over -1 -> -1, 0 -> -3, 1 -> 1: not one to one
    y = steep.push(np.linspace(-1.9, 1.9, 39)[:, None])[-1]
    back = inverse_push(steep, y)[0]  # whatever preimage is found is one
    np.testing.assert_allclose(steep.push(back)[-1], y, atol=1e-12)
    out = hat(3.0)
    pushed = hd.Network(out.solution.with_velocity(np.full_like(out.solution.velocity, 1.5)))
    with pytest.warns(RuntimeWarning, match=r"1 of 2 points have no preimage .*\(most at layer 1\)"):
        found = inverse_push(pushed, [[-1.0], [1.0]])  # nothing is pushed to -1 by a wind of 1.5 from the wall at -2
    np.testing.assert_allclose(found[0], [[-2.0], [-0.5]])
    with pytest.raises(hd.SolverError, match="no preimage"):
        inverse_push(pushed, [[-1.0]], failures="raise")
    inverse_push(pushed, [[-1.0]], failures="ignore")


@pytest.mark.parametrize("slope", [-0.95, 0.9])
def test_kinks_where_the_layer_is_invertible(slope: float) -> None:
    net = hat(slope)
    path = net.push(np.linspace(-1.99, 1.99, 400)[:, None])
    np.testing.assert_allclose(inverse_push(net, path[-1], failures="raise"), path, atol=1e-11)


@pytest.mark.parametrize("slope", [-6.0, 5.0])
def test_what_is_not_reported_is_found(slope: float) -> None:
    maps, y = hat(slope), np.linspace(-1.99, 1.99, 400)[:, None]  # every one has a preimage
    x, failed = solve_layer(maps, 0, 1.0, y)
    miss = np.abs(x + maps.velocity(0, x) - y)[:, 0]
    assert miss[~failed].max() < 1e-11 and failed.mean() < 0.05
    assert (miss[failed] > 1e-11).all()


def test_bad_arguments() -> None:
    net = network(hd.Domain.interval(-2.0, 2.0, 5), 0.1)
    with pytest.raises(hd.InputError, match="points have shape"):
        inverse_push(net, [[0.0, 1.0]])
    with pytest.raises(hd.InputError, match="not a table of numbers"):
        inverse_push(net, [["a"]])
    with pytest.raises(hd.InputError, match="failures is 'shout'"):
        inverse_push(net, [[0.0]], failures="shout")
    assert inverse_push(net, np.zeros((0, 1))).shape == (5, 0, 1)


# The same on plain arrays


@pytest.mark.parametrize("counts", [[7], [5, 8], [4, 3, 6]])
def test_a_grid_interpolates_as_the_elements_do(counts: list[int]) -> None:
    d = len(counts)
    domain = hd.Domain.box(np.arange(d) - 1.3, np.arange(d) + np.pi, counts)
    grid, order = Grid.of(domain)
    np.testing.assert_array_equal(grid.counts, counts)
    np.testing.assert_allclose(grid.nodes[order], domain.coordinates[: domain.owned], atol=1e-12)
    rng = np.random.default_rng(0)
    fields = rng.standard_normal((3, grid.size))
    np.testing.assert_array_equal(spread(domain, order, grid.size, fields[:, order]), fields)
    x = rng.uniform(grid.lower, grid.upper, (50, d))
    x[:2] = grid.lower, grid.upper
    np.testing.assert_allclose(grid.interpolate(fields, x), interpolate(domain, fields[:, order], x), atol=1e-12)
    shifts = 1e-6 * np.eye(d)
    inside = x[2:]
    central = [(grid.interpolate(fields, inside + s) - grid.interpolate(fields, inside - s)) / 2e-6 for s in shifts]
    np.testing.assert_allclose(grid.gradient(fields, inside), np.stack(central, axis=-1), atol=1e-6)
    np.testing.assert_allclose(grid.differences((grid.nodes**2).sum(axis=1)[None])[0], 2 * grid.nodes.T, atol=1e-10)


def test_a_grid_draws_from_its_density() -> None:
    grid = Grid(np.array([0.0, -1.0]), np.array([3.0, 1.0]), np.array([4, 3]))
    density = np.zeros(12)
    density[[0, 4, 8]] = 4.0, 1.0, 2.0  # the corner (0, -1), the middle (1, 0), the edge (2, 1)
    x = grid.draw(density, 40000, np.random.default_rng(0))
    assert (x >= grid.lower).all() and (x <= grid.upper).all()
    # masses 4/4, 1, 2/2; the centroid of a half triangle lies a third of the cell from its node
    expected = (np.array([1 / 3, -2 / 3]) + np.array([1.0, 0.0]) + np.array([2.0, 2 / 3])) / 3
    np.testing.assert_allclose(x.mean(axis=0), expected, atol=0.02)
    values, edges = np.histogram(x[:, 0], bins=30, range=(0, 3), density=True)
    marginal = np.interp((edges[1:] + edges[:-1]) / 2, [0, 1, 2, 3], np.array([2.0, 1.0, 1.0, 0.0]) / 3)
    np.testing.assert_allclose(values, marginal, atol=0.05)


def test_a_box_folds_at_its_walls() -> None:
    outside = np.array([[0.5], [-0.5], [2.5], [4.5], [-3.0]])
    np.testing.assert_allclose(folded(outside, np.zeros(1), np.full(1, 2.0))[:, 0], [0.5, 0.5, 1.5, 0.5, 1.0])


def test_a_grid_is_a_box() -> None:
    for domain in (hd.Domain.box([0, 0], [1, 1], 3, cells="simplex"), hd.Domain.interval(0, 1, 4, degree=2)):
        with pytest.raises(hd.InputError, match="uniform box with elements of degree 1"):
            Grid.of(domain)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_portable_network_is_the_network(d: int) -> None:
    net = network(hd.Domain.box([-2.0] * d, [2.5] * d, 5), 2.0)
    plain, x = PortableNetwork.of(net), 2 * points(d)
    np.testing.assert_allclose(plain.push(x), net.push(x), atol=1e-12)
    slow = network(hd.Domain.box([-2.0] * d, [2.5] * d, 5), 0.4)
    y = slow.push(points(d))[-1]
    np.testing.assert_allclose(PortableNetwork.of(slow).inverse(y), inverse_push(slow, y), atol=1e-11)


def test_the_inverse_of_transform_gives_features_in_their_units() -> None:
    """Of standardised features exactly; of principal components those of the same coordinates."""
    solution = network(hd.Domain.interval(-2.0, 2.0, 9), 0.3).solution
    raw = np.linspace(95.0, 105.0, 5)[:, None]
    scaled = hd.Network(solution, hd.Preprocessing(np.array([100.0]), np.array([10.0])))
    np.testing.assert_allclose(scaled.inverse(scaled.transform(raw)), raw, atol=1e-9)
    reduced = hd.Preprocessing.fit(np.random.default_rng(1).normal([5.0, 50.0], [1.0, 9.0], (30, 2)), 1)
    both = np.array([[5.5, 52.0], [4.5, 44.0]])
    seen = hd.Network(solution, reduced)
    back = seen.inverse(seen.transform(both))
    assert back.shape == both.shape
    np.testing.assert_allclose(reduced.apply(back), reduced.apply(both), atol=1e-9)
