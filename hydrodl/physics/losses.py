"""Losses G(rho(t_j)): functionals of the layer densities, at the last layer or at any other.

Each is a frozen dataclass that states its density once, in UFL, for one class; a loss is the sum over classes,
so its Hessian has one block a class. ``field`` gives the loss's data (a potential or a target) at nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import ufl
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parameters import Choice, Number
from hydrodl.physics.internal_energy import relative_entropy
from hydrodl.physics.readout import Readout

if TYPE_CHECKING:
    from hydrodl.data.class_densities import Densities
    from hydrodl.mesh.domain import Domain

WEIGHT = Number(10.0, above=0, smallest=1e-12, most=1e12)


READOUT_DECAY, FLOOR = Number(0.01, above=0, smallest=1e-9, most=1e6), Number(1e-8, above=0, smallest=1e-15, most=1e3)


DIVERGENCE = Choice("l2", ("l2", "kl"))


class Loss(Protocol):
    """A functional G of the densities at one layer (``layer`` None: the last)."""

    @property
    def layer(self) -> int | None:
        """Index j of the layer t_j it acts on, 1..N, or None for the last."""

    @property
    def name(self) -> str:
        """The word for this loss in reports."""

    @property
    def constants(self) -> tuple[float, ...]:
        """The numbers that ``density`` takes."""

    @property
    def penalty(self) -> float:
        """What the loss adds to the objective beside its integral."""

    def density(self, rho: Any, field: Any, constants: Sequence[Any]) -> Any:
        """The integrand for one class, as a UFL expression."""

    def field(self, domain: Domain, classes: int) -> Floats:
        """The loss's data at this rank's owned nodes, shape (C, owned).

        Raises:
            InputError: the data do not fit the domain or the number of classes.
        """


class _OfPlaces:
    """A cost of the places where densities are: lambda Phi_c(x) rho_c."""

    weight: float

    @property
    def constants(self) -> tuple[float, ...]:
        """(lambda,)."""
        return (float(self.weight),)

    def density(self, rho: Any, field: Any, constants: Sequence[Any]) -> Any:
        """lambda Phi rho."""
        return constants[0] * field * rho


@dataclass(frozen=True)
class Classification(_OfPlaces):
    """G = lambda sum_c int Phi_c rho_c, Phi_c(x) = logsumexp_j z_j(x) - z_c(x): mean cross-entropy of a readout.

    With ``trained`` the readout is optimised with the flow, from the given one on, and lambda decay/2 (|W|^2 + |b|^2)
    joins the loss: without it sharper logits would always pay.

    Args:
        weight: lambda > 0.
        readout: linear readout z = W x + b; None: anchors spread evenly, turned towards the class means.
        layer: layer index 1..N, None for the last.
        trained: optimise W and b too.
        decay: gamma > 0, weight decay of a trained readout, relative to lambda.

    Example:
        >>> replace(problem, losses=hd.Classification(weight=20.0)).readout.weights.shape
        (3, 2)
    """

    weight: float = WEIGHT.default
    readout: Readout | None = None
    layer: int | None = None
    trained: bool = False
    decay: float = READOUT_DECAY.default
    name = "classification"

    def __post_init__(self) -> None:
        WEIGHT.check("loss weight", self.weight)
        READOUT_DECAY.check("readout decay", self.decay)

    @property
    def penalty(self) -> float:
        """lambda decay/2 (|W|^2 + |b|^2) of a trained readout, else 0."""
        if not self.trained or self.readout is None:
            return 0.0
        squares = float((self.readout.weights**2).sum() + (self.readout.offsets**2).sum())
        return self.weight * self.decay / 2 * squares

    def field(self, domain: Domain, classes: int) -> Floats:
        """Phi_c at nodes."""
        if self.readout is None:
            raise InputError("classification: no readout; build a Problem, which aligns one to the class means")
        if self.readout.weights.shape != (classes, domain.dimension):
            raise InputError(
                f"readout has shape {self.readout.weights.shape}, must be (classes, dimension) = "
                f"{(classes, domain.dimension)}"
            )
        return self.readout.cross_entropy(domain.coordinates[: domain.owned]).T


@dataclass(frozen=True, eq=False)
class Position(_OfPlaces):
    """G = lambda/2 sum_c int |x - b_c|^2 rho_c: bring class c to the point b_c.

    Args:
        weight: lambda > 0.
        targets: b, shape (C, d).
        layer: layer index 1..N, None for the last.

    Example:
        >>> loss = hd.Position(weight=5.0, targets=[[0, 1], [-1, 0], [1, 0]])
        >>> hd.train(replace(problem, losses=loss, layers=hd.layers(4))).converged
        True
    """

    weight: float = WEIGHT.default
    targets: ArrayLike | None = None
    layer: int | None = None
    name = "position"
    penalty = 0.0

    def __post_init__(self) -> None:
        WEIGHT.check("loss weight", self.weight)
        if self.targets is None:
            raise InputError("a position loss needs targets: points, one per class")

    def field(self, domain: Domain, classes: int) -> Floats:
        """|x - b_c|^2 / 2 at nodes."""
        targets = np.atleast_2d(np.asarray(self.targets, dtype=float))
        if targets.shape != (classes, domain.dimension) or not np.isfinite(targets).all():
            raise InputError(
                f"targets have shape {targets.shape}, must be finite and (classes, dimension) = "
                f"{(classes, domain.dimension)}"
            )
        x = domain.coordinates[: domain.owned]
        return 0.5 * ((x[None] - targets[:, None]) ** 2).sum(axis=2)


@dataclass(frozen=True, eq=False)
class Density:
    """Distance to target densities, per class: lambda/2 int (rho - rho*)^2, or lambda KL(rho || rho*).

    KL is int (rho + delta) log((rho + delta) / (rho* + delta)) - rho + rho*, nonnegative for densities of any mass;
    below rho = 0 see ``relative_entropy``. Targets are densities, and not negative.

    Args:
        weight: lambda > 0.
        target: the densities rho*, one per class, on the same domain.
        divergence: "l2" or "kl".
        floor: delta in units of the mean total density; 1/rho in empty regions is otherwise noise.
        layer: layer index 1..N, None for the last.

    Example:
        >>> loss = hd.Density(weight=5.0, target=problem.densities)
        >>> hd.train(replace(problem, losses=loss, layers=hd.layers(4))).converged
        True
    """

    weight: float = WEIGHT.default
    target: Densities = None  # type: ignore[assignment]  # refused when it is used, and kept elsewhere in pickles
    divergence: str = DIVERGENCE.default
    floor: float = FLOOR.default
    layer: int | None = None
    name = "density"
    penalty = 0.0

    def __post_init__(self) -> None:
        WEIGHT.check("loss weight", self.weight)
        FLOOR.check("loss floor", self.floor)
        DIVERGENCE.check("divergence", self.divergence)

    @property
    def constants(self) -> tuple[float, ...]:
        """(lambda, delta)."""
        if self.target is None:
            raise InputError("a density loss needs a target: densities, one per class, on the problem's domain")
        return (float(self.weight), self.floor / self.target.domain.volume)

    def density(self, rho: Any, field: Any, constants: Sequence[Any]) -> Any:
        """The integrand for one class."""
        weight, floor = constants
        if self.divergence == "l2":
            return weight / 2 * (rho - field) ** 2
        return weight * (relative_entropy(rho, ufl.max_value(field, 0.0) + floor, floor) - rho + field)

    def field(self, domain: Domain, classes: int) -> Floats:
        """rho*_c at nodes."""
        if self.target.values.shape != (classes, domain.owned):
            raise InputError(
                f"target has {self.target.values.shape[0]} densities for {classes} classes, "
                "or was made on another domain; give one per class on the problem's domain"
            )
        return np.asarray(self.target.values, dtype=float)
