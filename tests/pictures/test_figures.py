"""Pictures show the right thing in the right place: rasters, colours, orientation, files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import hydrodl  # noqa: F401  # first: it loads the platform in the order that works

# isort: split
import meshio
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.quiver import Quiver

from hydrodl.common.arrays import lattice
from hydrodl.common.errors import InputError
from hydrodl.data.class_densities import Densities
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.samples import Samples
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import gather_nodes
from hydrodl.mesh.layer_partition import layers
from hydrodl.network.network import Network
from hydrodl.physics.lagrangian import Lagrangian
from hydrodl.physics.losses import Classification
from hydrodl.physics.readout import Readout
from hydrodl.pictures.canvas import COLOURS, axis_names, blend
from hydrodl.pictures.figures import plot_all, plot_convergence, plot_densities, plot_velocity
from hydrodl.pictures.raster import Pixels, Raster, gather_triangles, rasterise
from hydrodl.pictures.velocity import VelocityDisplay
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution
from tests.builders.launch import AT_MOST

BLUE, ORANGE = (np.array(to_rgb(name)) for name in COLOURS[:2])


def blob(x: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.exp(-((x - centre) ** 2).sum(axis=1) / 0.1)


def fake(domain: Domain, centres: np.ndarray, steps: int = 3) -> tuple[Solution, Network, Samples]:
    """A solution, network and samples of classes that are blobs at fixed centres, moved by u = 0.1 in x_1."""
    x, classes = domain.coordinates[: domain.owned], len(centres)
    names = tuple("abcdefghij"[:classes])
    rho = Densities(domain, np.array([blob(x, centre) for centre in centres]), names)
    loss = Classification(1.0, Readout(centres, np.zeros(classes)))
    velocity = np.zeros((steps, domain.dimension, domain.owned))
    velocity[:, 0] = 0.1
    density = np.repeat(rho.values[None], steps + 1, axis=0)
    history = [{"iteration": k, "objective": 1 + 0.1**k, "gradient_norm": 0.1**k, "cg_iterations": k} for k in range(4)]
    problem = Problem(domain, layers(steps), rho, Lagrangian(0.02, smoothness=0.0), loss)
    solution = Solution(
        problem=problem,
        flow=problem.flow(velocity, density, 0 * density, 0 * density[1:]),
        objective=1.0,
        parts={},
        gradient_norm=0.0,
        initial_gradient_norm=1.0,
        converged=True,
        reason="",
        iterations=3,
        hessian_products=6,
        timings={},
        history=tuple(history),
        min_density=0.0,
        negative_mass=0.0,
        mass_error=0.0,
        peclet=0.0,
    )
    labels = np.arange(60) % classes
    points = centres[labels] + 0.05 * np.random.default_rng(0).normal(size=(60, domain.dimension))
    identity = Preprocessing.identity(domain.dimension)
    return solution, Network(solution), Samples(points, labels, names, identity.feature_names, identity)


def centres_of(dimension: int) -> np.ndarray:
    return np.array([[-0.5] * dimension, [0.5] * dimension])


def raster_of(domain: Domain, size: int = 17) -> tuple[Raster, np.ndarray]:
    raster, nodes = rasterise(domain, size), gather_nodes(domain)
    assert raster is not None and nodes is not None
    return raster, nodes


def near(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Rows and columns of the pixels of a colour, shape (pixels, 2)."""
    return np.argwhere(np.abs(picture[..., :3] - colour).max(axis=-1) < 0.02)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize(("cells", "degree"), [("box", 1), ("box", 2), ("simplex", 1), ("simplex", 2), ("simplex", 3)])
def test_raster_is_exact_for_linear_functions(dimension: int, cells: str, degree: int) -> None:
    raster, nodes = raster_of(Domain.box([-1] * dimension, [1, 2, 3][:dimension], 4, cells=cells, degree=degree))
    slope = np.arange(1.0, dimension + 1)
    sampled = raster(np.stack([nodes @ slope, 1 - nodes @ slope]))
    assert sampled.shape == (2, *(len(axis) for axis in raster.axes)) and np.isfinite(raster.weights).all()
    assert np.allclose(sampled[0].ravel(), lattice(raster.axes) @ slope) and np.allclose(sampled.sum(axis=0), 1)


@pytest.mark.parametrize(("cells", "degree"), [("box", 1), ("box", 2), ("simplex", 1), ("simplex", 2)])
def test_triangles_cover_the_mesh_once(cells: str, degree: int) -> None:
    domain = Domain.box([0, 0], [2, 1], 4, cells=cells, degree=degree)
    triangles, nodes = gather_triangles(domain), gather_nodes(domain)
    assert triangles is not None and nodes is not None
    a, b, c = (nodes[triangles[:, i]] for i in range(3))
    areas = np.abs(np.linalg.det(np.stack([b - a, c - a], axis=-1))) / 2
    assert areas.min() > 1e-3 and areas.sum() == pytest.approx(2)


def test_raster_leaves_out_what_the_mesh_leaves_out(tmp_path: Path) -> None:
    """An L of three squares."""
    points = [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1], [0, 2], [1, 2]]
    cells = [("quad", [[0, 1, 4, 3], [1, 2, 5, 4], [3, 4, 7, 6]])]
    meshio.write(tmp_path / "L.vtu", meshio.Mesh(np.pad(np.array(points, float), ((0, 0), (0, 1))), cells))
    domain = Domain.from_file(tmp_path / "L.vtu")
    raster, _ = raster_of(domain, 16)
    points = lattice(raster.axes)
    missing = (points > 1).all(axis=1)
    assert np.array_equal(np.isnan(raster.weights).any(axis=1), missing) and missing.sum() == 64
    pixels = Pixels(domain, 16)
    assert np.array_equal(pixels.inside, ~missing) and np.array_equal(pixels.points, points[~missing])
    assert np.array_equal(np.isnan(pixels.image(pixels.points)).all(axis=0).ravel(), missing)


