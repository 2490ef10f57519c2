"""The command line on several ranks: the run, the analysis and the predictions of one, and one message for all."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import hydrodl as hd

# isort: split
import pytest

from hydrodl.application import cli
from hydrodl.common import displays
from tests.builders.cli_runs import WITHOUT_FIGURES
from tests.builders.launch import COMMAND, run_alone
from tests.builders.on_ranks import WORLD
from tests.builders.run_inputs import KINDS, write_inputs
from tests.hostile import crafted

# Not symmetric, so that no eigenvalue or largest value is double; layers and nodes enough for every part.
PROBLEM = """
[data]
source = "two_moons"
samples = 80
test_samples = 50
[domain]
nodes = [14, 13]
[network]
layers = 7
scheme = "euler-box"
[physics]
noise = 0.1
[loss]
weight = 2.0
[solver]
tao_gatol = 1e-10
"""
# Nothing but rounding or the solver's tolerance: small on any number of ranks, not the same.
ROUNDING = {
    "mass_error",
    "duality_residual",
    "slab_equations",
    "multisymplectic_residual",
    "multisymplectic",
    "hessian",
}
RUNS = ("alone", "together")


def command(*arguments: object) -> tuple[int, str, str]:
    """Exit code, and what all ranks together print and complain of."""
    out, complaints = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(complaints), pytest.MonkeyPatch.context() as patch:
        patch.setattr(displays, "NOTICED", 600.0)  # however slow the machine is
        code = cli.invoke([str(argument) for argument in arguments])
    codes, printed, told = zip(*WORLD.allgather((code, out.getvalue(), complaints.getvalue())), strict=True)
    assert len(set(codes)) == 1, codes
    return code, "".join(printed), "".join(told)


def of_one_rank_and_of_all(folder: Path, alone: list[str], together: list[object]) -> str:
    """A command of one rank in a process of its own, and meanwhile one of all ranks: what the latter print."""

    def own() -> None:
        if WORLD.rank == 0:
            run_alone(COMMAND, *alone, cwd=folder)

    with ThreadPoolExecutor(1) as meanwhile:
        done = meanwhile.submit(own)
        code, out, told = command(*together)
        done.result()
    WORLD.barrier()
    assert (code, told) == (0, "")
    return out


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one rank, "alone", and a run of all ranks, "together"."""
    folder = WORLD.bcast(tmp_path_factory.mktemp("command"))
    if WORLD.rank == 0:
        (folder / "p.toml").write_text(PROBLEM)
    WORLD.barrier()
    alone = ["train", "p.toml", "--out", "alone"]
    out = of_one_rank_and_of_all(folder, alone, ["train", folder / "p.toml", "--out", folder / "together"])
    assert out.count("converged (") == 1 and out.count("newton   0 ") == 1
    return folder


@pytest.fixture(scope="module")
def analysed(where: Path) -> Path:
    """Both analysed, too."""
    out = of_one_rank_and_of_all(where, ["analyze", "alone"], ["analyze", where / "together"])
    assert out.count("stability bounds: done") == 1, out
    assert out.count("Use at least") == 1 and "left out" not in out, out
    return where


def read(where: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads((where / run / name).read_text()) for run in RUNS]


@pytest.mark.three_ranks
def test_same_report_on_any_number_of_ranks(where: Path) -> None:
    alone, together = read(where, "report.json")
    assert (alone["ranks"], together["ranks"]) == (1, WORLD.size)
    assert together.keys() == alone.keys()
    assert together["converged"] is alone["converged"] is True
    assert together["objective"] == pytest.approx(alone["objective"], rel=1e-10)
    assert together["peclet"] == pytest.approx(alone["peclet"], rel=1e-5)
    assert together["min_density"] == pytest.approx(alone["min_density"], rel=1e-4)
    for key in ("layers", "nodes", "unknowns", "train_accuracy", "test_accuracy", "versions"):
        assert together[key] == alone[key], key
    assert together["mass_error"] < 1e-12
    same_files(where, {"report.json", "solution.h5", "problem.toml", "fields.pvd"})


def compare(alone: Any, other: Any, where: str) -> None:
    if isinstance(alone, dict):
        assert alone.keys() == other.keys(), where
        for key in alone:
            compare(alone[key], other[key], f"{where}.{key}")
    elif isinstance(alone, list):
        assert len(alone) == len(other), where
        for n, (first, second) in enumerate(zip(alone, other, strict=True)):
            compare(first, second, f"{where}[{n}]")
    elif isinstance(alone, float):
        # residuals of the momentum map are the optimiser's tolerance
        assert other == pytest.approx(alone, rel=1e-6, abs=1e-8), where
    else:
        assert alone == other, where


def test_same_analysis_on_any_number_of_ranks(analysed: Path) -> None:
    alone, together = read(analysed, "analysis.json")
    assert (alone["run"].pop("ranks"), together["run"].pop("ranks")) == (1, WORLD.size)
    for found in (alone, together):
        assert found["mass_error"] < 1e-12 and found["duality_residual"] < 1e-12
        assert found["multisymplectic_residual"] < 1e-10 and found["hessian"]["residual"] < 1e-8
        assert max(found["slab_equations"].values()) < 1e-7
        assert found["time_s"].keys() == alone["time_s"].keys()
    kept = set(alone) - ROUNDING - {"time_s"}
    assert kept >= {"energy_drift", "modified_energy_drift", "equation_residual", "stability", "recommended"}
    for key in sorted(kept):
        compare(alone[key], together[key], key)
    same_files(analysed, {"analysis.json", "analysis.md", "analysis_energy.png", "analysis_residuals.png"})


