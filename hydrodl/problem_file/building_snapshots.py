"""Problem files with [[data.snapshots]]: from the section to sample sets, the start and the targets, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.data.class_densities import Densities, mixture, sample_mixture
from hydrodl.data.density_sampling import sample_density
from hydrodl.data.gaussian import Gaussian
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.data.snapshot_sets import Snapshots, read_snapshots
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.quadrature import integrals, moment
from hydrodl.physics import losses
from hydrodl.problem.solution import Solution
from hydrodl.problem_file import data_schema as data_sections
from hydrodl.problem_file import schema as sections
from hydrodl.transport.snapshot_targets import snapshot_layers, snapshot_losses
from hydrodl.transport.wasserstein_distance import has_pot, wasserstein

MISSED = 0.1
"""L1 distance of a density to a snapshot's, 0 to 2, above which it is not met: a twentieth of the mass is elsewhere."""


DRAWS = 1000  # points drawn from a density to measure its distance to a snapshot


def gaussians(components: Sequence[data_sections.Component]) -> list[Gaussian]:
    """The mixture of a problem file."""
    return [Gaussian(c.mean, std=c.std, covariance=c.covariance, weight=c.weight, label=c.label) for c in components]


def entries(data: sections.Data) -> list[data_sections.Snapshot]:
    """The snapshots of a problem file that has some."""
    assert data.snapshots is not None
    return data.snapshots


def read_sets(data: sections.Data) -> Snapshots:
    """The sample sets of a problem file with snapshots, drawn where they are mixtures; collective."""
    words: dict[str, Any] = {
        name: getattr(data, name) for name in ("features", "dimensions", "one_unit", "delimiter", "decimal")
    }
    if data.time is not None:
        return _read_by_time(data, words)
    given = entries(data)
    times = np.array([entry.time for entry in given])
    if given[0].mixture is None:
        return read_snapshots({entry.time: str(entry.source) for entry in given}, **words)
    drawn = [
        sample_mixture(gaussians(entry.mixture or []), data.samples, data.seed + k).features
        for k, entry in enumerate(given)
    ]
    return Snapshots(times, tuple(drawn), Preprocessing.identity(drawn[0].shape[1]))


def _read_by_time(data: sections.Data, words: dict[str, Any]) -> Snapshots:
    """The snapshots in one table; where the file lists their times, they must be those of the table."""
    source = str(data.source if data.snapshots is None else data.snapshots[0].source)
    found = read_snapshots(source, time=data.time, **words)
    listed = found.times.tolist() if data.snapshots is None else [entry.time for entry in data.snapshots]
    if listed != found.times.tolist():
        raise InputError(f"{source}: column {data.time!r} has the times {found.times.tolist()}, not {listed}")
    return found


def listed(data: sections.Data, sets: Snapshots) -> sections.Data:
    """[data] with the snapshots that a table with a column of times has."""
    if data.time is None or data.snapshots is not None:
        return data
    found = [data_sections.Snapshot(time=float(time), source=data.source) for time in sets.times]
    return data.model_copy(update={"source": None, "snapshots": found})


def components(data: sections.Data) -> list[data_sections.Component]:
    """All components of all mixtures among the snapshots."""
    return [part for entry in entries(data) for part in entry.mixture or []]


def densities_of(data: sections.Data, sets: Snapshots, domain: Domain) -> list[Densities]:
    """The density at every snapshot: of the mixture, or the kernel density of the samples; collective."""
    given = entries(data)
    if given[0].mixture is None:
        return sets.densities(domain, data.bandwidth)
    return [mixture(gaussians(entry.mixture or []), domain) for entry in given]


def layers_of(config: sections.Config) -> tuple[Layers, list[int]]:
    """The partition of depth among whose times are those of the snapshots, and the index of each."""
    times = [entry.time for entry in entries(config.data)]
    return snapshot_layers(times, config.network.layers, config.network.depth)


def make_losses(config: sections.Config, targets: Sequence[Densities]) -> list[losses.Density]:
    """One density loss for every snapshot after the first."""
    loss, (_, at) = config.loss[0], layers_of(config)
    assert isinstance(loss, sections.Density)
    wanted = dict(zip(at[1:], targets, strict=True))
    return snapshot_losses(wanted, loss.weight, loss.divergence, loss.floor)


def report(solution: Solution, sets: Snapshots) -> list[dict[str, Any]]:
    """Distances of the flow to every snapshot after the first; collective.

    "l1": between the densities, 0 to 2. "w2": in raw units, between points drawn from the flow's density and the
    samples; None without the POT library.
    """
    domain, found = solution.problem.domain, []
    goals = {loss.layer: loss.target for loss in solution.problem.terms}  # type: ignore[attr-defined]
    back = sets.raw_map(domain.dimension).T
    for k, (layer, goal) in enumerate(sorted(goals.items()), start=1):
        rho = solution.density[layer]
        miss = float(integrals(domain, moment(domain), np.abs(rho - goal.values)).sum())
        apart = _apart(domain, rho[0], sets.points[k], back, k) if has_pot() else None
        found.append({"time": float(sets.times[k]), "layer": layer, "l1": miss, "w2": apart})
    return found


def missed(found: Sequence[dict[str, Any]], sets: Snapshots) -> tuple[str, ...]:
    """What a user should know of a ``report``: the snapshots that the flow does not meet, how far off it is, a cure."""
    far = [k for k, entry in enumerate(found, start=1) if entry["l1"] > MISSED]
    if not far:
        return ()
    worst = max(far, key=lambda k: found[k - 1]["l1"])
    entry, points = found[worst - 1], sets.features[worst]
    spread = float(np.sqrt(points.var(axis=0).sum()))
    apart = "" if entry["w2"] is None else f", and W2 {entry['w2']:.2g} where its samples spread {spread:.2g}"
    return (
        f"{len(far)} of {len(found)} snapshots are not met: at time {entry['time']:g} the density is {entry['l1']:.2g} "
        f"from the snapshot's (L1, 0 to 2){apart}; a larger loss.weight brings it nearer, hd.bridge meets it",
    )


def _apart(domain: Domain, rho: Floats, points: Floats, back: Floats, seed: int) -> float:
    return wasserstein(sample_density(domain, rho, DRAWS, seed) @ back, points @ back, comm=domain.comm)
