"""Pictures of predictions, trajectories and animations show the right thing in the right place."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

import hydrodl as hd
from hydrodl.pictures import animation as _animation
from hydrodl.pictures.animation import animate
from hydrodl.pictures.calibration import plot_calibration
from hydrodl.pictures.canvas import COLOURS
from hydrodl.pictures.decision import FULL, plot_decision
from hydrodl.pictures.figures import plot_velocity
from hydrodl.pictures.trajectories import plot_trajectories
from tests.builders.networks import network, waves
from tests.pictures.test_figures import BLUE, ORANGE, near

GREEN = np.array([int(COLOURS[2][i : i + 2], 16) / 255 for i in (1, 3, 5)])
MESHES = Path(__file__).parents[2] / "meshes"


def samples(d: int, n: int = 60) -> hd.Samples:
    """Three classes along the diagonal, as those of ``network``."""
    return hd.sample_mixture([hd.Gaussian([m] * d, 0.3, label=c) for c, m in enumerate((-1.2, 1.2, 0.0))], n)


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        {"d": 1, "nodes": 15},
        {"d": 2, "nodes": 8},
        {"d": 2, "nodes": 5, "cells": "simplex", "degree": 2},
        {"d": 3, "nodes": 5},
    ],
)
def test_every_picture_is_drawn_in_class_colours(tmp_path: Path, choices: dict) -> None:
    net, shown = waves(network("euler-box", **choices)), samples(choices["d"])
    for plot in (plot_decision, plot_trajectories):
        picture = imread(plot(net, shown, tmp_path / f"{plot.__name__}.png"))
        assert min(picture.shape[:2]) > 500
        for shade in (BLUE, ORANGE, GREEN):
            assert len(near(picture, shade)) > 50, plot.__name__


def test_regions_lie_where_their_classes_win(tmp_path: Path) -> None:
    """W x + b with anchors at the lower left and the upper right: blue below the falling diagonal, orange above."""
    net = network("euler-box", d=2, nodes=8, noise=1e-6)
    readout = hd.Readout([[-30.0, -30.0], [30.0, 30.0], [0.0, 0.0]], [0.0, 0.0, -50.0])
    problem = replace(net.solution.problem, losses=hd.Classification(1.0, readout))
    net = hd.Network(replace(net.solution, problem=problem))
    few = replace(samples(2, 2), features=np.array([[-1.9, 1.9], [1.9, -1.9]]), labels=np.array([2, 2]))
    picture = imread(plot_decision(net, few, tmp_path / "decision.png", posterior=False))
    blue, orange = (near(picture, 1 - FULL * (1 - shade)) for shade in (BLUE, ORANGE))
    assert min(len(blue), len(orange)) > 0.15 * picture.shape[0] * picture.shape[1]
    assert blue.mean(axis=0)[0] > orange.mean(axis=0)[0] + 50  # rows count from above
    assert blue.mean(axis=0)[1] < orange.mean(axis=0)[1] - 50
    both = imread(plot_decision(net, few, tmp_path / "both.png"))
    assert both.shape[1] > 1.3 * picture.shape[1]


def test_noise_softens_the_decision(tmp_path: Path) -> None:
    net = network("euler-box", d=2, nodes=12, noise=0.5)
    readout = hd.Readout([[-30.0, 0.0], [30.0, 0.0], [0.0, 0.0]], [0.0, 0.0, -50.0])
    problem = replace(net.solution.problem, losses=hd.Classification(1.0, readout))
    net = hd.Network(replace(net.solution, problem=problem))
    few = replace(samples(2, 2), features=np.array([[-1.9, 1.9], [1.9, -1.9]]), labels=np.array([2, 2]))
    picture = imread(plot_decision(net, few, tmp_path / "decision.png"))
    half = picture.shape[1] // 2
    sure, soft = (len(near(part, 1 - FULL * (1 - BLUE))) for part in (picture[:, :half], picture[:, half:]))
    assert sure > 20000 and soft < 0.1 * sure


def test_meshes_with_holes_are_drawn(tmp_path: Path) -> None:
    domain = hd.Domain.from_file(MESHES / "annulus.msh")
    rho = hd.mixture([hd.Gaussian([-2.0, 0], 0.4, label=0), hd.Gaussian([2.0, 0], 0.4, label=1)], domain)
    problem = hd.Problem(domain, hd.layers(2), rho, hd.Lagrangian(0.1, smoothness=0.0), hd.Classification(1.0))
    net = hd.Network(hd.train(problem, monitor=lambda entry: True))
    shown = hd.sample_mixture([hd.Gaussian([-2.0, 0], 0.2, label=0), hd.Gaussian([2.0, 0], 0.2, label=1)], 20)
    picture = imread(plot_decision(net, shown, tmp_path / "decision.png", posterior=False))
    assert len(near(picture, np.full(3, 0.9))) > 0.1 * picture.shape[0] * picture.shape[1]  # the hole and the corners
    assert plot_trajectories(net, shown, tmp_path / "trajectories.png").is_file()


@pytest.mark.slow
def test_trajectories_with_and_without_noise(tmp_path: Path) -> None:
    for d in (1, 2):
        net, shown = network("euler-box", d=d, nodes=6, noise=0.2), samples(d, 5)
        alone = imread(plot_trajectories(net, shown, tmp_path / "alone.png", stochastic=False))
        both = imread(plot_trajectories(net, shown, tmp_path / "both.png"))
        other = imread(plot_trajectories(net, shown, tmp_path / "other.png", seed=1))
        assert both.shape[1] > 1.3 * alone.shape[1]
        assert both.shape != other.shape or np.abs(both - other).mean() > 1e-4


def test_the_vector_field_is_drawn_for_as_many_layers_as_asked(tmp_path: Path) -> None:
    solution = waves(network("euler-box", d=2, nodes=6)).solution
    three, one = (imread(plot_velocity(solution, tmp_path / f"{k}.png", layers=k)) for k in (3, 1))
    assert three.shape[1] > 1.5 * one.shape[1]


def test_reliability_is_drawn_for_both_predictions(tmp_path: Path) -> None:
    net = waves(network("euler-box", d=2, nodes=8))
    picture = imread(plot_calibration(net, samples(2), tmp_path / "calibration.png", bins=5))
    assert len(near(picture, BLUE)) > 300 and len(near(picture, ORANGE)) > 300
    with pytest.raises(hd.InputError, match="bins is 0"):
        plot_calibration(net, samples(2), tmp_path / "none.png", bins=0)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "name"), [(1, "flow.gif"), (2, "flow.gif"), (3, "flow.webp")])
def test_an_animation_moves_from_the_first_to_the_last_layer(
    tmp_path: Path, d: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_animation, "FRAMES", 6)
    net = waves(network("euler-box", d=d, nodes=7))
    density = net.solution.density.copy()
    density[-1] = density[0, :, ::-1]
    net = hd.Network(replace(net.solution, flow=replace(net.solution.flow, density=density)))
    film = Image.open(animate(net, samples(d, 20), tmp_path / name))
    assert film.n_frames == 7 and film.info["loop"] == 0  # two for each of three layers, and the last one
    frames = []
    for k in range(film.n_frames):
        film.seek(k)
        frames.append(np.asarray(film.convert("RGB"), dtype=float) / 255)
    assert all(np.abs(after - before).mean() > 1e-4 for before, after in pairwise(frames))
    assert min(frames[0].shape[:2]) > 300
    for shade in (BLUE, ORANGE, GREEN):  # the palette keeps the colours of the classes
        assert (np.abs(frames[-1] - shade).max(axis=-1) < 0.06).sum() > 20


def test_pictures_that_cannot_be_written(tmp_path: Path) -> None:
    net, shown = network("euler-box", d=1, nodes=5), samples(1, 5)
    for plot in (plot_decision, plot_trajectories, plot_calibration, animate):
        with pytest.raises(hd.InputError, match=r"none.*No such file"):
            plot(net, shown, tmp_path / "none" / "picture.gif")
    with pytest.raises(hd.InputError, match=r"picture.txt: the name of an animation must end in .gif or .webp"):
        animate(net, shown, tmp_path / "picture.txt")
    problem = replace(net.solution.problem, losses=hd.Position(1.0, np.zeros((3, 1))))
    blind = hd.Network(replace(net.solution, problem=problem))
    for plot in (plot_decision, plot_calibration):
        with pytest.raises(hd.InputError, match="no readout"):
            plot(blind, shown, tmp_path / "picture.png")
    assert plot_trajectories(blind, shown, tmp_path / "picture.png").is_file()
