"""One parameter, one rule, one message."""

from __future__ import annotations

import pytest

from hydrodl.common.errors import DataError, InputError
from hydrodl.common.parameters import COUNT, POSITIVE, Choice, Number


@pytest.mark.parametrize(
    ("rule", "wrong", "words"),
    [
        (COUNT, [0, -1, 1.0, True, "1", None, 10**400], "a whole number of at least 1, at most 1e+15"),
        (POSITIVE, [0, -1.0, float("nan"), False, "1", 1e-300], "a positive number, from 1e-30 to 1e+15"),
        (POSITIVE, [float("inf"), 1e308, 10**400], "a positive number, from 1e-30 to 1e+15"),
        (Number(nonzero=True, smallest=0.5, most=9), [0, -0.4, 9.1], "a number that is not 0, from 0.5 to 9 in size"),
        (Number(most=9), [-9.1, 10], "a number from -9 to 9"),
        (Number(above=1, most=9), [1, 10], "a number greater than 1, at most 9"),
        (Number(least=0), [-1e-300, 1e16], "a number that is not negative, at most 1e+15"),
        (Number(least=1, most=3, whole=True), [0, 4, 1.5], "1, 2 or 3"),
        (Number(least=1, most=16, whole=True), [0, 17], "a whole number from 1 to 16"),
        (Number(least=1), [0.5], "a number of at least 1, at most 1e+15"),
        (Number(least=0, below=1), [-0.1, 1], "a number from 0 to less than 1"),
        (Choice("a", ("a", "b")), ["c", 1, None], "'a' or 'b'"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(rule: Number | Choice, wrong: list[object], words: str) -> None:
    for value in wrong:
        with pytest.raises(InputError) as error:
            rule.check("it", value)
        assert (
            len(str(error.value)) < 200
            and str(error.value).startswith("it is ")
            and str(error.value).endswith(f", must be {words}")
        )


def test_the_kind_of_error_is_the_callers() -> None:
    with pytest.raises(DataError, match=r"^n is 0, must be a whole number of at least 1, at most"):
        COUNT.check("n", 0, DataError)
    COUNT.check("n", 1)
