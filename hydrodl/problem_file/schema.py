"""The sections of the problem file as pydantic models, every key with its default and what is allowed.

``Field(description=...)`` completes the sentence "key is ..., must be ..." of an error message.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from hydrodl.problem_file.data_schema import (
    Component,
    Corner,
    Data,
    Layer,
    Section,
    nonnegative,
    one_dimension,
    positive,
    whole,
)
from hydrodl.problem_file.formula import Expression
from hydrodl.training.minimisation import PREFIXES


class Domain(Section):
    """[domain]: a box of ``nodes`` per direction around the data (or lower/upper), or a mesh file."""

    nodes: Annotated[int, Field(ge=2)] | Annotated[list[Annotated[int, Field(ge=2)]], Field(max_length=3)] = Field(
        default=41, description="a whole number of at least 2, or a list of one per feature direction"
    )
    margin: Annotated[float, Field(ge=0)] | Annotated[list[Annotated[float, Field(ge=0)]], Field(max_length=3)] = Field(
        default=1.0, description="a number that is not negative, or a list of one per feature direction"
    )
    cells: Literal["box", "simplex"] = Field(default="box", description="'box' or 'simplex'")
    degree: int = whole(1, 1)
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

    layers: int = whole(16, 1)
    depth: float = positive(1.0)
    times: list[float] | None = Field(default=None, description="a list of increasing numbers that starts at 0")
    scheme: Literal["euler-box", "midpoint"] = Field(default="euler-box", description="'euler-box' or 'midpoint'")
    width: int | None = Field(default=None, ge=1, description="a whole number of at least 1 (default: no neurons)")
    activation: Literal["tanh", "relu"] = Field(default="tanh", description="'tanh' or 'relu'")
    neuron_scale: float = positive(1.5)
    neuron_decay: float = positive(1e-6)
    neuron_seed: int = whole(0, 0)

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
    weight: float = positive()
    exponent: float = Field(default=2.0, gt=1, description="a number greater than 1")


class Focusing(Power):
    """U(R) = -weight/exponent R^exponent, crowding pays."""

    kind: Literal["focusing"] = "focusing"  # type: ignore[assignment]


class Physics(Section):
    """[physics]: the Lagrangian and the noise."""

    noise: float = positive(0.02)
    decay: float = nonnegative(0.02)
    smoothness: float = nonnegative(0.1)
    kinetic: float = nonnegative(1.0)
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
    weight: float = positive(10.0)
    readout: Literal["fixed", "trained"] = Field(default="fixed", description="'fixed' or 'trained'")
    readout_decay: float = positive(0.01)
    layer: Layer = None


class Position(Section):
    """kind = "position": bring each class to its point of ``targets``."""

    kind: Literal["position"] = "position"
    weight: float = positive(10.0)
    targets: list[Corner] = Field(min_length=1, description="a list of points, one list of numbers per class")
    layer: Layer = None


class Density(Section):
    """kind = "density": bring the densities to a Gaussian mixture, [[loss.target]]."""

    kind: Literal["density"] = "density"
    weight: float = positive(10.0)
    divergence: Literal["l2", "kl"] = Field(default="l2", description="'l2' or 'kl'")
    floor: float = positive(1e-8)
    target: list[Component] | None = Field(default=None, min_length=1, description="an array of tables [[loss.target]]")
    layer: Layer = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        one_dimension(self.target or [])
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
