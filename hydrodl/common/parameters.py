"""A parameter stated once: what it is unless it is given, and what it may be.

Python's functions and dataclasses, the estimators and the problem file take default and range from the same object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any

from hydrodl.common.errors import InputError


@dataclass(frozen=True)
class Number:
    """A number.

    Attributes:
        default: what it is unless it is given; None: it must be given, or its absence has a meaning of its own.
        above, least, below, most: its range, each None for no limit; ``above`` and ``below`` are excluded.
        nonzero: anything but 0.
        whole: a whole number.
    """

    default: Any = None
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    nonzero: bool = False
    whole: bool = False

    def check(self, name: str, value: Any, error: type[InputError] = InputError) -> None:
        """Raise the error, naming the number and what is allowed, unless it is one of these.

        A UFL object passes: it stands for a number that was checked before.
        """
        if not hasattr(value, "ufl_shape") and not self.allows(value):
            found = value if isinstance(value, Real) and not isinstance(value, bool) else repr(value)
            raise error(f"{name} is {found}, must be {self.words}")

    def allows(self, value: Any) -> bool:
        """Whether it is one of these."""
        if not isinstance(value, Integral if self.whole else Real) or isinstance(value, bool):
            return False
        number = float(value)
        rules = [
            isfinite(number) and not (self.nonzero and number == 0),
            self.above is None or number > self.above,
            self.least is None or number >= self.least,
            self.below is None or number < self.below,
            self.most is None or number <= self.most,
        ]
        return all(rules)

    @property
    def words(self) -> str:
        """What is allowed, to follow "must be"."""
        if self.whole and self.most is not None and self.most - (self.least or 0) > 3:
            return f"a whole number from {self.least:g} to {self.most:g}"
        if self.whole and self.most is not None:
            *some, last = [str(n) for n in range(int(self.least or 0), int(self.most) + 1)]
            return f"{', '.join(some)} or {last}"
        if self.whole:
            return f"a whole number of at least {self.least:g}"
        if self.below is not None:
            return f"a number from {self.least:g} to less than {self.below:g}"
        if self.nonzero:
            return "a number that is not 0"
        if self.least == 0:
            return "a number that is not negative"
        if self.least is not None:
            return f"a number of at least {self.least:g}"
        return "a positive number" if self.above == 0 else f"a number greater than {self.above:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few words.

    Attributes:
        default: the word unless one is given; None: its absence has a meaning of its own.
        options: the words.
    """

    default: Any
    options: Iterable[str]

    def check(self, name: str, value: Any) -> None:
        """Raise InputError, naming what is allowed, unless it is one of the words, or None where it may be left out."""
        if value is None and self.default is None:
            return
        if not isinstance(value, str) or value not in self.options:
            raise InputError(f"{name} is {value!r}, must be {self.words}")

    @property
    def words(self) -> str:
        """What is allowed, to follow "must be"."""
        return " or ".join(map(repr, self.options))


COUNT = Number(least=1, whole=True)
"""Of things that there must be at least one of."""

POSITIVE = Number(above=0)
"""A size, a tolerance, a weight."""
