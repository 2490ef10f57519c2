"""Displays: axes of the user, figures without files, notebooks, and who may hand in what."""

from __future__ import annotations

from pathlib import Path

import hydrodl as hd

# isort: split
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from hydrodl.pictures.canvas import Picture
from hydrodl.pictures.keys import legend
from hydrodl.pictures.velocity import VelocityDisplay
from tests.builders.networks import network, waves
from tests.pictures.test_figures import centres_of, fake

PNG = b"\x89PNG"


def samples(d: int) -> hd.Samples:
    return hd.sample_mixture([hd.Gaussian([m] * d, 0.3, label=c) for c, m in enumerate((-1.2, 1.2, 0.0))], 30)


@pytest.fixture(scope="module")
def plane() -> hd.Network:
    return waves(network("euler-box", d=2, nodes=8))


def test_every_display_draws_into_the_axes_that_it_is_given(plane: hd.Network) -> None:
    given, solution = samples(2), plane.solution
    displays = [
        hd.plot.ConvergenceDisplay.from_solution(solution),
        hd.plot.CalibrationDisplay.from_network(plane, given),
        hd.plot.DensityDisplay.from_solution(solution, layers=1),
        hd.plot.VelocityDisplay.from_solution(solution, layers=1),
        hd.plot.DecisionDisplay.from_network(plane, given, posterior=False),
        hd.plot.TrajectoryDisplay.from_network(plane, given, stochastic=False),
        hd.plot.TransportDisplay.from_network(plane, given),
    ]
    for display in displays:
        count = display.panel_counts[0]
        mine = Figure(figsize=(6 * count, 5))
        axes = mine.subplots(1, count)
        assert display.plot(ax=axes) is display
        assert display.figure_ is mine and mine.axes[0] is (display.ax_ if count == 1 else display.ax_[0])
        FigureCanvasAgg(mine).draw()
        assert mine.axes[0].has_data() and mine.axes[count - 1].get_legend() is not None, type(display).__name__
        with pytest.raises(hd.InputError, match=r"ax: this picture takes \d( or \d)? of matplotlib's axes"):
            display.plot(ax=[*np.ravel(axes), None])


