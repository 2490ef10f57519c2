"""Checks of what a caller gives: one rule and one message for each kind of input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from hydrodl.common.errors import InputError


def check_choices(estimator: Any, choices: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError unless each parameter is one of its words."""
    for name, words in choices.items():
        value = getattr(estimator, name)
        if not isinstance(value, str) or value not in words:
            raise InputError(f"{name} is {value!r}, must be {' or '.join(map(repr, words))}")


def whole_number(name: str, value: Any, *, least: int) -> None:
    """Raise InputError unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} is {value}, must be a whole number of at least {least}")


def check_number(
    name: str,
    value: Any,
    *,
    positive: bool = False,
    nonnegative: bool = False,
    nonzero: bool = False,
    above: float | None = None,
) -> None:
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
