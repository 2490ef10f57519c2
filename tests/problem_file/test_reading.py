"""The problem file: defaults, one-line errors that name the key, overrides, and writing back what reproduces a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrodl.common.errors import InputError
from hydrodl.problem_file import reading as config
from hydrodl.problem_file import toml_text as _toml
from hydrodl.problem_file.formula import Expression
from tests.builders.problem_files import FULL, MOONS, UNKNOWN, WRONG, WRONG_DATA


def check(text: str, folder: Path, *overrides: str) -> config.Config:
    path = folder / "problem.toml"
    path.write_text(text)
    return config.load(path, overrides)


def refusal(text: str, folder: Path, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        check(text, folder, *overrides)
    message = str(caught.value)
    assert "\n" not in message and message
    return message


def test_shortest_file_has_the_documented_defaults(tmp_path: Path) -> None:
    made = check(MOONS, tmp_path)
    assert (made.data.samples, made.data.test_samples, made.data.bandwidth) == (400, 2000, 0.2)
    assert (made.data.test_fraction, made.data.seed, made.domain.margin) == (0.25, 0, 1.0)
    assert made.domain.nodes is None  # by dimension
    assert (made.network.layers, made.network.depth, made.network.scheme) == (16, 1.0, None)
    physics = made.physics
    assert (physics.noise, physics.decay, physics.smoothness, physics.kinetic) == (0.02, 1e-4, 0.1, 1.0)
    assert [(loss.kind, loss.weight) for loss in made.loss] == [("classification", 10.0)]
    assert made.solver == {}


@pytest.mark.parametrize(("text", "expected"), UNKNOWN)
def test_unknown_keys_name_the_nearest_known(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in refusal(MOONS + text, tmp_path)


@pytest.mark.parametrize(("text", "parts"), WRONG)
def test_wrong_values_name_key_found_and_allowed(text: str, parts: list[str], tmp_path: Path) -> None:
    top_level = text.startswith("physics =")
    message = refusal(text + "\n" + MOONS if top_level else MOONS + text, tmp_path)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(("text", "parts"), WRONG_DATA)
def test_wrong_data_sections(text: str, parts: list[str], tmp_path: Path) -> None:
    message = refusal(text, tmp_path)
    assert all(part in message for part in parts), message


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    text = MOONS + "[physics]\nnoise = 0\n[network]\nlayers = 0\n[domain]\nnodes = 1\nnode = 2"
    message = refusal(text, tmp_path)
    assert all(key in message for key in ("physics.noise", "network.layers", "domain.nodes", "domain.node;"))


def test_syntax_errors_name_the_line(tmp_path: Path) -> None:
    assert "line 3" in refusal(MOONS + "samples = = 3\n", tmp_path)


@pytest.mark.parametrize("make", ["missing", "folder", "binary"])
def test_unreadable_files(make: str, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    if make == "folder":
        path.mkdir()
    if make == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"p\.toml") as caught:
        config.load(path)
    assert "\n" not in str(caught.value)


def test_overrides_are_toml_values_else_strings(tmp_path: Path) -> None:
    made = check(
        MOONS,
        tmp_path,
        "network.layers=4",
        "physics.noise=0.5",
        "network.scheme=midpoint",
        "domain.nodes=[5, 6]",
        'data.source="circles"',
        "solver.tao_type=nls",
        "solver.tao_max_it=3",
        "loss.weight=2.5",
    )
    assert (made.network.layers, made.physics.noise, made.network.scheme) == (4, 0.5, "midpoint")
    assert (made.domain.nodes, made.data.source, made.loss[0].weight) == ([5, 6], "circles", 2.5)
    assert made.solver == {"tao_type": "nls", "tao_max_it": 3}


def test_overrides_reach_members_of_arrays(tmp_path: Path) -> None:
    two = MOONS + "[[loss]]\nlayer = 3\n[[loss]]\nweight = 1.0\n"
    assert [loss.weight for loss in check(two, tmp_path, "loss.0.weight=7.0").loss] == [7.0, 1.0]
    assert "loss.0.weight" in refusal(two, tmp_path, "loss.weight=7.0")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("physics.noize=1", "did you mean physics.noise"),
        ("physics.noise=loud", "physics.noise is 'loud'"),
        ("physics.noise", "must be section.key=value"),
        ("noise=1", "must be section.key=value"),
        ("data.source.x=1", "'x' is not a key of a table"),
        ("network.layers=4\ndepth=3", "network.layers is"),
    ],
)
def test_wrong_overrides(assignment: str, expected: str, tmp_path: Path) -> None:
    assert expected in refusal(MOONS, tmp_path, assignment)


@pytest.mark.parametrize("text", [MOONS, FULL, MOONS + "[domain]\nlower=[-3.0, -3.0]\nupper=[3.0, 3.0]\nnodes=[4, 5]"])
def test_written_problem_is_complete_and_read_back_the_same(text: str, tmp_path: Path) -> None:
    made = check(text, tmp_path)
    written = config.dumps(made, tmp_path)
    assert check(written, tmp_path).model_dump() == made.model_dump()
    assert config.dumps(check(written, tmp_path), tmp_path) == written
    for key in ("noise = 0.02", "seed = 0", "bandwidth = 0.2", "margin = 1.0"):
        assert key in written


def test_paths_follow_the_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "t.csv").write_text("x,y\n1,a\n")
    (tmp_path / "in" / "m.msh").write_text("")
    text = "[data]\nsource = 't.csv'\nlabel = 'y'\n[domain]\nmesh = 'm.msh'"
    made = check(text, tmp_path / "in")
    assert made.data.source == str((tmp_path / "in" / "t.csv").resolve())
    written = config.dumps(made, tmp_path / "out" / "deep")
    assert 'source = "../../in/t.csv"' in written and 'mesh = "../../in/m.msh"' in written
    assert check(written, tmp_path / "out" / "deep").model_dump() == made.model_dump()


scalars = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
tables = st.recursive(
    st.dictionaries(keys, scalars | st.lists(scalars), max_size=4),
    lambda inner: st.dictionaries(keys, scalars | inner | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=8,
)


@given(tables)
def test_writer_is_the_inverse_of_tomllib(table: dict) -> None:
    import tomllib

    assert tomllib.loads(_toml.dumps(table)) == table


def test_formulas() -> None:
    x = np.array([[0.5, 2.0], [-1.0, 3.0]])
    expected = x[:, 0] ** 2 + 0.1 * np.sin(np.pi * x[:, 1]) - 1
    np.testing.assert_allclose(Expression("x1**2 + 0.1*sin(pi*x2) - 1")(x), expected)
    np.testing.assert_allclose(Expression("where(x1 > 0, -x2, e)")(x), [-2.0, np.e])
    np.testing.assert_allclose(Expression("3")(x), [3.0, 3.0])
    with pytest.raises(InputError, match="x3"):
        Expression("x3")(x)
    with pytest.raises(InputError, match="not finite"):
        Expression("log(x1)")(x)


@pytest.mark.parametrize(
    "text",
    [
        "x9",
        "x1.real",
        "().__class__",
        "__import__('os')",
        "exp(x1, x1)",
        "exp(x=1)",
        "lambda: 1",
        "[x1]",
        "'a'",
        "True",
        "1j",
        "x1 if x1 else 1",
        "x1 and x2",
        "x1 < x2 < 1",
        "x1; x2",
        "x1 // 2",
        "",
        "x1\x00",
        "-" * 1999 + "1",
        "1+" * 5000 + "1",
        "(" * 900 + "1" + ")" * 900,
        "10**10**10**10",
    ],
)
def test_formulas_hold_nothing_but_arithmetic(text: str) -> None:
    with pytest.raises(InputError):
        Expression(text)(np.ones((1, 2)))


def test_an_inner_solver_that_cannot_work_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    words = refusal(MOONS + "[solver]\ntao_ksp_type = 'gltr'\n", tmp_path)
    assert words.startswith("solver: solver option tao_ksp_type is 'gltr'") and words.endswith("use nash or stcg")
