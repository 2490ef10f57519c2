"""A parameter stated once: what it is unless it is given, and what it may be.

Python's functions and dataclasses, the estimators and the problem file take default and range from the same object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from hydrodl.common.errors import InputError
from hydrodl.common.text import shortened

LARGEST, SMALLEST = 1e15, 1e-30
"""Sizes of any number that says nothing else: beyond them squares and products leave the range of doubles."""


@dataclass(frozen=True)
class Number:
    """A number.

    Attributes:
        default: what it is unless it is given; None: it must be given, or its absence has a meaning of its own.
        above, least, below, most: its range, None for no limit of its own; ``above`` and ``below`` are excluded.
        nonzero: anything but 0.
        whole: a whole number.
        smallest: least size of a positive number, and of one that is not 0.
    """

    default: Any = None
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float = LARGEST
    nonzero: bool = False
    whole: bool = False
    smallest: float = SMALLEST

    def check(self, name: str, value: Any, error: type[InputError] = InputError) -> None:
        """Raise the error, naming the number and what is allowed, unless it is one of these.

        A UFL object passes: it stands for a number that was checked before.
        """
        if not hasattr(value, "ufl_shape") and not self.allows(value):
            text = str(value) if isinstance(value, Real) and not isinstance(value, bool) else repr(value)
            raise error(f"{name} is {shortened(text)}, must be {self.words}")

    def allows(self, value: Any) -> bool:
        """Whether it is one of these."""
        if not isinstance(value, Integral if self.whole else Real) or isinstance(value, bool):
            return False
        number = int(value) if isinstance(value, Integral) else float(value)  # a whole one may exceed every double
        rules = [
            -self.most <= number <= self.most,
            abs(number) >= self.smallest or not (self.nonzero or self.above == 0),
            self.above is None or number > self.above,
            self.least is None or number >= self.least,
            self.below is None or number < self.below,
        ]
        return all(rules)

    @property
    def lowest(self) -> float:
        """Nothing below is allowed."""
        return self.smallest if self.above == 0 else -self.most if self.least is None else self.least

    @property
    def words(self) -> str:
        """What is allowed, to follow "must be"."""
        if self.whole:
            return self._whole
        sizes = f"from {self.smallest:g} to {self.most:g}"
        if self.nonzero:
            return f"a number that is not 0, {sizes} in size"
        if self.above == 0:
            return f"a positive number, {sizes}"
        if self.below is not None:
            return f"a number from {self.least:g} to less than {self.below:g}"
        if self.above is None and self.least is None:
            return f"a number from {-self.most:g} to {self.most:g}"
        low = f"greater than {self.above:g}" if self.least is None else f"of at least {self.least:g}"
        return f"a number {'that is not negative' if self.least == 0 else low}, at most {self.most:g}"

    @property
    def _whole(self) -> str:
        least = int(self.least or 0)
        if self.most == LARGEST:
            return f"a whole number of at least {least}, at most {self.most:g}"
        if self.most - least > 3:
            return f"a whole number from {least} to {int(self.most)}"
        *some, last = [str(n) for n in range(least, int(self.most) + 1)]
        return f"{', '.join(some)} or {last}"


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

COORDINATE, SPREAD = Number(most=1e6), Number(above=0, smallest=1e-6, most=1e6)
"""A coordinate in feature space, and a length there: standardised data have a standard deviation of 1."""


def check_kind(name: str, value: Any, kind: type) -> None:
    """Raise InputError unless a value is of that kind: arguments in another order, a step left out."""
    if not isinstance(value, kind):
        raise InputError(f"{name} is of type {type(value).__name__}, must be of type {kind.__name__}")
