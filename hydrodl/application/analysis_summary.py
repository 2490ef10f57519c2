"""An analysis in a few lines, which commands print and pages begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydrodl.pictures.analysis_figures import FAILS, HOLDS, OPEN, state

ANALYSIS = "analysis.json"

ROUNDING = 1e-10
"""Laws that are exact hold to this, relative."""


def summary(analysis: Mapping[str, Any]) -> list[str]:
    """A few lines: what to use and what binds, then what holds, what is not shown, what fails."""
    lines = [_advice(analysis)]
    rows = analysis["stability"]
    for kind, words in ((HOLDS, "Holds"), (OPEN, "Fails, but is only sufficient"), (FAILS, "Fails")):
        names = [row["name"] for row in rows if state(row) == kind]
        names += [name for name, _, verdict in laws(analysis) if verdict == kind]
        if names:
            lines.append(f"{words}: {', '.join(names)}.")
    if not analysis["run"]["converged"]:
        lines.append("The training did not converge: read everything here as being about the best iterate only.")
    return lines


def _advice(analysis: Mapping[str, Any]) -> str:
    found, here = analysis["recommended"], analysis["run"]
    if found is None:
        return "No recommendation: no bound could be evaluated."
    layers, nodes, most = found["layers"], found["nodes"], max(here["nodes_per_direction"])
    deep, wide = _because(analysis, "layers"), _because(analysis, "nodes")
    many = "" if found["width"] is None else f", and {found['width']} neurons a layer{_because(analysis, 'neurons')}"
    text = (
        f"Use at least {layers} layer{'s' * (layers > 1)}{deep} and {nodes} nodes per feature direction{wide}{many}; "
        f"this run has {here['layers']} and {most}."
    )
    if found["error"] is not None:
        text += (
            f" Measured by training finer: a network of that size is to be expected {found['error']:.2g} (root mean "
            "square, feature units) from the infinitely deep one."
        )
    if not found["feasible"]:
        text += f" But no numbers are known with which every bound holds; what binds: {found['binding']}."
    elif layers <= here["layers"] and nodes <= most:
        text += " This run has enough of both."
    return text


def _because(analysis: Mapping[str, Any], what: str) -> str:
    """The bound that asks for a number of these, in brackets."""
    name = analysis["recommended"].get("binds", {}).get(what)
    return f" ({name})" if name else ""


def laws(analysis: Mapping[str, Any]) -> list[tuple[str, float | None, str]]:
    """Laws that the scheme obeys exactly: name, residual, status."""
    laws = [
        ("mass of each class", analysis.get("mass_error")),
        ("duality", analysis.get("duality_residual")),
        ("multisymplectic law", analysis["multisymplectic_residual"]),
    ]
    if analysis["run"].get("width"):
        seen = analysis.get("multisymplectic")
        laws[2] = ("two-form at every layer", None if seen is None else seen["two_form_drift"])
    return [(name, value, "" if value is None else HOLDS if value < ROUNDING else FAILS) for name, value in laws]
