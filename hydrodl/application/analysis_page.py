"""The page of an analysis that a person reads: what holds, what fails, what binds, how many layers and nodes to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydrodl.application.analysis_summary import laws, summary
from hydrodl.pictures.analysis_figures import FAILS, HOLDS, OPEN, number, sides, state

PAGE = "analysis.md"


MEANINGS = {
    "maximum principle": "densities stay non-negative and the objective stays bounded below",
    "cell Peclet": "the fitted diffusion is of the size of the noise in every cell, and nears it with h^2",
    "noise of the splines": "densities feel the noise that was asked for, and no more",
    "order of the noise": "half of the noise acts before the map: no error of first order from it",
    "layer invertibility": "every residual block is one to one",
    "depth convergence": "the network is within the tolerance of the infinitely deep one",
    "focusing": "training with this internal energy is well posed",
    "second variation": "the trained network is a strict local minimum: data a little different give one nearby",
    "descent step": "plain descent with the best step converges near the minimum",
    "Newton ball": "Newton's method converges from the solution without line search, to a minimum nearby",
    "data radius": "how much the data may change before this minimum is lost",
    "relative energy": "the velocity trained in infinitely many layers makes the same paths, to the tolerance",
    "discrete hyperbolic": "every wave of the marched fluid is neutral",
    "explicit marching": "thin enough layers for marching",
    **{
        name: meaning
        for number in ("layers", "nodes", "neurons")
        for name, meaning in (
            (f"infinitely many {number}", f"the output is within the tolerance of that with ever more {number}"),
            (f"objective of infinitely many {number}", f"J is near its value with ever more {number}"),
            (f"{number} that were measured", f"networks with these {number} were trained, and asked for no more"),
        )
    },
}


REMARKS = {
    "multisymplectic law": "; a law of the scheme, of its equations linearised at these fields, trained or not",
    "two-form at every layer": "; what remains of the multisymplectic law for neurons",
}


OF_NEURONS = {
    "patches": "no law of neurons: their momentum map does not hold node by node",
    "momentum": "node by node, which is not asked of neurons: their coefficients have the gradient norm above",
}
"""Remarks that only runs with neurons need."""


EQUATIONS = {
    "mass": "residual of the worst slab",
    "potential": "residual of the worst slab",
    "momentum": "the gradient of J in the worst slab, as small as training has made it",
}


TITLES = {
    "analysis_energy.png": "energy by layer",
    "analysis_residuals.png": "residuals of the original and the modified equations",
    "analysis_stability.png": "stability bounds",
    "analysis_training.png": "descent below and above its limit, observed and predicted",
}


def page(analysis: Mapping[str, Any], name: str, figures: Sequence[str]) -> str:
    """The page as Markdown.

    Args:
        analysis: what analysis.json holds.
        name: of the run.
        figures: file names of the pictures beside the page.
    """
    run = analysis["run"]
    sizes = " x ".join(map(str, run["nodes_per_direction"])) if run["uniform_box"] else str(run["nodes"])
    state_of_it = "converged" if run["converged"] else f"did NOT converge ({run['reason']})"
    parts = [
        f"# Analysis of {name}",
        f"{run['layers']} layers, {sizes} nodes, {run['classes']} classes in d = {run['dimension']}, scheme "
        f"{run['scheme']}, noise {run['noise']:g}. The training {state_of_it}.",
        "## In short",
        "\n".join(f"- {line}" for line in summary(analysis)),
        "## How many layers and nodes",
        _bounds_table(analysis["stability"]),
        "\n".join(_remarks(analysis["stability"])),
        f"Layers are equal ones of the same depth; nodes are those of the feature direction that has most of them; the "
        f"tolerance of the depth convergence is {analysis['tolerance']:g} in feature units. The numbers take the "
        "velocity, as a function of depth and features, to stay what it is: train again with them and ask again. A "
        "bound that is sufficient only asks for enough, perhaps for more than is needed.",
        "## What is conserved",
        _laws_table(analysis),
        "## What the numbers really solve",
        "\n".join(f"- {line}" for line in _solved(analysis)),
        *_training(analysis),
        "## Pictures",
        "\n".join(f"![{TITLES.get(file, file)}]({file})" for file in figures),
    ]
    if analysis["notes"]:
        parts += ["## Notes", "\n".join(_notes(analysis["notes"]))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _training(analysis: Mapping[str, Any]) -> list[str]:
    """How stable the algorithm is around the solution; a section, or none."""
    found = analysis.get("training")
    if not found:
        return []
    limit, best, factor, ball, radius = (
        number(found[key]) for key in ("step_limit", "best_step", "contraction", "newton_radius", "data_radius")
    )
    lines = [
        f"Plain descent in the control inner product converges near this minimum for steps below {limit}; the best, "
        f"{best}, brings the error to {factor} of itself in a step.",
        f"Newton's method needs no line search within {ball} of the minimum, in the control inner product; the "
        f"solution is {number(found['distance'])} from it.",
        f"Data that differ by at most {radius} (other labels for a share f of the mass at any place count 2 f at most) "
        f"keep the minimum, and move it by at most {number(found['sensitivity'])} times the difference to first order, "
        "twice that in all.",
    ]
    return ["## How stable training is", "\n".join(f"- {line}" for line in lines)]


def _notes(notes: Mapping[str, str]) -> list[str]:
    """One line a reason, with all the keys of analysis.json that it concerns."""
    keys: dict[str, list[str]] = {}
    for key, reason in notes.items():
        keys.setdefault(reason, []).append(f"`{key}`")
    return [f"- {', '.join(names)}: {reason}" for reason, names in keys.items()]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), line(["---"] * len(header)), *map(line, rows)])


def _bounds_table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No bound could be evaluated."
    order = {FAILS: 0, OPEN: 1, HOLDS: 2}
    shown = [
        (
            f"**{row['name']}**" + (f": {MEANINGS[row['name']]}" if row["name"] in MEANINGS else ""),
            f"`{row['inequality']}`",
            sides(row),
            state(row),
            _needs(row, "needs_layers"),
            _needs(row, "needs_nodes"),
        )
        for row in sorted(rows, key=lambda row: order[state(row)])
    ]
    return _table(("bound", "inequality", "found", "status", "layers", "nodes"), shown)


def _remarks(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to know of the bounds that fail."""
    return [f"- {row['name']}: {row['note']}" for row in rows if row["note"] and not row["holds"]]


