"""From raw features to mesh coordinates and back: standardisation, principal components, lifted directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, names, plural
from hydrodl.common.errors import DataError
from hydrodl.common.parameters import Number
from hydrodl.data.frames import is_frame, numbers_of

_ARRAYS = ("mean", "scale", "components", "component_scale")


DIMENSIONS, LIFT = Number(least=1, most=3, whole=True), Number(0, least=0, most=2, whole=True)


def numbered(p: int) -> tuple[str, ...]:
    """Names of p features that have none: x1, x2, ..."""
    return tuple(f"x{i + 1}" for i in range(p))


def raw_map(preprocessing: Preprocessing | None, dimension: int) -> Floats:
    """A, shape (p, d), with f = mean + A x the raw features of mesh coordinates x; the identity without preprocessing.

    Added coordinates (``lift``) have no raw feature: their columns are 0.
    """
    if preprocessing is None:
        return np.eye(dimension)
    back = np.diag(preprocessing.scale)
    if preprocessing.components is not None and preprocessing.component_scale is not None:
        back = back @ preprocessing.components * preprocessing.component_scale
    return np.pad(back, ((0, 0), (0, dimension - back.shape[1])))


def raw_metric(preprocessing: Preprocessing | None, dimension: int) -> Floats:
    """A^T A, shape (d, d): the square of a way x in raw units is x.(A^T A x)."""
    back = raw_map(preprocessing, dimension)
    return back.T @ back


def features_of(preprocessing: Preprocessing, points: Floats) -> Floats:
    """A table (n, p) whose ``apply`` gives the points (n, d); constant features at their constant.

    The only one if every feature that varies has a coordinate of its own. Added coordinates are left out.
    """
    return preprocessing.mean + points @ raw_map(preprocessing, points.shape[1]).T


def input_map(preprocessing: Mapping[str, Any]) -> tuple[Floats, Floats, Floats]:
    """(mean (p,), scale (p,), matrix (p, d)) of a preprocessing's ``to_dict``: x = ((f - mean) / scale) matrix.

    The matrix holds the rescaled principal components, or is the identity, and has a zero column for every coordinate
    that lifting adds.
    """
    mean, scale = (np.asarray(preprocessing[name], dtype=float) for name in ("mean", "scale"))
    matrix = np.eye(mean.size)
    if preprocessing.get("components") is not None and preprocessing.get("component_scale") is not None:
        matrix = np.asarray(preprocessing["components"], dtype=float) / np.asarray(preprocessing["component_scale"])
    return mean, scale, np.hstack([matrix, np.zeros((mean.size, int(preprocessing.get("lift") or 0)))])


@dataclass(frozen=True, eq=False, repr=False)
class Preprocessing(Card):
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

    Example:
        >>> fitted = hd.Preprocessing.fit([[1.0, 10.0], [3.0, 20.0]])
        >>> fitted.apply([[2.0, 15.0], [3.0, 20.0]])
        array([[0., 0.],
               [1., 1.]])
    """

    mean: Floats
    scale: Floats
    components: Floats | None = None
    component_scale: Floats | None = None
    feature_names: tuple[str, ...] = ()
    one_unit: bool = False
    lift: int = 0

    def __post_init__(self) -> None:
        LIFT.check("lift", self.lift, DataError)

    def __str__(self) -> str:
        how = "kept in proportion" if self.one_unit else "standardised"
        reduced = f", reduced to {plural(self.taken, 'principal component')}" if self.components is not None else ""
        return f"{plural(self.mean.size, 'feature')} {how}{reduced}" + (f", {self.lift} added" if self.lift else "")

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        return {
            "features": names(self.feature_names) or self.mean.size,
            "mean": np.array2string(self.mean, precision=4, threshold=8, edgeitems=2),
            "scale": np.array2string(self.scale, precision=4, threshold=8, edgeitems=2),
            "coordinates": self.dimension,
        }

    @classmethod
    def identity(cls, d: int) -> Preprocessing:
        """Features that are mesh coordinates already."""
        return cls(np.zeros(d), np.ones(d), feature_names=numbered(d))

    @classmethod
    def fit(
        cls,
        features: ArrayLike,
        dimensions: int | None = None,
        names: Sequence[str] = (),
        one_unit: bool = False,
        lift: int = LIFT.default,
        *,
        weights: Floats | None = None,
    ) -> Preprocessing:
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
            weights: shape (n,), how much each row counts in means, variances and principal components.

        Raises:
            DataError: dimensions or lift out of range, a constant feature, features that span too few directions.
        """
        raw = np.asarray(features, dtype=float)
        d, lift = _dimensions(dimensions, raw.shape[1], lift)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = _moments(raw, weights)
        finite = np.isfinite(mean) & np.isfinite(variance)
        if not finite.all():
            column = int(np.argmin(finite))
            raise DataError(f"feature {_column(names, column)} has values too large to standardise")
        scale = np.where(constant_columns(raw), 1.0, np.sqrt(variance))
        if one_unit:
            common = float(np.sqrt(np.mean(variance)))
            scale = np.full_like(scale, common if common > 0 else 1.0)
        if d == raw.shape[1]:
            check_constant(raw, names, "feature")
            return cls(mean, scale, feature_names=tuple(names), one_unit=one_unit, lift=lift)
        unit = (raw - mean) / scale
        if min(unit.shape) < d:
            raise DataError(f"{len(unit)} rows are too few for {d} principal components")
        components = _principal(unit if weights is None else unit * np.sqrt(weights / weights.mean())[:, None], d)
        spread = np.sqrt(_moments(unit @ components, weights)[1])
        if not spread[-1] > 1e-10 * spread[0]:
            raise DataError(f"the features span fewer than dimensions = {d} independent directions; ask for fewer")
        return cls(mean, scale, components, spread, tuple(names), one_unit, lift)

    @property
    def rescales(self) -> bool:
        """Are the coordinates anything but the features as they are given, and added ones?"""
        return self.components is not None or bool((self.scale != 1).any() or (self.mean != 0).any())

    @property
    def dimension(self) -> int:
        """Number d of mesh coordinates, the added ones among them."""
        return int(self.mean.size if self.components is None else self.components.shape[1]) + self.lift

    @property
    def taken(self) -> int:
        """Number of coordinates that are made of features."""
        return self.dimension - self.lift

    def apply(self, features: ArrayLike) -> Floats:
        """Raw features, shape (n, p), to points, shape (n, d); of a data frame the columns with the feature names.

        Raises:
            DataError: not an (n, p) table of numbers, or a NaN or infinite entry (row and column named, from 1).
        """
        if is_frame(features) and self.feature_names:
            features = numbers_of(features, self.feature_names)
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
        content = {name: None if getattr(self, name) is None else getattr(self, name).tolist() for name in _ARRAYS}
        return content | {"feature_names": list(self.feature_names), "one_unit": self.one_unit, "lift": self.lift}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Preprocessing:
        """The inverse of :meth:`to_dict`."""
        read = {name: None if content.get(name) is None else np.asarray(content[name], dtype=float) for name in _ARRAYS}
        names, one_unit = tuple(content.get("feature_names", ())), bool(content.get("one_unit"))
        return cls(**read, feature_names=names, one_unit=one_unit, lift=int(content.get("lift", 0)))  # type: ignore[arg-type]


def _moments(values: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Mean and variance of each column."""
    if weights is None:
        return values.mean(axis=0), values.var(axis=0)
    mean = np.average(values, axis=0, weights=weights)
    return mean, np.average((values - mean) ** 2, axis=0, weights=weights)


