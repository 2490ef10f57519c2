"""The data of a problem file: samples, where they reach, and their densities on a mesh."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.errors import InputError
from hydrodl.data.class_densities import Densities, densities, mixture, sample_mixture
from hydrodl.data.datasets import DATASETS, SEED, load_dataset
from hydrodl.data.held_out import held_out
from hydrodl.data.samples import Samples
from hydrodl.data.snapshot_sets import Snapshots
from hydrodl.data.tables import read_csv
from hydrodl.mesh.domain import Domain
from hydrodl.problem_file.building_snapshots import components, densities_of, gaussians, read_sets
from hydrodl.problem_file.data_schema import Data
from hydrodl.problem_file.machine import available_bytes, gigabytes

TEST_SEED = 1_000_003  # added to data.seed: test samples that no usual training seed repeats


SAMPLE_BYTES = 300.0  # of memory at its peak, a drawn sample


TAILS = 3.0  # standard deviations of a mixture that its box holds, before the margin


@dataclass(frozen=True, eq=False)
class Given:
    """The samples of a problem file.

    Attributes:
        train: samples behind the densities (drawn from the mixture where there is one).
        test: held-out samples seen through the same preprocessing, None if none were asked for.
        snapshots: the sample sets of a problem with [[data.snapshots]]; ``train`` is then the first of them.
        notes: what was done to them that a user should know.
    """

    train: Samples
    test: Samples | None
    snapshots: Snapshots | None = None
    notes: tuple[str, ...] = ()


def read(data: Data) -> Given:
    """The samples that [data] describes, every table read once; collective.

    Raises:
        InputError: anything wrong with them.
    """
    _check_room(data)
    if data.is_series:
        sets = read_sets(data)
        if not data.has_tables or data.outliers == "keep":
            return Given(sets.samples(0), None, sets)
        sets, found = sets.clamped()
        return Given(sets.samples(0), None, sets, _told(found.words()))
    train, test, rows = _samples(data)
    if data.mixture is not None or data.outliers == "keep":
        return Given(train, test)
    train, found = train.clamped()
    told = _told(found.words(rows, " of the table, its header not counted" if data.is_table else ""))
    return Given(train, test and test.with_preprocessing(train.preprocessing), notes=told)


def _test_seed(data: Data) -> int:
    return (data.seed + TEST_SEED) % (int(SEED.most) + 1)


def _check_room(data: Data) -> None:
    """Refuse more samples than memory has room for, before any is drawn; collective."""
    built_in = DATASETS.get(str(data.source))
    if data.mixture is None and (built_in is None or not built_in.source.startswith("generated")):
        return
    room, comm = available_bytes(MPI.COMM_WORLD), MPI.COMM_WORLD
    for name, count in (("samples", data.samples), ("test_samples", data.test_samples)):
        if (needed := SAMPLE_BYTES * count * comm.size) > room:  # every rank has them all
            raise InputError(
                f"data.{name} is {count}, which needs about {gigabytes(needed)} of memory, there are "
                f"{gigabytes(room)} free; what would fit: {int(room / SAMPLE_BYTES / comm.size)}"
            )


def _told(words: str) -> tuple[str, ...]:
    """What there is to say of outliers, also as a warning."""
    if words and MPI.COMM_WORLD.rank == 0:
        warnings.warn(words, stacklevel=3)
    return (words,) if words else ()


def _samples(data: Data) -> tuple[Samples, Samples | None, Ints | None]:
    """Training samples, test samples seen through their preprocessing, and which rows of a table the first are."""
    if data.mixture is not None:
        parts = gaussians(data.mixture)
        drawn = sample_mixture(parts, data.samples, data.seed)
        return drawn, sample_mixture(parts, data.test_samples, _test_seed(data)) if data.test_samples else None, None
    seen: dict[str, Any] = {"dimensions": data.dimensions, "one_unit": data.one_unit, "lift": data.lift}
    source = str(data.source)
    if not data.is_table and DATASETS[source].source.startswith("generated"):
        made = load_dataset(source, n=data.samples, noise=data.noise, seed=data.seed, **seen)
        if not data.test_samples:
            return made, None, None
        test = load_dataset(source, n=data.test_samples, noise=data.noise, seed=_test_seed(data))
        return made, test.with_preprocessing(made.preprocessing), None
    if data.is_table:
        written: dict[str, Any] = {"delimiter": data.delimiter, "decimal": data.decimal}
        table = read_csv(source, label=str(data.label), features=data.features, **seen, **written)
    else:
        table = load_dataset(source, noise=data.noise, **seen)
    if data.test_fraction == 0:
        return table, None, None
    rows = np.flatnonzero(~held_out(table.labels, data.test_fraction, data.seed))
    return *table.split(data.test_fraction, data.seed), rows


def reached(data: Data, given: Given) -> Floats:
    """Points (n, d) whose box holds the data: all samples, or three standard deviations around a mixture's means."""
    parts = gaussians(data.mixture or (components(data) if data.snapshots else []))
    if not parts:
        return given.train.points if given.snapshots is None else given.snapshots.pooled.points
    tails = [TAILS * np.sqrt(np.diag(part.matrix)) for part in parts]
    return np.array([part.center + side * t for part, t in zip(parts, tails, strict=True) for side in (-1, 1)])


def densities_on(domain: Domain, data: Data, given: Given) -> list[Densities]:
    """The densities to start from, and with snapshots those to reach; collective."""
    if given.snapshots is not None:
        return densities_of(data, given.snapshots, domain)
    if data.mixture is not None:
        return [mixture(gaussians(data.mixture), domain)]
    return [densities(given.train, domain, data.bandwidth)]
