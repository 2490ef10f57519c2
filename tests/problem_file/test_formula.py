"""Formulas are NumPy in double precision: on random ones, and on those that once were not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydrodl.common.errors import InputError
from hydrodl.problem_file.formula import CONSTANTS, COORDINATES, FUNCTIONS, Expression

X = np.random.default_rng(0).uniform(-3.0, 3.0, (17, 3))
X[0], X[1] = 0.0, [-0.0, 1.0, -1.0]

# The same names for Python's eval, which is the reference: there double(...) stands around what must not be calculated
# with as a truth or as a whole number.
REFERENCE = {
    "double": lambda value: np.asarray(value, dtype=np.float64)[()],
    **{name: function for name, (function, _) in FUNCTIONS.items()},
    **{name: np.float64(value) for name, value in CONSTANTS.items()},
}
NUMBERS = ("0", "1", "2", "0.5", "1e-3", "10")
LEAVES = st.sampled_from([*COORDINATES, *CONSTANTS, *(f"double({digits})" for digits in NUMBERS)])


def larger(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def calls(arguments: int) -> st.SearchStrategy[str]:
        names = st.sampled_from(sorted(name for name, (_, count) in FUNCTIONS.items() if count == arguments))
        return st.builds(lambda name, parts: f"{name}({', '.join(parts)})", names, st.tuples(*[smaller] * arguments))

    arithmetic = st.sampled_from(["+", "-", "*", "/", "**"])
    return st.one_of(
        st.builds("({} {} {})".format, smaller, arithmetic, smaller),
        st.builds("double({} {} {})".format, smaller, st.sampled_from(["<", "<=", ">", ">="]), smaller),
        st.builds("({}{})".format, st.sampled_from("+-"), smaller),
        *map(calls, (1, 2, 3)),
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.recursive(LEAVES, larger, max_leaves=12))
def test_random_formulas_are_those_of_numpy(text: str) -> None:
    names = REFERENCE | dict(zip(COORDINATES, X.T, strict=True))
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(np.asarray(eval(text, {"__builtins__": {}}, names), float), len(X))
    written = text.replace("double(", "(")
    if np.isfinite(expected).all():
        np.testing.assert_array_equal(Expression(written)(X), expected)
    else:
        with pytest.raises(InputError, match="is not finite at x = "):
            Expression(written)(X)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(x1<1)+(x1<3)", [2.0, 1.0, 0.0]),
        ("-(x1<1)", [-1.0, 0.0, 0.0]),
        ("exp(x1<1)", [np.e, 1.0, 1.0]),
        ("(x1<1)*(x1<3)/3", [1 / 3, 0.0, 0.0]),
        ("(x1<1)-(x1<3)", [0.0, -1.0, 0.0]),
        ("(1<2)+(1<2)", [2.0, 2.0, 2.0]),
        ("sqrt(2)*(x1>0)", [0.0, np.sqrt(2), np.sqrt(2)]),
        ("where(x1<3, (x1<1), 7)", [1.0, 0.0, 7.0]),
        ("2**-1", [0.5] * 3),
    ],
)
def test_comparisons_are_numbers_in_double_precision(text: str, expected: list[float]) -> None:
    found = Expression(text)(np.array([[0.0], [2.0], [4.0]]))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("text", ["1e400", "x1 + " + "9" * 400, "1or x1", "x1 < x2 < 1", "x1 == 1", "not x1", "1j"])
def test_what_is_no_formula_in_double_precision(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Expression(text)
    assert "\n" not in str(caught.value)


def test_a_power_written_as_elsewhere_is_told_how() -> None:
    with pytest.raises(InputError, match=r"holds 'x1 \^ 2' \(a power is \*\*\); allowed are numbers"):
        Expression("x1^2")
