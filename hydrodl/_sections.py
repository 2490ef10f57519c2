"""The sections of the problem file as pydantic models, every key with its default and what is allowed.

``Field(description=...)`` completes the sentence "key is ..., must be ..." of an error message.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hydrodl._expression import Expression
from hydrodl.data import DATASETS
from hydrodl.train import PREFIXES


class Section(BaseModel):
    """A table of the problem file: no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _positive(default: Any = ...) -> Any:
    return Field(default, gt=0, description="a positive number")


def _nonnegative(default: Any) -> Any:
    return Field(default, ge=0, description="a number that is not negative")


def _whole(default: Any, least: int) -> Any:
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
    weight: float = _positive(1.0)

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


def _one_dimension(components: Sequence[Component]) -> None:
    if len({len(component.mean) for component in components}) > 1:
        raise ValueError("the means must all have the same number of features")


class Data(Section):
    """[data]: a built-in set or a CSV table (``source``), or a Gaussian mixture ([[data.mixture]])."""

    source: str | None = Field(default=None, description="a built-in name or the path of a CSV file")
    mixture: list[Component] | None = Field(
        default=None, min_length=1, description="an array of tables [[data.mixture]]"
    )
    label: str | None = Field(default=None, description="the name of a CSV column")
    features: list[str] | None = Field(default=None, min_length=1, description="a list of names of CSV columns")
    samples: int = _whole(400, 2)
    test_samples: int = _whole(2000, 0)
    test_fraction: float = Field(default=0.25, ge=0, lt=1, description="a number from 0 to less than 1")
    noise: float | None = Field(default=None, ge=0, description="a number that is not negative")
    seed: int = _whole(0, 0)
    bandwidth: float = _positive(0.2)
    dimensions: int | None = Field(default=None, ge=1, le=3, description="1, 2 or 3")
    one_unit: bool | None = Field(default=None, description="true or false")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.mixture is None):
            raise ValueError("give either source or [[data.mixture]]")
        if self.mixture is not None:
            _one_dimension(self.mixture)
        if self.is_table and self.label is None:
            near = get_close_matches(str(self.source), DATASETS, n=1)
            hint = f"; did you mean the built-in {near[0]!r}?" if near else ""
            raise ValueError(f"label is missing; it must name the label column of the table {self.source!r}{hint}")
        if not self.is_table and (self.label is not None or self.features is not None):
            raise ValueError("label and features are for CSV tables only")
        return self

    @property
    def is_table(self) -> bool:
        """Whether the source is a CSV file."""
        return self.source is not None and self.source not in DATASETS


class Domain(Section):
    """[domain]: a box of ``nodes`` per direction around the data (or lower/upper), or a mesh file."""

    nodes: Annotated[int, Field(ge=2)] | Annotated[list[Annotated[int, Field(ge=2)]], Field(max_length=3)] = Field(
        default=41, description="a whole number of at least 2, or a list of one per feature direction"
    )
    margin: float = _nonnegative(1.0)
    cells: Literal["box", "simplex"] = Field(default="box", description="'box' or 'simplex'")
    degree: int = _whole(1, 1)
    lumped: bool | None = Field(default=None, description="true or false")
    lower: Corner | None = Field(default=None, description="a list of 1 to 3 numbers")
    upper: Corner | None = Field(default=None, description="a list of 1 to 3 numbers")
    mesh: str | None = Field(default=None, description="the path of a mesh file")

    @model_validator(mode="after")
    def _box(self) -> Self:
        if (self.lower is None) != (self.upper is None):
            raise ValueError("lower and upper must be given together")
        if self.lower is not None and self.upper is not None:
            ordered = len(self.lower) == len(self.upper) and all(np.less(self.lower, self.upper))
            if not ordered:
                raise ValueError(f"lower {self.lower} must be less than upper {self.upper} in every direction")
        if self.mesh is not None and {"nodes", "lower", "upper", "cells"} & self.model_fields_set:
            raise ValueError("mesh excludes nodes, lower, upper and cells")
        if self.lumped and self.degree > 1:
            raise ValueError(f"lumped = true needs degree 1, got {self.degree}")
        return self


