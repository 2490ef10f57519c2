"""The sections of the problem file as pydantic models, every key with its default and what is allowed.

Defaults and ranges are those of the Python classes and functions that the keys become arguments of.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from hydrodl.common.errors import InputError
from hydrodl.discretisation.schemes import SCHEMES
from hydrodl.mesh.bounding_box import CELLS, DEGREE, MARGIN, NODE_COUNT
from hydrodl.mesh.layer_partition import DEPTH, LAYERS, THINNEST, TOO_THIN
from hydrodl.physics import internal_energy, neurons
from hydrodl.physics.lagrangian import COSTS_NOTHING, DECAY, KINETIC, LEAST_COST, NOISE, SMOOTHNESS
from hydrodl.problem.problem import SCHEME
from hydrodl.problem_file.data_schema import Data
from hydrodl.problem_file.fields import POINT, Corner, Section, choice, excludes, number, optional, within
from hydrodl.problem_file.formula import Expression
from hydrodl.problem_file.loss_schema import Classification, Density, Loss
from hydrodl.problem_file.solver_options import wrong_option
from hydrodl.training.minimisation import DEFAULTS, PREFIXES
from hydrodl.training.tao_types import check_types

Nodes = Annotated[int, within(NODE_COUNT)]


Margin = Annotated[float, within(MARGIN)]


_WALLS: dict[str, Any] = {
    "properties": {"periodic": {"anyOf": [{"const": False}, {"items": {"const": False}, "type": "array"}]}}
}


class Domain(Section):
    """[domain]: a box of ``nodes`` per direction around the data (or lower/upper), or a mesh file."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"lower": ["upper"], "upper": ["lower"]},
            "dependentSchemas": {
                "mesh": excludes("nodes", "lower", "upper", "cells"),
                "periodic": {"anyOf": [_WALLS, {"required": ["lower", "upper"], "not": {"required": ["mesh"]}}]},
            },
        }
    )

    nodes: Nodes | Annotated[list[Nodes], Field(max_length=3)] | None = optional(
        "nodes per feature direction; left out: as many as carry the noise exactly, see docs/schemes.md",
        f"{NODE_COUNT.words}, or a list of one per feature direction",
    )
    margin: Margin | Annotated[list[Margin], Field(max_length=3)] = Field(
        default=MARGIN.default,
        title="distance from the outermost samples to the walls, standardised units",
        description=f"{MARGIN.words}, or a list of one per feature direction",
    )
    cells: str = choice(CELLS, "cells of the box")
    degree: int = number(DEGREE, "degree of the elements")
    lumped: bool | None = optional("lump the mass by the vertex rule", "true or false (default: true at degree 1)")
    lower: Corner | None = optional("lower corner of the box", POINT)
    upper: Corner | None = optional("upper corner of the box", POINT)
    periodic: bool | Annotated[list[bool], Field(min_length=1, max_length=3)] = Field(
        default=False,
        title="opposite walls are one, and upper - lower the period; needs the scheme 'euler-box' or 'midpoint'",
        description="true or false, or a list of one per feature direction",
    )
    mesh: str | None = optional("mesh file in place of the box", "the path of a mesh file")

    @model_validator(mode="after")
    def _box(self) -> Self:
        if (self.lower is None) != (self.upper is None):
            raise ValueError("lower and upper must be given together")
        if self.without_walls and self.lower is None:
            raise ValueError("periodic needs lower and upper, whose difference is the period")
        if self.lower is not None and self.upper is not None:
            ordered = len(self.lower) == len(self.upper) and all(np.less(self.lower, self.upper))
            if not ordered:
                raise ValueError(f"lower {self.lower} must be less than upper {self.upper} in every direction")
        if self.mesh is not None and {"nodes", "lower", "upper", "cells"} & self.model_fields_set:
            raise ValueError("mesh excludes nodes, lower, upper and cells")
        if self.lumped and self.degree > 1:
            raise ValueError(f"lumped = true needs degree 1, got {self.degree}")
        return self

    @property
    def without_walls(self) -> bool:
        """Is it periodic in any direction?"""
        return bool(np.any(self.periodic))


