"""Internal energies U(R) of the total density, as UFL expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import ufl

from hydrodl.common.parameters import Number

Scalar = Any
"""A number, or the ``fem.Constant`` that stands for it inside a form."""


FLOOR = Number(1e-8, above=0)


ENTROPY_WEIGHT, WEIGHT, EXPONENT = Number(nonzero=True), Number(above=0), Number(2.0, above=1)


class InternalEnergy(Protocol):
    """U(R): an energy density of the total density."""

    def density(self, total: Any) -> Any:
        """U(R) as a UFL expression."""
        ...


@dataclass(frozen=True)
class Entropy:
    """U(R) = s (R + delta) log(R + delta): spreads the population (s > 0).

    Args:
        weight: s, finite and not zero.
        floor: delta > 0, keeps U' finite where there is no data.

    Example:
        >>> physics = hd.Lagrangian(noise=0.1, energy=hd.Entropy(weight=0.1))
        >>> hd.train(replace(problem, lagrangian=physics, layers=hd.layers(4))).converged
        True
    """

    weight: Scalar
    floor: Scalar = FLOOR.default

    def __post_init__(self) -> None:
        ENTROPY_WEIGHT.check("entropy weight", self.weight)
        FLOOR.check("entropy floor", self.floor)

    def density(self, total: Any) -> Any:
        """U(R) as a UFL expression."""
        shifted = total + self.floor
        return self.weight * shifted * ufl.ln(shifted)


@dataclass(frozen=True)
class Power:
    """Congestion: U(R) = (s / m) R^m, s > 0, m > 1; convex, so crowding costs.

    Args:
        weight: s > 0.
        exponent: m > 1.

    Example:
        >>> hd.Power(weight=1.0, exponent=2.0).density(3.0)
        4.5
    """

    weight: Scalar
    exponent: Scalar = EXPONENT.default

    def __post_init__(self) -> None:
        WEIGHT.check("energy weight", self.weight)
        EXPONENT.check("energy exponent", self.exponent)

    def density(self, total: Any) -> Any:
        """U(R) as a UFL expression."""
        # a small whole exponent is written as a product: defined for every R, also below zero
        if self.exponent == 2.0:
            return self.weight / 2 * total**2
        return self.weight / self.exponent * total**self.exponent


@dataclass(frozen=True)
class Focusing:
    """U(R) = -(s / m) R^m, s > 0, m > 1; concave, so crowding pays.

    Args:
        weight: s > 0.
        exponent: m > 1.

    Example:
        >>> hd.Focusing(weight=1.0, exponent=2.0).density(3.0)
        -4.5
    """

    weight: Scalar
    exponent: Scalar = EXPONENT.default

    def __post_init__(self) -> None:
        Power(self.weight, self.exponent)

    def density(self, total: Any) -> Any:
        """U(R) as a UFL expression."""
        return -Power.density(self, total)  # type: ignore[arg-type]
