"""The control inner product, block-diagonal over slabs, one operator for all components of the velocity:

    P_k = Delta_k ((w R_k + eps) M + alpha^2 K).

Where M and P are diagonal that is all. On uniform boxes with the vertex rule multigrid needs no factorisation, whatever
the scheme; elsewhere, for a running cost of another form, or where the caller chose a solver for it, PETSc has one
operator a slab, the second derivative of the UFL expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.petsc_options import subset
from hydrodl.discretisation.slab_action import OperatorEntries, SlabAction
from hydrodl.linear_algebra.grid_operators import GridOperators
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.linear_algebra.layered_family import operator_family
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.linear_algebra.solver_choice import EXACT
from hydrodl.mesh.grid_nodes import GridNodes
from hydrodl.physics.cost_numbers import CostNumbers, cost_numbers
from hydrodl.problem.problem import Problem

_SQUARE = 1e-5
"""Relative error of a solve, in the norm of P, of which a square has its own square."""


class InnerProduct(Protocol):
    """P at one point; stacks (N, m, owned), all methods collective."""

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """To u (N, d, local), R (N, local), all positive, and thicknesses (N,)."""

    def solve(self, dual: Floats) -> Floats:
        """P^-1 dual for dual vectors (N, d, owned), to the accuracy last asked for."""

    def square(self, dual: Floats, rough: bool = False) -> float:
        """(dual, P^-1 dual), this rank's part, or a number within a percent of it if that is sooner had."""

    def product(self, direction: Floats) -> Floats:
        """P direction, (N, m, owned)."""

    def solve_to(self, accuracy: float) -> None:
        """From now on: to rounding (EXACT), or as preconditioners need it, one fixed operator near P^-1."""

    def unread_options(self) -> list[str]:
        """Options that PETSc has not asked for so far."""

    def close(self) -> None:
        """Free what is PETSc's."""


def inner_product(problem: Problem, action: SlabAction, mass: Mass, options: Mapping[str, Any]) -> InnerProduct:
    """What suits the domain, or the caller's "metric_..." options; collective."""
    domain, own = problem.domain, subset(options, "metric_")
    numbers = cost_numbers(problem.lagrangian)
    if numbers is not None and mass.diagonal is not None and not numbers.stiffness:
        return DiagonalProduct(numbers, mass.diagonal)
    if numbers is not None and domain.uniform_box and domain.lumped and not own:
        return GridProduct(problem, numbers)
    return FamilyProduct(problem, action, own)


class DiagonalProduct:
    """P where nothing couples nodes: lumped mass, given at the owned nodes, and no smoothness."""

    def __init__(self, numbers: CostNumbers, mass: Floats) -> None:
        self._numbers, self._mass = numbers, mass
        self._diagonal = np.ones((1, 1, 1))

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """See :class:`InnerProduct`."""
        own = self._numbers.inertia(total[:, : len(self._mass)])
        self._diagonal = (steps[:, None] * self._mass * own)[:, None]

    def solve(self, dual: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return dual / self._diagonal

    def square(self, dual: Floats, rough: bool = False) -> float:
        """See :class:`InnerProduct`."""
        return float((dual * self.solve(dual)).sum())

    def product(self, direction: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return direction * self._diagonal

    def solve_to(self, accuracy: float) -> None:
        """Nothing: it is exact."""

    def unread_options(self) -> list[str]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing belongs to PETSc here."""


class GridProduct:
    """P on the nodes of a uniform box, by multigrid; every rank has its layers whole."""

    def __init__(self, problem: Problem, numbers: CostNumbers) -> None:
        self._nodes, self._shares = GridNodes(problem.domain), Shares(problem.domain, len(problem.layers))
        self._operators = GridOperators(self._nodes.shape, self._nodes.spacing, numbers.stiffness, self._shares.mine)
        self._numbers, self._owned = numbers, problem.domain.owned
        self._steps = np.ones((len(problem.layers), 1, 1))
        self._exact = True

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """See :class:`InnerProduct`."""
        self._steps = steps[:, None, None]
        own = self._own(total[:, None, : self._owned])[:, 0]
        self._operators.set(self._nodes.mass * self._numbers.inertia(own))

    def solve(self, dual: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        own = self._own(dual / self._steps)
        return self._spread(self._operators.solve(own, EXACT) if self._exact else self._operators.cycle(own))

    def square(self, dual: Floats, rough: bool = False) -> float:
        """See :class:`InnerProduct`."""
        own = self._own(dual / np.sqrt(self._steps))
        return self._operators.rough_square(own) if rough else float((own * self._operators.solve(own, _SQUARE)).sum())

    def product(self, direction: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return self._spread(self._operators.product(self._own(direction * self._steps)))

    def _own(self, stack: Floats) -> Floats:
        """On the grid at this rank's layers."""
        return self._nodes.to_grid(self._shares.to_layers(stack))

    def _spread(self, own: Floats) -> Floats:
        out = np.empty((len(self._steps), own.shape[1], self._owned))
        self._shares.to_nodes(self._nodes.to_whole(own), out)
        return out

    def solve_to(self, accuracy: float) -> None:
        """See :class:`InnerProduct`."""
        self._exact = accuracy <= EXACT

    def unread_options(self) -> list[str]:
        """None: the caller chose none."""
        return []

    def close(self) -> None:
        """Nothing belongs to PETSc here."""


class FamilyProduct:
    """P as one PETSc operator a slab, with PETSc's solvers."""

    def __init__(self, problem: Problem, action: SlabAction, options: Mapping[str, Any]) -> None:
        domain, entries = problem.domain, OperatorEntries(action, action.metric)
        self._entries, self._action, self._width = entries, action, domain.dimension
        self._family, _ = operator_family(
            domain,
            entries.pattern,
            action.column_owners(),
            len(problem.layers),
            domain.dimension,
            options=options,
            name="control inner product",
            symmetric=True,
            independent=True,
        )

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """See :class:`InnerProduct`."""
        for k, (u, R, step) in enumerate(zip(velocity, total, steps, strict=True)):
            self._action.set_slab(u, R)
            self._family.set(k, self._entries() * step)
        self._family.factor()

    def solve(self, dual: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return self._family.solve_all(dual)

    def square(self, dual: Floats, rough: bool = False) -> float:
        """See :class:`InnerProduct`."""
        return float((dual * self.solve(dual)).sum())

    def product(self, direction: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        count, m, owned = direction.shape
        padded = np.zeros((count, -(-m // self._width), self._width, owned))
        padded.reshape(count, -1, owned)[:, :m] = direction
        for k, groups in enumerate(padded):
            for fields in groups:
                fields[...] = self._family.product(k, fields)
        return padded.reshape(count, -1, owned)[:, :m]

    def solve_to(self, accuracy: float) -> None:
        """Relative residual of Krylov methods; nothing where solves are direct or their accuracy is the caller's."""
        self._family.solve_to(accuracy)

    def unread_options(self) -> list[str]:
        """Options that PETSc has not asked for so far, with their prefix."""
        return ["metric_" + key for key in self._family.scope.unread()]

    def close(self) -> None:
        """Free the PETSc solvers."""
        self._family.destroy()
