"""Preprocessing of any finite table: features that are constant, or hang together, are no reason to refuse it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import DataError
from hydrodl.data.preprocessing import Preprocessing, constant_columns


def preprocess(
    features: Floats,
    dimensions: int | None,
    names: tuple[str, ...],
    one_unit: bool,
    lift: int,
    weights: Floats | None = None,
) -> Preprocessing:
    """As ``Preprocessing.fit``, for any finite table: constant features are left out, and with dimensions=None
    features that span fewer directions than would be kept give as many coordinates as they span.

    Raises:
        DataError: every feature is constant, or what ``Preprocessing.fit`` raises.
    """
    varies = ~constant_columns(features)
    if not varies.any():
        raise DataError(f"all {features.shape[1]} feature(s) are constant over {len(features)} sample(s)")
    kept = features[:, varies]
    if dimensions is None and kept.shape[1] > 3 and _rank(kept) < 2:
        dimensions = 1
    known = [name for name, used in zip(names, varies, strict=True) if used]
    found = Preprocessing.fit(kept, dimensions, known, one_unit, lift, weights=weights)
    return found if varies.all() else _widened(found, varies, features[0], names)


def _rank(features: Floats) -> int:
    with np.errstate(over="ignore", invalid="ignore"):
        unit = (features - features.mean(axis=0)) / features.std(axis=0)
    # values too large to standardise are reported, with their feature, by Preprocessing.fit
    return int(np.linalg.matrix_rank(unit, rtol=1e-8)) if np.isfinite(unit).all() else features.shape[1]


def _widened(
    narrow: Preprocessing, varies: NDArray[np.bool_], constants: Floats, names: tuple[str, ...]
) -> Preprocessing:
    """The same coordinates from tables that have the constant features too."""
    p, d = len(varies), narrow.taken
    mean, scale, components = constants.copy(), np.ones(p), np.zeros((p, d))
    mean[varies], scale[varies] = narrow.mean, narrow.scale
    components[varies] = np.eye(d) if narrow.components is None else narrow.components
    spread = np.ones(d) if narrow.component_scale is None else narrow.component_scale
    return replace(narrow, mean=mean, scale=scale, components=components, component_scale=spread, feature_names=names)
