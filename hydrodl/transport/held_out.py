"""How well a bridge through snapshots tells one that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import COUNT, Number
from hydrodl.data.class_densities import BANDWIDTH
from hydrodl.data.density_sampling import sample_density
from hydrodl.data.snapshot_sets import Snapshots
from hydrodl.discretisation.node_counts import nodes_left_out
from hydrodl.discretisation.schemes import default_scheme
from hydrodl.mesh.bounding_box import MARGIN, around
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import LAYERS
from hydrodl.network.network import Network
from hydrodl.network.random_paths import sample_paths
from hydrodl.physics.lagrangian import NOISE, Lagrangian
from hydrodl.transport.bridge_result import Bridge
from hydrodl.transport.schroedinger_bridge import bridge
from hydrodl.transport.snapshot_targets import snapshot_layers
from hydrodl.transport.wasserstein_distance import displacement, pot, wasserstein


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A snapshot that was not used, and what was said of it. Distances are W_2 to its samples, in raw units.

    Attributes:
        index, time: which snapshot.
        distance: of the first snapshot's samples sent along random paths of the bridge to this time.
        density_distance: of points drawn from the bridge's density at this time.
        baselines: "previous" and "next", the samples of the neighbouring snapshots as they are; "linear", displacement
            interpolation between these two along the optimal plan.
        paths: random paths of the first snapshot's samples at all layers, mesh units, shape (N + 1, n, d).
        layer: the layer of this time.
        bridge: through all other snapshots.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> series = hd.snapshots([0, 1, 2], [rng.normal(m, 0.5, (40, 1)) for m in (-1, 0, 1)])
        >>> found = hd.leave_one_out(series, 1, 0.1, layers=4, nodes=31, draws=100)
        >>> sorted(found.baselines), found.paths.shape
        (['linear', 'next', 'previous'], (5, 120, 1))
    """

    index: int
    time: float
    distance: float
    density_distance: float
    baselines: Mapping[str, float]
    paths: Floats
    layer: int
    bridge: Bridge

    def __str__(self) -> str:
        others = ", ".join(f"{name} {value:.4g}" for name, value in self.baselines.items())
        found = f"W2 {self.distance:.4g} (paths), {self.density_distance:.4g} (density)"
        return f"held out t = {self.time:g}: {found}; {others}"


def leave_one_out(
    snapshots: Snapshots,
    held: int,
    physics: Lagrangian | float = NOISE.default,
    *,
    layers: int = LAYERS.default,
    nodes: int | Sequence[int] | None = None,
    margin: float | Sequence[float] = MARGIN.default,
    bandwidth: float = BANDWIDTH.default,
    tolerance: float = 0.05,
    draws: int = 1000,
    substeps: int = 4,
    seed: int = 0,
    comm: MPI.Comm = MPI.COMM_WORLD,
    **choices: Any,
) -> HeldOut:
    """Bridge all snapshots but one, and compare what it says of that one's time with its samples; collective.

    The preprocessing and the box are those of all snapshots; the layers have the held-out time among them.

    Args:
        snapshots: at least three.
        held: index of a snapshot between the first and the last.
        physics, tolerance: see :func:`hydrodl.bridge`, as are further ``choices`` by name.
        layers: number of layers in all, see ``snapshot_layers``.
        nodes, margin: of the box around all samples, see :meth:`Domain.around`; nodes left out: as many as carry the
            noise exactly, see :func:`hydrodl.spacing_for`.
        bandwidth: of the density estimates, in mesh units.
        draws: random paths in all (at least one per sample of the first snapshot), and points drawn from the density.
        substeps: Euler-Maruyama steps a layer.
        seed: of the random numbers.
        comm: the ranks that share the work.

    Raises:
        InputError: POT is not installed, an index that is not between the others, and what the parts raise.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> series = hd.snapshots([0, 1, 2], [rng.normal(m, 0.5, (40, 1)) for m in (-1, 0, 1)])
        >>> found = hd.leave_one_out(series, 1, 0.1, layers=4, nodes=31, draws=100)
        >>> found.time, found.distance < found.baselines["previous"]
        (1.0, True)
    """
    pot()
    if not Number(least=1, most=len(snapshots) - 2, whole=True).allows(held):
        raise InputError(
            f"held is {held!r}, must lie in 1..{len(snapshots) - 2}: a snapshot between the first and the last"
        )
    COUNT.check("draws", draws)
    partition, at = snapshot_layers(snapshots.times, layers)
    corners = around(snapshots.pooled.points, margin)
    if nodes is None:
        noise = float(physics.noise if isinstance(physics, Lagrangian) else physics)  # type: ignore[arg-type]
        fitted = physics.fitted if isinstance(physics, Lagrangian) else None
        scheme = choices.get("scheme") or default_scheme(True, fitted)
        nodes = nodes_left_out(scheme, noise, partition, corners, warn=comm.rank == 0)
    domain = Domain.box(*corners, nodes, comm=comm)
    kept = snapshots.densities(domain, bandwidth)
    targets = {at[k]: kept[k] for k in range(1, len(snapshots)) if k != held}
    found = bridge(kept[0], targets, partition, physics, tolerance=tolerance, **choices)
    density = found.solution.density[at[held], 0]
    drawn = sample_density(domain, density, draws, seed)
    starts = snapshots.points[0]
    each = -(-draws // len(starts))
    paths = sample_paths(Network(found.solution), starts, each, seed, substeps=substeps)
    paths = paths.reshape(len(paths), -1, domain.dimension)
    back = snapshots.raw_map(domain.dimension).T
    truth = snapshots.points[held] @ back
    before, after = snapshots.points[held - 1] @ back, snapshots.points[held + 1] @ back
    times = snapshots.times
    share = float((times[held] - times[held - 1]) / (times[held + 1] - times[held - 1]))
    between, weights = displacement(before, after, share)
    baselines = {
        "previous": wasserstein(before, truth, comm=comm),
        "next": wasserstein(after, truth, comm=comm),
        "linear": wasserstein(between, truth, weights=weights, comm=comm),
    }
    return HeldOut(
        int(held),
        float(times[held]),
        wasserstein(paths[at[held]] @ back, truth, comm=comm),
        wasserstein(drawn @ back, truth, comm=comm),
        baselines,
        paths,
        at[held],
        found,
    )
