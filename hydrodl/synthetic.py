"""Generators of the built-in data sets that are drawn, not read: (n, noise, seed) -> (features (n, 2), labels (n,))."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError

__all__ = ["GENERATORS", "check_generated"]


def check_generated(name: str, n: int, least: int, noise: float, seed: int) -> None:
    """Raise DataError, naming the argument, unless a data set of this name can be drawn with these."""
    for word, value, low in (("n", n, least), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise DataError(f"{name}: {word} is {value}, must be a whole number of at least {low}")
    if seed >= 2**32:  # the range of NumPy's legacy generators, which scikit-learn seeds
        raise DataError(f"{name}: seed is {seed}, must be below 2**32")
    if isinstance(noise, bool | str) or not (np.isfinite(noise) and noise >= 0):
        raise DataError(f"{name}: noise is {noise}, must be a number that is not negative")


def _two_moons(n: int, noise: float, seed: int) -> tuple[Floats, Ints]:
    from sklearn.datasets import make_moons

    return make_moons(n_samples=n, noise=noise, random_state=seed)  # type: ignore[no-any-return]


def _circles(n: int, noise: float, seed: int) -> tuple[Floats, Ints]:
    from sklearn.datasets import make_circles

    return make_circles(n_samples=n, noise=noise, factor=0.5, random_state=seed)  # type: ignore[no-any-return]


def _two_spirals(n: int, noise: float, seed: int) -> tuple[Floats, Ints]:
    """Radius grows linearly from 1/6 to 1 over turns 0.25 to 1.5: the arms stay 1/3 apart."""
    rng = np.random.default_rng(seed)
    labels = _balanced(n, 2, rng)
    turns = np.sqrt(rng.uniform(0.25**2, 1.5**2, n))  # even along the arc
    angle = 2 * np.pi * turns + np.pi * labels
    curve = (turns / 1.5)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return curve + noise * rng.standard_normal((n, 2)), labels


def _gaussians(n: int, noise: float, seed: int) -> tuple[Floats, Ints]:
    """Centres on the unit circle; noise is the standard deviation of each cluster."""
    rng = np.random.default_rng(seed)
    labels = _balanced(n, 3, rng)
    angle = 2 * np.pi * labels / 3 + np.pi / 2
    return np.column_stack([np.cos(angle), np.sin(angle)]) + noise * rng.standard_normal((n, 2)), labels


def _checkerboard(n: int, noise: float, seed: int) -> tuple[Floats, Ints]:
    """Uniform on the unit squares of [-2, 2]^2; the label is the parity of row + column."""
    rng = np.random.default_rng(seed)
    labels = _balanced(n, 2, rng)
    column = rng.integers(0, 4, n)
    row = 2 * rng.integers(0, 2, n) + (column + labels) % 2
    inside = rng.uniform(0, 1, (n, 2))
    return np.column_stack([column, row]) - 2.0 + inside + noise * rng.standard_normal((n, 2)), labels


def _balanced(n: int, classes: int, rng: np.random.Generator) -> Ints:
    return rng.permutation(np.arange(n, dtype=np.int64) % classes)


# generator and its default noise
GENERATORS: dict[str, tuple[Callable[[int, float, int], tuple[Floats, Ints]], float]] = {
    "two_moons": (_two_moons, 0.1),
    "circles": (_circles, 0.05),
    "two_spirals": (_two_spirals, 0.05),
    "gaussians": (_gaussians, 0.35),
    "checkerboard": (_checkerboard, 0.0),
}
