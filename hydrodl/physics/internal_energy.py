"""Internal energies U(R) of the total density, as UFL expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import ufl

from hydrodl.common.parameters import Number

Scalar = Any
"""A number, or the ``fem.Constant`` that stands for it inside a form."""


FLOOR = Number(1e-8, above=0, smallest=1e-15, most=1e3)


ENTROPY_WEIGHT, WEIGHT = Number(nonzero=True, smallest=1e-12, most=1e6), Number(above=0, smallest=1e-12, most=1e6)


EXPONENT = Number(2.0, above=1, most=20)


class InternalEnergy(Protocol):
    """U(R): an energy density of the total density."""

    def density(self, total: Any) -> Any:
        """U(R) as a UFL expression."""
        ...


def relative_entropy(rho: Any, scale: Any, floor: Any) -> Any:
    """y log(y / scale) with y = rho + floor, as a UFL expression that is defined for negative densities too.

    Below rho = 0 its Taylor polynomial of degree 2 goes on: convex, with two continuous derivatives. Elements that are
    no Markov chains (degree 2, obtuse cells, the midpoint scheme) have densities that are a little negative.
    """
    above, at_zero = ufl.max_value(rho, 0.0) + floor, ufl.ln(floor / scale)
    below = (rho + floor) * at_zero + rho + rho**2 / (2 * floor)
    return ufl.conditional(ufl.ge(rho, 0.0), above * ufl.ln(above / scale), below)


@dataclass(frozen=True)
class Entropy:
    """U(R) = s (R + delta) log(R + delta): spreads the population (s > 0); for R < 0 see ``relative_entropy``.

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
        return self.weight * relative_entropy(total, 1.0, self.floor)


@dataclass(frozen=True)
class Power:
    """Congestion: U(R) = (s / m) R^m, s > 0, m > 1; convex, so crowding costs. Where R < 0, R^2 or else 0.

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
        # a small whole exponent is written as a product: smooth for every R, also below zero
        if self.exponent == 2.0:
            return self.weight / 2 * total**2
        return self.weight / self.exponent * ufl.max_value(total, 0.0) ** self.exponent


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
