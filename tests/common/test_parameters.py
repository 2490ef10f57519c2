"""One parameter, one rule, one message."""

from __future__ import annotations

import pytest

from hydrodl.common.errors import DataError, InputError
from hydrodl.common.parameters import COUNT, POSITIVE, Choice, Number


@pytest.mark.parametrize(
    ("rule", "wrong", "words"),
    [
        (COUNT, [0, -1, 1.0, True, "1", None], "a whole number of at least 1"),
        (POSITIVE, [0, -1.0, float("nan"), float("inf"), False, "1"], "a positive number"),
        (Number(least=1, most=3, whole=True), [0, 4, 1.5], "1, 2 or 3"),
        (Number(least=1, most=16, whole=True), [0, 17], "a whole number from 1 to 16"),
        (Number(least=1), [0.5], "a number of at least 1"),
        (Number(least=0, below=1), [-0.1, 1], "a number from 0 to less than 1"),
        (Choice("a", ("a", "b")), ["c", 1, None], "'a' or 'b'"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(rule: Number | Choice, wrong: list[object], words: str) -> None:
    for value in wrong:
        with pytest.raises(InputError) as error:
            rule.check("it", value)
        assert str(error.value).startswith("it is ") and str(error.value).endswith(f", must be {words}")


def test_the_kind_of_error_is_the_callers() -> None:
    with pytest.raises(DataError, match=r"^n is 0, must be a whole number of at least 1$"):
        COUNT.check("n", 0, DataError)
    COUNT.check("n", 1)
