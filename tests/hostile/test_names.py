"""Names of others are text wherever they are shown: figures and fields."""

from __future__ import annotations

import re
from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hydrodl.common.text import printable
from hydrodl.files.paraview import write_vtk
from hydrodl.network.network import Network
from hydrodl.pictures import figures
from hydrodl.pictures.canvas import as_text, axis_names
from hydrodl.pictures.figures import plot_all, plot_densities
from hydrodl.pictures.keys import legend
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution
from tests.hostile.names import NAMES

SHOWN = [name if len(name) <= 40 else name[:37] + "..." for name in map(printable, NAMES)]


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.mark.filterwarnings("ignore:Glyph")
def test_figures_show_names_letter_by_letter() -> None:
    """The same pixels as text in which matplotlib is told to look for no mathematics."""
    for name, shown in zip(NAMES, SHOWN, strict=True):
        ours, theirs = Figure(figsize=(3, 1)), Figure(figsize=(3, 1))
        ours.text(0.1, 0.5, as_text(name))
        theirs.text(0.1, 0.5, shown, parse_math=False)
        assert np.array_equal(pixels(ours), pixels(theirs)), name
        beside = Figure(figsize=(3, 1))  # mathematics of our own
        beside.text(0.1, 0.5, f"{as_text(name)}, $t$ = 1")
        assert pixels(beside).min() < 128


@pytest.mark.filterwarnings("ignore:Glyph")
def test_legends_name_every_class_and_end_somewhere() -> None:
    ours, many = (Figure(figsize=(8, 6), layout="constrained") for _ in range(2))
    legend(ours, NAMES)
    assert [text.get_text() for text in ours.legends[0].get_texts()] == [as_text(name) for name in NAMES]
    legend(many, [f"c{k}" for k in range(1000)])
    assert [text.get_text() for text in many.legends[0].get_texts()][-2:] == ["c39", "and 960 more"]
    assert pixels(ours).min() < 128 and pixels(many).min() < 128


def made(classes: list[str]) -> tuple[Solution, Network, hd.Samples]:
    """A network whose classes have these names, and features such as well."""
    rng, count = np.random.default_rng(0), len(classes)
    labels = np.arange(4 * count) % count
    centres = rng.uniform(-1.5, 1.5, (count, 2))
    features = centres[labels] + 0.1 * rng.standard_normal((len(labels), 2))
    names = ("income(US$)", "_cost\n$^2$")
    samples = hd.Samples(features, labels, tuple(classes), names, hd.Preprocessing.fit(features, names=names))
    domain = hd.Domain.around(samples, nodes=7)
    problem = Problem(domain, hd.layers(2), hd.densities(samples, domain), hd.Lagrangian(), hd.Classification())
    solution = hd.train(problem, options={"tao_max_it": 1})
    return solution, Network(solution, samples.preprocessing), samples


@pytest.fixture(scope="module")
def named() -> tuple[Solution, Network, hd.Samples]:
    return made(NAMES)


def test_a_figure_with_such_names_is_drawn(tmp_path: Path) -> None:
    solution, _, _ = made(["$$", "_a", r"\frac{1"])
    assert axis_names(solution) == [r"income(US\$) (standardised)", r"_cost\n\$^2\$ (standardised)"]
    assert plot_densities(solution, tmp_path / "densities.png", layers=1).stat().st_size > 1000


def test_fields_have_names_of_their_own(named: tuple[Solution, Network, hd.Samples], tmp_path: Path) -> None:
    text = "".join(path.read_text("latin-1") for path in write_vtk(tmp_path, named[0]).parent.glob("fields*.vtu"))
    found = set(re.findall(r'Name="((?:density|potential|probability) of class [^"]*)"', text))
    assert len(found) == 3 * len(NAMES)
    assert all(re.fullmatch(r"\w+ of class \w{1,70}", name) for name in found)


def test_a_figure_that_fails_costs_no_other(
    named: tuple[Solution, Network, hd.Samples], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    for name in ("transport", "trajectories", "densities", "convergence", "decision"):
        monkeypatch.setattr(
            figures, f"plot_{name}", lambda *given: drawn.extend(g for g in given if isinstance(g, Path))
        )

    def broken(*_: object) -> Path:
        raise ValueError("no such glyph")

    def full(*_: object) -> Path:
        raise hd.InputError("disk full")

    monkeypatch.setattr(figures, "plot_velocity", broken)
    with pytest.raises(hd.SolverError, match=r"velocity\.png \(ValueError: no such glyph\)"):
        plot_all(*named, tmp_path)
    assert [path.name for path in drawn][-2:] == ["convergence.png", "decision.png"] and len(drawn) == 5
    monkeypatch.setattr(figures, "plot_velocity", full)
    with pytest.raises(hd.InputError, match="disk full"):
        plot_all(*named, tmp_path)