def test_blend_shows_class_by_hue_and_density_by_depth() -> None:
    densities = np.array([[[4.0, 0.0, 1.0, np.nan, 2.0]], [[0.0, 4.0, 0.0, np.nan, 2.0]]])
    picture = blend(densities, 4.0)[0]
    half = (1 + BLUE) / 2  # the square root of a quarter
    for pixel, expected in zip(picture, (BLUE, ORANGE, half, np.full(3, 0.9), (BLUE + ORANGE) / 2), strict=True):
        assert np.allclose(pixel / 255, expected, atol=0.003)
    assert (blend(np.zeros((2, 1, 1)), 1.0) == 255).all()


def test_classes_have_different_colours_and_directions_have_names() -> None:
    assert len(set(COLOURS)) == 10
    problem = SimpleNamespace(domain=SimpleNamespace(dimension=2), densities=SimpleNamespace(preprocessing=None))
    known = Preprocessing(np.ones(2), np.ones(2), feature_names=("p", "q"))
    for preprocessing, names in (
        (None, ["$x_1$", "$x_2$"]),
        (known, ["p (standardised)", "q (standardised)"]),
        (replace(known, mean=np.zeros(2)), ["p", "q"]),
        (replace(known, components=np.eye(2)), ["component 1 (standardised)", "component 2 (standardised)"]),
    ):
        problem.densities.preprocessing = preprocessing
        assert axis_names(SimpleNamespace(problem=problem)) == names


@pytest.mark.slow
@pytest.mark.parametrize(("dimension", "cells", "degree"), [(1, "box", 1), (2, "simplex", 2), (3, "box", 1)])
def test_every_figure_is_drawn_in_class_colours(tmp_path: Path, dimension: int, cells: str, degree: int) -> None:
    domain = Domain.box([-1] * dimension, [1] * dimension, 7, cells=cells, degree=degree)
    files = plot_all(*fake(domain, centres_of(dimension)), tmp_path)
    drawn = ("transport", "trajectories", "densities", "velocity", "convergence", "decision")
    names = [f"{name}.png" for name in drawn]
    assert [file.name for file in files] == names and sorted(tmp_path.iterdir()) == sorted(files)
    for file in files:
        picture = imread(file)
        assert min(picture.shape[:2]) > 350 and picture[..., :3].std() > 0.05, file.name  # a row of three panels
        if file.stem != "velocity":
            assert len(near(picture, BLUE)) > 50 and len(near(picture, ORANGE)) > 50, file.name


@pytest.mark.parametrize("dimension", [2, 3])
def test_density_stands_where_it_is(tmp_path: Path, dimension: int) -> None:
    """Large x_1 is right, large x_2 is up; class a sits lower right, class b upper right."""
    domain = Domain.box([-1] * dimension, [1] * dimension, 21)
    centres = np.array([[0.6, -0.6, 0.0], [0.6, 0.6, 0.0]])[:, :dimension]
    picture = imread(plot_densities(fake(domain, centres, steps=1)[0], tmp_path / "densities.png", layers=2))
    half = picture[: int(0.75 * len(picture)), : picture.shape[1] // 2]  # the first panel, no legend
    blue, orange = near(half, BLUE).mean(axis=0), near(half, ORANGE).mean(axis=0)
    assert blue[0] > orange[0] + 100 and abs(blue[1] - orange[1]) < 10  # a below b, in one column
    assert blue[1] > 0.55 * half.shape[1]


def test_velocity_that_vanishes_and_a_history_of_one_step_are_drawn(tmp_path: Path) -> None:
    for dimension in (1, 2):
        solution, _, _ = fake(Domain.box([-1] * dimension, [1] * dimension, 5), centres_of(dimension), steps=1)
        solution.velocity[:] = 0
        assert plot_velocity(solution, tmp_path / f"{dimension}.png").is_file()
    one = {"iteration": 0, "objective": 2.0, "gradient_norm": 0.0, "cg_iterations": 0}
    assert plot_convergence(replace(solution, history=(one,)), tmp_path / "one.png").is_file()
    assert plot_convergence(replace(solution, history=()), tmp_path / "none.png").is_file()


@pytest.mark.parametrize("velocity", [(0.0, 0.0, 0.4), (0.3, 0.0, 0.4)])
def test_velocity_in_space_has_the_speed_that_its_label_says(velocity: tuple[float, ...]) -> None:
    """Colours are |u| of three components, arrows the part of u in the plane."""
    solution, _, _ = fake(Domain.box([-1] * 3, [1] * 3, 5), centres_of(3), steps=1)
    solution.velocity[:] = np.array(velocity)[:, None]
    shown = VelocityDisplay.from_solution(solution).plot().figure_
    panel, bar = shown.axes
    (arrows,) = [part for part in panel.collections if isinstance(part, Quiver)]
    np.testing.assert_allclose(arrows.get_array(), np.linalg.norm(velocity))
    np.testing.assert_allclose([arrows.U, arrows.V], np.outer(velocity[:2], np.ones(arrows.N)), atol=1e-15)
    assert arrows.N == 25 and "of all three components" in bar.get_xlabel()
    assert "the part of u in it" in shown.get_suptitle()


def test_picture_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    solution, _, _ = fake(Domain.interval(-1, 1, 5), centres_of(1))
    with pytest.raises(InputError, match=r"none.*No such file"):
        plot_convergence(solution, tmp_path / "none" / "convergence.png")


@pytest.mark.slow
def test_pyplot_is_left_alone() -> None:
    code = "import sys, hydrodl.pictures.figures; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=AT_MOST)
