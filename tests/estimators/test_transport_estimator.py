"""HydroTransport carries one sample to another, back, and on to new ones."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
import ot
import pytest
from scipy.stats import ks_2samp, norm
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from hydrodl.estimators.transport_checks import carrying_nodes
from hydrodl.estimators.transport_estimator import HydroTransport
from hydrodl.transport.probability_flow import ProbabilityFlow

M0, S0, M1, S1 = -1.0, 0.5, 1.5, 1.0
GRID = (np.arange(1200) + 0.5) / 1200


def wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """W_2 of two samples."""
    return float(np.sqrt(ot.emd2([], [], ot.dist(a, b), numItermax=10**6)))


# One Gaussian to another in d = 1: samples at their quantiles, so that no chance is in the test


SOURCE, TARGET = (norm(m, s).ppf(GRID)[:, None] for m, s in ((M0, S0), (M1, S1)))


@pytest.fixture(scope="module")
def line() -> HydroTransport:
    return HydroTransport(
        16, 121, noise=0.1, decay=1e-3, smoothness=0.0, bandwidth=0.1, tolerance=0.005, max_rounds=20
    ).fit(SOURCE, TARGET)


@pytest.mark.slow
def test_the_flow_is_the_monotone_map_between_gaussians(line: HydroTransport) -> None:
    """In d = 1 only one increasing map carries one density to another, whatever the noise."""
    assert line.converged_ and line.density_distance_ <= 0.005 and line.distance_ < 0.04
    width = 0.1 * line.preprocessing_.scale[0]  # of the kernel, which makes both Gaussians wider
    exact = M1 + np.sqrt((S1**2 + width**2) / (S0**2 + width**2)) * (SOURCE - M0)
    found = line.transform(SOURCE)
    typical = np.abs(SOURCE - M0)[:, 0] < 2 * S0
    np.testing.assert_allclose(found[typical], exact[typical], atol=0.03)
    assert (np.diff(found[:, 0]) > 0).all()
    assert wasserstein(found, TARGET) < 0.03 * wasserstein(SOURCE, TARGET)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["strang", "residual"])
def test_layer_maps_carry_at_the_cost_of_the_monotone_map(scheme: str) -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(-1, 0.5, (1000, 1)), rng.normal(1, 0.5, (1000, 1))
    found = HydroTransport(scheme=scheme, noise=0.02, decay=1e-3, smoothness=0.0).fit(source, target)
    least = 0.5 * float(((np.sort(source[:, 0]) - np.sort(target[:, 0])) ** 2).mean())
    assert found.converged_ and found.cost_ == pytest.approx(least, rel=0.02)
    carried = found.transform(source)
    np.testing.assert_allclose(found.inverse_transform(carried), source, atol=1e-10)
    assert (np.diff(carried[np.argsort(source[:, 0]), 0]) > 0).all()
    assert wasserstein(carried, target) < 0.02 * wasserstein(source, target)
    assert wasserstein(found.set_params(mode="bridge").transform(source), target) < 0.03 * wasserstein(source, target)


@pytest.mark.slow
def test_the_velocity_alone_is_not_that_map(line: HydroTransport) -> None:
    """The reason for the probability flow: the network of u leaves out what the noise does to the density."""
    points = line.network_.push(line.preprocessing_.apply(SOURCE))[-1]
    alone = points * line.preprocessing_.scale + line.preprocessing_.mean
    assert wasserstein(alone, TARGET) > 3 * wasserstein(line.transform(SOURCE), TARGET)


def test_there_and_back(line: HydroTransport) -> None:
    np.testing.assert_allclose(line.inverse_transform(line.transform(SOURCE)), SOURCE, atol=1e-10)
    np.testing.assert_allclose(line.transform(line.inverse_transform(TARGET)), TARGET, atol=1e-10)


def test_the_cost_is_that_of_the_schroedinger_bridge(line: HydroTransport) -> None:
    """The work of the bridge between Gaussians in closed form (demos/bridge_1d.py), in units of the features."""
    scale = float(line.preprocessing_.scale[0])
    nu, s0, s1 = 0.1 * scale**2, np.hypot(S0, 0.1 * scale), np.hypot(S1, 0.1 * scale)
    c = np.sqrt(nu**2 + s0**2 * s1**2) - nu
    v = s1**2 - c**2 / s0**2
    work = (v - 2 * nu - 2 * nu * np.log(v / (2 * nu)) + (M1 - M0) ** 2 + (c - s0**2) ** 2 / s0**2) / 2
    assert line.cost_ == pytest.approx(work, rel=0.04)  # first order in 1 / 16 layers


def test_samples_are_new_and_of_the_target(line: HydroTransport) -> None:
    fresh = line.sample(1200, random_state=0)
    assert fresh.shape == (1200, 1)
    np.testing.assert_array_equal(fresh, line.sample(1200, random_state=0))
    assert np.abs(fresh - line.sample(1200, random_state=1)).max() > 0.1
    assert ks_2samp(fresh[:, 0], TARGET[:, 0]).pvalue > 0.01
    assert ks_2samp(fresh[:, 0], SOURCE[:, 0]).pvalue < 1e-100


def test_the_noisy_flow_goes_to_the_same_densities(line: HydroTransport) -> None:
    noisy = pickle.loads(pickle.dumps(line)).set_params(mode="bridge", random_state=0)
    there = noisy.transform(SOURCE)
    assert ks_2samp(there[:, 0], TARGET[:, 0]).pvalue > 0.01
    assert ks_2samp(noisy.inverse_transform(TARGET)[:, 0], SOURCE[:, 0]).pvalue > 0.01
    np.testing.assert_array_equal(there, noisy.transform(SOURCE))
    # it is no map: what was close together is not so afterwards
    ends = noisy.transform(np.full((400, 1), M0))
    assert ends.std() > 0.3 and np.ptp(line.transform(np.full((2, 1), M0))) == 0


def test_pickle(line: HydroTransport) -> None:
    again = pickle.loads(pickle.dumps(line))
    np.testing.assert_array_equal(again.transform(SOURCE), line.transform(SOURCE))
    np.testing.assert_allclose(again.solution_.density, line.solution_.density, atol=1e-10)
    np.testing.assert_allclose(again.solution_.potential, line.solution_.potential, atol=1e-8)
    assert again.cost_ == line.cost_ and again.solution_.objective == line.solution_.objective


# The plane


@pytest.mark.slow
def test_a_gaussian_becomes_two_moons() -> None:
    source = np.random.default_rng(0).normal(0, 0.5, (400, 2))
    target, fresh = (make_moons(400, noise=0.05, random_state=seed)[0] for seed in (0, 1))
    transport = HydroTransport(6, 25, tolerance=0.15).fit(source, target)
    before = wasserstein(source, fresh)
    made = transport.transform(source)
    assert transport.distance_ < 0.3
    assert wasserstein(made, fresh) < 0.4 * before
    assert wasserstein(transport.sample(400, random_state=0), fresh) < 0.45 * before
    np.testing.assert_allclose(transport.inverse_transform(made), source, atol=1e-8)
    names = transport.get_feature_names_out(["a", "b"])
    np.testing.assert_array_equal(names, ["a", "b"])


# Conventions and bad input


def quick(**choices: Any) -> HydroTransport:
    return HydroTransport(**{"layers": 2, "nodes": 15, "tolerance": 0.5} | choices)


def test_conventions() -> None:
    transport = quick()
    assert clone(transport).get_params() == transport.get_params()
    with pytest.raises(NotFittedError):
        transport.transform(SOURCE)
    with pytest.raises(NotFittedError):
        transport.sample(3)
    np.testing.assert_array_equal(transport.fit_transform(SOURCE, TARGET), transport.transform(SOURCE))
    assert transport.n_features_in_ == 1 and transport.n_rounds_ >= 1


def test_a_constant_feature_stays() -> None:
    wide = [np.insert(table, 1, 5.0, axis=1) for table in (SOURCE, TARGET)]
    found = quick().fit(*wide)
    np.testing.assert_allclose(found.transform(wide[0])[:, 0], quick().fit(SOURCE, TARGET).transform(SOURCE)[:, 0])
    np.testing.assert_array_equal(found.transform(wide[0])[:, 1], 5.0)


def test_a_target_that_is_not_reached_is_a_warning() -> None:
    with pytest.warns(ConvergenceWarning, match="target was not reached"):
        found = quick(tolerance=1e-6, max_rounds=1).fit(SOURCE, TARGET)
    assert not found.converged_ and found.density_distance_ > 1e-6


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"mode": "jump"}, "mode is 'jump', must be 'flow' or 'bridge'"),
        ({"substeps": 0}, "substeps is 0"),
        ({"noise": -1.0}, "noise is -1"),
        ({"tolerance": 0.0}, "tolerance is 0"),
        ({"max_rounds": 0}, "max_rounds is 0"),
        ({"bandwidth": -0.1}, "bandwidth is -0.1"),
        ({"layers": 0}, "layers is 0"),
    ],
)
def test_bad_parameters(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(hd.InputError, match=message):
        quick(**choice).fit(SOURCE, TARGET)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (SOURCE, np.ones((5, 2)), "1 and 2 features, must have the same"),
        (np.ones((5, 4)), np.ones((5, 4)), "4 and 4 features"),
        (SOURCE, np.full((5, 1), np.nan), "target: row 1, column 1 is NaN"),
        (np.ones((5, 1)), np.ones((5, 1)), "constant"),
    ],
)
def test_bad_samples(source: np.ndarray, target: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(source, target)


def test_sample_needs_a_number() -> None:
    with pytest.raises(hd.InputError, match="n_samples is 0"):
        quick().fit(SOURCE, TARGET).sample(0)


def test_a_probability_flow_belongs_to_one_class() -> None:
    domain = hd.Domain.interval(-2.0, 2.0, 9)
    rho = hd.mixture([hd.Gaussian([m], 0.5, label=c) for c, m in enumerate((-0.5, 0.5))], domain)
    given = hd.Problem(domain, hd.layers(2), rho, hd.Lagrangian(0.1, smoothness=0.0), hd.Classification(1.0))
    with pytest.raises(hd.InputError, match="one class, the solution has 2"):
        ProbabilityFlow.of(hd.train(given))


# The defaults, on problems whose answer is known


def cloud(n: int, mean: tuple[float, ...], std: float = 0.5) -> np.ndarray:
    """Points (n, d) whose mean and deviation in each direction are those of the Gaussian."""
    if len(mean) == 1:
        return mean[0] + std * norm.ppf((np.arange(n) + 0.5) / n)[:, None]
    points = np.random.default_rng(int(10 + sum(mean))).standard_normal((n, len(mean)))
    return np.asarray(mean) + std * (points - points.mean(axis=0)) / points.std(axis=0)


def least_work(found: HydroTransport, way: float, std: float) -> float:
    """Work of the bridge between two Gaussians of one deviation, by the entropy of its coupling."""
    scale = float(found.preprocessing_.scale[0])
    nu, a = found.noise * scale**2, std**2 + (found.bandwidth * scale) ** 2
    c = np.sqrt(a**2 + nu**2) - nu
    return float(nu * (np.log(2 * nu / (a - c**2 / a)) - 1) + (way**2 + 2 * a - 2 * c) / 2)


@pytest.mark.slow
def test_the_work_of_a_shift_at_any_noise() -> None:
    source, target = cloud(400, (-1.0,)), cloud(400, (1.0,))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for noise in (0.1, 0.02, 0.002):
            found = HydroTransport(noise=noise).fit(source, target)
            assert found.cost_ == pytest.approx(least_work(found, 2.0, 0.5), rel=0.02), noise
            assert found.distance_ < 0.05 and abs(np.median(found.transform(source)) - 1) < 0.03
        far = HydroTransport().fit(cloud(400, (0.0,), 1.0), cloud(400, (20.0,), 1.0))
    assert far.cost_ == pytest.approx(200, rel=0.01)


@pytest.mark.slow
def test_the_work_of_a_shift_in_the_plane() -> None:
    found = HydroTransport().fit(cloud(400, (-1.0, 0.0)), cloud(400, (1.0, 0.0)))
    assert found.converged_ and found.cost_ == pytest.approx(2.0, rel=0.02)


@pytest.mark.slow
def test_one_target_far_away_moves_no_other() -> None:
    source, target = cloud(400, (0.0,), 1.0), cloud(400, (3.0,), 1.0)
    target[7] = 1000.0
    with pytest.warns(ConvergenceWarning, match=r"samples carried over are 0\.\d+ mean deviations of the target"):
        found = HydroTransport().fit(source, target)
    assert found.outliers_.tolist() == [407] and found.distance_ > 0.5
    assert np.median(found.transform(source)) == pytest.approx(3.0, abs=0.1)
    rng = np.random.default_rng(0)
    source, target = rng.standard_cauchy((400, 1)), 3 + rng.standard_cauchy((400, 1))
    with pytest.warns(UserWarning, match="far outside the others"):
        found = HydroTransport().fit(source, target)
    way = np.median(found.transform(source)) - np.median(source)
    assert way == pytest.approx(np.median(target) - np.median(source), abs=0.3)


def test_noise_of_a_coarse_mesh_is_told_with_what_it_costs() -> None:
    with pytest.warns(ConvergenceWarning, match=r"brings the noise .* is about .* \((\d+)%\) too high") as told:
        found = HydroTransport(16, 13, bandwidth=0.4).fit(cloud(400, (-0.5,)), cloud(400, (0.5,)))
    (words,) = (str(w.message) for w in told if "too high" in str(w.message))
    share = int(words.partition("(")[2].partition("%")[0])
    assert found.cost_ / 0.5 - 1 == pytest.approx(share / (100 - share), rel=0.7)


def test_nodes_left_out_carry_the_noise() -> None:
    low, high = np.array([0.0, -1.0]), np.array([6.0, 1.0])
    assert carrying_nodes(low[:1], high[:1], 0.02, 1 / 16) == [121]
    assert carrying_nodes(low[:1], high[:1], 0.002, 1 / 16) == [270]  # h = 2 sqrt(0.002 / 16) = 0.02236
    counts = carrying_nodes(low, high, 1e-4, 1 / 16)
    assert np.prod(counts) <= 4200 and counts[0] == pytest.approx(3 * counts[1], rel=0.05)
