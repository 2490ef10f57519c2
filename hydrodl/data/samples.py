"""Samples and the preprocessing that maps raw features to mesh coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.parameters import Number
from hydrodl.data.outliers import Clamped, clamped
from hydrodl.data.preprocessing import Preprocessing

TEST_FRACTION = Number(0.25, least=0, below=1)


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled samples.

    Attributes:
        features: raw features, shape (n, p).
        labels: class indices 0 .. C-1, shape (n,).
        class_names: C names.
        feature_names: p names.
        preprocessing: the map from features to mesh coordinates.
        weights: positive, shape (n,), how much each sample counts in densities and their masses; None: all the same. A
            weight of 2 is that of two equal samples.

    Raises:
        DataError: arrays of shapes that do not belong together, or labels outside 0 .. C-1.

    Example:
        >>> identity = hd.Preprocessing.identity(1)
        >>> pair = hd.Samples(np.array([[0.0], [1.0]]), np.array([0, 1]), ("a", "b"), ("x",), identity)
        >>> len(pair), pair.counts
        (2, array([1, 1]))
    """

    features: Floats
    labels: Ints
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    preprocessing: Preprocessing
    weights: Floats | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.features)
        if len(shape) != 2 or np.shape(self.labels) != shape[:1] or len(self.feature_names) != shape[1]:
            raise DataError(
                f"samples: features {shape}, labels {np.shape(self.labels)} and {len(self.feature_names)} feature "
                "names do not belong together; needed are (n, p), (n,) and p"
            )
        labels = np.asarray(self.labels)
        if len(labels) and (labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(self.class_names)):
            raise DataError(f"samples: labels must be whole numbers from 0 to {len(self.class_names) - 1}")
        given = self.weights
        if given is not None and (np.shape(given) != shape[:1] or not (np.isfinite(given) & (given > 0)).all()):
            raise DataError(f"samples: weights must be {shape[0]} positive numbers")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number C of classes."""
        return len(self.class_names)

    @cached_property
    def points(self) -> Floats:
        """Mesh coordinates of the samples, shape (n, d)."""
        return self.preprocessing.apply(self.features)

    @property
    def counts(self) -> Ints:
        """Samples of each class, shape (C,)."""
        return np.bincount(self.labels, minlength=self.classes)

    @cached_property
    def amounts(self) -> Floats:
        """How much each sample counts, shape (n,): its weight, or 1."""
        return np.ones(len(self)) if self.weights is None else np.asarray(self.weights, dtype=float)

    @property
    def shares(self) -> Floats:
        """Part of all that each class makes, by weight, shape (C,)."""
        return np.bincount(self.labels, self.amounts, self.classes) / self.amounts.sum()

    def with_preprocessing(self, preprocessing: Preprocessing) -> Samples:
        """The same samples, seen through the preprocessing of others (those a network was trained on)."""
        return replace(self, preprocessing=preprocessing)

    def clamped(self) -> tuple[Samples, Clamped]:
        """The same samples, those far outside the others at their edge and the preprocessing fitted to that; and which.

        See :func:`~hydrodl.data.outliers.clamped`: nothing changes where a box around all samples is less than twice
        as large as one around those that are no outliers.

        Example:
            >>> table = samples.features.copy()
            >>> table[0, 0] = 1e6
            >>> nearer, found = replace(samples, features=table).clamped()
            >>> found.rows, bool(nearer.features.max() < 10)
            (array([0]), True)
        """
        found = clamped(self.features, self.labels, self._fitted)
        return replace(self, features=found.features, preprocessing=found.preprocessing), found

    def _fitted(self, table: Floats, rows: Ints) -> Preprocessing:
        """A preprocessing like this one, of another table; features that are mesh coordinates stay so."""
        old = self.preprocessing
        if old.components is None and not old.mean.any() and (old.scale == 1).all():
            return old
        weights = None if self.weights is None else self.weights[rows]
        kept = old.dimension - old.lift
        return Preprocessing.fit(table, kept, self.feature_names, old.one_unit, old.lift, weights=weights)

    def _of(self, rows: NDArray[np.bool_]) -> Samples:
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, features=self.features[rows], labels=self.labels[rows], weights=weights)

    def split(self, test_fraction: float = TEST_FRACTION.default, seed: int = 0) -> tuple[Samples, Samples]:
        """(train, test), the same fraction of every class in both; both see the preprocessing fitted to train.

        Raises:
            DataError: test_fraction not strictly between 0 and 1, no test sample, or too few of a class to train on.
        """
        if not 0 < test_fraction < 1:
            raise DataError(f"test_fraction is {test_fraction}, must lie between 0 and 1")
        rng = np.random.default_rng(seed)
        held = np.zeros(len(self), dtype=bool)
        for c, count in enumerate(self.counts):
            rows = np.flatnonzero(self.labels == c)
            held[rng.permutation(rows)[: round(test_fraction * int(count))]] = True
        if not held.any():
            raise DataError(f"test_fraction {test_fraction} of {len(self)} samples leaves none to test on")
        train, test = (self._of(rows) for rows in (~held, held))
        check_classes(train.labels, self.class_names, f"training part of a split with test_fraction {test_fraction}")
        old = self.preprocessing
        kept = old.dimension - old.lift
        fitted = Preprocessing.fit(
            train.features, kept, self.feature_names, old.one_unit, old.lift, weights=train.weights
        )
        return train.with_preprocessing(fitted), test.with_preprocessing(fitted)


def check_classes(labels: Ints, names: Sequence[str], where: str) -> None:
    """Raise DataError, naming the class, unless there are 2 classes of 2 samples each."""
    counts = np.bincount(labels, minlength=len(names))
    if len(names) < 2:
        raise DataError(f"{where} holds a single class ({names[0]!r}); at least 2 are needed")
    c = int(np.argmin(counts))
    if (least := int(counts[c])) < 2:
        raise DataError(f"{where}: class {names[c]!r} has {least} sample{'s' * (least != 1)}; at least 2 are needed")
