"""The kinds of [loss] in a problem file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hydrodl.common.parameters import Choice, Number
from hydrodl.physics import losses
from hydrodl.problem_file.data_schema import Component, one_dimension
from hydrodl.problem_file.fields import Corner, Section, choice, number, optional

READOUT, LAYER = Choice("fixed", ("fixed", "trained")), Number(least=1, whole=True)


class Classification(Section):
    """kind = "classification": mean cross-entropy of a linear readout, fixed or trained with the flow."""

    kind: Literal["classification"] = Field(default="classification", title="kind of loss")
    weight: float = number(losses.WEIGHT, "weight against the cost of the flow")
    readout: str = choice(READOUT, "linear readout: given, or trained with the flow")
    readout_decay: float = number(losses.READOUT_DECAY, "weight decay of a trained readout")
    layer: int | None = number(LAYER, "number of the layer it acts on", missing="the last")


class Position(Section):
    """kind = "position": bring each class to its point of ``targets``."""

    kind: Literal["position"] = Field(title="kind of loss")
    weight: float = number(losses.WEIGHT, "weight against the cost of the flow")
    targets: list[Corner] = Field(
        min_length=1, title="points to reach", description="a list of points, one list of numbers per class"
    )
    layer: int | None = number(LAYER, "number of the layer it acts on", missing="the last")


class Density(Section):
    """kind = "density": bring the densities to a Gaussian mixture, [[loss.target]]."""

    kind: Literal["density"] = Field(title="kind of loss")
    weight: float = number(losses.WEIGHT, "weight against the cost of the flow")
    divergence: str = choice(losses.DIVERGENCE, "measure of the distance to the target")
    floor: float = number(losses.FLOOR, "added to both densities of 'kl', in units of the mean density")
    target: list[Component] | None = optional(
        "Gaussian mixture to reach", "an array of tables [[loss.target]]", min_length=1
    )
    layer: int | None = number(LAYER, "number of the layer it acts on", missing="the last")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        one_dimension(self.target or [])
        return self


Loss = Annotated[Classification | Position | Density, Field(discriminator="kind")]
