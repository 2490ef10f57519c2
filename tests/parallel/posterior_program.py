"""Posterior, samples and pictures of networks, as JSON: nothing may depend on the number of ranks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import hydrodl as hd  # isort: skip  (before mpi4py: it loads the compiled stack in the order that needs)
import numpy as np
from mpi4py import MPI

sys.path.insert(0, str(Path(__file__).parents[2]))  # the helpers of the tests

from hydrodl.data.density_sampling import sample_density
from hydrodl.network.markov_chain import sample_chain
from hydrodl.network.noise_average import posterior, posterior_proba
from hydrodl.network.random_paths import sample_paths
from hydrodl.pictures import animation as _animation
from hydrodl.pictures.animation import animate
from hydrodl.pictures.decision import plot_calibration, plot_decision
from hydrodl.pictures.trajectories import plot_trajectories
from tests.builders.networks import network, waves

CASES: dict[str, dict[str, Any]] = {
    "line": {"d": 1, "nodes": 15},
    "box": {"d": 2, "nodes": [9, 8]},
    "cube": {"d": 3, "nodes": 5},
    "P1": {"d": 2, "nodes": 6, "cells": "simplex"},
    "P2": {"d": 2, "nodes": 5, "cells": "simplex", "degree": 2},
}
RUNS = [
    ("line", "euler-box"),
    ("line", "midpoint"),
    ("box", "euler-box"),
    ("box", "midpoint"),
    ("cube", "euler-box"),
    ("P1", "midpoint"),
    ("P2", "euler-box"),
]


def everyone(values: Any) -> list[Any]:
    """As a list, after a check that all ranks have the same."""
    copies = MPI.COMM_WORLD.allgather(np.asarray(values).tolist())
    assert all(copy == copies[0] for copy in copies)
    return copies[0]


def results(scheme: str, choices: dict[str, Any]) -> dict[str, Any]:
    net = waves(network(scheme, **choices))
    points = np.random.default_rng(3).uniform(-2.1, 2.1, (12, net.domain.dimension))
    found = posterior(net)
    density = net.solution.problem.densities.values[0]
    out = {
        "posterior": everyone(found.at(points, layer=1)),
        "proba": everyone(posterior_proba(net.solution, points)),
        "density": everyone(sample_density(net.domain, density, 30, seed=1)),
        "paths": everyone(sample_paths(net, points, 2, seed=2, substeps=2)),
    }
    if net.domain.lumped and scheme == "euler-box":
        ends = sample_chain(net, points, 500, seed=3)
        out |= {"nodes": everyone(ends.nodes), "counts": everyone(ends.counts)}
    return out


def refused(action: Any) -> list[str]:
    """What the ranks say about bad input: one line for all."""
    try:
        action()
    except hd.InputError as error:
        return sorted(set(MPI.COMM_WORLD.allgather(str(error)[:25])))
    return ["nothing"]


def pictures(folder: Path) -> list[str]:
    samples = hd.sample_mixture(
        [
            hd.Gaussian([-0.5] * 2, 0.6, label=0),
            hd.Gaussian([0.6] * 2, 0.6, label=1),
            hd.Gaussian([0.1] * 2, 0.6, label=2),
        ],
        40,
    )
    net = waves(network("euler-box", **CASES["box"]))
    return [
        path.name
        for path in (
            plot_decision(net, samples, folder / "decision.png"),
            plot_trajectories(net, samples, folder / "trajectories.png"),
            plot_calibration(net, samples, folder / "calibration.png"),
            animate(net, samples, folder / "flow.gif"),
        )
        if path.stat().st_size > 1000
    ]


if __name__ == "__main__":
    folder, _animation.FRAMES = Path(sys.argv[1]), 4
    last = MPI.COMM_WORLD.rank == MPI.COMM_WORLD.size - 1
    line = waves(network("euler-box", **CASES["line"]))
    bad = np.full(line.domain.owned, np.nan if last else 1.0)
    report: dict[str, Any] = {
        "cases": {f"{case} {scheme}": results(scheme, CASES[case]) for case, scheme in RUNS},
        "refused": [
            refused(lambda: sample_density(line.domain, bad, 3)),
            refused(lambda: animate(line, None, folder / "none" / "flow.gif")),  # type: ignore[arg-type]
        ],
        "pictures": pictures(folder),
    }
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(report))
