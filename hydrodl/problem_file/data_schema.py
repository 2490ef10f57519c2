"""The sections of the problem file that describe the data, every key with its default and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from hydrodl.common.parameters import SPREAD, Number
from hydrodl.data.class_densities import BANDWIDTH
from hydrodl.data.datasets import DATASETS, NOISE, SAMPLES, SEED
from hydrodl.data.gaussian import WEIGHT, spreads
from hydrodl.data.outliers import OUTLIERS
from hydrodl.data.preprocessing import DIMENSIONS, LIFT
from hydrodl.data.samples import TEST_FRACTION
from hydrodl.data.table_file import DECIMAL, Form
from hydrodl.problem_file.fields import POINT, Corner, Section, choice, number, one_of, optional, within

TEST_SAMPLES, TIME = Number(2000, least=0, whole=True), Number(most=1e12)


Positive = Annotated[float, within(SPREAD)]


class Component(Section):
    """One Gaussian of a mixture: class ``label``, its mean, and a standard deviation or a covariance."""

    model_config = one_of("std", "covariance")

    label: str = Field(default="0", title="class it belongs to", description="a class name in quotes")
    mean: Corner = Field(title="mean", description=POINT)
    std: Positive | Annotated[list[Positive], Field(min_length=1, max_length=3)] | None = optional(
        "standard deviation", f"{SPREAD.words}, or a list of one per feature"
    )
    covariance: list[list[float]] | None = optional("covariance", "a symmetric matrix, one list per row")
    weight: float = number(WEIGHT, "relative mass")

    @model_validator(mode="after")
    def _one_spread(self) -> Self:
        if (self.std is None) == (self.covariance is None):
            raise ValueError("give either std or covariance")
        if isinstance(self.std, list) and len(self.std) != len(self.mean):
            raise ValueError(f"std must be one number or {len(self.mean)}, like the mean")
        if self.covariance is not None:
            d = len(self.mean)
            if len(self.covariance) != d or any(len(row) != d for row in self.covariance):
                raise ValueError(f"covariance must be {d} x {d}, like the mean")
            matrix = np.array(self.covariance)
            sized = (np.abs(matrix) <= SPREAD.most**2).all()
            if not sized or not np.allclose(matrix, matrix.T) or not spreads(matrix):
                words = SPREAD.words.removeprefix("a ")
                raise ValueError(f"covariance must be symmetric and positive definite, its standard deviations {words}")
        return self


def one_dimension(components: Sequence[Component]) -> None:
    """Raise ValueError unless all means have the same number of features."""
    if len({len(component.mean) for component in components}) > 1:
        raise ValueError("the means must all have the same number of features")


class Snapshot(Section):
    """One population at one ``time``: a CSV table of its features (``source``), or a Gaussian mixture."""

    model_config = one_of("source", "mixture")

    time: float = number(TIME, "when it was seen; times increase")
    source: str | None = optional("table of its features", "the path of a CSV file")
    mixture: list[Component] | None = optional(
        "Gaussian mixture", "an array of tables [[data.snapshots.mixture]]", min_length=1
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.mixture is None):
            raise ValueError("give either source or [[data.snapshots.mixture]]")
        if any(component.label != "0" for component in self.mixture or []):
            raise ValueError("a snapshot is one population; its mixture has no labels")
        return self


class Data(Section):
    """[data]: a built-in set or a CSV table (``source``), a Gaussian mixture, or [[data.snapshots]].

    A table with ``time`` is a series of snapshots; settled, it is written as [[data.snapshots]] of one source.
    """

    model_config = one_of("source", "mixture", "snapshots")

    source: str | None = optional("data set or table", "a built-in name or the path of a CSV file")
    mixture: list[Component] | None = optional("Gaussian mixture", "an array of tables [[data.mixture]]", min_length=1)
    snapshots: list[Snapshot] | None = optional(
        "one population at several times", "an array of at least 2 tables [[data.snapshots]]", min_length=2
    )
    label: str | None = optional("tables: the column of class labels", "the name of a CSV column")
    features: list[str] | None = optional(
        "tables: the columns of features; all others unless given", "a list of names of CSV columns", min_length=1
    )
    time: str | None = optional("one table of several snapshots: the column of their times", "the name of a CSV column")
    delimiter: str | None = optional(
        "tables: what stands between cells", "one character (default: comma, semicolon or tab, whichever fits)"
    )
    decimal: str = choice(DECIMAL, "tables: decimal point or comma of numbers")
    samples: int = number(SAMPLES, "generated sets and mixtures: training samples of all classes together")
    test_samples: int = number(TEST_SAMPLES, "generated sets and mixtures: test samples")
    test_fraction: float = number(TEST_FRACTION, "tables: part of every class that is held out as test samples")
    noise: float | None = number(NOISE, "generated sets: deviation of what blurs the shape", missing="the set's own")
    seed: int = number(SEED, "seed of generated samples and of the split")
    bandwidth: float = number(BANDWIDTH, "standard deviation of the kernel of the class densities, standardised units")
    dimensions: int | None = number(
        DIMENSIONS, "directions kept, by principal components", missing="up to 3 features as they are, of more 2"
    )
    lift: int = number(LIFT, "coordinates added, 0 on all samples")
    outliers: str = choice(OUTLIERS, "samples far outside the others: count as lying at their edge, or stay")
    one_unit: bool | None = optional(
        "the features share a unit: keep them in proportion, do not standardise each",
        "true or false (default: true for iris, digits and snapshots)",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(given is not None for given in (self.source, self.mixture, self.snapshots)) != 1:
            raise ValueError("give either source or [[data.mixture]] or [[data.snapshots]]")
        Form(self.delimiter, self.decimal)  # its InputError is a ValueError: pydantic reports it with the others
        if not self.has_tables and (self.delimiter is not None or self.decimal != DECIMAL.default):
            raise ValueError("delimiter and decimal are for CSV tables only")
        if self.snapshots is not None:
            return self._check_snapshots(self.snapshots)
        if self.time is not None:
            return self._check_times()
        if self.mixture is not None:
            one_dimension(self.mixture)
        if self.is_table and self.label is None:
            near = get_close_matches(str(self.source), DATASETS, n=1)
            hint = f"; did you mean the built-in {near[0]!r}?" if near else ""
            raise ValueError(f"label is missing; it must name the label column of the table {self.source!r}{hint}")
        if not self.is_table and (self.label is not None or self.features is not None):
            raise ValueError("label and features are for CSV tables only")
        if self.mixture is not None and self.lift:
            raise ValueError("lift does not apply to a mixture; give its means the further coordinates")
        return self

    def _check_snapshots(self, given: Sequence[Snapshot]) -> Self:
        if not (np.diff([entry.time for entry in given]) > 0).all():
            raise ValueError("the times of [[data.snapshots]] must increase")
        mixtures = [entry.mixture is not None for entry in given]
        if len(set(mixtures)) > 1:
            raise ValueError("[[data.snapshots]] must be all tables or all mixtures")
        one_dimension([part for entry in given for part in entry.mixture or []])
        if self.time is not None and len({entry.source for entry in given} - {None}) != 1:
            raise ValueError("time is the column of times of one table, which must be the source of every snapshot")
        if self.label is not None or self.lift or (mixtures[0] and self.features is not None):
            raise ValueError("label and lift do not apply to [[data.snapshots]], nor do features to mixtures")
        return self

    def _check_times(self) -> Self:
        if not self.is_table:
            raise ValueError("time is the column of times of a CSV table, which source must name")
        if self.label is not None or self.lift:
            raise ValueError("label and lift do not apply to the snapshots of a table with a column of times")
        return self

    @property
    def is_series(self) -> bool:
        """Whether the data are one population at several times."""
        return self.snapshots is not None or self.time is not None

    @property
    def has_tables(self) -> bool:
        """Whether anything is read from a CSV file."""
        return self.is_table or any(entry.source is not None for entry in self.snapshots or [])

    @property
    def is_table(self) -> bool:
        """Whether the source is a CSV file."""
        return self.source is not None and self.source not in DATASETS