def test_a_function_returns_what_it_drew_and_writes_only_when_asked(
    plane: hd.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    figure = hd.plot.plot_densities(plane.solution, layers=2)
    assert isinstance(figure, Picture) and figure._repr_png_().startswith(PNG)
    ax = Figure().subplots()
    assert hd.plot.plot_convergence(plane.solution, ax=ax) is ax
    assert not list(tmp_path.iterdir())
    with pytest.raises(hd.InputError, match="path and ax"):
        hd.plot.plot_convergence(plane.solution, "a.png", ax=ax)
    assert hd.plot.plot_convergence(plane.solution, "a.png") == Path("a.png") and Path("a.png").is_file()
    assert hd.plot.plot_convergence(plane.solution, "a.svg").read_text().startswith("<?xml")


def test_a_notebook_shows_a_display(plane: hd.Network) -> None:
    shown = hd.plot.ConvergenceDisplay.from_solution(plane.solution)
    picture = shown._repr_png_()
    assert picture is not None and picture.startswith(PNG)
    assert shown.plot(ax=Figure().subplots())._repr_png_() is None  # it shows with the user's figure


def test_pictures_in_space_need_axes_in_space() -> None:
    net = waves(network("euler-box", d=3, nodes=4))
    shown = hd.plot.TrajectoryDisplay.from_network(net, samples(3), stochastic=False)
    with pytest.raises(hd.InputError, match="projection='3d'"):
        shown.plot(ax=Figure().subplots())
    shown.plot(ax=Figure().subplots(subplot_kw={"projection": "3d"}))
    marginal = hd.plot.DensityDisplay.from_solution(net.solution, layers=2).plot()
    assert "marginal densities: integrated over" in marginal.figure_.get_suptitle()
    assert marginal.figure_.axes[-1].get_ylabel() == "total marginal density (per feature unit squared)"


def test_displays_from_estimators_show_their_classes() -> None:
    X, y = make_blobs(40, centers=[[-2.0, 0.0], [2.0, 0.0]], random_state=0)
    words = np.array(["left", "right"])[y]
    fitted = hd.HydroClassifier(layers=2, nodes=11).fit(X, words)
    decision = hd.plot.DecisionDisplay.from_estimator(fitted, X, words)
    assert decision.class_names == ("left", "right") and sorted(decision.labels) == sorted(y)
    ends = decision.fields["network"][:, [0, -1], 60].argmax(axis=0)
    assert ends.tolist() == [0, 1]  # from left to right
    for display in (hd.plot.TransportDisplay, hd.plot.TrajectoryDisplay):
        assert display.from_estimator(fitted, X, words).paths is not None
    theirs = hd.plot.CalibrationDisplay.from_estimator(LogisticRegression().fit(X, words), X, words).plot()
    assert list(theirs.results) == ["LogisticRegression"]
    with pytest.raises(hd.InputError, match="labels"):
        hd.plot.CalibrationDisplay.from_estimator(fitted, X, np.full(len(X), "other"))


def test_bars_of_reliability_stand_on_the_diagonal(plane: hd.Network) -> None:
    shown = hd.plot.CalibrationDisplay.from_network(plane, samples(2), bins=4).plot()
    bars = [part for part in shown.ax_[0].collections if len(part.get_segments())]
    assert len(bars) == 2
    for part, found in zip(bars, shown.results.values(), strict=True):
        middle = np.array([segment.mean(axis=0) for segment in part.get_segments()])
        np.testing.assert_allclose(middle[:, 0], middle[:, 1])
        np.testing.assert_allclose(middle[:, 0], found.confidence[found.counts > 0])


def test_classes_have_their_markers_where_their_densities_are_largest() -> None:
    domain = hd.Domain.box([-1, -1], [1, 1], 21)
    shown = hd.plot.DensityDisplay.from_solution(fake(domain, centres_of(2), steps=1)[0], layers=1).plot()
    places = [part.get_offsets()[0] for part in shown.ax_.collections]
    np.testing.assert_allclose(places, centres_of(2), atol=1e-12)


def test_nothing_is_cut_off_and_no_label_runs_into_another() -> None:
    """Words lie in the figure, and titles, labels and keys apart, with long class names and in d = 2 and 3."""
    names = tuple(f"species number {c} of a long name" for c in range(2))
    for d in (2, 3):
        solution, _, _ = fake(hd.Domain.box([-1] * d, [1] * d, 5), centres_of(d))
        for shown in (hd.plot.DensityDisplay.from_solution(solution), VelocityDisplay.from_solution(solution)):
            shown.class_names = names  # type: ignore[union-attr]
            figure = shown.plot().figure_
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            whole = figure.bbox.padded(1)
            words = [text for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
            boxes = [text.get_window_extent() for text in words if text.get_text()]
            boxes += [part.get_window_extent() for part in figure.legends]
            assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in boxes)
            assert all(whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in boxes)
            assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_legend_is_as_wide_as_its_figure_at_most() -> None:
    figure = Picture(figsize=(5.0, 3.0), layout="constrained")
    figure.subplots()
    legend(figure, [f"species number {c} of a long name" for c in range(10)])
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= -1


def test_a_periodic_box_is_drawn_between_its_seams() -> None:
    domain = hd.Domain.box([-1, -1], [1, 1], 8, periodic=True)  # a node at each centre
    solution, _, _ = fake(domain, centres_of(2), steps=1)
    shown = hd.plot.DensityDisplay.from_solution(solution, layers=1)
    np.testing.assert_allclose(shown.fields[0, :, 0], shown.fields[0, :, -1], atol=1e-6)  # one side and the other
    assert shown.fields.max() == pytest.approx(1.0, abs=1e-6)
    VelocityDisplay.from_solution(solution).plot()
