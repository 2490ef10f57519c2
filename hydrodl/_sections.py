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
    """[data]: a built-in set or a CSV table (``source``), a Gaussian mixture ([[data.mixture]]), or [[data.snapshots]]."""

    source: str | None = Field(default=None, description="a built-in name or the path of a CSV file")
    mixture: list[Component] | None = Field(
        default=None, min_length=1, description="an array of tables [[data.mixture]]"
    )
    snapshots: list[Snapshot] | None = Field(
        default=None, min_length=2, description="an array of at least 2 tables [[data.snapshots]]"
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
    lift: int = Field(default=0, ge=0, le=2, description="0, 1 or 2 (coordinates to add)")
    one_unit: bool | None = Field(default=None, description="true or false")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(given is not None for given in (self.source, self.mixture, self.snapshots)) != 1:
            raise ValueError("give either source or [[data.mixture]] or [[data.snapshots]]")
        if self.snapshots is not None:
            return self._check_snapshots(self.snapshots)
        if self.mixture is not None:
            _one_dimension(self.mixture)
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
        _one_dimension([part for entry in given for part in entry.mixture or []])
        if self.label is not None or self.lift or (mixtures[0] and self.features is not None):
            raise ValueError("label and lift do not apply to [[data.snapshots]], nor do features to mixtures")
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
    margin: Annotated[float, Field(ge=0)] | Annotated[list[Annotated[float, Field(ge=0)]], Field(max_length=3)] = Field(
        default=1.0, description="a number that is not negative, or a list of one per feature direction"
    )
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
    """[network]: equal ``layers`` of total ``depth``, or the layer ``times`` themselves; the scheme; a ``width``.

    With a width every layer is a sum of that many random neurons; without, a value at every node.
    """

    layers: int = _whole(16, 1)
    depth: float = _positive(1.0)
    times: list[float] | None = Field(default=None, description="a list of increasing numbers that starts at 0")
    scheme: Literal["euler-box", "midpoint"] = Field(default="euler-box", description="'euler-box' or 'midpoint'")
    width: int | None = Field(default=None, ge=1, description="a whole number of at least 1 (default: no neurons)")
    activation: Literal["tanh", "relu"] = Field(default="tanh", description="'tanh' or 'relu'")
    neuron_scale: float = _positive(1.5)
    neuron_decay: float = _positive(1e-6)
    neuron_seed: int = _whole(0, 0)

    @model_validator(mode="after")
    def _partition(self) -> Self:
        neurons = {"activation", "neuron_scale", "neuron_decay", "neuron_seed"} & self.model_fields_set
        if self.width is None and any(self.__dict__[key] != type(self).model_fields[key].default for key in neurons):
            raise ValueError(f"{', '.join(sorted(neurons))} need a width, the number of neurons of a layer")
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
    """kind = "classification": mean cross-entropy of a linear readout, fixed or trained with the flow."""

    kind: Literal["classification"] = "classification"
    weight: float = _positive(10.0)
    readout: Literal["fixed", "trained"] = Field(default="fixed", description="'fixed' or 'trained'")
    readout_decay: float = _positive(0.01)
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
    target: list[Component] | None = Field(default=None, min_length=1, description="an array of tables [[loss.target]]")
    layer: Layer = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _one_dimension(self.target or [])
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

    @model_validator(mode="before")
    @classmethod
    def _snapshots_are_the_loss(cls, value: Any) -> Any:
        data = value.get("data") if isinstance(value, dict) else None
        if isinstance(data, dict) and data.get("snapshots") is not None and "loss" not in value:
            return {**value, "loss": [{"kind": "density", "divergence": "kl"}]}
        return value

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        targets = [loss.target for loss in self.loss if isinstance(loss, Density)]
        if self.data.snapshots is None:
            if None in targets:
                raise ValueError(
                    "loss.target is missing; a density loss needs it where there are no [[data.snapshots]]"
                )
            return self
        if len(self.loss) != 1 or targets != [None] or self.loss[0].layer is not None:
            raise ValueError(
                "with [[data.snapshots]] the loss must be one of kind = 'density' without target and layer"
            )
        spans = len(self.data.snapshots) - 1
        if self.network.times is not None or self.network.layers < spans:
            raise ValueError(
                f"[[data.snapshots]] lay the layers: give network.layers of at least {spans}, and no times"
            )
        return self

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        for loss in self.loss:
            if loss.layer is not None and loss.layer > self.network.count:
                raise ValueError(f"loss.layer is {loss.layer}, must be at most network.layers = {self.network.count}")
        return self