class Network(Section):
    """[network]: equal ``layers`` of total ``depth``, or the layer ``times`` themselves; the scheme; a ``width``.

    With a width every layer is a sum of that many random neurons; without, a value at every node.
    """

    model_config = ConfigDict(json_schema_extra={"dependentSchemas": {"times": excludes("layers", "depth")}})

    layers: int = number(LAYERS, "number of layers, N")
    depth: float = number(DEPTH, "total depth, T")
    times: list[Annotated[float, Field(ge=0, le=DEPTH.most)]] | None = optional(
        "times of the layers, in place of layers and depth",
        f"a list of increasing numbers that starts at 0, at most {DEPTH.most:g}",
    )
    scheme: str | None = choice(
        SCHEME, "scheme in depth", missing="'strang' on boxes of box cells of degree 1, else 'euler-box'"
    )
    width: int | None = number(neurons.WIDTH, "random neurons of a layer", missing="no neurons, a value at every node")
    activation: str = choice(neurons.ACTIVATION, "activation of the neurons")
    neuron_scale: float = number(neurons.SCALE, "typical slope of a neuron, in units of the mesh")
    neuron_decay: float = number(neurons.DECAY, "weight decay of the neurons' coefficients")
    neuron_seed: int = number(neurons.SEED, "seed of the neurons")
    hidden_weights: str = choice(neurons.HIDDEN_WEIGHTS, "weights inside the neurons; trained ones need tanh")

    @model_validator(mode="after")
    def _partition(self) -> Self:
        neurons = {"activation", "neuron_scale", "neuron_decay", "neuron_seed", "hidden_weights"}
        given = neurons & self.model_fields_set
        if self.width is None and any(self.__dict__[key] != type(self).model_fields[key].default for key in given):
            raise ValueError(f"{', '.join(sorted(given))} need a width, the number of neurons of a layer")
        if self.hidden_weights == "trained" and self.activation != "tanh":
            raise ValueError(f'hidden_weights = "trained" needs activation = "tanh", got {self.activation!r}')
        if self.times is None:
            return self
        if {"layers", "depth"} & self.model_fields_set:
            raise ValueError("times excludes layers and depth")
        if len(self.times) < 2 or self.times[0] != 0 or not all(np.diff(self.times) > 0):
            raise ValueError("times must start at 0, increase, and hold at least 2 numbers")
        if np.diff(self.times).min() < THINNEST * self.times[-1]:
            raise ValueError(TOO_THIN)
        return self

    @property
    def count(self) -> int:
        """Number of layers N."""
        return self.layers if self.times is None else len(self.times) - 1


class Entropy(Section):
    """U(R) = weight R log R."""

    kind: Literal["entropy"] = Field(title="kind of energy")
    weight: float = number(internal_energy.ENTROPY_WEIGHT, "s in s R log R")
    floor: float = number(internal_energy.FLOOR, "what is added to R, so that its logarithm is finite")

    @field_validator("weight")
    @classmethod
    def _nonzero(cls, value: float) -> float:
        if not internal_energy.ENTROPY_WEIGHT.allows(value):
            raise ValueError
        return value


class Power(Section):
    """U(R) = weight/exponent R^exponent, congestion."""

    kind: Literal["power"] = Field(title="kind of energy")
    weight: float = number(internal_energy.WEIGHT, "s in (s / m) R^m")
    exponent: float = number(internal_energy.EXPONENT, "m in (s / m) R^m")


class Focusing(Power):
    """U(R) = -weight/exponent R^exponent, crowding pays."""

    kind: Literal["focusing"] = Field(title="kind of energy")  # type: ignore[assignment]


