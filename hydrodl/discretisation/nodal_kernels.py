"""Compiled sums over classes and components at nodes: what matrices with entries at nodes do, one slab at a time."""

from __future__ import annotations

from numba import njit

from hydrodl.common.arrays import Floats


@njit(cache=True, error_model="numpy")
def along(weights: Floats, fields: Floats, out: Floats) -> None:
    """out_c = sum_a weights_ca fields_a: (C, d, nodes), (d, nodes) -> the last C of (2 C, nodes)."""
    classes, dim, nodes = weights.shape
    for c in range(classes):
        for i in range(nodes):
            out[classes + c, i] = weights[c, 0, i] * fields[0, i]
        for a in range(1, dim):
            for i in range(nodes):
                out[classes + c, i] += weights[c, a, i] * fields[a, i]


@njit(cache=True, error_model="numpy")
def across(blocks: Floats, fields: Floats, weights: Floats, changes: Floats, out: Floats) -> None:
    """out_a += sum_b blocks_ab fields_b + sum_c weights_ca changes_c, blocks (d, d, nodes).

    Of ``changes``, (2 C, nodes), the last C count.
    """
    classes, dim, nodes = weights.shape
    for a in range(dim):
        for b in range(dim):
            for i in range(nodes):
                out[a, i] += blocks[a, b, i] * fields[b, i]
        for c in range(classes):
            for i in range(nodes):
                out[a, i] += weights[c, a, i] * changes[classes + c, i]
