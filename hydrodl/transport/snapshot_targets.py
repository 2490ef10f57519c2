"""Snapshots as a problem: which layers they lie at and the losses that tie the densities to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.errors import InputError
from hydrodl.data.class_densities import Densities
from hydrodl.data.snapshot_sets import check_times
from hydrodl.mesh.layer_partition import Layers
from hydrodl.physics.losses import Density


def snapshot_layers(times: ArrayLike, layers: int, depth: float = 1.0) -> tuple[Layers, list[int]]:
    """A partition of depth into ``layers`` layers among which every snapshot's time is one, and the index of each.

    Each span between snapshots gets equal layers, their number in proportion to its length and at least 1.

    Raises:
        InputError: fewer layers than spans, or depth not positive.
        DataError: see :func:`check_times`.
    """
    found = check_times(times)
    if not (np.isfinite(depth) and depth > 0):
        raise InputError(f"depth is {depth}, must be a positive number")
    spans = len(found) - 1
    if isinstance(layers, bool) or not isinstance(layers, int | np.integer) or layers < spans:
        raise InputError(f"layers is {layers}, must be a whole number of at least {spans}, one per span of snapshots")
    at = depth * (found - found[0]) / (found[-1] - found[0])
    counts = np.ones(spans, dtype=int)
    for _ in range(int(layers) - spans):  # to the span whose layers are thickest
        counts[np.argmax(np.diff(at) / counts)] += 1
    pieces = [np.linspace(at[j], at[j + 1], counts[j] + 1)[:-1] for j in range(spans)]
    return Layers(np.concatenate([*pieces, at[-1:]])), [0, *np.cumsum(counts).tolist()]


def snapshot_losses(
    targets: Mapping[int, Densities], weight: float = 10.0, divergence: str = "kl", floor: float = 1e-8
) -> list[Density]:
    """One density loss for every target, by layer index."""
    return [Density(weight, target, divergence, floor, layer) for layer, target in targets.items()]
