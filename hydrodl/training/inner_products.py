"""The control inner product, block-diagonal over slabs, one operator for all components of the velocity:

    P_k = Delta_k ((w R_k + eps) M + alpha^2 K).

Where M and P are diagonal that is all. On uniform boxes with the vertex rule multigrid needs no factorisation, whatever
the scheme; elsewhere, for a running cost of another form, or where the caller chose a solver for it, PETSc has one
operator a slab, the second derivative of the UFL expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.petsc_options import subset
from hydrodl.discretisation.slab_action import OperatorEntries, SlabAction
from hydrodl.discretisation.stacks import LayerStacks, NodeStacks, RowStacks, Stacks
from hydrodl.linear_algebra.grid_operators import GridOperators
from hydrodl.linear_algebra.layered_family import operator_family
from hydrodl.linear_algebra.mass_matrix import Mass
from hydrodl.linear_algebra.solver_choice import EXACT
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.physics.cost_numbers import CostNumbers, cost_numbers
from hydrodl.problem.problem import Problem

Move = Callable[[Floats], Floats]

_SQUARE = 1e-5
"""Relative error of a solve, in the norm of P, of which a square has its own square."""


class InnerProduct(Protocol):
    """P at one point; stacks (slabs here, m, owned) where the scheme has them, all methods collective."""

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """To u (slabs here, d, local), R (slabs here, local), all positive, and thicknesses of all layers, (N,)."""

    def solve(self, dual: Floats) -> Floats:
        """P^-1 dual for dual vectors (slabs here, d, owned), to the accuracy last asked for."""

    def square(self, dual: Floats, rough: bool = False) -> float:
        """(dual, P^-1 dual), this rank's part, or a number within a percent of it if that is sooner had."""

    def product(self, direction: Floats) -> Floats:
        """P direction, (slabs here, m, owned)."""

    def solve_to(self, accuracy: float) -> None:
        """From now on: to rounding (EXACT), or as preconditioners need it, one fixed operator near P^-1."""

    def unread_options(self) -> list[str]:
        """Options that PETSc has not asked for so far."""

    def close(self) -> None:
        """Free what is PETSc's."""


def inner_product(
    problem: Problem, action: SlabAction, mass: Mass, options: Mapping[str, Any], stacks: Stacks
) -> InnerProduct:
    """What suits the domain, or the caller's "metric_..." options, for stacks as they are; collective."""
    domain, own = problem.domain, subset(options, "metric_")
    numbers = cost_numbers(problem.lagrangian)
    if numbers is not None and mass.diagonal is not None and not numbers.stiffness:
        return DiagonalProduct(numbers, stacks.everywhere(mass.diagonal[None])[0], stacks)
    if numbers is not None and domain.uniform_box and domain.lumped and not own:
        if isinstance(stacks, LayerStacks):
            return GridProduct(numbers, stacks)
        grid = LayerStacks(domain, len(problem.layers))
        inner = GridProduct(numbers, grid)
        if isinstance(stacks, RowStacks):
            rows = RowsOnGrid(stacks, grid)
            return Elsewhere(inner, rows.there, rows.there, rows.back)
        return Elsewhere(inner, grid.spread, lambda x: grid.spread(x[..., : stacks.owned]), grid.collect)
    family = FamilyProduct(problem, action, own)
    if isinstance(stacks, NodeStacks):
        return family
    return Elsewhere(family, stacks.collect, lambda x: with_ghosts(domain, stacks.collect(x)), stacks.spread)


class RowsOnGrid:
    """Stacks by rows of the grid where slabs are whole, and back: not by nodes in between."""

    def __init__(self, rows: RowStacks, grid: LayerStacks) -> None:
        self._widths, self._shares, self._slabs = rows.shares.widths, grid.shares, len(rows.layers)

    def there(self, stack: Floats) -> Floats:
        """(N, m, nodes here) -> (slabs here, m, nodes), valid until the next call."""
        return self._shares.to_layers(stack, self._widths)

    def back(self, own: Floats) -> Floats:
        """(slabs here, m, nodes) -> (N, m, nodes here), a new array."""
        out = np.empty((self._slabs, own.shape[1], int(self._widths[self._shares.rank])))
        self._shares.to_nodes(own, out, self._widths)
        return out


class DiagonalProduct:
    """P where nothing couples nodes: lumped mass, given where stacks have their nodes, and no smoothness."""

    def __init__(self, numbers: CostNumbers, mass: Floats, stacks: Stacks) -> None:
        self._numbers, self._mass, self._layers = numbers, mass, stacks.layers
        self._diagonal = np.ones((1, 1, 1))

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """See :class:`InnerProduct`."""
        own = self._numbers.inertia(total[:, : len(self._mass)])
        self._diagonal = (steps[self._layers, None] * self._mass * own)[:, None]

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
    """P on the nodes of a uniform box, by multigrid, for stacks by layers."""

    def __init__(self, numbers: CostNumbers, stacks: LayerStacks) -> None:
        nodes, self._layers = stacks.nodes, stacks.layers
        self._operators = GridOperators(nodes.shape, nodes.spacing, numbers.stiffness, len(stacks.layers))
        self._numbers, self._mass = numbers, nodes.mass
        self._steps = np.ones((len(stacks.layers), 1, 1))
        self._exact = True

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """See :class:`InnerProduct`."""
        self._steps = steps[self._layers, None, None]
        self._operators.set(self._mass * self._numbers.inertia(total))

    def solve(self, dual: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        own = dual / self._steps
        return self._operators.solve(own, EXACT) if self._exact else self._operators.cycle(own)

    def square(self, dual: Floats, rough: bool = False) -> float:
        """See :class:`InnerProduct`."""
        own = dual / np.sqrt(self._steps)
        return self._operators.rough_square(own) if rough else float((own * self._operators.solve(own, _SQUARE)).sum())

    def product(self, direction: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return self._operators.product(direction * self._steps)

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


class Elsewhere:
    """An inner product whose stacks are elsewhere than those that are given.

    Args:
        inner: the inner product; there, back: stacks to where it has them, and back; local: the same as ``there`` for
            fields with ghosts, as ``move`` takes them.
    """

    def __init__(self, inner: InnerProduct, there: Move, local: Move, back: Move) -> None:
        self._inner, self._there, self._local, self._back = inner, there, local, back

    def move(self, velocity: Floats, total: Floats, steps: Floats) -> None:
        """See :class:`InnerProduct`."""
        self._inner.move(self._local(velocity), self._local(total[:, None])[:, 0], steps)

    def solve(self, dual: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return self._back(self._inner.solve(self._there(dual)))

    def square(self, dual: Floats, rough: bool = False) -> float:
        """See :class:`InnerProduct`."""
        return self._inner.square(self._there(dual), rough)

    def product(self, direction: Floats) -> Floats:
        """See :class:`InnerProduct`."""
        return self._back(self._inner.product(self._there(direction)))

    def solve_to(self, accuracy: float) -> None:
        """See :class:`InnerProduct`."""
        self._inner.solve_to(accuracy)

    def unread_options(self) -> list[str]:
        """See :class:`InnerProduct`."""
        return self._inner.unread_options()

    def close(self) -> None:
        """See :class:`InnerProduct`."""
        self._inner.close()
