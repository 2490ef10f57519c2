"""A stability bound: a number, the inequality it must obey, and the fewest layers and nodes with which it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hydrodl.mesh.domain import Domain
from hydrodl.mesh.uniform_grid import GatheredGrid

SPECIFICATION = "docs/theory/stability.md"


ROUNDING = 1e-9
"""Relative slack when a real number of layers or cells is rounded up: 10.0000000001 layers are 10."""


@dataclass(frozen=True)
class Bound:
    """One inequality, evaluated.

    Attributes:
        name: what the bound is called in section 7 of the specification.
        value, bound: the two sides; infinite where the inequality can say nothing.
        holds: is it satisfied.
        needs_layers: the fewest equal layers of the same depth with which it would hold for the same velocity as a
            function of depth and features; None where the number does not matter or no number is enough.
        needs_nodes: the same for mesh nodes in the feature direction that has most of them.
        for_layers: the number of layers for which needs_nodes is meant, where it grows like the root of that number;
            None where it does not depend on it.
        inequality: the inequality in words and symbols.
        sufficient_only: failing it proves nothing.
        source: where it comes from.
        most_nodes: nodes in the direction with most of them beyond which it fails; None where there is no such limit.
        needs_width: the fewest neurons a layer, where they are what is bounded.
        applies: the hypotheses are met, so that the bound counts in a recommendation.
        note: what a reader must know beside the number.

    Example:
        >>> bound = hd.analysis.cell_peclet(flow)
        >>> bound.holds == (bound.value <= bound.bound), sorted(bound.to_dict())[:3]
        (True, ['applies', 'bound', 'for_layers'])
    """

    name: str
    value: float
    bound: float
    holds: bool
    needs_layers: int | None = field(default=None, kw_only=True)
    needs_nodes: int | None = field(default=None, kw_only=True)
    inequality: str
    sufficient_only: bool
    source: str
    most_nodes: int | None = None
    for_layers: int | None = None
    needs_width: int | None = None
    applies: bool = True
    note: str = ""

    def with_layers(self, layers: int) -> Bound:
        """The same with the nodes needed for another number of layers."""
        if self.for_layers is None or self.needs_nodes is None:
            return self
        cells = at_least((self.needs_nodes - 1) * math.sqrt(layers / self.for_layers))
        return replace(self, needs_nodes=None if cells is None else cells + 1, for_layers=layers)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; numbers that are not finite become None."""
        fields = asdict(self)
        for key in ("value", "bound"):
            fields[key] = fields[key] if math.isfinite(fields[key]) else None
        return fields

    def __str__(self) -> str:
        state = "holds" if self.holds else "FAILS"
        return f"{self.name}: {self.value:.4g} against {self.bound:.4g}: {state} ({self.inequality})"


def within(value: float, limit: float) -> bool:
    """Is value <= limit, blind to rounding?"""
    return bool(value <= limit * (1 + ROUNDING))


def at_least(number: float) -> int | None:
    """The smallest whole number >= a real one, blind to rounding; None if it is not finite or beyond 2^53."""
    if not math.isfinite(number) or number > 2**53:
        return None
    return max(1, math.ceil(number * (1 - ROUNDING)))


def more_than(number: float) -> int | None:
    """The smallest whole number > a real one; None if it is not finite or beyond 2^53."""
    if not math.isfinite(number) or number > 2**53:
        return None
    return max(1, math.floor(number * (1 + ROUNDING)) + 1)


def at_most(number: float) -> int:
    """The largest whole number <= a real one, blind to rounding."""
    return math.floor(number * (1 + ROUNDING))


def cells_per_direction(domain: Domain) -> tuple[float, ...]:
    """Intervals between neighbouring nodes in each feature direction; collective.

    Counted on a uniform box (cells times the degree); elsewhere nodes^(1/d) - 1 in each direction, the box with as
    many nodes.
    """
    if domain.periodic:
        counts = enumerate(domain.shared.counts)
        return tuple(float(count if a in domain.periodic else count - 1) for a, count in counts)
    if not domain.uniform_box:
        return (domain.nodes ** (1 / domain.dimension) - 1,) * domain.dimension
    return tuple(float(count - 1) for count in GatheredGrid(domain).shape)


def nodes_per_direction(domain: Domain) -> tuple[int, ...]:
    """Nodes in each feature direction, of which a periodic one has as many as cells; collective."""
    return tuple(round(c) + (a not in domain.periodic) for a, c in enumerate(cells_per_direction(domain)))


def box_numbers(domain: Domain) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Edge lengths and cells per direction of a box of equal cells; collective."""
    low, high = domain.bounds
    return tuple((high - low).tolist()), tuple(int(count) for count in cells_per_direction(domain))


def in_proportion(cells: tuple[int, ...], most: int, *, least: int = 1, odd: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Cells per direction, ``most`` in that which has most of them; in the directions ``odd`` an odd number from 3."""
    found = np.maximum(np.rint(np.array(cells) * most / max(cells)), least).astype(int)
    for a in odd:
        found[a] = max(found[a] - 1 + found[a] % 2, 3)
    return tuple(found.tolist())


def last_with(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The largest whole number from ``low`` with which something holds that does not with ``high``, by bisection."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def nodes_for(domain: Domain, factor: float) -> int | None:
    """Nodes, in the direction with most of them, when every edge is ``factor`` times shorter; collective."""
    given = cells_per_direction(domain)
    cells = at_least(max(given) * factor)
    return None if cells is None else cells + (given.index(max(given)) not in domain.periodic)
