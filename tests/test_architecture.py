"""Arrows point one way: a room imports only from rooms below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "hydrodl"

# Storeys from the ground up; a module may import from its own storey and from those below.
STOREYS: list[set[str]] = [
    {"_platform", "errors"},
    {"domain", "box", "meshfile", "halo", "locate", "collective", "_forms", "laplacian", "grid"},
    {"samples", "data", "synthetic", "bandwidth", "gaussian", "kernel", "densities"},
    {"lagrangian", "readout", "logistic", "losses", "neurons", "calibration"},
    {"blocks", "corners", "solvers", "layered", "action", "problem"},
    {"generator", "lossforms", "march", "sweeps", "tangent", "measures"},
    {"reduced", "solution", "verification", "trained_readout", "control_spaces", "controls"},
    {"optimiser", "continuation", "train", "growth", "flow", "evolve", "network", "inverse"},
    {"portable", "probability_flow", "posterior", "draws", "chain", "sampling"},
    {"_multipliers", "_bridge_cost", "bridge", "snapshots", "wasserstein"},
    {"_fitting", "estimator", "transport"},
    {"_canvas", "_raster", "_transport", "_decision", "_trajectories", "_animation"},
    {"export", "storage", "plot", "analysis", "recommend"},
    {"placement", "refine", "adapt", "holdout", "residual", "relu", "table", "onnxfile"},
    {
        "_expression",
        "_toml",
        "_data_sections",
        "_sections",
        "_config_errors",
        "config",
        "_machine",
        "_estimate",
        "_resume",
        "_snapshot_build",
        "_build",
        "_progress",
        "run",
    },
    {"analyze", "exports", "_analysis_figures", "_analysis_limits", "_analysis_page"},
    {"cli", "__main__"},
]
HEIGHT = {name: level for level, storey in enumerate(STOREYS) for name in storey}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(module: str) -> str:
    """The first part of a module's name below the package."""
    return module.removeprefix("hydrodl.").split(".")[0]


def imported(path: Path) -> set[str]:
    """Rooms a file imports when it runs: not those under ``if TYPE_CHECKING``."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {room(alias.name) for alias in node.names if alias.name.startswith("hydrodl.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "hydrodl":
            found |= {alias.name for alias in node.names if alias.name in HEIGHT}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hydrodl."):
            found.add(room(node.module or ""))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_come_from_below(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert here in HEIGHT, f"give {here} a storey in this test"
    above = {name for name in imported(path) if HEIGHT[name] > HEIGHT[here]}
    assert not above, f"{here} imports from above: {sorted(above)}"


def test_analyses_never_import_the_solver() -> None:
    solver = {"train", "optimiser", "reduced", "sweeps", "tangent", "run", "config", "cli"}
    for path in (PACKAGE / "analysis").glob("*.py"):
        assert not imported(path) & solver, path.name


def test_storage_plots_and_analysis_are_used_by_the_top_alone() -> None:
    top = {"export", "storage", "plot", "analysis", "recommend"}
    for path in MODULES:
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if HEIGHT[here] < HEIGHT["analysis"]:
            assert not imported(path) & top, path.name
