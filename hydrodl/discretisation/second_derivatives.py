"""Second derivatives of UFL densities, entry by entry, taken once for all problems of a kind.

What UFL makes of a density f(z, grad z) takes longer than a small problem takes to be solved, and of the mesh it
depends on the kind of cell alone. So it is made of stand-ins for mesh, functions and constants, and kept for as long as
the process lives; every problem puts its own in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ufl
from dolfinx import fem
from ufl.algebra import Division, Product, Sum
from ufl.algorithms import expand_derivatives, extract_coefficients, replace
from ufl.algorithms.analysis import extract_constants, extract_type
from ufl.algorithms.apply_algebra_lowering import apply_algebra_lowering
from ufl.algorithms.expand_indices import expand_indices
from ufl.algorithms.remove_complex_nodes import remove_complex_nodes
from ufl.algorithms.signature import compute_expression_signature
from ufl.classes import GeometricQuantity
from ufl.conditional import Conditional
from ufl.constantvalue import Zero
from ufl.indexed import Indexed

from hydrodl.common.errors import SolverError

Block = tuple[int, int]
"""(a, b): derivative in component a (rows), then in component b (columns)."""


Groups = Sequence[Sequence[Block]]
"""Blocks, together where they share a sparsity pattern."""


Slot = tuple[int, int]
"""(a, p): the value of component a (p = 0) or its derivative along x_p."""


Kind = tuple[int, int]
"""(p, q): of the value (0) or of the derivative along x_i (i = 1 .. d), for rows and for columns."""


@dataclass(frozen=True)
class Entries:
    """Second derivatives that do not vanish.

    Attributes:
        kinds: of every group, sorted; vector: f_{ap, bq} as a UFL vector, None without any, in the order of groups,
            then kinds, then blocks; symbols: the functions and constants in them.
    """

    kinds: list[list[Kind]]
    vector: Any
    symbols: list[Any]


_KNOWN: dict[Any, Entries] = {}


def entries_of(density: Any, state: fem.Function, groups: Groups, split: Callable[[Slot], Slot]) -> Entries:
    """f_{ap, bq} of a UFL density f(z, grad z), without those that vanish.

    Args:
        density, state: f and z, on one mesh.
        groups: the blocks (a, b) that are asked for.
        split: what slot (component, kind) stands for the value (a, 0) or the slope (a, i) of the state.
    """
    mesh = ufl.domain.extract_unique_domain(density)
    symbols = [*extract_coefficients(density), *extract_constants(density)]
    signature = compute_expression_signature(density, {mesh: 0} | {s: i for i, s in enumerate(symbols)})
    place = symbols.index(state)
    slots = [(a, p) for a in range(state.ufl_shape[0]) for p in range(mesh.geometric_dimension + 1)]
    key = signature, place, tuple(map(tuple, groups)), tuple(map(split, slots))
    if key not in _KNOWN:
        other = ufl.Mesh(mesh.ufl_coordinate_element())
        stand_ins = [_stand_in(symbol, other) for symbol in symbols]
        _KNOWN[key] = _entries(_moved(density, symbols, stand_ins, other), stand_ins, place, groups, split)
    known = _KNOWN[key]
    vector = None if known.vector is None else _moved(known.vector, known.symbols, symbols, mesh)
    return Entries(known.kinds, vector, symbols)


def _stand_in(symbol: Any, mesh: ufl.Mesh) -> Any:
    if isinstance(symbol, ufl.Constant):
        return ufl.Constant(mesh, symbol.ufl_shape)
    return ufl.Coefficient(ufl.FunctionSpace(mesh, symbol.ufl_element()))


def _moved(expression: Any, symbols: Sequence[Any], others: Sequence[Any], mesh: ufl.Mesh) -> Any:
    """An expression with other functions and constants, on their mesh."""
    geometry = {quantity: type(quantity)(mesh) for quantity in extract_type(expression, GeometricQuantity)}
    return replace(expression, dict(zip(symbols, others, strict=True)) | geometry)


def _entries(density: Any, symbols: list[Any], place: int, groups: Groups, split: Callable[[Slot], Slot]) -> Entries:
    found = _second_derivatives(density, symbols[place], [block for group in groups for block in group], split)
    kinds = [sorted({kind for block in group for kind in found[block]}) for group in groups]
    entries = [
        found[block].get(kind, ufl.zero())
        for group, used in zip(groups, kinds, strict=True)
        for kind in used
        for block in group
    ]
    return Entries(kinds, ufl.as_vector(entries) if entries else None, symbols)


def _second_derivatives(
    density: Any, state: Any, blocks: Sequence[Block], split: Callable[[Slot], Slot]
) -> dict[Block, dict[Kind, Any]]:
    space = state.ufl_function_space()
    v, w = ufl.TestFunction(space), ufl.TrialFunction(space)
    whole = ufl.derivative(ufl.derivative(density, state, v), state, w)
    whole = expand_indices(expand_derivatives(remove_complex_nodes(apply_algebra_lowering(whole))))
    found: dict[Block, dict[Kind, Any]] = {block: {} for block in blocks}
    for one, row in linear_parts(whole, v).items():
        a, p = split(one)
        columns = linear_parts(row, w) if any(a == i for i, _ in blocks) else {}
        for other, entry in columns.items():
            b, q = split(other)
            if (a, b) in found:
                found[a, b][p, q] = entry
    return found


def linear_parts(expression: Any, argument: Any) -> dict[Slot, Any]:
    """Coefficients of a scalar expression linear in an argument: of component a (a, 0), of its slope along x_i (a, i).

    Raises:
        SolverError: the expression is not a combination of sums, products and conditions.
    """
    slopes = ufl.grad(argument)
    known: dict[Any, dict[Slot, Any]] = {}

    def parts(e: Any) -> dict[Slot, Any]:
        if e not in known:
            known[e] = combined(e) if e.ufl_operands else {}
        return known[e]

    def combined(e: Any) -> dict[Slot, Any]:
        if isinstance(e, Indexed) and e.ufl_operands[0] in (argument, slopes):
            a, *along = (int(index) for index in e.ufl_operands[1])
            return {(a, along[0] + 1 if along else 0): ufl.as_ufl(1)}
        found = [parts(operand) for operand in e.ufl_operands]
        slots = sorted({slot for part in found for slot in part})
        if not slots:
            return {}
        if isinstance(e, Sum):
            return {slot: sum(part[slot] for part in found if slot in part) for slot in slots}
        first, *others = e.ufl_operands
        if isinstance(e, Product):
            factor = others[0] if found[0] else first
            return {slot: factor * (found[0] or found[1])[slot] for slot in slots}
        if isinstance(e, Division):
            return {slot: found[0][slot] / others[0] for slot in slots}
        if isinstance(e, Conditional):
            yes, no = (part for part in found[1:])
            return {slot: ufl.conditional(first, yes.get(slot, 0), no.get(slot, 0)) for slot in slots}
        raise SolverError(f"derivative of the action holds {type(e).__name__} of a test function; please report this")

    return {slot: part for slot, part in parts(expression).items() if not isinstance(part, Zero)}
