"""The box around samples: its corners, and how many nodes its directions get."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import largest, smallest
from hydrodl.common.parameters import POSITIVE, Choice, Number

NODES = {1: 121, 2: 41, 3: 17}
"""Nodes per direction of the data unless they are given, by the dimension of feature space."""


NODE_COUNT, MARGIN = Number(least=2, whole=True), Number(1.0, least=0, most=1e6)


DEGREE, CELLS = Number(1, least=1, most=8, whole=True), Choice("box", ("box", "simplex"))


_LONGEST, _FINEST = 1e8, 1e-12  # a cell's length over its width; its width over its coordinates


def corners(mesh: Any) -> tuple[Floats, Floats]:
    """Of the box that holds the vertices of a mesh on all ranks; collective."""
    x = mesh.geometry.x[:, : mesh.geometry.dim]
    return smallest(mesh.comm, x.min(axis=0, initial=np.inf)), largest(mesh.comm, x.max(axis=0, initial=-np.inf))


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


def box_around(
    samples: Any, nodes: int | Sequence[int] | None, spacing: float | None, margin: float | Sequence[float]
) -> tuple[Floats, Floats, int | Sequence[int]]:
    """Corners and nodes per direction of the box around samples; arguments and errors of ``Domain.around``."""
    points = np.atleast_2d(np.asarray(getattr(samples, "points", samples), dtype=float))
    if points.size == 0:
        raise InputError("a domain around no sample points: at least one is needed")
    low, high = around(points, margin)
    lift = getattr(getattr(samples, "preprocessing", None), "lift", 0)
    if spacing is not None:
        POSITIVE.check("spacing", spacing)
        if nodes is not None:
            raise InputError(f"nodes is {nodes} and spacing {spacing}: give one of them")
        nodes = nodes_at(spacing, low, high, lift)
    return low, high, box_nodes(nodes, low, high, lift)


def folded(points: Floats, low: Floats, high: Floats) -> Floats:
    """Points (n, d) folded back at the walls of a box, however far outside they are."""
    period = np.mod(points - low, 2 * (high - low))
    return np.clip(low + np.minimum(period, 2 * (high - low) - period), low, high)


def check_shape(low: Floats, high: Floats, nodes: Ints) -> None:
    """Raise InputError if the cells of a box cannot be told from rounding, or from flat ones.

    Squares of their widths stand side by side in the stiffness matrix, which has sixteen digits.
    """
    with np.errstate(over="ignore"):
        widths = (high - low) / (nodes - 1)
    if not np.isfinite(widths).all() or widths.min() * _LONGEST < widths.max() or not (widths**2 > 0).all():
        raise InputError(
            f"the cells of the box from {_listed(low)} to {_listed(high)} are {_listed(widths)} wide; none may be more "
            f"than {_LONGEST:g} times as long as wide, or too small to be squared: bring the features to one scale"
        )
    if (widths <= _FINEST * np.maximum(np.abs(low), np.abs(high))).any():
        raise InputError(
            f"the cells of the box from {_listed(low)} to {_listed(high)} are {_listed(widths)} wide, too little for "
            "coordinates of that size; take their mean from the features"
        )


def _listed(numbers: Floats) -> str:
    return " x ".join(f"{number:.3g}" for number in numbers)


def nodes_at(spacing: float, low: Floats, high: Floats, lift: int = 0) -> list[int]:
    """The fewest nodes per direction at a spacing of at most ``spacing``; an odd number in the last ``lift`` ones."""
    counts = np.clip(np.ceil((high - low) / spacing - 1e-9), 1, 1e15).astype(int) + 1
    counts[len(counts) - lift :] += 1 - counts[len(counts) - lift :] % 2
    return [int(n) for n in counts]


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
