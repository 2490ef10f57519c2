"""``hydrodl analyze``: every key, figures that show something, a page to read, and honest gaps."""

from __future__ import annotations

import contextlib
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydrodl  # first: it loads the platform in the order that works

# isort: split
import numpy as np
import pytest
from matplotlib.image import imread
from mpi4py import MPI

from hydrodl.analysis.backward_error.objective_error import objective_error
from hydrodl.analysis.stability.map_bounds import map_noise
from hydrodl.analysis.stability.positivity import cell_peclet
from hydrodl.analysis.stability.training_bounds import depth_convergence, layer_invertibility
from hydrodl.analysis.structure.conservation import conservation
from hydrodl.application import analysis_limits as _analysis_limits
from hydrodl.application import analyze_run as analyze
from hydrodl.application import cli, train_run
from hydrodl.application.analysis_limits import central_slabs, law_bytes
from hydrodl.application.analysis_page import page
from hydrodl.application.run_directory import load
from hydrodl.files.checkpoint import save_checkpoint
from hydrodl.pictures import analysis_figures as _analysis_figures
from hydrodl.pictures.analysis_figures import FAILS, HOLDS, OPEN, ratio, sides, state
from tests.builders.launch import AT_MOST

MIXTURE = """
[data]
[[data.mixture]]
label = "a"
mean = [-0.6]
std = 0.3
[[data.mixture]]
label = "b"
mean = [0.6]
std = 0.3
[domain]
nodes = 41
[network]
layers = 12
scheme = "midpoint"
[physics]
noise = 0.1
[loss]
weight = 2.0
"""
MOONS = """
[data]
source = "two_moons"
samples = 60
test_samples = 40
[domain]
nodes = 13
[network]
layers = 3
scheme = "euler-box"
[solver]
tao_gatol = 1e-8
"""
NUMBERS = (
    "energy_drift",
    "modified_energy_drift",
    "multisymplectic_residual",
    "equation_residual",
    "modified_residual_2",
    "modified_residual_4",
    "hessian_min_eigenvalue",
)
BOUND_KEYS = {"name", "value", "bound", "holds", "needs_layers", "needs_nodes", "source"}
PICTURES = ("analysis_energy.png", "analysis_residuals.png", "analysis_stability.png", "analysis_training.png")


