"""Do predicted probabilities mean what they say? Reliability by bins of confidence and the expected calibration error.

Of the samples that a calibrated network is 80 percent sure of, 80 percent are right. The measure is that of
M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import COUNT


@dataclass(frozen=True, eq=False)
class Calibration:
    """Reliability of predictions, by bins of the confidence max_c p_c.

    Attributes:
        edges: of the bins, equally wide from 1/C to 1, shape (bins + 1,).
        counts: samples in each bin, shape (bins,).
        confidence: their mean confidence, NaN in an empty bin, shape (bins,).
        accuracy: the share of them that is right, NaN in an empty bin, shape (bins,).

    Example:
        >>> seen = hd.calibration(network.predict_proba(samples.features), samples.labels, bins=5)
        >>> int(seen.counts.sum()), seen.edges.shape
        (60, (6,))
    """

    edges: Floats
    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Expected calibration error, sum_b (n_b / n) |accuracy_b - confidence_b|."""
        filled = self.counts > 0
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return float((self.counts[filled] * gaps).sum() / self.counts.sum())

    @property
    def spread(self) -> Floats:
        """Standard error of each bin's accuracy if its confidence were right, sqrt(p (1 - p) / n), shape (bins,)."""
        return np.sqrt(self.confidence * (1 - self.confidence) / np.maximum(self.counts, 1))


def calibration(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> Calibration:
    """Compare what was predicted with what was so.

    Args:
        probabilities: rows of class probabilities, shape (n, C).
        labels: the classes 0 .. C-1, shape (n,).
        bins: number of bins of confidence.

    Raises:
        InputError: no samples, rows that are no probabilities, labels of another number or outside 0 .. C-1, bins < 1.

    Example:
        >>> seen = hd.calibration([[0.9, 0.1], [0.8, 0.2]], [0, 1], bins=1)
        >>> float(seen.accuracy[0]), round(seen.error, 2)  # right once of twice, sure to 85 percent
        (0.5, 0.35)
    """
    p, truth = np.asarray(probabilities, dtype=float), np.asarray(labels)
    if p.ndim != 2 or p.shape[1] < 2 or not len(p):
        raise InputError(f"probabilities have shape {p.shape}, must be (n, C) with at least one row and two classes")
    wrong = ~((p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-6))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"probabilities: row {row + 1} is {p[row].tolist()}, must not be negative and must sum to 1")
    if truth.shape != (len(p),) or truth.dtype.kind not in "iu" or truth.min() < 0 or truth.max() >= p.shape[1]:
        raise InputError(f"labels must be {len(p)} whole numbers from 0 to {p.shape[1] - 1}")
    COUNT.check("bins", bins)
    sure, right = p.max(axis=1), p.argmax(axis=1) == truth
    edges = np.linspace(1 / p.shape[1], 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.where(counts > 0, counts, np.nan)
    means = [np.bincount(place, weights=weights, minlength=bins) / filled for weights in (sure, right)]
    return Calibration(edges, counts, *means)
