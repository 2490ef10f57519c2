"""``hydrodl evolve WAVE.toml``: march a flow, say whether it is certified to stay near the uniform gas, and its needs.

Writes march.json, march.npz and march.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.analysis.stability.march_estimate import MarchEstimate, march_estimate
from hydrodl.application.march_sizes import MarchSizes, march_sizes
from hydrodl.application.report import versions
from hydrodl.application.run_directory import check_writable
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import attempt, on_root, replacing, smallest
from hydrodl.common.parameters import POSITIVE
from hydrodl.common.progress import phase
from hydrodl.data.class_densities import Densities
from hydrodl.files.text_files import plain, write_json
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import whole
from hydrodl.mesh.layer_partition import Layers, layers
from hydrodl.mesh.quadrature import integrals, moment
from hydrodl.pictures.canvas import draw
from hydrodl.pictures.march_figure import march_figure
from hydrodl.problem.flow import Flow
from hydrodl.problem_file.building import make_lagrangian
from hydrodl.problem_file.formula import Expression
from hydrodl.problem_file.march_schema import March
from hydrodl.solver.marching import evolve

MARCH, ARRAYS, PICTURE = "march.json", "march.npz", "march.png"


def evolve_into(
    folder: Path, wanted: March, tolerance: float | None = None, comm: MPI.Comm = MPI.COMM_WORLD
) -> dict[str, Any]:
    """March what a file describes, and write what is known of it; collective.

    Returns:
        What march.json holds: ``certified`` (None where the estimate is for other flows, ``notes`` say why), the
        ``estimate`` by layer or slab, ``stability`` (the bounds of the certificate, and the distance to infinitely many
        layers and nodes), ``needs_layers``, ``needs_nodes`` and ``most_nodes`` of all of them, ``tolerance``,
        ``moved``, ``mass_error``, ``min_density``, sizes.

    Raises:
        InputError: formulas that do not fit the box, or what ``evolve`` refuses; a folder that cannot be written to; a
            tolerance that is not positive.
        SolverError: a slab's equations have no solution that SNES finds.
    """
    if tolerance is not None:
        POSITIVE.check("--tolerance", tolerance)
    check_writable(folder, comm)
    with phase("marching"):
        flow = marched(wanted)
    notes: dict[str, str] = {}
    estimate = None
    try:
        estimate = march_estimate(flow)
    except InputError as error:  # the same on every rank
        notes["certified"] = str(error)
    with phase("marching with fewer layers and nodes"):
        taken = march_sizes(flow, lambda partition, nodes: marched(wanted, partition, nodes), tolerance)
    bounds = [bound.to_dict() for bound in (*(estimate.bounds if estimate else ()), *taken.bounds)]
    rows = {"stability": bounds, "notes": notes | taken.notes, "versions": versions()}
    numbers = _sizes(flow) | _certificate(estimate) | _needs(estimate, taken) | rows
    result: dict[str, Any] = comm.bcast(plain(numbers), root=0)
    fields = _write_arrays(folder / ARRAYS, flow)
    draw(comm, folder / PICTURE, lambda: march_figure(result, flow.layers.times, *fields))
    write_json(folder / MARCH, result, comm)
    return result


def marched(wanted: March, partition: Layers | None = None, nodes: list[int] | None = None) -> Flow:
    """The flow that a file describes, or the same with other layers and nodes; collective."""
    box, network, start = wanted.domain, wanted.network, wanted.start
    shape: dict[str, Any] = {"cells": box.cells, "degree": box.degree, "lumped": box.lumped, "periodic": box.periodic}
    domain = Domain.box(box.lower or [], box.upper or [], nodes or box.nodes or 0, **shape)
    if partition is None:
        partition = layers(network.layers, network.depth) if network.times is None else layers(np.array(network.times))
    x = domain.coordinates[: domain.owned]

    def values() -> list[Floats]:
        return [np.array([Expression(f)(x) for f in start.formulas(name)]) for name in ("density", "potential")]

    density, potential = attempt(domain.comm, values)
    gas = make_lagrangian(wanted.physics, Densities(domain, density, tuple(map(str, range(len(density))))))
    return evolve(domain, partition, gas, density, potential, network.scheme or "euler-box")


def summary(found: dict[str, Any]) -> list[str]:
    """A few lines for a person."""
    drift = f"{found['steps']} layers of {found['scheme']}, {found['nodes']} nodes: mass {found['mass_error']:.1e} off"
    lines = [f"{drift}, smallest density {found['min_density']:.4g}"]
    failing = [row for row in found["stability"] if not row["holds"]]
    if found["certified"] is None:
        lines.append(f"not known to be certified: {found['notes']['certified']}")
    elif found["certified"]:
        lines.append(
            f"certified: in exact arithmetic the density stays within {found['estimate']['margin']:g} of uniform, and "
            "no later state leaves the estimate"
        )
    else:
        names = ", ".join(row["name"] for row in failing if row["name"].startswith("energy-Casimir"))
        lines.append(f"not certified: {names or 'the estimate, before the depth ends,'} fails")
    needs = [("at least {} layers", found["needs_layers"]), ("at least {} nodes", found["needs_nodes"])]
    needs.append(("at most {} nodes", found["most_nodes"]))
    if said := [words.format(number) for words, number in needs if number is not None]:
        lines.append(f"certificate and a distance of {found['tolerance']:.2g} to the limit need {', '.join(said)}")
    return lines


def _sizes(flow: Flow) -> dict[str, Any]:
    domain = flow.domain
    masses = np.array([integrals(domain, moment(domain), rho) for rho in flow.density])
    return {
        "scheme": flow.scheme.name,
        "steps": len(flow.layers),
        "depth": flow.layers.depth,
        "nodes": domain.nodes,
        "periodic": list(domain.periodic),
        "mass_error": float(np.abs(masses - masses[0]).max()),
        "min_density": smallest(domain.comm, float(flow.density.min(initial=np.inf))),
    }


def _certificate(found: MarchEstimate | None) -> dict[str, Any]:
    if found is None:
        return {"certified": None, "estimate": None}
    names = ("margin", "share", "comoving", "limit", "functional", "norms", "ratio", "drift")
    return {"certified": found.holds, "estimate": {name: getattr(found, name) for name in names}}


def _needs(estimate: MarchEstimate | None, taken: MarchSizes) -> dict[str, Any]:
    """Of the certificate and of the distance to the limit together."""
    bounds = (*(estimate.bounds if estimate else ()), *taken.bounds)
    layers_asked, nodes_asked, most = (
        [number for bound in bounds if (number := getattr(bound, name)) is not None]
        for name in ("needs_layers", "needs_nodes", "most_nodes")
    )
    return {
        "needs_layers": max(layers_asked, default=None),
        "needs_nodes": max(nodes_asked, default=None),
        "most_nodes": min(most, default=None),
        "tolerance": taken.tolerance,
        "moved": taken.moved,
    }


def _write_arrays(path: Path, flow: Flow) -> tuple[Floats, Floats]:
    """nodes (n, d), times (N + 1,), density and potential (N + 1, C, n), velocity (N, d, n); collective.

    Returns:
        nodes and density.
    """
    domain: Domain = flow.domain
    fields = {name: whole(domain, getattr(flow, name)) for name in ("density", "potential", "velocity")}
    arrays: dict[str, Any] = {name: values for name, (_, values) in fields.items()}

    def write() -> None:
        with replacing(path) as file, file.open("wb") as out:
            np.savez(out, nodes=fields["density"][0], times=flow.layers.times, **arrays)

    on_root(domain.comm, write)
    return fields["density"]
