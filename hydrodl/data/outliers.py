"""Samples so far from the others that a box around them all would not show the others: they count as nearer ones.

A box has the same cells everywhere. One sample in four hundred at a hundred standard deviations makes them a hundred
times too wide for the rest, and the deviations by which features are divided just as much too large.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.parameters import Choice
from hydrodl.data.preprocessing import Preprocessing, features_of

OUTLIERS = Choice("clamp", ("clamp", "keep"))
"""What to do with samples far outside the rest."""


TAIL = 0.025
"""Part of a class that is left out at each end before its reach is measured; a cluster that is larger is never far."""


REACH = 0.5
"""How far beyond the rest of its class a sample may lie, in widths of the rest: 3.9 deviations of a Gaussian."""


SHRINKS = 2.0
"""By so much the data's extent must shrink, or nothing is clamped: boxes that show the data stay as they are."""


ENOUGH = 40
"""Classes of fewer samples are held whole: their tails cannot be told from their rest."""


@dataclass(frozen=True, eq=False)
class Clamped:
    """Features without outliers.

    Attributes:
        features: shape (n, p), outlying rows at the edge of the others.
        preprocessing: fitted without them.
        rows: the outlying ones.
    """

    features: Floats
    preprocessing: Preprocessing
    rows: Ints

    def words(self, origin: Ints | None = None, of: str = "") -> str:
        """Of outlying rows; nothing where there are none.

        Args:
            origin: where each row comes from, (n,), counted from 0; None: rows are as a user knows them.
            of: what they are rows of then.
        """
        if not len(self.rows):
            return ""
        rows = self.rows if origin is None else origin[self.rows]
        named = ", ".join(str(row + 1) for row in rows[:5]) + ", ..." * (len(rows) > 5) + of
        one = len(self.rows) == 1
        return (
            f"{len(self.rows)} of {len(self.features)} samples lie{'s' * one} far outside the others (row"
            f"{'s' * (not one)} {named}) and count{'s' * one} as lying at their edge, so that the mesh shows the "
            "others; outliers = 'keep' makes the box hold them all, and then needs more nodes"
        )

    def tell(self, rank: int = 0) -> None:
        """Warn of outlying rows, on the first rank."""
        if len(self.rows) and not rank:
            warnings.warn(self.words(), stacklevel=3)


def clamped(
    features: Floats, groups: Ints, fit: Callable[[Floats, Ints], Preprocessing], outliers: str = OUTLIERS.default
) -> Clamped:
    """Features whose outliers lie at the edge of the others, and the preprocessing of these.

    Args:
        features: shape (n, p).
        groups: class of each row, 0, 1, ..., shape (n,); an outlier is one that is far outside of every class.
        fit: the preprocessing of a table, which has these rows of the features; weights of rows count there alone.
        outliers: "clamp"; or "keep", and all features stay as they are.

    Raises:
        DataError: what ``fit`` raises for the whole table.
    """
    every = np.arange(len(features))
    whole = fit(features, every)
    if outliers == "keep":
        return Clamped(features, whole, every[:0])
    if whole.components is None:  # coordinates are features: one edge for each
        low, high = edges(features, groups)
        inside = np.clip(features, low, high)
        rows = np.flatnonzero((inside != features).any(axis=1))
        return Clamped(inside, _or(fit, inside, every, whole), rows) if len(rows) else Clamped(features, whole, rows)
    points = whole.apply(features)
    rows = _outlying(points, groups)
    if not len(rows):
        return Clamped(features, whole, rows)
    better = _or(fit, np.delete(features, rows, axis=0), np.delete(every, rows), whole)
    points = better.apply(features)
    rows = _outlying(points, groups)
    if not len(rows):  # seen without them they are none
        return Clamped(features, whole, rows)
    inside = features.copy()
    inside[rows] = features_of(better, np.clip(points[rows], *edges(points, groups)))
    return Clamped(inside, better, rows)


def edges(points: Floats, groups: Ints) -> tuple[Floats, Floats]:
    """Between where points (n, d) are no outliers, (low (d,), high (d,)); the extent of the points if none is one.

    In every direction: for each class its quantiles TAIL and 1 - TAIL and REACH times their distance beyond them, no
    further than its samples; then the least and the largest of these over the classes. If that shrinks the extent of
    the points by less than SHRINKS, it is their extent.
    """
    least, most = points.min(axis=0), points.max(axis=0)
    low, high = most.copy(), least.copy()
    for group in np.unique(groups):
        below, above = _reach(points[groups == group])
        low, high = np.minimum(low, below), np.maximum(high, above)
    keep = ~(most - least > SHRINKS * (high - low))
    return np.where(keep, least, low), np.where(keep, most, high)


def _reach(points: Floats) -> tuple[Floats, Floats]:
    """How far one class reaches in each direction."""
    least, most = points.min(axis=0), points.max(axis=0)
    if len(points) < ENOUGH:
        return least, most
    low = np.quantile(points, TAIL, axis=0, method="higher")
    high = np.quantile(points, 1 - TAIL, axis=0, method="lower")
    width = REACH * (high - low)
    held = width > 0  # a feature that is nearly always the same has no width to compare with
    return np.where(held, np.maximum(least, low - width), least), np.where(held, np.minimum(most, high + width), most)


def _outlying(points: Floats, groups: Ints) -> Ints:
    low, high = edges(points, groups)
    return np.flatnonzero(((points < low) | (points > high)).any(axis=1))


def _or(
    fit: Callable[[Floats, Ints], Preprocessing], table: Floats, rows: Ints, otherwise: Preprocessing
) -> Preprocessing:
    """The preprocessing of a table, or another one where the table has none: too few rows, a constant feature."""
    try:
        found = fit(table, rows)
    except DataError:
        return otherwise
    return found if found.dimension == otherwise.dimension else otherwise
