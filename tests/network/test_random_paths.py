"""Points drawn from densities, paths of the stochastic network, and the Markov chain that the densities obey."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
import ufl
from dolfinx import fem
from scipy import stats

import hydrodl as hd
from hydrodl.data.density_sampling import sample_density
from hydrodl.network.markov_chain import sample_chain
from hydrodl.network.noise_average import posterior, sweep_back
from hydrodl.network.random_paths import sample_paths
from hydrodl.physics.neurons import Neurons
from tests.builders.networks import network, rough, waves

MESHES = Path(__file__).parents[2] / "meshes"
DOMAINS: dict[str, Any] = {
    "line": lambda: hd.Domain.interval(-1, 2, 7),
    "box": lambda: hd.Domain.box([-1, 0], [1, 3], [5, 6]),
    "cube": lambda: hd.Domain.box([0] * 3, [1] * 3, 4),
    "P1": lambda: hd.Domain.box([-1, 0], [1, 3], 5, cells="simplex", lumped=False),
    "P2": lambda: hd.Domain.box([-1, 0], [1, 3], 4, cells="simplex", degree=2),
    "Q2": lambda: hd.Domain.box([-1, 0], [1, 3], 4, degree=2),
    "tetrahedra": lambda: hd.Domain.box([0] * 3, [1] * 3, 4, cells="simplex"),
    "disc": lambda: hd.Domain.from_file(MESHES / "disc.msh"),
}

# Densities


@pytest.mark.parametrize("name", DOMAINS)
def test_samples_of_a_density_have_its_moments(name: str) -> None:
    domain, n = DOMAINS[name](), 40000
    nodes = domain.coordinates[: domain.owned]
    rho = 0.3 + np.sin(3 * nodes).sum(axis=1) ** 2 / (1 + nodes[:, 0] ** 2)
    points = sample_density(domain, rho, n, seed=3)
    f, d = fem.Function(domain.V), domain.dimension
    x = ufl.SpatialCoordinate(domain.mesh)
    f.x.array[:] = rho
    dx = ufl.Measure("dx", domain=domain.mesh, metadata={"quadrature_degree": 8})

    def expected(weight: Any) -> float:
        return fem.assemble_scalar(fem.form(f * weight * dx))

    for i, j in ((0, 0), (0, 1), (d - 1, 2)):  # E x_i x_last^j
        weight, values = x[i] * x[d - 1] ** j, points[:, i] * points[:, -1] ** j
        mean = expected(weight) / expected(1.0)
        deviation = np.sqrt(expected(weight**2) / expected(1.0) - mean**2)
        assert abs(values.mean() - mean) < 3.5 * deviation / np.sqrt(n)


def test_samples_follow_the_function_between_its_nodes() -> None:
    domain = hd.Domain.interval(0, 2, 3)
    x = domain.coordinates[:, 0]
    points = sample_density(domain, np.where(np.abs(x - 1) < 0.1, 5.0, 0.0), 20000, seed=1)[:, 0]
    assert stats.kstest(points, stats.triang(0.5, 0, 2).cdf).pvalue > 0.01
    uniform = sample_density(domain, np.ones(3), 20000, seed=1)[:, 0]
    assert stats.kstest(uniform, stats.uniform(0, 2).cdf).pvalue > 0.01
    assert stats.kstest(uniform, stats.triang(0.5, 0, 2).cdf).pvalue < 1e-6


def test_cells_of_different_shape_get_their_share(tmp_path: Path) -> None:
    """Quadrilaterals that are no parallelograms: det J varies inside a cell."""
    corners = np.array([[0, 0, 0], [2, 0, 0], [3, 0, 0], [0, 1, 0], [0.7, 1, 0], [3, 3, 0]], dtype=float)
    meshio.write(tmp_path / "q.vtu", meshio.Mesh(corners, [("quad", [[0, 1, 4, 3], [1, 2, 5, 4]])]))
    domain = hd.Domain.from_file(tmp_path / "q.vtu")
    drawn = sample_density(domain, np.ones(domain.owned), 40000)
    x, one = ufl.SpatialCoordinate(domain.mesh), fem.Constant(domain.mesh, 1.0)
    area, first = (fem.assemble_scalar(fem.form(weight * ufl.dx(domain.mesh))) for weight in (one, x[0]))
    assert drawn[:, 0].mean() == pytest.approx(first / area, abs=4 * drawn[:, 0].std() / 200)
    low = drawn[(drawn[:, 1] < 0.2) & (drawn[:, 0] < 0.5)]  # a rectangle inside the first cell
    assert len(low) / 40000 == pytest.approx(0.1 / area, rel=0.08)
    assert stats.kstest(low[:, 0], stats.uniform(0, 0.5).cdf).pvalue > 0.01


def test_draws_are_reproducible_and_ignore_negative_parts() -> None:
    domain = hd.Domain.interval(-1, 1, 3)
    values = np.where(domain.coordinates[:, 0] > 0.5, 1.0, -1.0)
    points = sample_density(domain, values, 500, seed=4)
    assert points.shape == (500, 1) and points.min() > 0.5 and points.max() <= 1
    np.testing.assert_array_equal(points, sample_density(domain, values, 500, seed=4))
    assert not np.array_equal(points, sample_density(domain, values, 500, seed=5))


@pytest.mark.parametrize(
    ("values", "n", "message"),
    [
        (np.ones(4), 5, r"density has shape \(4,\), must be \(3,\)"),
        ([1.0, np.nan, 1.0], 5, "density is not finite"),
        (-np.ones(3), 5, "nowhere positive"),
        (np.ones(3), 0, "n is 0, must be a whole number of at least 1"),
        (np.ones(3), 2.5, "n is 2.5"),
    ],
)
def test_bad_densities(values: Any, n: Any, message: str) -> None:
    with pytest.raises(hd.InputError, match=message):
        sample_density(hd.Domain.interval(-1, 1, 3), values, n)


# Paths


def moving(net: hd.Network, field: Any) -> hd.Network:
    x = net.domain.coordinates[: net.domain.owned]
    velocity = np.repeat(field(x).T[None], len(net.solution.velocity), axis=0)
    return hd.Network(net.solution.with_velocity(velocity))


@pytest.mark.parametrize("substeps", [1, 3])
def test_an_affine_drift_gives_the_moments_of_the_euler_scheme(substeps: int) -> None:
    net = moving(network("euler-box", d=2, nodes=5, noise=0.01), lambda x: np.array([0.2, -0.1]) - 0.9 * x)
    ends = sample_paths(net, [[0.3, 0.2]], 40000, seed=2, substeps=substeps, fitted=False)[-1, 0]
    mean, variance = np.array([0.3, 0.2]), 0.0
    for step in np.repeat(np.diff([0.0, 0.3, 0.5, 1.0]) / substeps, substeps):
        mean = mean + step * (np.array([0.2, -0.1]) - 0.9 * mean)
        variance = (1 - 0.9 * step) ** 2 * variance + 2 * 0.01 * step
    assert np.abs(ends.mean(axis=0) - mean).max() < 4 * np.sqrt(variance / 40000)
    np.testing.assert_allclose(np.cov(ends.T), variance * np.eye(2), atol=0.03 * variance)


@pytest.mark.parametrize("choices", [{}, {"cells": "simplex", "lumped": True}], ids=["boxes", "triangles"])
def test_fitted_noise_is_what_the_densities_saw(choices: dict[str, Any]) -> None:
    """Triangles with right angles have no flux along their longest edges."""
    net = network("euler-box", d=2, nodes=[9, 9], noise=0.005, **choices)
    net = moving(net, lambda x: np.tile([0.03, -0.04], (len(x), 1)))
    variances = [
        sample_paths(net, [[0.0, 0.0]], 20000, fitted=fitted)[-1, 0].var(axis=0) for fitted in (None, True, False)
    ]
    seen = 0.005 * (1 + (np.array([0.03, 0.04]) * 0.5 / (2 * 0.005)) ** 4) ** 0.25  # axis by axis
    np.testing.assert_array_equal(variances[0], variances[1])  # the robust family trains with it
    np.testing.assert_allclose(variances[1], 2 * seen, rtol=0.05)
    np.testing.assert_allclose(variances[2], 2 * 0.005, rtol=0.05)


def test_walls_reflect() -> None:
    """Reflected noise keeps a uniform distribution uniform; a drift through the wall does not get there."""
    net = network("euler-box", d=2, nodes=5, noise=0.4)
    start = np.random.default_rng(0).uniform(-2, 2, (20000, 2))
    paths = sample_paths(net, start, seed=1)
    assert paths.shape == (4, 20000, 1, 2) and np.abs(paths).max() <= 2
    np.testing.assert_array_equal(paths[0, :, 0], start)
    for i in range(2):
        assert stats.kstest(paths[-1, :, 0, i], stats.uniform(-2, 4).cdf).pvalue > 0.01
    pushed = moving(net, lambda x: np.tile([50.0, 0.0], (len(x), 1)))
    assert np.abs(sample_paths(pushed, start[:50])).max() <= 2


def test_paths_stay_in_any_mesh() -> None:
    domain = hd.Domain.from_file(MESHES / "annulus.msh")
    rho = hd.mixture([hd.Gaussian([2.0, 0.0], 0.5), hd.Gaussian([-2.0, 0.0], 0.5, label=1)], domain)
    problem = hd.Problem(domain, hd.layers(3), rho, hd.Lagrangian(0.3, smoothness=0.0), hd.Classification(1.0))
    net = hd.Network(hd.train(problem, monitor=lambda entry: True))
    radius = np.linalg.norm(sample_paths(net, [[2.0, 0.0], [0.0, -1.5]], 50), axis=-1)
    assert radius.min() > 0.97 and radius.max() < 3 + 1e-9 and radius[-1].std() > 0.3


def test_little_noise_leaves_the_layers() -> None:
    for choices in ({"d": 1, "nodes": 9}, {"d": 2, "nodes": 5, "cells": "simplex"}, {"d": 2, "nodes": 5, "degree": 2}):
        net = waves(network("euler-box", noise=1e-16, **choices))
        x = np.random.default_rng(0).uniform(-1.5, 1.5, (7, choices["d"]))
        np.testing.assert_allclose(sample_paths(net, x, fitted=False)[:, :, 0], net.push(x), atol=1e-6)


def test_neurons_are_sampled_as_they_are() -> None:
    given = network("euler-box", d=2, nodes=4, noise=1e-16).solution.problem
    solution = hd.train(replace(given, control=Neurons(5)), monitor=lambda entry: True)
    A = np.random.default_rng(1).standard_normal(solution.coefficients.shape)
    net = hd.Network(replace(solution, coefficients=0.3 * A))
    x = np.random.default_rng(0).uniform(-1, 1, (7, 2))
    np.testing.assert_allclose(sample_paths(net, x, fitted=False)[:, :, 0], net.push(x), atol=1e-6)
    assert np.abs(net.push(x)[-1] - x).max() > 0.1


def test_paths_are_reproducible() -> None:
    net = waves(network("euler-box", d=1, nodes=9))
    first = sample_paths(net, [[0.1], [0.5]], 4, seed=3)
    assert first.shape == (4, 2, 4, 1)
    np.testing.assert_array_equal(first, sample_paths(net, [[0.1], [0.5]], 4, seed=3))
    assert not np.array_equal(first, sample_paths(net, [[0.1], [0.5]], 4, seed=4))
    assert len(np.unique(first[1])) == 8  # every path has noise of its own


def test_bad_paths() -> None:
    net = network("euler-box", d=2, nodes=4, noise=0.1)
    for arguments, message in (
        (([[0.0]],), r"points have shape \(1, 1\)"),
        (([[0.0, 0.0]], 0), "paths is 0, must be a whole number of at least 1"),
        (([[0.0, 0.0]], True), "paths is True"),
    ):
        with pytest.raises(hd.InputError, match=message):
            sample_paths(net, *arguments)
    with pytest.raises(hd.InputError, match="substeps is 0"):
        sample_paths(net, [[0.0, 0.0]], substeps=0)
    curved = network("euler-box", d=1, nodes=4, degree=2)
    with pytest.raises(hd.InputError, match="fitted noise needs elements of degree 1, these have 2"):
        sample_paths(curved, [[0.0]], fitted=True)


# Posterior against Monte Carlo


def scores(mean: np.ndarray, error: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Deviations of the first class's probability in standard errors."""
    return (mean[:, 0] - expected[:, 0]) / error[:, 0]


