"""Samples and the preprocessing that maps raw features to mesh coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.cards import Card, names, plural
from hydrodl.common.errors import DataError
from hydrodl.common.parameters import Number
from hydrodl.data.class_labels import classes_of
from hydrodl.data.frames import columns_of, made_frame, numbers_of, values_of
from hydrodl.data.held_out import held_out
from hydrodl.data.outliers import Clamped, clamped
from hydrodl.data.preprocessing import LIFT, Preprocessing, numbered

TEST_FRACTION = Number(0.25, least=0, below=1)


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Card):
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

    def __str__(self) -> str:
        return (
            f"{plural(len(self), 'sample')} of {plural(len(self.feature_names), 'feature')} in "
            f"{plural(self.classes, 'class')}: {names(self.class_names)}"
        )

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        sizes = [f"{name} {count}" for name, count in zip(self.class_names, self.counts, strict=True)]
        return {
            "samples": len(self),
            "classes": names(sizes),
            "features": names(self.feature_names),
            "coordinates": self.preprocessing,
            "weights": "all the same" if self.weights is None else "given",
        }

    @classmethod
    def from_arrays(
        cls,
        features: ArrayLike,
        labels: ArrayLike,
        *,
        feature_names: Sequence[str] = (),
        dimensions: int | None = None,
        one_unit: bool | None = None,
        lift: int = LIFT.default,
        weights: ArrayLike | None = None,
    ) -> Samples:
        """Samples from a table and its labels, with the preprocessing fitted to them.

        Args:
            features: shape (n, p).
            labels: shape (n,), texts, numbers or truths; classes are sorted, numerically if all are numbers.
            feature_names: p names; default x1, x2, ...
            dimensions, one_unit, lift: as in :meth:`Preprocessing.fit`.
            weights: positive, shape (n,).

        Raises:
            DataError: a table that is not finite, labels that are missing, a single class or a class of one sample,
                or what :class:`Samples` and :meth:`Preprocessing.fit` raise.

        Example:
            >>> found = hd.Samples.from_arrays([[0.0], [1.0], [5.0], [6.0]], ["low", "low", "high", "high"])
            >>> found.class_names, found.labels
            (('high', 'low'), array([1, 1, 0, 0]))
        """
        table, given = _table(features), np.asarray(labels, dtype=object)
        if given.shape != table.shape[:1]:
            raise DataError(f"labels have shape {given.shape}, must be ({len(table)},)")
        columns = tuple(feature_names) or numbered(table.shape[1])
        if len(columns) != table.shape[1]:
            raise DataError(f"there are {len(columns)} feature names for {table.shape[1]} features")
        texts = ["" if value is None or value != value else str(value).strip() for value in given]
        numbers, names = classes_of(texts, np.arange(1, len(texts) + 1), "labels", "label", ".")
        check_classes(numbers, names, "labels")
        counted = None if weights is None else np.asarray(weights, dtype=float)
        kept = cls(table, numbers, names, columns, Preprocessing.identity(table.shape[1]), counted)
        fitted = Preprocessing.fit(table, dimensions, columns, bool(one_unit), lift, weights=counted)
        return kept.with_preprocessing(fitted)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        label: str,
        features: Sequence[str] | None = None,
        *,
        weights: str | None = None,
        **choices: Any,
    ) -> Samples:
        """Samples from a data frame of pandas, Polars or their like.

        Args:
            frame: with a row for each sample.
            label: name of the column of labels.
            features: names of the feature columns; default all others.
            weights: name of a column of weights.
            choices: dimensions, one_unit, lift, as in :meth:`from_arrays`.

        Raises:
            DataError: no frame, a column that is missing or holds no numbers, missing values, or what
                :meth:`from_arrays` raises.

        Example:
            >>> import polars
            >>> plants = polars.DataFrame({"height": [1.0, 2.0, 5.0, 6.0], "kind": ["fern", "fern", "moss", "moss"]})
            >>> hd.Samples.from_frame(plants, "kind")
            <Samples: 4 samples of 1 feature in 2 classes: fern, moss>
        """
        texts, others = values_of(frame, label), {label, weights}
        columns = [name for name in columns_of(frame) if name not in others] if features is None else list(features)
        if label in columns:
            raise DataError(f"frame: the label {label!r} is among the features")
        counted = None if weights is None else numbers_of(frame, [weights])[:, 0]
        return cls.from_arrays(numbers_of(frame, columns), texts, feature_names=columns, weights=counted, **choices)

    def to_frame(self, kind: str = "pandas", label: str = "label") -> Any:
        """Features and labels as a data frame.

        Args:
            kind: "pandas", "polars" or "pyarrow".
            label: name of the column of labels.

        Raises:
            DataError: another kind, one that is not installed, or a label named like a feature.

        Example:
            >>> samples.to_frame("polars").columns
            ['x1', 'x2', 'label']
        """
        if label in self.feature_names:
            raise DataError(f"frame: a feature is called {label!r} already; give the label another name")
        columns = dict(zip(self.feature_names, np.asarray(self.features, dtype=float).T, strict=True))
        return made_frame(kind, columns | {label: [self.class_names[c] for c in self.labels]})

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
        return self._refitted(table, rows) if self.preprocessing.rescales else self.preprocessing

    def _refitted(self, table: Floats, rows: Ints | NDArray[np.bool_]) -> Preprocessing:
        old, weights = self.preprocessing, None if self.weights is None else self.weights[rows]
        return Preprocessing.fit(table, old.taken, self.feature_names, old.one_unit, old.lift, weights=weights)

    def some(self, count: int) -> Samples:
        """At most so many of them, drawn at random, always the same."""
        return self._of(np.random.default_rng(0).permutation(len(self))[:count])

    def _of(self, rows: Ints | NDArray[np.bool_]) -> Samples:
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, features=self.features[rows], labels=self.labels[rows], weights=weights)

    def split(self, test_fraction: float = TEST_FRACTION.default, seed: int = 0) -> tuple[Samples, Samples]:
        """(train, test), the same fraction of every class in both; both see the preprocessing fitted to train.

        Raises:
            DataError: test_fraction not strictly between 0 and 1, no test sample, or too few of a class to train on.
        """
        held = held_out(self.labels, test_fraction, seed)
        train, test = (self._of(rows) for rows in (~held, held))
        check_classes(train.labels, self.class_names, f"training part of a split with test_fraction {test_fraction}")
        fitted = self._refitted(train.features, ~held)
        return train.with_preprocessing(fitted), test.with_preprocessing(fitted)


def _table(features: ArrayLike) -> Floats:
    try:
        table = np.asarray(features, dtype=float)
    except (TypeError, ValueError):
        raise DataError("features are not a table of numbers") from None
    if table.ndim != 2 or not table.size:
        raise DataError(f"features have shape {table.shape}, must be (n, p) with n > 0")
    if not np.isfinite(table).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(table))[0])
        raise DataError(
            f"features: row {row + 1}, column {column + 1} is {table[row, column]}, must be a finite number"
        )
    return table


def check_classes(labels: Ints, names: Sequence[str], where: str) -> None:
    """Raise DataError, naming the class, unless there are 2 classes of 2 samples each."""
    counts = np.bincount(labels, minlength=len(names))
    if len(names) < 2:
        raise DataError(f"{where} holds a single class ({names[0]!r}); at least 2 are needed")
    c = int(np.argmin(counts))
    if (least := int(counts[c])) < 2:
        raise DataError(f"{where}: class {names[c]!r} has {least} sample{'s' * (least != 1)}; at least 2 are needed")
