"""What every section of the problem file is made of, and the sections that describe the data."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hydrodl.data.datasets import DATASETS


class Section(BaseModel):
    """A table of the problem file: no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def positive(default: Any = ...) -> Any:
    """A field for a positive number."""
    return Field(default, gt=0, description="a positive number")


def nonnegative(default: Any) -> Any:
    """A field for a number that is not negative."""
    return Field(default, ge=0, description="a number that is not negative")


def whole(default: Any, least: int) -> Any:
    """A field for a whole number of at least ``least``."""
    return Field(default, ge=least, description=f"a whole number of at least {least}")


Layer = Annotated[int | None, Field(ge=1, description="a layer number of at least 1 (default: the last)")]


Positive = Annotated[float, Field(gt=0)]


Corner = Annotated[list[float], Field(min_length=1, max_length=3)]


class Component(Section):
    """One Gaussian of a mixture: class ``label``, its mean, and a standard deviation or a covariance."""

    label: str = Field(default="0", description="a class name in quotes")
    mean: Corner = Field(description="a list of 1 to 3 numbers")
    std: Positive | Annotated[list[Positive], Field(min_length=1, max_length=3)] | None = Field(
        default=None, description="a positive number, or a list of one per feature"
    )
    covariance: list[list[float]] | None = Field(default=None, description="a symmetric matrix, one list per row")
    weight: float = positive(1.0)

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
            if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[0] <= 0:
                raise ValueError("covariance must be symmetric and positive definite")
        return self


def one_dimension(components: Sequence[Component]) -> None:
    """Raise ValueError unless all means have the same number of features."""
    if len({len(component.mean) for component in components}) > 1:
        raise ValueError("the means must all have the same number of features")


class Snapshot(Section):
    """One population at one ``time``: a CSV table of its features (``source``), or a Gaussian mixture."""

    time: float = Field(description="a number")
    source: str | None = Field(default=None, description="the path of a CSV file")
    mixture: list[Component] | None = Field(
        default=None, min_length=1, description="an array of tables [[data.snapshots.mixture]]"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.mixture is None):
            raise ValueError("give either source or [[data.snapshots.mixture]]")
        if any(component.label != "0" for component in self.mixture or []):
            raise ValueError("a snapshot is one population; its mixture has no labels")
        return self


class Data(Section):
    """[data]: a built-in set or a CSV table (``source``), a Gaussian mixture, or [[data.snapshots]]."""

    source: str | None = Field(default=None, description="a built-in name or the path of a CSV file")
    mixture: list[Component] | None = Field(
        default=None, min_length=1, description="an array of tables [[data.mixture]]"
    )
    snapshots: list[Snapshot] | None = Field(
        default=None, min_length=2, description="an array of at least 2 tables [[data.snapshots]]"
    )
    label: str | None = Field(default=None, description="the name of a CSV column")
    features: list[str] | None = Field(default=None, min_length=1, description="a list of names of CSV columns")
    samples: int = whole(400, 2)
    test_samples: int = whole(2000, 0)
    test_fraction: float = Field(default=0.25, ge=0, lt=1, description="a number from 0 to less than 1")
    noise: float | None = Field(default=None, ge=0, description="a number that is not negative")
    seed: int = whole(0, 0)
    bandwidth: float = positive(0.2)
    dimensions: int | None = Field(default=None, ge=1, le=3, description="1, 2 or 3")
    lift: int = Field(default=0, ge=0, le=2, description="0, 1 or 2 (coordinates to add)")
    one_unit: bool | None = Field(default=None, description="true or false")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(given is not None for given in (self.source, self.mixture, self.snapshots)) != 1:
            raise ValueError("give either source or [[data.mixture]] or [[data.snapshots]]")
        if self.snapshots is not None:
            return self._check_snapshots(self.snapshots)
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
        if self.label is not None or self.lift or (mixtures[0] and self.features is not None):
            raise ValueError("label and lift do not apply to [[data.snapshots]], nor do features to mixtures")
        return self

    @property
    def is_table(self) -> bool:
        """Whether the source is a CSV file."""
        return self.source is not None and self.source not in DATASETS