def _principal(unit: Floats, d: int) -> Floats:
    """The d leading principal directions of rows around 0, as columns, shape (p, d); the same for the same table."""
    from sklearn.utils.extmath import svd_flip  # here: slow to import, and up to three features need none

    left, _, right = np.linalg.svd(unit, full_matrices=False)
    return np.ascontiguousarray(svd_flip(left, right, u_based_decision=False)[1][:d].T)


def _column(names: Sequence[str], column: int) -> str:
    return repr(names[column]) if column < len(names) else str(column + 1)


def _dimensions(dimensions: int | None, p: int, lift: int) -> tuple[int, int]:
    """(coordinates taken from the features, coordinates added)."""
    LIFT.check("lift", lift, DataError)
    if dimensions is None:
        d = p if p <= 3 else 2
    else:
        DIMENSIONS.check("dimensions", dimensions, DataError)
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


def _features(p: int) -> str:
    return f"{p} feature{'s' * (p > 1)}"


def check_constant(features: Floats, names: Sequence[str], where: str) -> None:
    """Raise DataError, naming the column, if a column of features (n, p) holds one value only."""
    flat = constant_columns(features)
    if flat.any():
        column = int(np.argmax(flat))
        raise DataError(f"{where} {_column(names, column)} is constant ({features[0, column]:g}); leave it out")


def constant_columns(features: Floats) -> NDArray[np.bool_]:
    """Which columns of features (n, p) hold one value only, up to rounding in the mean of many rows; shape (p,)."""
    rounding = max(1e-12, len(features) * np.finfo(float).eps)
    with np.errstate(over="ignore"):
        return features.std(axis=0) <= rounding * np.abs(features).max(axis=0)  # type: ignore[no-any-return]
