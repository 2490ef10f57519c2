"""Formulas in a problem file, such as ``"x1**2 + 0.1*sin(pi*x2)"``, evaluated without ``eval``.

Only numbers, the coordinates x1, x2, x3, the constants pi and e, arithmetic, comparisons (1 where they hold, else 0)
and the functions of ``FUNCTIONS`` are understood; anything else is refused when the text is read. All of it is double
precision.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError

FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {  # name: (function, number of arguments)
    **{name: (getattr(np, name), 1) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "exp")},
    **{name: (getattr(np, name), 1) for name in ("log", "sqrt", "abs", "sign", "floor")},
    **{name: (getattr(np, name), 2) for name in ("minimum", "maximum", "hypot")},
    "where": (np.where, 3),
}


CONSTANTS = {"pi": np.pi, "e": np.e}


COORDINATES = ("x1", "x2", "x3")


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


_LONGEST, _DEEPEST = 2000, 100  # characters of a formula, and how deep it may nest


@dataclass(frozen=True)
class Expression:
    """A formula in the feature coordinates; callable as x of shape (n, d) -> values of shape (n,).

    Raises:
        InputError: not a formula, or one that uses something other than the names above.
    """

    text: str

    def __post_init__(self) -> None:
        _check(_tree(self.text), self.text)

    @property
    def dimension(self) -> int:
        """Smallest number of feature directions the formula needs."""
        names = {node.id for node in ast.walk(_tree(self.text)) if isinstance(node, ast.Name)}
        return max((COORDINATES.index(name) + 1 for name in names if name in COORDINATES), default=0)

    def __call__(self, x: Floats) -> Floats:
        """Values at the points x of shape (n, d).

        Raises:
            InputError: the formula needs more coordinates than x has, or is not finite somewhere.
        """
        points = np.atleast_2d(np.asarray(x, dtype=float))
        if self.dimension > (d := points.shape[1]):
            raise InputError(f"formula {self.text!r} uses x{self.dimension}, but the features are x1 to x{d}")
        known = dict(zip(COORDINATES, points.T, strict=False)) | {k: np.float64(v) for k, v in CONSTANTS.items()}
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(_value(_tree(self.text), known), dtype=float), len(points)).copy()
        if not np.isfinite(values).all():
            where = points[np.argmin(np.isfinite(values))].tolist()
            raise InputError(f"formula {self.text!r} is not finite at x = {where}")
        return values


def _tree(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise InputError(f"formula of {len(text)} characters is too long, at most {_LONGEST} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of what is refused in a moment
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"{text!r} is not a formula in x1, x2, x3") from None


def _check(node: ast.expr, text: str, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise InputError(f"formula {text[:40]!r}... nests deeper than {_DEEPEST} levels")
    match node:
        case ast.Constant(value=value) if type(value) in (int, float):
            if not _fits(value):
                raise InputError(f"formula {text[:40]!r} holds a number that is too large")
            return
        case ast.Name(id=name) if name in COORDINATES or name in CONSTANTS:
            return
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _BINARY:
            parts = [left, right]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            parts = [operand]
        case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _COMPARE:
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if _arguments(name) == len(args):
            parts = args
        case _:
            found = ast.unparse(node)
            allowed = ", ".join([*COORDINATES, *CONSTANTS, *FUNCTIONS])
            power = " (a power is **)" if "^" in found else ""
            raise InputError(
                f"formula {text!r} holds {found!r}{power}; allowed are numbers, + - * / **, < > and {allowed}"
            )
    for part in parts:
        _check(part, text, depth + 1)


def _fits(value: Any) -> bool:
    """Whether a number of a formula is one in double precision."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _arguments(name: str) -> int:
    return FUNCTIONS[name][1] if name in FUNCTIONS else -1


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return np.float64(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return known[name]
        case ast.BinOp(left=left, op=operation, right=right):
            return _BINARY[type(operation)](_value(left, known), _value(right, known))
        case ast.UnaryOp(op=sign, operand=operand):
            return _UNARY[type(sign)](_value(operand, known))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            held = _COMPARE[type(comparison)](_value(left, known), _value(right, known))
            return np.asarray(held, dtype=float)  # a truth is 0 or 1, to be added and multiplied like any number
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][0](*(_value(argument, known) for argument in args))
    raise AssertionError(f"unchecked formula node {ast.dump(node)}")
