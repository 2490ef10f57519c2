"""Samples and the preprocessing that maps raw features to mesh coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The map from raw features to mesh coordinates: x = ((f - mean) / scale) components / component_scale, 0, ..., 0.

    On the data it was fitted to every coordinate has mean 0 and variance 1 ("standardised units"), but for the added
    ones, which are 0: what a flow of the plane cannot separate, a disc from the ring around it, it separates in space.

    Attributes:
        mean, scale: shape (p,).
        components: the d leading principal directions as columns, shape (p, d), or None: coordinates are features.
        component_scale: standard deviation along each of them, shape (d,), or None.
        feature_names: p names, used in messages and to find the columns of a table again.
        one_unit: the features share a unit, so that all were divided by one number and kept in proportion.
        lift: number of coordinates added to every point, all 0.

    Raises:
        DataError: lift is negative or no whole number.
    """

    mean: Floats
    scale: Floats
    components: Floats | None = None
    component_scale: Floats | None = None
    feature_names: tuple[str, ...] = ()
    one_unit: bool = False
    lift: int = 0

    def __post_init__(self) -> None:
        _check_lift(self.lift)

    @classmethod
    def identity(cls, d: int) -> Preprocessing:
        """Features that are mesh coordinates already."""
        return cls(np.zeros(d), np.ones(d), feature_names=tuple(f"x{i + 1}" for i in range(d)))

    @classmethod
    def fit(
        cls, features: ArrayLike, dimensions: int | None = None, names: Sequence[str] = (), one_unit: bool = False,
        lift: int = 0,
    ) -> Preprocessing:  # fmt: skip
        """Standardise, then keep the ``dimensions`` leading principal components, each rescaled to variance 1, then
        add ``lift`` coordinates that are 0.

        Args:
            features: shape (n, p).
            dimensions: 1, 2 or 3; None keeps up to 3 features as they are and reduces more to 2. More than p: the
                missing coordinates are added ones, which says the same as a lift of as many.
            names: p feature names.
            one_unit: the features share a unit (all lengths, all grey levels): divide them by one number, the root of
                their mean variance, instead of each by its own deviation, which would blow the small ones up.
            lift: number of coordinates to add; with them there must be at most 3.

        Raises:
            DataError: dimensions or lift out of range, a constant feature, features that span too few directions.
        """
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        raw = np.asarray(features, dtype=float)
        d, lift = _dimensions(dimensions, raw.shape[1], lift)
        with np.errstate(over="ignore", invalid="ignore"):
            scaler = StandardScaler().fit(raw)
        mean, scale = np.array(scaler.mean_), np.array(scaler.scale_)
        finite = np.isfinite(mean) & np.isfinite(scaler.var_)
        if not finite.all():
            column = int(np.argmin(finite))
            raise DataError(f"feature {_column(names, column)} has values too large to standardise")
        if one_unit:
            common = float(np.sqrt(np.mean(scaler.var_)))
            scale = np.full_like(scale, common if common > 0 else 1.0)
        if d == raw.shape[1]:
            check_constant(raw, names, "feature")
            return cls(mean, scale, feature_names=tuple(names), one_unit=one_unit, lift=lift)
        unit = (raw - mean) / scale
        if min(unit.shape) < d:
            raise DataError(f"{len(unit)} rows are too few for {d} principal components")
        # The full decomposition, not a randomised one: the same table must always give the same coordinates.
        components = np.ascontiguousarray(PCA(n_components=d, svd_solver="full").fit(unit).components_.T)
        spread = (unit @ components).std(axis=0)
        if not spread[-1] > 1e-10 * spread[0]:
            raise DataError(f"the features span fewer than dimensions = {d} independent directions; ask for fewer")
        return cls(mean, scale, components, spread, tuple(names), one_unit, lift)

    @property
    def dimension(self) -> int:
        """Number d of mesh coordinates, the added ones among them."""
        return int(self.mean.size if self.components is None else self.components.shape[1]) + self.lift

    def apply(self, features: ArrayLike) -> Floats:
        """Raw features, shape (n, p), to points, shape (n, d).

        Raises:
            DataError: not an (n, p) table of numbers, or a NaN or infinite entry (row and column named, from 1).
        """
        try:
            raw = np.asarray(features, dtype=float)
        except (TypeError, ValueError):
            raise DataError("features are not a table of numbers") from None
        if raw.ndim != 2 or raw.shape[1] != self.mean.size:
            raise DataError(f"features have shape {raw.shape}, must be (n, {self.mean.size})")
        bad = np.argwhere(~np.isfinite(raw))
        if len(bad):
            row, column = (int(i) for i in bad[0])
            name = _column(self.feature_names, column)
            raise DataError(f"features: row {row + 1}, column {name} is {raw[row, column]}, must be a finite number")
        unit = (raw - self.mean) / self.scale
        if self.components is not None and self.component_scale is not None:
            unit = unit @ self.components / self.component_scale
        return np.hstack([unit, np.zeros((len(unit), self.lift))]) if self.lift else unit

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, fit for JSON; floats survive exactly."""
        arrays = ("mean", "scale", "components", "component_scale")
        content = {name: None if getattr(self, name) is None else getattr(self, name).tolist() for name in arrays}
        return content | {"feature_names": list(self.feature_names), "one_unit": self.one_unit, "lift": self.lift}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Preprocessing:
        """The inverse of :meth:`to_dict`."""
        arrays = ("mean", "scale", "components", "component_scale")
        read = {name: None if content.get(name) is None else np.asarray(content[name], dtype=float) for name in arrays}
        names, one_unit = tuple(content.get("feature_names", ())), bool(content.get("one_unit"))
        return cls(**read, feature_names=names, one_unit=one_unit, lift=int(content.get("lift", 0)))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled samples.

    Attributes:
        features: raw features, shape (n, p).
        labels: class indices 0 .. C-1, shape (n,).
        class_names: C names.
        feature_names: p names.
        preprocessing: the map from features to mesh coordinates.

    Raises:
        DataError: arrays of shapes that do not belong together, or labels outside 0 .. C-1.
    """

    features: Floats
    labels: Ints
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    preprocessing: Preprocessing

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

    def with_preprocessing(self, preprocessing: Preprocessing) -> Samples:
        """The same samples, seen through the preprocessing of others (those a network was trained on)."""
        return replace(self, preprocessing=preprocessing)

    def split(self, test_fraction: float, seed: int = 0) -> tuple[Samples, Samples]:
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
        train, test = (replace(self, features=self.features[m], labels=self.labels[m]) for m in (~held, held))
        check_classes(train.labels, self.class_names, f"training part of a split with test_fraction {test_fraction}")
        old = self.preprocessing
        kept = old.dimension - old.lift
        fitted = Preprocessing.fit(train.features, kept, self.feature_names, old.one_unit, old.lift)
        return train.with_preprocessing(fitted), test.with_preprocessing(fitted)