def trained(folder: Path, problem: str) -> Path:
    (folder / "p.toml").write_text(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_run, "plot_all", lambda *_: None)
        assert cli.invoke(["train", str(folder / "p.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in d = 1 with layers enough for everything, analysed."""
    folder = trained(tmp_path_factory.mktemp("line"), MIXTURE)
    assert cli.invoke(["analyze", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run in d = 2 with too few layers for the residuals, analysed, and what the command printed."""
    folder = trained(tmp_path_factory.mktemp("plane"), MOONS)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.invoke(["analyze", str(folder)]) == 0
    return folder, printed.getvalue().splitlines()


@pytest.fixture(scope="module")
def plane(said: tuple[Path, list[str]]) -> Path:
    return said[0]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of them with a layer map, analysed."""
    folder = trained(tmp_path_factory.mktemp("moved"), MIXTURE.replace('"midpoint"', '"strang"'))
    assert cli.invoke(["analyze", str(folder)]) == 0
    return folder


def analysis_of(folder: Path) -> dict[str, Any]:
    def no_nan(text: str) -> None:
        raise AssertionError(f"{text} in analysis.json")

    return json.loads((folder / "analysis.json").read_text(), parse_constant=no_nan)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["line", "plane", "moved"])
def test_every_key_is_there_and_has_its_type(which: str, request: pytest.FixtureRequest) -> None:
    found = analysis_of(request.getfixturevalue(which))
    for key in NUMBERS:
        assert (found[key] is None) == (key in found["notes"] and "slabs around" not in found["notes"][key]), key
        assert found[key] is None or (isinstance(found[key], float) and math.isfinite(found[key])), key
    for row in found["stability"]:
        assert set(row) >= BOUND_KEYS
        assert isinstance(row["holds"], bool) and row["source"] and row["inequality"]
        assert all(row[key] is None or isinstance(row[key], int) for key in ("needs_layers", "needs_nodes"))
    names = {row["name"] for row in found["stability"]}
    assert names >= {"maximum principle", "layer invertibility", "depth convergence", "second variation"}
    assert names >= {"descent step", "Newton ball", "data radius"}
    assert ("cell Peclet" in names) != ("noise of the splines" in names)
    training = found["training"]
    assert training["step_limit"] == pytest.approx(2 / training["largest"]) and len(training["descents"]["steps"]) == 2
    below, above = (distances[-1] / distances[30] for distances in training["descents"]["distances"])
    least, most = (rate**30 for rate in training["descents"]["predicted"])
    assert below < 1.05 * least and above == pytest.approx(most, rel=0.05)  # other eigenvectors join below the limit
    assert {"layers", "nodes", "noise", "total", "extrapolated", "by_formula"} <= set(found["objective_error"])
    assert (found["relative_energy"] is None) == ("relative_energy" in found["notes"])
    assert found["relative_energy"] is None or found["relative_energy"]["value"] > 0
    assert set(found["recommended"]) >= {"layers", "nodes", "binding"}
    assert isinstance(found["recommended"]["layers"], int) and isinstance(found["recommended"]["nodes"], int)


@pytest.mark.slow
def test_numbers_are_those_of_the_analyses(line: Path) -> None:
    found, solution = analysis_of(line), load(line).solution
    flow = solution.flow
    assert found["energy_drift"] == pytest.approx(conservation(flow).energy_drift, rel=1e-9)
    by_name = {row["name"]: row for row in found["stability"]}
    for bound in (cell_peclet(flow), layer_invertibility(flow), depth_convergence(flow, 0.1, by_layer=True)):
        assert by_name[bound.name]["value"] == pytest.approx(bound.value, rel=1e-12)
        assert by_name[bound.name]["needs_layers"] == bound.needs_layers
    assert found["hessian_min_eigenvalue"] == by_name["second variation"]["value"] > 0
    assert found["multisymplectic_residual"] < 1e-10 and found["mass_error"] < 1e-12
    assert 5 * found["modified_energy_drift"] < found["energy"]["drift_of_these_slabs"] <= found["energy_drift"]
    assert 5 * found["modified_residual_2"] < found["equation_residual"] < 0.1
    assert len(found["energy"]["H"]) == 12 and len(found["energy"]["modified"]) == 10
    binding = found["recommended"]["binding"].split("; ")
    assert found["recommended"]["layers"] == max(by_name[name]["needs_layers"] or 1 for name in binding)
    assert "infinitely many layers" in by_name and found["recommended"]["error"] < 0.1


@pytest.mark.slow
def test_numbers_of_a_layer_map(moved: Path) -> None:
    found, solution = analysis_of(moved), load(moved).solution
    assert found["multisymplectic_residual"] < 1e-10 and found["mass_error"] < 1e-12
    assert found["multisymplectic"]["slabs"] == 12 and found["multisymplectic"]["two_form_drift"] < 1e-10
    assert found["duality_residual"] < 1e-12 and found["slab_equations"]["momentum"] < 1e-5
    assert 2 * found["modified_energy_drift"] < found["energy"]["drift_of_these_slabs"] <= found["energy_drift"]
    assert found["modified_residual_4"] < found["modified_residual_2"] < found["equation_residual"] < 0.1
    assert found["energy_source"] is None and found["residuals"]["space"] is None
    assert found["run"]["effective_noise"] == pytest.approx([0.1]) and found["run"]["largest_noise"] == 1.0
    error = objective_error(solution)
    told = found["objective_error"]
    assert told["by_formula"]["layers"] == pytest.approx(error.layers, rel=1e-9)
    assert told["total"] == pytest.approx(hydrodl.error_bar(solution).total, rel=1e-9)
    row = {row["name"]: row for row in found["stability"]}["order of the noise"]
    asked = row["for_layers"], row["needs_nodes"] - 1
    assert asked == (12, math.ceil(40 * math.sqrt(map_noise(solution.flow).value / 0.5)))
    more = math.ceil(asked[1] * math.sqrt(found["recommended"]["layers"] / 12) - 1e-9)  # N h^2 is bounded
    assert found["recommended"]["nodes"] == more + 1 and "order of the noise" in found["recommended"]["binding"]
    text = (moved / "analysis.md").read_text()
    assert "infinitely many nodes has about" in text and "trained or not" in text
    assert "noise of the splines" in text and "a layer map has no operators in space" in text
    assert len(text) < 8000 and "None" not in text and "nan" not in text


@pytest.mark.slow
def test_neurons_are_told_what_is_theirs() -> None:
    domain = hydrodl.Domain.interval(-2, 2, 15)
    rho = hydrodl.mixture([hydrodl.Gaussian([m], 0.4, label=m) for m in (-0.6, 0.6)], domain)
    physics, control = hydrodl.Lagrangian(0.3), hydrodl.Neurons(4)
    problem = hydrodl.Problem(domain, hydrodl.layers(3), rho, physics, hydrodl.Classification(3.0), control=control)
    found = analyze.analyze(hydrodl.train(problem))
    assert found["multisymplectic"]["two_form_drift"] < 1e-12 < 1e-5 < found["multisymplectic_residual"]
    text = page(found, "neurons", [])
    row = next(line for line in text.splitlines() if line.startswith("| two-form at every layer"))
    assert "exact to rounding: holds" in row and "| multisymplectic law |" not in text
    for words in ("no law of neurons", "which is not asked of neurons", "drawn apart are no samples of one velocity"):
        assert words in text


def test_a_stricter_tolerance_asks_for_more_layers(line: Path) -> None:
    loose, strict = analysis_of(line), analyze.analyze(load(line).solution, tolerance=0.001)
    assert loose["tolerance"] == 0.1
    assert strict["recommended"]["layers"] > 8 * loose["recommended"]["layers"]
    assert strict["recommended"]["binding"].startswith("infinitely many layers")


@pytest.mark.slow
def test_what_could_not_be_found_is_null_and_says_why(plane: Path) -> None:
    found = analysis_of(plane)
    for key in ("equation_residual", "modified_residual_2", "modified_residual_4"):
        assert found[key] is None and "layers" in found["notes"][key]
    assert found["residuals"]["layers"] is None and found["residuals"]["space"] is not None


@pytest.mark.parametrize("which", ["line", "plane"])
def test_pictures_show_something(which: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(which)
    for name in PICTURES:
        pixels = imread(folder / name)[..., :3]
        assert min(pixels.shape[:2]) > 300, name
        # ink of curves and bars, not only grey text and frames
        coloured = np.ptp(pixels, axis=-1) > 0.2
        assert 0.001 < coloured.mean() < 0.6, name


def test_the_page_tells_what_holds_what_fails_and_what_to_use(plane: Path) -> None:
    text, found = (plane / "analysis.md").read_text(), analysis_of(plane)
    assert f"Use at least {found['recommended']['layers']} layer" in text
    assert f"{found['recommended']['nodes']} nodes per feature direction" in text
    short = text.split("## In short")[1].split("##")[0]
    for row in found["stability"]:
        kind = {HOLDS: "- Holds:", OPEN: "- Fails, but is only sufficient:", FAILS: "- Fails:"}[state(row)]
        told = [line for line in short.splitlines() if line.startswith(kind)]
        assert len(told) == 1 and row["name"] in told[0], row["name"]
    for name in PICTURES:
        assert f"]({name})" in text
    assert "no slab has 3 neighbours" in text and "None" not in text and "nan" not in text
    assert len(text) < 8000


def test_progress_and_summary_on_a_terminal(said: tuple[Path, list[str]]) -> None:
    _, lines = said
    assert any(line.startswith("stability bounds: done (") for line in lines)
    assert any(line.startswith("modified equations in layers: left out: ") for line in lines)
    assert any(line.startswith("Use at least ") for line in lines)


@pytest.mark.parametrize(
    ("bound", "expected", "share", "text"),
    [
        ({"value": 0.5, "bound": 2.0, "holds": True, "inequality": "a <= 2"}, HOLDS, 0.25, "0.5 < 2"),
        ({"value": 3.0, "bound": 2.0, "holds": False, "inequality": "a <= 2"}, OPEN, 1.5, "3 > 2"),
        ({"value": 4.0, "bound": 2.0, "holds": True, "inequality": "a > 2"}, HOLDS, 0.5, "4 > 2"),
        ({"value": -1.0, "bound": 0.0, "holds": False, "inequality": "a > 0"}, OPEN, None, "-1 < 0"),
        ({"value": None, "bound": 1.0, "holds": False, "inequality": "a <= 1"}, OPEN, None, "infinite > 1"),
    ],
)
def test_how_a_bound_is_told(bound: dict[str, Any], expected: str, share: float | None, text: str) -> None:
    assert state(bound | {"sufficient_only": True}) == expected
    assert state(bound | {"sufficient_only": False}) == (HOLDS if bound["holds"] else FAILS)
    assert ratio(bound) == share
    assert sides(bound) == text


def test_what_is_infinite_or_missing_is_drawn_and_told(plane: Path, tmp_path: Path) -> None:
    found = analysis_of(plane)
    found["stability"][0] |= {"value": None, "holds": False, "needs_layers": None, "needs_nodes": None}
    texts = [text.get_text() for text in _analysis_figures._bounds(found).axes[0].texts]
    assert "infinite: fails" in texts and "infinite > 0.1" in texts and "its sign decides: holds" in texts
    empty = found | {"stability": [], "recommended": None, "energy": {"time": []}, "energy_drift": None}
    _analysis_figures.draw_all(MPI.COMM_WORLD, tmp_path, empty)
    assert "No recommendation" in page(empty, "x", PICTURES) and len(list(tmp_path.glob("*.png"))) == 4


def test_a_flow_too_large_is_checked_on_its_middle(line: Path) -> None:
    flow = load(line).solution.flow
    part = central_slabs(flow, law_bytes(flow, 5))
    assert len(part.layers) == 5 and part.layers.times[0] == 0
    np.testing.assert_array_equal(part.velocity, flow.velocity[3:8])
    np.testing.assert_array_equal(part.potential, flow.potential[3:9])
    assert conservation(part).mass_balance.max() < 1e-12
    assert central_slabs(flow, math.inf).velocity.shape == flow.velocity.shape
    with pytest.raises(hydrodl.InputError, match="more than"):
        central_slabs(flow, law_bytes(flow, 1))


def test_bounds_on_memory_and_time_are_named_and_lifted(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solution = load(line).solution
    monkeypatch.setattr(analyze, "FACTOR_BYTES", 1.0)
    monkeypatch.setattr(analyze, "EIGEN_SECONDS", 1e-9)
    bounded = analyze.analyze(solution)
    assert bounded["multisymplectic_residual"] is None and "GB" in bounded["notes"]["multisymplectic_residual"]
    assert bounded["hessian_min_eigenvalue"] is None and "min" in bounded["notes"]["hessian_min_eigenvalue"]
    assert "second variation" not in {row["name"] for row in bounded["stability"]}
    full = analyze.analyze(solution, full=True)
    assert full["multisymplectic"]["slabs"] == 12 and full["hessian_min_eigenvalue"] > 0 and not full["notes"]


def test_a_long_search_says_that_it_lives(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_analysis_limits, "SPEAK_EVERY", 0.0)
    said: list[str] = []
    monkeypatch.setattr(_analysis_limits, "say", said.append)
    _analysis_limits.smallest_curvature(load(line).solution, {}, math.inf)
    assert len(said) > 5 and all("Hessian products" in text for text in said)


@pytest.mark.slow
def test_a_run_that_did_not_converge_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(MIXTURE.replace("nodes = 41", "nodes = 21"))
    arguments = ["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "o"), "--set", "solver.tao_max_it=1"]
    assert cli.invoke(arguments) == 3
    assert cli.invoke(["analyze", str(tmp_path / "o")]) == 0
    found = analysis_of(tmp_path / "o")
    assert found["run"]["converged"] is False and "did not converge" in found["notes"]["run"]
    assert "did NOT converge" in (tmp_path / "o" / "analysis.md").read_text()


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Analyse what must be refused: exit code 2, one line on stderr and nothing on stdout."""

    def check(*arguments: object) -> str:
        capsys.readouterr()
        assert cli.invoke(["analyze", *map(str, arguments)]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1 and captured.err.startswith("hydrodl: error: "), captured.err
        assert captured.out == ""
        return captured.err

    return check


def test_no_run_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "is not the directory of a run" in refused(tmp_path)
    assert "is not the directory of a run" in refused(tmp_path / "nowhere")


def test_an_unfinished_run_is_refused(tmp_path: Path, line: Path, refused: Callable[..., str]) -> None:
    solution = load(line).solution
    (tmp_path / "problem.toml").write_text((line / "problem.toml").read_text())
    problem = solution.problem
    model = {"class_names": ["a", "b"], "preprocessing": None, "readout": None}
    save_checkpoint(
        tmp_path / "solution.h5", problem.domain, problem.layers, solution.velocity, attributes={"model": model}
    )
    assert "has not finished" in refused(tmp_path)
    assert not (tmp_path / "analysis.json").exists()


@pytest.mark.parametrize("tolerance", ["0", "-1", "nan"])
def test_a_wrong_tolerance_is_refused(tolerance: str, line: Path, refused: Callable[..., str]) -> None:
    assert "tolerance is" in refused(line, "--tolerance", tolerance)


def test_other_commands_do_not_wait_for_the_analyses() -> None:
    code = "import sys, hydrodl.application.cli; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=AT_MOST, check=False).returncode == 0