def _needs(row: Mapping[str, Any], key: str) -> str:
    if row[key] is None:
        return ""
    return f"{row[key]} for {row['for_layers']} layers" if key == "needs_nodes" and row["for_layers"] else str(row[key])


def _laws_table(analysis: Mapping[str, Any]) -> str:
    of_neurons = OF_NEURONS if analysis["run"].get("width") else {}
    rows = [
        (
            name,
            "left out" if value is None else number(value),
            f"exact to rounding: {verdict}{REMARKS.get(name, '')}" if verdict else "",
        )
        for name, value, verdict in laws(analysis)
    ]
    for name, value in analysis.get("slab_equations", {}).items():
        rows.append((f"slab equations, {name}", number(value), (EQUATIONS | of_neurons)[name]))
    if of_neurons:
        value = _or_left_out(analysis["multisymplectic_residual"])
        rows.append(("multisymplectic sums on patches", value, of_neurons["patches"]))
    modified, drift = analysis["modified_energy_drift"], analysis["energy"].get("drift_of_these_slabs")
    remark = "made by the layers; it vanishes as they get thinner"
    rows.append(("energy H, drift", _or_left_out(analysis["energy_drift"]), remark))
    gain = f"{drift / modified:.3g} times less than that of H on the same slabs" if drift and modified else ""
    rows.append(("modified energy, drift", _or_left_out(modified), gain))
    return _table(("law", "relative residual", "remark"), rows)


def _objective(analysis: Mapping[str, Any]) -> list[str]:
    """J with its error bar, and what makes it."""
    found, J, lines = analysis.get("objective_error"), analysis["run"]["objective"], []
    if found is None:
        return []
    if "total" in found:
        adds = ", ".join(f"{name} {found[name]:+.2g}" for name in ("layers", "nodes", "noise"))
        lines.append(
            f"J = {J:.6g} +- {found['total']:.2g} (what each adds, measured on finer meshes: {adds}): the same problem "
            f"in infinitely many layers on infinitely many nodes has about {found['extrapolated']:.6g}."
        )
    if "by_formula" in found:
        formula = found["by_formula"]
        parts = ", ".join(f"{name} {value:+.2g}" for name, value in formula["parts"].items())
        lines.append(f"By formula the layers add {formula['layers']:+.2g} to leading order ({parts}).")
    return lines


def _output(analysis: Mapping[str, Any]) -> list[str]:
    """How far the network's output is from that of infinitely many layers."""
    found = analysis.get("output_error")
    if found is None:
        return []
    return [
        f"The network brings a point {found['mean']:.2g} on average, {found['largest']:.2g} at most, from where "
        f"infinitely many layers of the same velocity would (measured; +- {found['doubt']:.1g} on average)."
    ]


def _deeper(analysis: Mapping[str, Any]) -> list[str]:
    """How far the flow is from that of infinitely many layers, trained."""
    found = analysis.get("relative_energy")
    if found is None or found["value"] is None:
        return []
    asked = found["needs_layers"]
    cure = (
        f"; {asked} layers would bring that to {found['bound']:g}" if asked is not None and not found["holds"] else ""
    )
    return [
        f"Trained in infinitely many layers, the velocity would make paths that part from these by at most "
        f"{found['value']:.2g} in the mean square (relative energy, an estimate from one gradient){cure}."
    ]


def _or_left_out(value: float | None) -> str:
    return "left out" if value is None else number(value)


def _solved(analysis: Mapping[str, Any]) -> list[str]:
    lines = []
    for direction, symbol in (("layers", "Delta"), ("space", "h")):
        found = analysis["residuals"][direction]
        if found is None:
            lines.append(f"In {direction}: left out, see the notes.")
            continue
        levels = [max(row) for row in zip(*(found["equations"][key] for key in ("density", "potential")), strict=True)]
        shown = ", ".join(map(number, levels))
        if levels[0] > levels[1] > levels[2]:
            verdict = (
                f"each correction brings it down, as it must where the run solves the modified equations in {symbol}; "
                "of which order the corrections are takes a run with another step to see."
            )
        elif levels[0] > levels[1]:
            verdict = (
                f"the first correction helps, the second does not: at this {symbol} the series has given what it can."
            )
        else:
            verdict = f"the corrections do not help: {symbol} is too coarse for the series to say anything here."
        lines.append(
            f"In {direction} ({symbol} = {found['step']:.3g}) the residual of the original equations, with the first "
            f"and with the second correction is {shown}; {verdict}"
        )
    lines += _objective(analysis) + _output(analysis) + _deeper(analysis)
    fluid = analysis["euler_poincare_residual"]
    if fluid is not None:
        lines.append(
            f"The momentum equation of the fluid, which the scheme does not use, has the relative residual "
            f"{number(fluid)}; it vanishes as layers and mesh are refined."
        )
    return lines