def agree(z: np.ndarray) -> bool:
    """Within three standard errors everywhere, and neither too far nor too near on the whole."""
    low, high = stats.chi2(len(z)).ppf([0.005, 0.995])
    return bool(np.abs(z).max() < 3 and low < (z**2).sum() < high)


@pytest.mark.parametrize(("scheme", "layers"), [("euler-box", 4), ("midpoint", 16)])
def test_posterior_against_the_chain_at_100_nodes(scheme: str, layers: int) -> None:
    """1e5 paths from each of 100 nodes; a posterior that is wrong by little is found out."""
    net = waves(network(scheme, layers, d=2, nodes=13, noise=0.1))
    x = net.domain.coordinates[np.random.default_rng(0).permutation(net.domain.nodes)[:100]]
    mean, error = sample_chain(net, x, 100000, seed=4).mean(net.readout.probabilities)
    assert error.max() < 2e-3
    expected = posterior(net).at(x)
    assert agree(scores(mean, error, expected))
    assert not agree(scores(mean, error, expected + 5e-4))
    problem = net.solution.problem
    noisier = replace(net.solution, problem=replace(problem, lagrangian=replace(problem.lagrangian, noise=0.103)))
    assert not agree(scores(mean, error, posterior(noisier).at(x)))
    other = {"euler-box": "midpoint", "midpoint": "euler-box"}[scheme]
    assert not agree(
        scores(mean, error, posterior(replace(net.solution, problem=replace(problem, scheme=other))).at(x))
    )


