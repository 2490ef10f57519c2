"""Gaussians: the components of mixtures in a problem file, a demo or a closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import COORDINATE, SPREAD, Number

WEIGHT = Number(1.0, above=0, smallest=1e-12, most=1e12)


def spreads(matrix: Floats) -> bool:
    """Whether a finite symmetric matrix is a covariance, with standard deviations in the range of ``SPREAD``."""
    return bool((np.linalg.eigvalsh(matrix)[[0, -1]] >= SPREAD.smallest**2).all() and np.max(matrix) <= SPREAD.most**2)


@dataclass(frozen=True)
class Gaussian:
    """One component of a mixture: weight times the normal density of the given mean and spread.

    Attributes:
        mean: d numbers (or one, in d = 1).
        std: standard deviation, one number or one per direction; or else
        covariance: symmetric positive definite, d rows of d numbers.
        weight: relative mass, positive.
        label: the class it belongs to.

    Raises:
        InputError: neither or both of std and covariance, wrong lengths, a spread or weight that is not positive.

    Example:
        >>> normal = hd.Gaussian([0.0, 1.0], std=[0.5, 2.0])
        >>> normal.matrix
        array([[0.25, 0.  ],
               [0.  , 4.  ]])
    """

    mean: float | Sequence[float]
    std: float | Sequence[float] | None = None
    covariance: Sequence[Sequence[float]] | Floats | None = None
    weight: float = WEIGHT.default
    label: int | str = 0

    def __post_init__(self) -> None:
        WEIGHT.check("weight of a Gaussian", self.weight)
        if (self.std is None) == (self.covariance is None):
            raise InputError("a Gaussian needs either std or covariance")
        try:
            center, matrix = self.center, self.matrix
        except (TypeError, ValueError):
            raise InputError(
                f"Gaussian: mean {self.mean}, std {self.std}, covariance {self.covariance} do not fit; needed are "
                "d numbers, one or d numbers, d rows of d numbers"
            ) from None
        if center.ndim != 1 or center.size not in (1, 2, 3) or not all(map(COORDINATE.allows, center)):
            raise InputError(f"mean of a Gaussian is {self.mean}, must be 1, 2 or 3 numbers, each {COORDINATE.words}")
        if self.std is not None and not all(map(SPREAD.allows, np.ravel(self.std))):
            raise InputError(f"std of a Gaussian is {self.std}, must be {SPREAD.words}, or one per direction")
        symmetric = matrix.shape == (center.size,) * 2 and np.isfinite(matrix).all() and np.allclose(matrix, matrix.T)
        if not symmetric or not spreads(matrix):
            raise InputError(
                f"covariance of a Gaussian is {matrix.tolist()}, must be a symmetric positive definite "
                f"{center.size} x {center.size} matrix, its standard deviations {SPREAD.words.removeprefix('a ')}"
            )

    @property
    def center(self) -> Floats:
        """The mean as an array of shape (d,)."""
        return np.atleast_1d(np.asarray(self.mean, dtype=float))

    @property
    def matrix(self) -> Floats:
        """The covariance as an array of shape (d, d)."""
        if self.covariance is not None:
            return np.atleast_2d(np.asarray(self.covariance, dtype=float))
        return np.diag(np.broadcast_to(np.asarray(self.std, dtype=float), self.center.shape) ** 2)

    def density(self, x: Floats) -> Floats:
        """The normal density (of mass 1, without the weight) at points (n, d), shape (n,)."""
        root = np.linalg.cholesky(self.matrix)
        unit = np.linalg.solve(root, (x - self.center).T)
        return np.exp(-0.5 * (unit**2).sum(axis=0)) / np.prod(np.sqrt(2 * np.pi) * np.diag(root))
