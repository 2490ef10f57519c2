"""Labels and weights that a classifier is given: labels that are missing, and how much each sample counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError


def check_labels(labels: Any) -> None:
    """Raise InputError, naming the row, if a label is None or not a number, or if some are texts and others are not."""
    found = labels if isinstance(labels, list | tuple) else np.asarray(labels)
    if isinstance(found, np.ndarray) and (found.dtype.kind != "O" or found.ndim != 1):
        return
    for row, label in enumerate(found):
        if label is None or _is_nan(label):
            raise InputError(f"the label of row {row} (from 0) is {label!r}; leave out rows without a label")
    texts = [isinstance(label, str) for label in found]
    if any(texts) and not all(texts):
        row = texts.index(not texts[0])
        raise InputError(
            f"labels are texts and numbers: that of row 0 is {found[0]!r}, that of row {row} is {found[row]!r}; "
            "give all as texts, or all as numbers"
        )


def _is_nan(label: Any) -> bool:
    try:
        return bool(label != label)
    except (TypeError, ValueError):  # pandas' NA is neither; a list is refused by whoever needs a label
        return "NA" in type(label).__name__


def weights_of(
    class_weight: Mapping[Any, float] | str | None, sample_weight: Any, X: Floats, y: NDArray[Any]
) -> Floats | None:
    """How much each sample counts, not negative, shape (n,); None if all count the same.

    Args:
        class_weight: None, "balanced" (all classes count the same), or the weight of each class.
        sample_weight: a number, or one for each row.
        X, y: features and labels.

    Raises:
        ValueError: weights of another shape, negative, not finite, or all 0; unknown words or classes.
    """
    if class_weight is None and sample_weight is None:
        return None
    weights: Floats = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if isinstance(class_weight, str) and class_weight == "balanced":
        _, labels = np.unique(y, return_inverse=True)
        sums = np.bincount(labels, weights)
        share = np.divide(weights.sum(), len(sums) * sums, out=np.zeros_like(sums), where=sums > 0)
        weights = weights * share[labels]
    elif class_weight is not None:
        weights = weights * compute_sample_weight(class_weight, y)
    if not np.isfinite(weights).all() or not weights.sum() > 0:
        raise InputError("sample weights must be finite, and not all 0")
    return None if (weights == 1).all() else weights