def same_files(where: Path, some: set[str]) -> None:
    """One set of files, some of which are known."""
    alone, together = ({path.name for path in (where / run).iterdir() if path.suffix != ".vtu"} for run in RUNS)
    assert alone == together
    assert alone >= some
    assert not [name for name in alone if name.endswith(".partial")]
    assert len({(where / run / "problem.toml").read_text() for run in RUNS}) == 1


def same_predictions(folder: Path, tolerance: float) -> list[str]:
    """The labels of both tables, whose probabilities must agree, too."""
    alone, together = (list(csv.reader((folder / f"{run}.csv").read_text().splitlines()))[1:] for run in RUNS)
    assert [row[0] for row in together] == [row[0] for row in alone]
    for row, expected in zip(together, alone, strict=True):
        assert [float(cell) for cell in row[1:]] == pytest.approx([float(cell) for cell in expected[1:]], abs=tolerance)
    return [row[0] for row in alone]


@pytest.mark.usefixtures("no_figures")
def test_a_run_is_read_on_another_number_of_ranks(where: Path) -> None:
    features = hd.load_dataset("two_moons").feature_names
    if WORLD.rank == 0:
        (where / "q.csv").write_text(",".join(features) + "\n0.1,0.7\n1.2,-0.4\n-0.9,0.2\n")
    WORLD.barrier()
    alone = ["predict", "together", "q.csv", "--out", "alone.csv"]
    of_one_rank_and_of_all(where, alone, ["predict", where / "alone", where / "q.csv", "--out", where / "together.csv"])
    assert len(same_predictions(where, 1e-7)) == 3
    code, out, told = command("train", where / "p.toml", "--out", where / "alone", "--resume")
    assert code == 0, told
    assert "in 0 steps" in out or "in 1 steps" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "p.toml", "--set", "physics.noise=0"], "physics.noise is 0"),
        (["train", "missing.toml"], "missing.toml"),
        (["train", "p.toml", "--set", "domain.lower=[0, 0]", "--set", "domain.upper=[1, 1]"], "outside the mesh"),
        (["train", "p.toml", "--out", "p.toml"], "cannot be written"),
        (["train", "p.toml", "--fast"], "--fast"),
        (["predict", "nowhere", "q.csv"], "nowhere"),
        (["analyze", "nowhere"], "is not the directory of a run"),
    ],
)
def test_wrong_input_is_told_once(
    arguments: list[str], expected: str, where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(where)
    code, out, told = command(*arguments)
    assert (code, out) == (2, "")
    assert told.startswith("hydrodl: ") and told.count("\n") == 1 and expected in told


@pytest.mark.usefixtures("no_figures")
def test_no_convergence_is_told_once(where: Path) -> None:
    code, _, told = command("train", where / "p.toml", "--out", where / "short", "--set", "solver.tao_max_it=1")
    assert code == 3 and told.count("not converged") == 1
    assert (where / "short" / "solution.h5").is_file()


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("problem", ["mesh", "snapshots, mesh"])
def test_a_run_opens_without_the_tables_and_the_mesh_it_came_from(folder: Path, problem: str) -> None:
    """The first is a run of one rank, the second one of all."""
    inputs, predicts = KINDS[problem]
    arguments = ["train", "p.toml", "--out", "run", "--set", "network.layers=2"]
    if WORLD.rank == 0:
        write_inputs(folder, inputs)
        if predicts:
            run_alone(WITHOUT_FIGURES, *arguments, cwd=folder)
    WORLD.barrier()
    if not predicts:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert command(*arguments)[0] == 0
    if WORLD.rank == 0:
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
        (folder / "q.csv").write_text("length,width\n2.9,31\n5.1,11\n3.9,20\n")
    WORLD.barrier()
    if predicts:
        alone = ["predict", "run", "q.csv", "--out", "alone.csv"]
        together = ["predict", folder / "run", folder / "q.csv", "--out", folder / "together.csv"]
        of_one_rank_and_of_all(folder, alone, together)
        assert len(same_predictions(folder, 1e-12)) == 3
    else:
        for action in ("export", "plot"):
            assert command(action, folder / "run")[0] == 0


@pytest.mark.parametrize(
    "name", ["velocity not finite", "masses that change", "no JSON", "readout of other classes", "no nodes"]
)
def test_what_one_rank_finds_wrong_every_rank_refuses_once(name: str, where: Path, folder: Path) -> None:
    change, words = crafted.LIES[name]
    if WORLD.rank == 0:
        shutil.copytree(where / "together", folder / "o")
        held = copy.deepcopy(crafted.contents(where / "together" / "solution.h5"))
        change(held)
        crafted.write(folder / "o/solution.h5", held)
    WORLD.barrier()
    code, out, told = command("analyze", folder / "o")
    assert (code, out) == (2, "")
    assert told.startswith("hydrodl: error: ") and told.count("\n") == 1 and words in told