class Network(Section):
    """[network]: equal ``layers`` of total ``depth``, or the layer ``times`` themselves; and the scheme."""

    layers: int = _whole(16, 1)
    depth: float = _positive(1.0)
    times: list[float] | None = Field(default=None, description="a list of increasing numbers that starts at 0")
    scheme: Literal["euler-box", "midpoint"] = Field(default="euler-box", description="'euler-box' or 'midpoint'")

    @model_validator(mode="after")
    def _partition(self) -> Self:
        if self.times is None:
            return self
        if {"layers", "depth"} & self.model_fields_set:
            raise ValueError("times excludes layers and depth")
        if len(self.times) < 2 or self.times[0] != 0 or not all(np.diff(self.times) > 0):
            raise ValueError("times must start at 0, increase, and hold at least 2 numbers")
        return self

    @property
    def count(self) -> int:
        """Number of layers N."""
        return self.layers if self.times is None else len(self.times) - 1


class Entropy(Section):
    """U(R) = weight R log R."""

    kind: Literal["entropy"] = "entropy"
    weight: float = Field(description="a number that is not 0")

    @field_validator("weight")
    @classmethod
    def _nonzero(cls, value: float) -> float:
        if value == 0:
            raise ValueError
        return value


class Power(Section):
    """U(R) = weight/exponent R^exponent, congestion."""

    kind: Literal["power"] = "power"
    weight: float = _positive()
    exponent: float = Field(default=2.0, gt=1, description="a number greater than 1")


class Focusing(Power):
    """U(R) = -weight/exponent R^exponent, crowding pays."""

    kind: Literal["focusing"] = "focusing"  # type: ignore[assignment]


class Physics(Section):
    """[physics]: the Lagrangian and the noise."""

    noise: float = _positive(0.02)
    decay: float = _nonnegative(0.02)
    smoothness: float = _nonnegative(0.1)
    kinetic: float = _nonnegative(1.0)
    fitted: bool | None = Field(default=None, description="true or false (default: true where the mass is lumped)")
    potential: str | list[str] | None = Field(
        default=None, description="a formula in x1, x2, x3, or a list of one per class"
    )
    energy: Annotated[Entropy | Power | Focusing, Field(discriminator="kind")] | None = Field(
        default=None, description="a table with kind = 'entropy', 'power' or 'focusing'"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.decay == 0 and self.kinetic == 0:
            raise ValueError("decay and kinetic are both 0; one must be positive")
        for text in self.potentials:
            Expression(text)  # its InputError is a ValueError: pydantic reports it with the others
        return self

    @property
    def potentials(self) -> list[str]:
        """The formulas, none, one for all classes or one per class."""
        return [self.potential] if isinstance(self.potential, str) else self.potential or []


class Classification(Section):
    """kind = "classification": mean cross-entropy of a fixed linear readout."""

    kind: Literal["classification"] = "classification"
    weight: float = _positive(10.0)
    layer: Layer = None


class Position(Section):
    """kind = "position": bring each class to its point of ``targets``."""

    kind: Literal["position"] = "position"
    weight: float = _positive(10.0)
    targets: list[Corner] = Field(min_length=1, description="a list of points, one list of numbers per class")
    layer: Layer = None


class Density(Section):
    """kind = "density": bring the densities to a Gaussian mixture, [[loss.target]]."""

    kind: Literal["density"] = "density"
    weight: float = _positive(10.0)
    divergence: Literal["l2", "kl"] = Field(default="l2", description="'l2' or 'kl'")
    floor: float = _positive(1e-8)
    target: list[Component] = Field(min_length=1, description="an array of tables [[loss.target]]")
    layer: Layer = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _one_dimension(self.target)
        return self


Loss = Annotated[Classification | Position | Density, Field(discriminator="kind")]


class Config(Section):
    """A whole problem file; paths in it are absolute once loaded."""

    data: Data
    domain: Domain = Domain()
    network: Network = Network()
    physics: Physics = Physics()
    loss: list[Loss] = Field(
        default=[Classification()], min_length=1, description="a table [loss], or several [[loss]]"
    )
    solver: dict[str, str | int | float | bool] = Field(
        default={}, description="PETSc options: a string, number or boolean each"
    )

    @field_validator("solver")
    @classmethod
    def _known_prefixes(cls, value: dict[str, Any]) -> dict[str, Any]:
        if wrong := [key for key in value if not key.startswith(PREFIXES)]:
            raise ValueError(f"unknown option {wrong[0]!r}; PETSc options here start with {', '.join(PREFIXES)}")
        return value

    @field_validator("loss", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        many = value if isinstance(value, list) else [value]
        return [{"kind": "classification", **one} if isinstance(one, dict) else one for one in many]

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        for loss in self.loss:
            if loss.layer is not None and loss.layer > self.network.count:
                raise ValueError(f"loss.layer is {loss.layer}, must be at most network.layers = {self.network.count}")
        return self
