"""Snapshots as a problem: which layers they lie at and the losses that tie the densities to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Number
from hydrodl.data.class_densities import Densities
from hydrodl.data.snapshot_sets import check_times
from hydrodl.mesh.layer_partition import DEPTH, LAYERS, Layers
from hydrodl.physics.losses import DIVERGENCE, FLOOR, WEIGHT, Density


def snapshot_layers(
    times: ArrayLike, layers: int = LAYERS.default, depth: float = DEPTH.default
) -> tuple[Layers, list[int]]:
    """A partition of depth into ``layers`` layers among which every snapshot's time is one, and the index of each.

    Each span between snapshots gets equal layers, their number in proportion to its length and at least 1.

    Raises:
        InputError: fewer layers than spans, or depth not positive.
        DataError: see :func:`check_times`.
    """
    found = check_times(times)
    DEPTH.check("depth", depth)
    spans = len(found) - 1
    if not Number(least=spans, whole=True).allows(layers):
        raise InputError(f"layers is {layers}, must be a whole number of at least {spans}, one per span of snapshots")
    at = depth * (found - found[0]) / (found[-1] - found[0])
    counts = np.ones(spans, dtype=int)
    for _ in range(int(layers) - spans):  # to the span whose layers are thickest
        counts[np.argmax(np.diff(at) / counts)] += 1
    pieces = [np.linspace(at[j], at[j + 1], counts[j] + 1)[:-1] for j in range(spans)]
    return Layers(np.concatenate([*pieces, at[-1:]])), [0, *np.cumsum(counts).tolist()]


def snapshot_losses(
    targets: Mapping[int, Densities],
    weight: float = WEIGHT.default,
    divergence: str = DIVERGENCE.default,
    floor: float = FLOOR.default,
) -> list[Density]:
    """One density loss for every target, by layer index."""
    return [Density(weight, target, divergence, floor, layer) for layer, target in targets.items()]
