"""What the attributes of a run's checkpoint must look like; a file may be a stranger's, so nothing is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, Self, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from hydrodl.common.errors import InputError
from hydrodl.common.text import shown
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.files.checkpoint_checks import LARGEST
from hydrodl.problem.solution import Statistics

_Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]


_Name = Annotated[str, Field(max_length=1000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _rectangle(rows: list[list[float]], columns: int, name: str) -> None:
    if any(len(row) != columns for row in rows):
        raise ValueError(f"must have {columns} {name} in every row")


class PreprocessingTable(_Table):
    """The map from raw features to mesh coordinates."""

    mean: list[_Number] = Field(min_length=1)
    scale: list[_Number]
    components: list[list[_Number]] | None = None
    component_scale: list[_Number] | None = None
    feature_names: list[_Name] = []
    one_unit: bool = False
    lift: int = Field(default=0, ge=0, le=2)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        p, kept = len(self.mean), self.component_scale
        if len(self.scale) != p or len(self.feature_names) not in (0, p):
            raise ValueError("must have mean, scale and feature_names of one length")
        if (self.components is None) != (kept is None):
            raise ValueError("must have both components and component_scale or none")
        if self.components is not None and kept is not None:
            if len(self.components) != p or not 1 <= len(kept) <= 3:
                raise ValueError("must have a row of components for every feature, of 1 to 3 numbers")
            _rectangle(self.components, len(kept), "components")
        if min(map(abs, (*self.scale, *(kept or ())))) < 1 / LARGEST:
            raise ValueError("must have scales that are not 0")
        return self

    @property
    def made(self) -> Preprocessing:
        """The preprocessing itself."""
        return Preprocessing.from_dict(self.model_dump())


class ReadoutTable(_Table):
    """The linear readout, (C, d) and (C,)."""

    weights: list[list[_Number]] = Field(min_length=1)
    offsets: list[_Number]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _rectangle(self.weights, len(self.weights[0]), "weights")
        if len(self.offsets) != len(self.weights):
            raise ValueError("must have as many offsets as rows of weights")
        return self


class NeuronsTable(_Table):
    """Which neurons the coefficients belong to."""

    width: int = Field(ge=1)
    activation: _Name
    scale: _Number
    seed: int


class HiddenTable(_Table):
    """W (N, J, d) and b (N, J) of neurons that were trained whole."""

    weights: list[list[list[_Number]]] = Field(min_length=1)
    offsets: list[list[_Number]]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len({(len(layer), *map(len, layer)) for layer in self.weights}) > 1:
            raise ValueError("must have as many weights in every layer and neuron")
        if [len(layer) for layer in self.offsets] != [len(layer) for layer in self.weights]:
            raise ValueError("must have an offset for every neuron")
        return self


class ModelTable(_Table):
    """The attribute "model"."""

    class_names: list[_Name] = Field(min_length=1)
    preprocessing: PreprocessingTable
    readout: ReadoutTable | None = None
    coefficients: list[list[list[_Number]]] | None = None
    neurons: NeuronsTable | None = None
    hidden: HiddenTable | None = None

    @field_validator("class_names")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("must differ")
        return names

    @field_validator("coefficients")
    @classmethod
    def _block(cls, block: list[list[list[float]]] | None) -> list[list[list[float]]] | None:
        if len({(len(layer), *map(len, layer)) for layer in block or ()}) > 1:
            raise ValueError("must be as many in every layer and direction")
        return block


class SamplesTable(_Table):
    """Some samples in mesh coordinates."""

    points: list[list[_Number]]
    labels: list[Annotated[int, Field(ge=0)]]


class SamplesTables(_Table):
    """The attribute "samples"."""

    train: SamplesTable
    test: SamplesTable | None = None


def _step(entry: dict[str, int | float]) -> dict[str, int | float]:
    if missing := {"iteration", "objective", "gradient_norm", "cg_iterations"} - set(entry):
        raise ValueError(f"must have {sorted(missing)[0]} in every step")
    return entry


_FACTS: dict[Any, Any] = {
    int: Annotated[int, Field(ge=0, lt=2**63)],
    str: _Name,
    tuple[str, ...]: tuple[_Name, ...],
    tuple[Mapping[str, Any], ...]: tuple[Annotated[dict[str, int | float], AfterValidator(_step)], ...],
}
"""Closer than the types of the statistics, for those that need it."""


_HINTS = get_type_hints(Statistics)


FactsTable: type[BaseModel] = create_model(  # type: ignore[call-overload]
    "FactsTable",
    **{
        field.name: (_FACTS.get(hint, hint), ... if field.default is MISSING else field.default)
        for field, hint in ((field, _HINTS[field.name]) for field in fields(Statistics))
    },
)
"""The facts about a solution, beside what else the attributes hold."""


def checked[T: BaseModel](path: Path, table: type[T], content: Any) -> T:
    """The content of a checkpoint as a table.

    Raises:
        InputError: it is none; the first wrong entry is named.
    """
    try:
        return table.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = str(first.get("ctx", {}).get("error", "")) or f"is {shown(first['input'])}: {first['msg']}"
        raise InputError(f"checkpoint {path} is of no run: {'.'.join(map(str, first['loc']))} {reason}") from None
