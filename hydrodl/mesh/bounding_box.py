"""The box around samples: its corners, and how many nodes its directions get."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Choice, Number

NODES = {1: 121, 2: 41, 3: 17}
"""Nodes per direction of the data unless they are given, by the dimension of feature space."""


NODE_COUNT, MARGIN = Number(least=2, whole=True), Number(1.0, least=0, most=1e6)


DEGREE, CELLS = Number(1, least=1, most=8, whole=True), Choice("box", ("box", "simplex"))


def around(points: Floats, margin: float | Sequence[float]) -> tuple[Floats, Floats]:
    """Corners of the box that holds points (n, d) and a margin, one number or d of them, around them.

    Raises:
        InputError: a negative margin, or of another number of directions.
    """
    for each in np.ravel(np.asarray(margin, dtype=float)):
        MARGIN.check("margin", float(each))
    width = np.asarray(margin, dtype=float)
    if width.shape not in ((), points.shape[1:]):
        raise InputError(f"margin is {margin}, must be one number or {points.shape[1]}, one per feature direction")
    return points.min(axis=0) - width, points.max(axis=0) + width


def box_nodes(nodes: int | Sequence[int] | None, low: Floats, high: Floats, lift: int) -> int | Sequence[int]:
    """Nodes per direction of a box whose last ``lift`` directions are added ones; None: as many as ``NODES`` says.

    One number is meant for the directions of the data. An added one, which holds a margin only, gets nodes at about
    their largest spacing, and an odd number of them: a node lies in the middle, where the points are.
    """
    if nodes is None:
        nodes = NODES[len(low)]
    if not lift or not isinstance(nodes, int | np.integer) or nodes < 2:
        return nodes  # nothing to do, or for the box to refuse
    extent = high - low
    spacing = extent[:-lift].max() / (nodes - 1)
    added = [1 + 2 * max(1, math.floor(length / (2 * spacing) + 0.5 - 1e-9)) for length in extent[-lift:]]
    return [int(nodes)] * (len(extent) - lift) + added
