"""Residuals of the original and of the modified systems, and how they are gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from hydrodl.analysis.backward_error.difference_series import LEVELS
from hydrodl.common.parallel import summed

EQUATIONS = ("density", "potential", "velocity", "energy")


@dataclass(frozen=True)
class ModifiedResiduals:
    """Root-mean-square residuals by equation, relative to the first term of each.

    Attributes:
        direction: "layers" or "space".
        step: Delta, or the largest spacing h of the nodes.
        equation_residual: of the original system.
        modified_residual_2: with the first set of terms, of order 2 in the step (order 1 in layers for theta = 1 and
            the layer maps).
        modified_residual_4: with the second set too, of order 4 (order 2 in layers for these).
        places: number of slabs (layers) or of slabs times nodes (space) inside the window.

    The mappings have the keys of ``EQUATIONS``: "density" (which is the local law of mass), "potential", "velocity"
    (the momentum map, which for the box schemes has no series in layers: its residual there is the optimiser's), and
    for the box schemes under the vertex rule "energy", the local law of energy. Each is measured against d_t rho,
    d_t phi, sum_c rho_c grad phi_c (the part that the noise of edges exerts included in layers), the rate of the
    energy (in space sum_c |d_t rho d_t phi|).

    Example:
        >>> found = hd.analysis.layer_residuals(flow, points=7)
        >>> found.direction, found.step
        ('layers', 0.0625)
    """

    direction: str
    step: float
    equation_residual: Mapping[str, float]
    modified_residual_2: Mapping[str, float]
    modified_residual_4: Mapping[str, float]
    places: int

    @property
    def levels(self) -> tuple[Mapping[str, float], ...]:
        """The three mappings in order."""
        return self.equation_residual, self.modified_residual_2, self.modified_residual_4

    @property
    def falls(self) -> bool:
        """No residual is larger with both sets of terms than without: the step is small enough for the series."""
        return all(self.modified_residual_4[name] <= value for name, value in self.equation_residual.items())


class ResidualSums:
    """Squares of residuals and of what they are measured against, by equation."""

    def __init__(self) -> None:
        self._found = {name: np.zeros(LEVELS + 1) for name in EQUATIONS}

    def add(self, name: str, squares: list[float]) -> None:
        """Squared norms of the residual at each of LEVELS, then of the reference."""
        self._found[name] += np.array(squares)

    def residuals(self, direction: str, comm: MPI.Comm, step: float, places: int) -> ModifiedResiduals:
        """Sum over ranks, and take roots."""
        total = summed(comm, np.array(list(self._found.values())))
        shown = {name: row for name, row in zip(self._found, total, strict=True) if row[-1] > 0}
        levels = [{name: float(np.sqrt(row[i] / row[-1])) for name, row in shown.items()} for i in range(LEVELS)]
        return ModifiedResiduals(direction, step, levels[0], levels[1], levels[2], places)