def _column(names: Sequence[str], column: int) -> str:
    return repr(names[column]) if column < len(names) else str(column + 1)


def _dimensions(dimensions: int | None, p: int, lift: int) -> tuple[int, int]:
    """(coordinates taken from the features, coordinates added)."""
    _check_lift(lift)
    if dimensions is None:
        d = p if p <= 3 else 2
    elif isinstance(dimensions, bool) or not isinstance(dimensions, int | np.integer) or not 1 <= dimensions <= 3:
        raise DataError(f"dimensions is {dimensions}, must be 1, 2 or 3")
    else:
        d = min(int(dimensions), p)
        missing = int(dimensions) - d
        if missing and lift not in (0, missing):
            raise DataError(
                f"dimensions is {dimensions} and lift is {lift}, but {_features(p)} and lift {lift} make {p + lift}"
            )
        lift = missing or lift
    if d + lift > 3:
        reached = _features(p) if d == p else f"dimensions = {d}"
        raise DataError(
            f"lift is {lift}, but {reached} and lift {lift} make {d + lift} dimensions; at most 3 are possible"
        )
    return d, int(lift)


def _check_lift(lift: Any) -> None:
    if isinstance(lift, bool) or not isinstance(lift, int | np.integer) or lift < 0:
        raise DataError(f"lift is {lift!r}, must be a whole number that is not negative")


def _features(p: int) -> str:
    return f"{p} feature{'s' * (p > 1)}"


def check_constant(features: Floats, names: Sequence[str], where: str) -> None:
    """Raise DataError, naming the column, if a column of features (n, p) holds one value only."""
    # Blind to rounding in the mean of many rows, as StandardScaler is, which would leave such a column unscaled.
    rounding = max(1e-12, len(features) * np.finfo(float).eps)
    with np.errstate(over="ignore"):
        spread = features.std(axis=0)
    flat = spread <= rounding * np.abs(features).max(axis=0)
    if flat.any():
        column = int(np.argmax(flat))
        raise DataError(f"{where} {_column(names, column)} is constant ({features[0, column]:g}); leave it out")


def check_classes(labels: Ints, names: Sequence[str], where: str) -> None:
    """Raise DataError, naming the class, unless there are 2 classes of 2 samples each."""
    counts = np.bincount(labels, minlength=len(names))
    if len(names) < 2:
        raise DataError(f"{where} holds a single class ({names[0]!r}); at least 2 are needed")
    c = int(np.argmin(counts))
    if (least := int(counts[c])) < 2:
        raise DataError(f"{where}: class {names[c]!r} has {least} sample{'s' * (least != 1)}; at least 2 are needed")
