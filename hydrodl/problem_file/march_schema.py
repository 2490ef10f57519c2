"""The sections of a file that says what ``hydrodl evolve`` marches: those of a problem file, and where it starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from hydrodl.common.parameters import COORDINATE
from hydrodl.physics.lagrangian import DECAY, SMOOTHNESS
from hydrodl.problem_file.fields import Section, number, optional, within
from hydrodl.problem_file.formula import Expression
from hydrodl.problem_file.schema import Domain, Network, Physics

FORMULAS = "a formula in x1, x2, x3, or a list of one per class"


class Start(Section):
    """[start]: density and potential at depth 0; the velocity is the gradient of the potential, beside the stream."""

    density: str | list[str] = Field(title="density", description=FORMULAS)
    potential: str | list[str] = Field(default="0", title="potential phi", description=FORMULAS)

    @model_validator(mode="after")
    def _formulas(self) -> Self:
        if len(self.formulas("density")) != len(self.formulas("potential")):
            raise ValueError("density and potential must have as many formulas, one per class")
        for name in ("density", "potential"):
            for text in self.formulas(name):
                Expression(text)
        return self

    def formulas(self, name: str) -> list[str]:
        """Those of the density or of the potential, one per class."""
        given = getattr(self, name)
        return [given] if isinstance(given, str) else given


class Gas(Physics):
    """[physics]: as of a problem file, but that decay and smoothness are 0 unless given, and with a stream."""

    decay: float = number(replace(DECAY, default=0.0), "weight decay of the velocity where there is no mass")
    smoothness: float = number(replace(SMOOTHNESS, default=0.0), "smoothness length of the velocity")
    stream: list[Annotated[float, within(COORDINATE)]] | None = optional(
        "velocity of a medium that carries the population, along periodic directions",
        "a list of one number per feature direction",
    )


class March(Section):
    """A whole file."""

    domain: Domain
    network: Network = Network()
    physics: Gas
    start: Start

    @model_validator(mode="after")
    def _box(self) -> Self:
        if self.domain.lower is None or self.domain.nodes is None:
            raise ValueError("domain.lower, domain.upper and domain.nodes are needed: a march is on a box")
        if self.network.width is not None:
            raise ValueError("network.width: a march has no neurons, leave it out")
        return self
