"""A population seen at several times: sample sets without labels or pairing, one common preprocessing.

The densities of the sets become the start and the targets of a bridge or of density losses, on layers among which every
snapshot's time is one. Times are mapped linearly to depth: the first to 0, the last to T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, names, plural
from hydrodl.common.errors import DataError
from hydrodl.data.class_densities import BANDWIDTH, Densities, densities
from hydrodl.data.frames import columns_of, numbers_of
from hydrodl.data.outliers import Clamped
from hydrodl.data.preprocessing import Preprocessing, numbered, raw_map
from hydrodl.data.samples import Samples
from hydrodl.data.table_file import DECIMAL, listed
from hydrodl.data.tables import read_columns
from hydrodl.mesh.domain import Domain

POPULATION = "0"  # the name of the one class


@dataclass(frozen=True, eq=False, repr=False)
class Snapshots(Card):
    """Sample sets at increasing times.

    Attributes:
        times: K times in the user's unit, strictly increasing, shape (K,).
        features: K tables of raw features, shapes (n_k, p).
        preprocessing: from raw features to mesh coordinates, the same for all.

    Raises:
        DataError: fewer than 2 snapshots, times that do not increase, or tables that do not fit.

    Example:
        >>> series = hd.snapshots([0, 1], [[[0.0], [1.0]], [[1.0], [2.0]]])
        >>> len(series), series.points[0].shape
        (2, (2, 1))
    """

    times: Floats
    features: tuple[Floats, ...]
    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        times = check_times(self.times)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "features", tuple(np.asarray(table, dtype=float) for table in self.features))
        if len(self.features) != len(times):
            raise DataError(
                f"snapshots: {len(times)} times and {len(self.features)} sample sets; one of each is needed"
            )
        for time, table in zip(times, self.features, strict=True):
            if table.ndim != 2 or not len(table) or table.shape[1] != self.preprocessing.mean.size:
                needed = f"(n, {self.preprocessing.mean.size}) with n > 0"
                raise DataError(f"snapshot at time {time:g}: samples have shape {table.shape}, must be {needed}")

    def __str__(self) -> str:
        return (
            f"{len(self)} from t = {self.times[0]:g} to {self.times[-1]:g}, "
            f"{plural(sum(map(len, self.features)), 'sample')} of {plural(len(self._names), 'feature')}"
        )

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        sizes = [f"{time:g}: {len(table)}" for time, table in zip(self.times, self.features, strict=True)]
        return {"samples at t": names(sizes), "features": names(self._names), "coordinates": self.preprocessing}

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        time: str,
        features: Sequence[str] | None = None,
        *,
        dimensions: int | None = None,
        one_unit: bool | None = None,
    ) -> Snapshots:
        """Snapshots from a data frame of pandas, Polars or their like with a column of times.

        Args:
            frame: with a row for each sample.
            time: name of the column of times, whose equal numbers are one snapshot.
            features: names of the feature columns; default all others.
            dimensions, one_unit: as in :func:`snapshots`.

        Raises:
            DataError: no frame, a column that is missing or holds no numbers, missing values, or what
                :func:`snapshots` raises.

        Example:
            >>> import polars
            >>> hd.Snapshots.from_frame(polars.DataFrame({"day": [0, 0, 1, 1], "x": [0.0, 1.0, 1.0, 2.0]}), "day")
            <Snapshots: 2 from t = 0 to 1, 4 samples of 1 feature>
        """
        columns = [name for name in columns_of(frame) if name != time] if features is None else list(features)
        moments, table = numbers_of(frame, [time])[:, 0], numbers_of(frame, columns)
        times = np.unique(moments)
        tables = [table[moments == moment] for moment in times]
        return snapshots(times, tables, dimensions=dimensions, names=columns, one_unit=one_unit)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def points(self) -> tuple[Floats, ...]:
        """Mesh coordinates of every set, shapes (n_k, d)."""
        return tuple(self.preprocessing.apply(table) for table in self.features)

    @property
    def pooled(self) -> Samples:
        """All samples together, labelled by their snapshot."""
        labels = np.repeat(np.arange(len(self)), [len(table) for table in self.features])
        return Samples(
            np.concatenate(self.features),
            labels,
            tuple(f"t = {t:g}" for t in self.times),
            self._names,
            self.preprocessing,
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return self.preprocessing.feature_names or numbered(self.preprocessing.mean.size)

    def raw_map(self, dimension: int) -> Floats:
        """A, shape (p, d), with f = mean + A x the raw features of mesh coordinates x."""
        return raw_map(self.preprocessing, dimension)

    def samples(self, k: int) -> Samples:
        """Snapshot k as samples of one class."""
        table = self.features[k]
        labels = np.zeros(len(table), dtype=np.int64)
        return Samples(table, labels, (POPULATION,), self._names, self.preprocessing)

    def clamped(self) -> tuple[Snapshots, Clamped]:
        """The same, samples far outside all sets at their edge, see :meth:`Samples.clamped`; and which, of all sets."""
        pooled, found = self.pooled.clamped()
        ends = np.cumsum([len(table) for table in self.features])[:-1]
        return Snapshots(self.times, tuple(np.split(pooled.features, ends)), pooled.preprocessing), found

    def without(self, k: int) -> Snapshots:
        """The others, seen through the same preprocessing."""
        kept = [j for j in range(len(self)) if j != k]
        return Snapshots(self.times[kept], tuple(self.features[j] for j in kept), self.preprocessing)

    def densities(self, domain: Domain, bandwidth: float = BANDWIDTH.default) -> list[Densities]:
        """The kernel density of every set, see :func:`hydrodl.densities`; collective."""
        return [densities(self.samples(k), domain, bandwidth) for k in range(len(self))]


def snapshots(
    times: ArrayLike,
    features: Sequence[ArrayLike],
    *,
    dimensions: int | None = None,
    names: Sequence[str] = (),
    one_unit: bool | None = None,
) -> Snapshots:
    """Snapshots from tables, with the preprocessing fitted to all of them together.

    Args:
        times: K increasing numbers.
        features: K tables of shape (n_k, p).
        dimensions, names: as in :meth:`Preprocessing.fit`.
        one_unit: keep the features in proportion, so that ways measure the same in every direction and the cheapest
            flow in mesh units is the cheapest in raw units; None: yes; False: standardise each.

    Raises:
        DataError: see :class:`Snapshots` and :meth:`Preprocessing.fit`.

    Example:
        >>> series = hd.snapshots([0, 1, 2], [[[0.0], [1.0]], [[1.0], [2.0]], [[2.0], [3.0]]])
        >>> series.times, len(series.pooled)
        (array([0., 1., 2.]), 6)
    """
    check_times(times)
    try:
        tables = [np.asarray(table, dtype=float) for table in features]
    except (TypeError, ValueError):
        raise DataError("snapshots: a sample set is not a table of numbers") from None
    if len({table.shape[1:] for table in tables}) != 1 or tables[0].ndim != 2:
        raise DataError(f"snapshots: sample sets have shapes {[t.shape for t in tables]}, must be (n, p) with one p")
    together = np.concatenate(tables)
    if not np.isfinite(together).all():
        raise DataError("snapshots: every feature must be a finite number")
    columns = tuple(names) or numbered(together.shape[1])
    return Snapshots(
        np.asarray(times, dtype=float),
        tuple(tables),
        Preprocessing.fit(together, dimensions, columns, one_unit is not False),
    )


def read_snapshots(
    sources: Mapping[float, str | Path] | str | Path,
    *,
    time: str | None = None,
    features: Sequence[str] | None = None,
    dimensions: int | None = None,
    one_unit: bool | None = None,
    delimiter: str | None = None,
    decimal: str = DECIMAL.default,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> Snapshots:
    r"""Snapshots from one CSV table each, or from one table with a column of times; collective, the same on all ranks.

    Args:
        sources: time -> file, in any order; or one file.
        time: of one file: name of the column of times, whose equal numbers are one snapshot.
        features: names of the feature columns; default: all columns of the first table.
        dimensions, one_unit: as in :func:`snapshots`.
        delimiter, decimal: of the tables, as in :func:`read_csv`.
        comm: the ranks that call.

    Raises:
        DataError: see :func:`snapshots` and :func:`~hydrodl.data.tables.read_columns`; one file without ``time``, or
            several with it.

    Example:
        >>> for day in (0, 1):
        ...     _ = Path(f"day{day}.csv").write_text(f"x\n{day}\n{day + 1}\n")
        >>> hd.read_snapshots({day: f"day{day}.csv" for day in (0, 1)}).times
        array([0., 1.])
        >>> _ = Path("days.csv").write_text("day,x\n0,0\n0,1\n1,1\n1,2\n")
        >>> hd.read_snapshots("days.csv", time="day").times
        array([0., 1.])
    """
    form: dict[str, Any] = {"delimiter": delimiter, "decimal": decimal, "comm": comm}
    if isinstance(sources, str | Path):
        if time is None:
            raise DataError(f"{sources}: one table of snapshots needs time, the name of the column of times")
        names, times, tables = _by_time(sources, time, features, form)
    elif time is not None:
        raise DataError("time is for one table with a column of times; several tables have their times already")
    elif not sources:
        raise DataError("snapshots: at least 2 are needed, there are 0")
    else:
        times = sorted(sources)
        first = read_columns(sources[times[0]], features, **form)
        names = first.names
        tables = [first.numbers, *(read_columns(sources[at], names, **form).numbers for at in times[1:])]
    return snapshots(times, tables, dimensions=dimensions, names=names, one_unit=one_unit)


def _by_time(
    source: str | Path, time: str, features: Sequence[str] | None, form: Mapping[str, Any]
) -> tuple[list[str], list[float], list[Floats]]:
    """Names of the features, the times, and the rows of each time."""
    if features is not None and time in features:
        raise DataError(f"{source}: the column of times, {time!r}, is among the features")
    table = read_columns(source, None if features is None else [*features, time], **form)
    if time not in table.names:
        raise DataError(f"{source}: no column of times {time!r}; the columns are {listed(table.names)}")
    at = table.names.index(time)
    names, moments = [name for name in table.names if name != time], table.numbers[:, at]
    if not names:
        raise DataError(f"{source}: no feature columns beside the times")
    rest, times = np.delete(table.numbers, at, axis=1), np.unique(moments)
    return names, times.tolist(), [rest[moments == moment] for moment in times]


def check_times(times: ArrayLike) -> Floats:
    """The times as an array.

    Raises:
        DataError: fewer than 2, or not finite and strictly increasing.
    """
    found = np.asarray(times, dtype=float)
    if found.ndim != 1 or len(found) < 2:
        raise DataError(f"snapshots: at least 2 are needed, there are {found.size}")
    if not np.isfinite(found).all() or (np.diff(found) <= 0).any():
        raise DataError(f"snapshot times are {found.tolist()}, must be finite and increase")
    return found
