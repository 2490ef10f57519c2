"""Nodes that are left out are the fewest with which the scheme carries the noise exactly, or as many as fit."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import hydrodl as hd
from hydrodl.discretisation import node_counts
from hydrodl.discretisation.node_counts import nodes_left_out, spacing_for
from hydrodl.problem_file import building, reading, settling

CORNERS = np.array([-2.0, -1.0]), np.array([2.0, 1.5])


def brought(counts: object, layers: hd.Layers) -> np.ndarray:
    """h^2 / (8 Delta) of the thinnest layer, per axis."""
    return ((CORNERS[1] - CORNERS[0]) / (np.array(counts) - 1)) ** 2 / (8 * layers.steps.min())


@pytest.mark.parametrize(("scheme", "share"), [("residual", 1.0), ("strang", 0.5)])
def test_the_fewest_that_carry_the_noise(scheme: str, share: float) -> None:
    """N h^2 <= 8 nu T and 4 nu T, for the thinnest layer."""
    for layers in (hd.layers(16), hd.layers([0.0, 0.02, 0.5, 1.0])):
        counts = nodes_left_out(scheme, 0.02, layers, CORNERS)
        assert (brought(counts, layers) <= share * 0.02 * (1 + 1e-9)).all()
        assert (brought(np.array(counts) - 1, layers) > share * 0.02).all()
        spacing = spacing_for(0.02, layers, scheme)
        assert spacing**2 / (8 * layers.steps.min()) == pytest.approx(share * 0.02)


def test_a_training_with_this_spacing_has_the_noise_and_one_with_a_larger_one_has_not() -> None:
    layers, points = hd.layers(4), np.array([[-1.0], [1.0]])
    for factor, exact in ((1.0, True), (1.5, False)):
        line = hd.Domain.around(points, spacing=factor * spacing_for(0.05, layers, "residual"))
        rho = hd.mixture([hd.Gaussian(-0.5, 0.6)], line)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = hd.train(
                hd.Problem(line, layers, rho, hd.Lagrangian(0.05), hd.Position(1.0, [[0.5]]), "residual"),
                monitor=lambda entry: True,
            )
        assert np.allclose(found.effective_noise, 0.05) == exact


def test_bounds_and_what_is_said(recwarn: pytest.WarningsRecorder) -> None:
    few = nodes_left_out("strang", 5.0, hd.layers(1), CORNERS)
    assert min(few) == node_counts.LEAST  # fewer show no density
    assert list(nodes_left_out("euler-box", 0.02, hd.layers(4), CORNERS)) == [41, 41]
    low, high = np.array([-2.0, -2.0, -1.0]), np.array([2.0, 2.0, 1.0])
    lifted = nodes_left_out("strang", 0.5, hd.layers(4), (low, high), lift=1)
    assert lifted[2] % 2 == 1  # the data lie on nodes
    assert not recwarn.list
    with pytest.warns(RuntimeWarning, match=r"nodes were left out: .* to carry the noise 0\.02 exactly would"):
        bounded = nodes_left_out("strang", 0.02, hd.layers(16), CORNERS, most=1000)
    assert 900 <= np.prod(bounded) <= 1000
    with pytest.warns(RuntimeWarning):
        cube = nodes_left_out("strang", 0.005, hd.layers(16), (low - 1, high + 1))
    assert 0.9 * node_counts.MOST < 16 * np.prod(cube) <= node_counts.MOST


def test_bad_input() -> None:
    with pytest.raises(hd.InputError, match="scheme is 'euler-box', must be 'residual' or 'strang'"):
        spacing_for(0.1, hd.layers(2), "euler-box")
    with pytest.raises(hd.InputError, match="noise is 0, must be a positive number"):
        spacing_for(0, hd.layers(2))
    with pytest.raises(hd.InputError, match="give one of them"):
        hd.Domain.around([[0.0], [1.0]], 5, spacing=0.1)
    with pytest.raises(hd.InputError, match=r"spacing is -1.*must be a positive number"):
        hd.Domain.around([[0.0], [1.0]], spacing=-1.0)


def test_problem_files_leave_them_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[data]\nsource = "two_moons"\nsamples = 40\n[network]\nlayers = 4\n[physics]\nnoise = 0.05\n'
    (tmp_path / "p.toml").write_text(text)
    made = building.setup(reading.load(tmp_path / "p.toml"))
    domain = made.config.domain
    assert domain.lower is not None and domain.upper is not None
    corners = np.array(domain.lower), np.array(domain.upper)
    assert domain.nodes == list(nodes_left_out("strang", 0.05, hd.layers(4), corners))
    monkeypatch.setattr(settling, "available_bytes", lambda comm: 4e6)
    with pytest.warns(RuntimeWarning, match="nodes were left out: .* as many as fit with 4 layers"):
        sizes = building.sizes(reading.load(tmp_path / "p.toml"))
    assert sizes.count < np.prod(domain.nodes)  # type: ignore[arg-type]
