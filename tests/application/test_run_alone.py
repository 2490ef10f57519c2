"""A finished run opens by itself: tables, meshes and the problem file it came from may be gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hydrodl.application import cli, train_run
from hydrodl.application.analyze_run import analyze_run
from hydrodl.application.run_directory import load
from hydrodl.files.checkpoint import load_mesh
from hydrodl.mesh.domain import Domain
from tests.builders.run_inputs import KINDS, write_inputs


def without_times(found: Any) -> Any:
    """An analysis without what no two of them share."""
    return {key: value for key, value in found.items() if key not in ("time_s", "versions")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_run_opens_without_the_data_it_came_from(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    problem, predicts = KINDS[kind]
    if kind not in ("table", "snapshots, mesh"):  # figures of these two are enough, and take their time
        monkeypatch.setattr(train_run, "plot_all", lambda *_: None)
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    write_inputs(before, problem)
    assert cli.invoke(["train", str(before / "p.toml"), "--out", str(before / "run")]) == 0
    compared = kind == "snapshots, mesh"  # once is enough: an analysis takes its time
    with_data = without_times(analyze_run(before / "run")) if compared else None
    figures = {path.name for path in (before / "run").glob("*.png")}
    after.mkdir()
    (before / "run").rename(after / "run")
    for path in before.iterdir():
        path.unlink()
    run = after / "run"
    if compared:
        assert without_times(analyze_run(run)) == with_data
    if figures:
        for path in run.glob("*.png"):
            path.unlink()
        assert cli.invoke(["plot", str(run)]) == 0
        assert {path.name for path in run.glob("*.png")} == {name for name in figures if "analysis" not in name}
    assert cli.invoke(["export", str(run), "--format", "vtk,npz", "--out", str(after / "e")]) == 0
    assert {path.name for path in (after / "e").iterdir()} >= {"fields.pvd", "network.npz"}
    (after / "q.csv").write_text("length,width\n2.9,31\n5.1,11\n")
    if predicts:
        assert cli.invoke(["predict", str(run), str(after / "q.csv"), "--out", str(after / "p.csv")]) == 0
        assert [line.split(",")[0] for line in (after / "p.csv").read_text().splitlines()[1:]] == ["reed", '"oak']
    else:
        assert "no readout" in refused("predict", run, after / "q.csv")
        found = load(run).solution
        asked = {loss.layer: loss.target for loss in found.problem.terms}  # type: ignore[attr-defined]
        assert sorted(asked) == [2, 4] and all(target.masses == pytest.approx(1.0) for target in asked.values())
        ends = json.loads((run / "report.json").read_text())["snapshots"]
        for entry in ends:
            miss = np.abs(found.density[entry["layer"]] - asked[entry["layer"]].values)
            assert entry["l1"] == pytest.approx(mass_of(found.problem.domain, miss), rel=1e-12)


def mass_of(domain: Domain, values: np.ndarray) -> float:
    from hydrodl.mesh.quadrature import integrals, moment

    return float(integrals(domain, moment(domain), values).sum())


@pytest.mark.slow
def test_mesh_of_a_checkpoint_is_the_mesh_of_the_file(tmp_path: Path) -> None:
    write_inputs(tmp_path, KINDS["mesh"][0])
    assert cli.invoke(["train", str(tmp_path / "p.toml"), "--out", str(tmp_path / "run")]) == 0
    ours = Domain(load_mesh(tmp_path / "run/solution.h5", load(tmp_path / "run").network.domain.comm))
    given = Domain.from_file(tmp_path / "square.vtu")
    assert ours.volume == pytest.approx(given.volume, rel=1e-14) and ours.nodes == given.nodes
    order = [np.lexsort(domain.coordinates.T) for domain in (ours, given)]
    assert np.array_equal(ours.coordinates[order[0]], given.coordinates[order[1]])