def test_chain_between_nodes_and_with_any_velocity() -> None:
    net = rough(network("euler-box", d=2, nodes=[6, 5], noise=0.02), 3.0)
    x = np.random.default_rng(5).uniform(-2, 2, (40, 2))
    found = sample_chain(net, x, 100000, seed=0)
    assert (found.counts.sum(axis=1) == 100000).all() and found.nodes.shape == (30, 2)
    assert agree(scores(*found.mean(net.readout.probabilities), posterior(net).at(x)))
    np.testing.assert_array_equal(found.counts, sample_chain(net, x, 100000, seed=0).counts)
    # from one node, where every path goes: row by row the transition matrix of all layers
    start = net.domain.coordinates[:1]
    counts = sample_chain(net, start, 100000, seed=2).counts[0]
    chances = sweep_back(net.solution, np.eye(30))[0][:, 0]
    order = np.lexsort(np.round(net.domain.coordinates.T[::-1], 9))
    assert stats.chisquare(counts, 100000 * chances[order] / chances.sum()).pvalue > 0.01


@pytest.mark.slow
def test_posterior_against_paths_of_the_diffusion() -> None:
    """Euler-Maruyama paths agree with the posterior up to O(Delta) + O(h^2); far from it, by the noise training saw."""
    x = np.linspace(-1.9, 1.9, 100)[:, None]

    def deviations(nodes: int, noise: float, fitted: bool) -> np.ndarray:
        net = waves(network("midpoint", 64, d=1, nodes=nodes, noise=noise))
        ends = sample_paths(net, x, 1500, seed=1, fitted=fitted)[-1]
        p = net.readout.probabilities(ends.reshape(-1, 1)).reshape(100, 1500, -1)
        return scores(p.mean(axis=1), p.std(axis=1) / np.sqrt(1500), posterior(net).at(x))

    assert agree(deviations(81, 0.15, True))
    seen, model = ((deviations(21, 0.03, fitted) ** 2).mean() for fitted in (True, False))
    assert model > 100 and model > 10 * seen


def test_chains_that_are_none() -> None:
    long = waves(network("midpoint", [0.0, 4.0], d=1, nodes=21))
    with pytest.raises(
        hd.InputError, match=r"slab 0: the midpoint scheme moves .* more layers or the euler-box scheme"
    ):
        sample_chain(long, [[0.0]], 10)
    for choices in ({"degree": 2}, {"lumped": False}):
        with pytest.raises(hd.InputError, match="needs box cells of degree 1"):
            sample_chain(network("euler-box", d=2, nodes=4, **choices), [[0.0, 0.0]], 10)
    net = network("euler-box", d=1, nodes=5, noise=0.1)
    bare = replace(net.solution.problem, lagrangian=hd.Lagrangian(0.01, fitted=False, smoothness=0.0))
    net = waves(hd.Network(replace(net.solution, problem=bare)))
    with pytest.raises(hd.InputError, match="slab 0 is no Markov chain: a rate is negative"):
        sample_chain(net, [[0.0]], 10)
    with pytest.raises(hd.InputError, match="paths is 0"):
        sample_chain(net, [[0.0]], 0)
    with pytest.raises(hd.InputError, match="points have shape"):
        sample_chain(net, [[0.0, 1.0]], 10)