class Physics(Section):
    """[physics]: the Lagrangian and the noise."""

    noise: float = number(NOISE, "nu in dX = u dt + sqrt(2 nu) dW")
    decay: float = number(DECAY, "weight decay of the velocity where there are no data")
    smoothness: float = number(SMOOTHNESS, "smoothness length of a layer")
    kinetic: float = number(KINETIC, "weight of the kinetic energy of the population")
    fitted: bool | None = optional(
        "fit the diffusion to the velocity, so that densities stay positive",
        "true or false (default: true where the mass is lumped)",
    )
    potential: str | list[str] | None = optional(
        "potential energy of a sample", "a formula in x1, x2, x3, or a list of one per class"
    )
    energy: Annotated[Entropy | Power | Focusing, Field(discriminator="kind")] | None = optional(
        "internal energy of the total density", "a table with kind = 'entropy', 'power' or 'focusing'"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.decay + self.kinetic < LEAST_COST:
            raise ValueError(f"decay and kinetic are {self.decay:g} and {self.kinetic:g}: {COSTS_NOTHING}")
        for text in self.potentials:
            Expression(text)  # its InputError is a ValueError: pydantic reports it with the others
        return self

    @property
    def potentials(self) -> list[str]:
        """The formulas, none, one for all classes or one per class."""
        return [self.potential] if isinstance(self.potential, str) else self.potential or []


def _or_alone(schema: dict[str, Any]) -> None:
    """A single table [loss] says the same as [[loss]] written once."""
    several = {key: schema.pop(key) for key in ("type", "items", "minItems")}
    schema["anyOf"] = [several["items"], several]


class Config(Section):
    """A whole problem file; paths in it are absolute once loaded."""

    data: Data
    domain: Domain = Domain()
    network: Network = Network()
    physics: Physics = Physics()
    loss: list[Loss] = Field(
        default=[Classification()],
        min_length=1,
        title="losses",
        description="a table [loss], or several [[loss]]",
        json_schema_extra=_or_alone,
    )
    solver: dict[str, str | int | float | bool] = Field(
        default={},
        title="solver",
        description="PETSc options: a string, number or boolean each",
        json_schema_extra={"propertyNames": {"pattern": f"^({'|'.join(PREFIXES)})"}},
    )

    @field_validator("solver")
    @classmethod
    def _safe_options(cls, value: dict[str, Any]) -> dict[str, Any]:
        if wrong := next(filter(None, itertools.starmap(wrong_option, value.items())), None):
            raise ValueError(wrong)
        check_types(value, DEFAULTS["tao_type"])
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
        if (
            isinstance(data, dict)
            and any(data.get(key) is not None for key in ("snapshots", "time"))
            and "loss" not in value
        ):
            return {**value, "loss": [{"kind": "density"}]}
        return value

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        targets = [loss.target for loss in self.loss if isinstance(loss, Density)]
        if not self.data.is_series:
            if None in targets:
                raise ValueError(
                    "loss.target is missing; a density loss needs it where there are no [[data.snapshots]]"
                )
            return self
        if len(self.loss) != 1 or targets != [None] or self.loss[0].layer is not None:
            raise ValueError(
                "with [[data.snapshots]] the loss must be one of kind = 'density' without target and layer"
            )
        check_spans(self)
        return self

    @model_validator(mode="after")
    def _walls_exist(self) -> Self:
        scheme, boxes = self.network.scheme, [repr(name) for name, known in SCHEMES.items() if not known.moves_points]
        if self.domain.without_walls and scheme is not None and repr(scheme) not in boxes:
            raise ValueError(f"network.scheme is {scheme!r}, must be {' or '.join(boxes)} where domain.periodic")
        if self.domain.without_walls and self.network.width is not None:
            raise ValueError("domain.periodic excludes network.width: a sum of neurons is not periodic")
        return self

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        for loss in self.loss:
            if loss.layer is not None and loss.layer > self.network.count:
                raise ValueError(f"loss.layer is {loss.layer}, must be at most network.layers = {self.network.count}")
        return self


def check_spans(config: Config) -> None:
    """Raise InputError unless the layers can be laid among the times of the snapshots, as far as these are known."""
    spans = len(config.data.snapshots or [0, 0]) - 1
    if config.network.times is not None or config.network.layers < spans:
        raise InputError(f"[[data.snapshots]] lay the layers: give network.layers of at least {spans}, and no times")
