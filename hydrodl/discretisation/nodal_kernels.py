"""Compiled sums over classes and components at nodes, for stacks of slabs: what matrices with entries at nodes do."""

from __future__ import annotations

from numba import njit

from hydrodl.common.arrays import Floats


@njit(cache=True, error_model="numpy")
def along(weights: Floats, fields: Floats, out: Floats) -> None:
    """out_c = sum_a weights_ca fields_a: (slabs, C, d, nodes), (slabs, d, nodes) -> (slabs, C, nodes)."""
    count, classes, dim, nodes = weights.shape
    for k in range(count):
        for c in range(classes):
            for i in range(nodes):
                out[k, c, i] = weights[k, c, 0, i] * fields[k, 0, i]
            for a in range(1, dim):
                for i in range(nodes):
                    out[k, c, i] += weights[k, c, a, i] * fields[k, a, i]


@njit(cache=True, error_model="numpy")
def across(blocks: Floats, fields: Floats, weights: Floats, changes: Floats, out: Floats) -> None:
    """out_a += sum_b blocks_ab fields_b + sum_c weights_ca changes_c, blocks (slabs, d, d, nodes).

    Of ``changes``, (slabs, 2 C, nodes), the last C count.
    """
    count, classes, dim, nodes = weights.shape
    for k in range(count):
        for a in range(dim):
            for b in range(dim):
                for i in range(nodes):
                    out[k, a, i] += blocks[k, a, b, i] * fields[k, b, i]
            for c in range(classes):
                for i in range(nodes):
                    out[k, a, i] += weights[k, c, a, i] * changes[k, classes + c, i]
