"""The errors a user of hydrodl can meet.

``InputError``: something the user gave is wrong; the message names it and says what is allowed.
``MeshError``, ``DataError``: the same, from a mesh file and from a table.
``SolverError``: the computation itself failed (a singular slab operator, a density that is not finite).
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


class InputError(ValueError):
    """The user's input is wrong; the message names the offending thing and what is allowed."""


class DataError(InputError):
    """A data set or table is unusable; the message names the file, row or column."""


class MeshError(InputError):
    """A feature mesh is unusable; the message names the file and what was expected of it."""


class SolverError(RuntimeError):
    """The computation failed; the message names the layer and the quantity that was not finite."""


def check_number(
    name: str, value: Any, *, positive: bool = False, nonnegative: bool = False, nonzero: bool = False,
    above: float | None = None,
) -> None:  # fmt: skip
    """Raise InputError, naming the number and what is allowed, unless it is finite and in range.

    A UFL object passes: it stands for a number that was checked before.
    """
    if hasattr(value, "ufl_shape"):
        return
    if not isinstance(value, Real) or isinstance(value, bool):
        raise InputError(f"{name} is {value!r}, must be a number")
    number = float(value)
    rules = [
        (not math.isfinite(number), "must be finite"),
        (positive and number <= 0, "must be positive"),
        (nonnegative and number < 0, "must not be negative"),
        (nonzero and number == 0, "must not be 0"),
        (above is not None and number <= above, f"must be greater than {above:g}" if above is not None else ""),
    ]
    for broken, allowed in rules:
        if broken:
            raise InputError(f"{name} is {number:g}, {allowed}")
