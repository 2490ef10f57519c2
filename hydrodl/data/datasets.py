"""The built-in data sets: generated ones, and those that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import DataError
from hydrodl.common.parallel import on_root
from hydrodl.common.parameters import Number
from hydrodl.data.preprocessing import LIFT
from hydrodl.data.samples import Samples
from hydrodl.data.tables import fitted_samples

SAMPLES, SEED, NOISE = (
    Number(400, least=2, whole=True),
    Number(0, least=0, most=2**32 - 1, whole=True),  # NumPy's legacy generators, which scikit-learn seeds
    Number(least=0, most=1e3),
)


class Dataset(NamedTuple):
    """One line of ``hydrodl datasets``."""

    description: str
    source: str
    sizes: str
    features: int
    classes: int
    one_unit: bool = False  # all features in the same unit: kept in proportion unless the caller says otherwise


_ANY = f"any n (default {SAMPLES.default})"


DATASETS: dict[str, Dataset] = {
    "two_moons": Dataset("two interleaving half circles", "generated (scikit-learn)", _ANY, 2, 2),
    "circles": Dataset("a circle inside another", "generated (scikit-learn)", _ANY, 2, 2),
    "two_spirals": Dataset("two interleaving spirals of 1.5 turns", "generated", _ANY, 2, 2),
    "gaussians": Dataset("three round clusters", "generated", _ANY, 2, 3),
    "checkerboard": Dataset("the squares of a 4 x 4 board", "generated", _ANY, 2, 2),
    "iris": Dataset("three species of iris flowers", "scikit-learn (Fisher 1936)", "150", 4, 3, True),
    "wine": Dataset("chemistry of wines of three cultivars", "scikit-learn (UCI)", "178", 13, 3),
    "breast_cancer": Dataset("cell nuclei, malignant or benign", "scikit-learn (UCI)", "569", 30, 2),
    "digits": Dataset("8 x 8 images of handwritten digits", "scikit-learn (UCI)", "1797", 64, 10, True),
}


def load_dataset(
    name: str,
    *,
    n: int = SAMPLES.default,
    noise: float | None = None,
    seed: int = SEED.default,
    dimensions: int | None = None,
    one_unit: bool | None = None,
    lift: int = LIFT.default,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> Samples:
    """A built-in data set, see ``DATASETS``; collective, every rank gets the same.

    Args:
        name: the data set.
        n, seed: generated sets: number of samples in all classes together and the seed of the generator.
        noise: generated sets: standard deviation of what blurs the shape; None is the set's own default.
        dimensions: 1, 2 or 3, reached by principal components, or by lifting where the features are fewer; None: up
            to 3 features stay, more become 2.
        one_unit: keep the features in proportion instead of standardising each; None: as ``DATASETS`` says (iris,
            all lengths, and digits, all grey levels).
        lift: coordinates added to these, in which all samples are 0; the mesh dimension, at most 3, is the sum.
        comm: the ranks that call.

    Raises:
        DataError: unknown name, n too small, noise or seed negative, noise for a table, dimensions or lift out of
            range.

    Example:
        >>> samples = hd.load_dataset("gaussians", n=60, seed=0)
        >>> samples.features.shape, samples.class_names
        ((60, 2), ('0', '1', '2'))
    """
    return on_root(comm, lambda: _load(name, n, noise, seed, dimensions, one_unit, lift))


def _load(
    name: str, n: int, noise: float | None, seed: int, dimensions: int | None, one_unit: bool | None, lift: int
) -> Samples:
    if name not in DATASETS:
        near = get_close_matches(str(name), DATASETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataError(f"unknown dataset {name!r}; {hint}allowed are {', '.join(DATASETS)}")
    together = DATASETS[name].one_unit if one_unit is None else one_unit
    if name in GENERATORS:
        make, default = GENERATORS[name]
        classes = DATASETS[name].classes
        check_generated(name, n, 2 * classes, default if noise is None else noise, seed)
        features, labels = make(int(n), float(default if noise is None else noise), int(seed))
        class_names = tuple(str(c) for c in range(classes))
        return fitted_samples(features, labels, class_names, ("x1", "x2"), dimensions, together, lift)
    if noise is not None:
        raise DataError(f"noise does not apply to {name}, a table; generated sets are {', '.join(GENERATORS)}")
    from sklearn import datasets

    table = getattr(datasets, f"load_{name}")()
    names = tuple(str(c) for c in table.target_names)
    columns = tuple(str(f) for f in table.feature_names)
    return fitted_samples(
        np.asarray(table.data, dtype=float), np.asarray(table.target), names, columns, dimensions, together, lift
    )


def check_generated(name: str, n: int, least: int, noise: float, seed: int) -> None:
    """Raise DataError, naming the argument, unless a data set of this name can be drawn with these."""
    Number(least=least, whole=True).check(f"{name}: n", n, DataError)
    SEED.check(f"{name}: seed", seed, DataError)
    NOISE.check(f"{name}: noise", noise, DataError)


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
