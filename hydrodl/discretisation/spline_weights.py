"""What places on the axes of a box leave at its nodes: the weights of the splines as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.discretisation.spline_kernels import Rules, tabulate


def rules(shape: Sequence[int], degree: int) -> Rules:
    """The rules of the three axes of a box; those it does not have come first.

    Raises:
        InputError: another degree than 2 or 3, an axis of fewer than two nodes.
    """
    if degree not in (2, 3):
        raise InputError(f"degree: the splines of the layer map have degree 2 or 3, not {degree}")
    if min(shape) < 2:
        raise InputError(f"nodes: every axis needs two nodes or more, not {min(shape)}")
    return ((0.0,),) * (3 - len(shape)) + ((0.0,) * (degree + 1),) * len(shape)


def spline_weights(places: Floats, n: int, degree: int) -> tuple[Ints, Floats, Floats, Floats]:
    """What places (m,) on an axis of n nodes leave at its nodes.

    Returns:
        nodes, weights, their first and their second derivatives, each (m, degree + 1). At a wall a node may be there
        twice, once as its own image.
    """
    reach = len(rules((n,), degree)[-1])
    nodes, weights = np.empty((len(places), reach), dtype=np.int64), np.empty((3, len(places), reach))
    tabulate(np.ascontiguousarray(places, dtype=float), n, (0.0,) * reach, nodes, weights)
    return nodes, *weights


def node_weights(places: Floats, shape: Sequence[int], degree: int) -> tuple[Ints, Floats]:
    """What places (d, m) in a box leave at its nodes: numbers of nodes and weights, each (m, (degree + 1)^d)."""
    numbers, weights = np.zeros((places.shape[1], 1), dtype=np.int64), np.ones((places.shape[1], 1))
    for t, n in zip(places, shape, strict=True):
        nodes, along, _, _ = spline_weights(t, n, degree)
        numbers = (n * numbers[:, :, None] + nodes[:, None]).reshape(len(nodes), -1)
        weights = (weights[:, :, None] * along[:, None]).reshape(len(nodes), -1)
    return numbers, weights
