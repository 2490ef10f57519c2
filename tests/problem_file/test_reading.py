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

MOONS = '[data]\nsource = "two_moons"\n'


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
    assert (made.network.layers, made.network.depth, made.network.scheme) == (16, 1.0, "euler-box")
    physics = made.physics
    assert (physics.noise, physics.decay, physics.smoothness, physics.kinetic) == (0.02, 0.02, 0.1, 1.0)
    assert [(loss.kind, loss.weight) for loss in made.loss] == [("classification", 10.0)]
    assert made.solver == {}


UNKNOWN = [
    ("[physics]\nnoize = 0.1", "unknown key physics.noize; did you mean physics.noise?"),
    ("[phisics]\nnoise = 0.1", "unknown key phisics; did you mean physics?"),
    ("[network]\nnoise = 0.1", "unknown key network.noise; did you mean data.noise?"),
    ("[network]\nsmoothness = 0.1", "unknown key network.smoothness; did you mean physics.smoothness?"),
    ("[loss]\ntargets = [[0.0]]", "unknown key loss.targets; did you mean loss.targets (of kind = 'position')?"),
    ('[physics.energy]\nkind = "power"\nweight = 1.0\nexponnent = 2.0', "did you mean physics.energy.exponent?"),
    ("[[loss]]\n[[loss]]\nwieght = 1.0", "unknown key loss[1].wieght; did you mean loss[1].weight?"),
]


@pytest.mark.parametrize(("text", "expected"), UNKNOWN)
def test_unknown_keys_name_the_nearest_known(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in refusal(MOONS + text, tmp_path)


WRONG = [
    ('[network]\nlayers = "many"', ["network.layers is 'many'", "whole number of at least 1"]),
    ("[network]\nlayers = 2.5", ["network.layers is 2.5", "whole number"]),
    ("[network]\nlayers = true", ["network.layers is true", "whole number"]),
    ("[network]\nlayers = 0", ["network.layers is 0", "at least 1"]),
    ("[network]\ndepth = 0.0", ["network.depth is 0.0", "positive"]),
    ("[network]\nscheme = 'leapfrog'", ["network.scheme is 'leapfrog'", "euler-box", "midpoint"]),
    ("[network]\ntimes = [0.0, 0.5, 0.5]", ["network", "times", "increase"]),
    ("[network]\ntimes = [0.0, 1.0]\nlayers = 3", ["network", "times excludes layers"]),
    ("[domain]\nnodes = 1", ["domain.nodes is 1", "at least 2"]),
    ("[domain]\nnodes = [5, 1]", ["domain.nodes is [5, 1]", "at least 2"]),
    ("[domain]\nlower = [0.0, 0.0]", ["domain", "lower and upper"]),
    ("[domain]\nlower = [0.0, 1.0]\nupper = [1.0, 0.5]", ["domain", "lower", "less than upper"]),
    ("[domain]\nmargin = -1", ["domain.margin is -1", "not negative"]),
    ("[physics]\nnoise = 0", ["physics.noise is 0", "positive"]),
    ("[physics]\nnoise = -0.1", ["physics.noise is -0.1", "positive"]),
    ("[physics]\nnoise = nan", ["physics.noise is nan", "positive"]),
    ("[physics]\nnoise = inf", ["physics.noise is inf", "positive"]),
    ("[physics]\ndecay = 0.0\nkinetic = 0.0", ["physics", "decay and kinetic"]),
    ("[physics]\nenergy = {kind = 'tension', weight = 1.0}", ["physics.energy.kind is 'tension'", "focusing"]),
    ("[physics]\nenergy = {kind = 'power'}", ["physics.energy.weight is missing"]),
    ("[physics]\nenergy = {kind = 'entropy', weight = 0.0}", ["physics.energy.weight", "not 0"]),
    ("[physics]\npotential = 'x1 +'", ["physics", "'x1 +'"]),
    ("[physics]\npotential = '__import__(\"os\")'", ["physics", "__import__"]),
    ("[loss]\nweight = 0.0", ["loss.weight is 0.0", "positive"]),
    ("[loss]\nkind = 'hinge'", ["loss.kind is 'hinge'", "classification", "position", "density"]),
    ("[loss]\nkind = 'position'", ["loss.targets is missing"]),
    ("[loss]\nkind = 'position'\ntargets = [[0.0, 'a']]", ["loss.targets", "list of points"]),
    ("[loss]\nlayer = 17", ["loss.layer is 17", "at most network.layers = 16"]),
    ("[loss]\nlayer = 0", ["loss.layer is 0", "at least 1"]),
    ("[loss]\nkind = 'density'\n[[loss.target]]\nmean = [0.0]", ["loss.target[0]", "std or covariance"]),
    ("[solver]\ntao_type = [1, 2]", ["solver.tao_type is [1, 2]", "string, number or boolean"]),
    ("physics = 3", ["physics is 3", "table"]),
]


@pytest.mark.parametrize(("text", "parts"), WRONG)
def test_wrong_values_name_key_found_and_allowed(text: str, parts: list[str], tmp_path: Path) -> None:
    top_level = text.startswith("physics =")
    message = refusal(text + "\n" + MOONS if top_level else MOONS + text, tmp_path)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["data is missing"]),
        ("[data]\nseed = 1", ["data", "source", "mixture"]),
        ("[data]\nsource = 'two_moon'", ["data", "'two_moon'", "did you mean the built-in 'two_moons'?"]),
        ("[data]\nsource = 'missing.csv'\nlabel = 'y'", ["data.source", "missing.csv", "two_moons"]),
        ("[data]\nsource = 'missing.csv'", ["data", "label is missing"]),
        ("[data]\nsource = 'iris'\nlabel = 'y'", ["data", "CSV tables only"]),
        (MOONS + "bandwidth = 0.0", ["data.bandwidth is 0.0", "positive"]),
        (MOONS + "dimensions = 4", ["data.dimensions is 4", "1, 2 or 3"]),
        ("[[data.mixture]]\nmean = [0.0]\nstd = -1.0", ["data.mixture[0].std is -1.0", "positive"]),
        ("[[data.mixture]]\nmean = [0.0, 1.0]\ncovariance = [[1.0]]", ["data.mixture[0]", "2 x 2"]),
        ("[[data.mixture]]\nmean=[0.0]\nstd=1.0\n[[data.mixture]]\nmean=[0.0, 1.0]\nstd=1.0", ["data", "same number"]),
    ],
)
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


FULL = """
[[data.mixture]]
label = "a \\"b\\""
mean = [0.0, 1.5]
covariance = [[1.0, 0.25], [0.25, 0.5]]
[[data.mixture]]
label = "c"
mean = [1.0, 1e-7]
std = 0.5
weight = 2.0
[network]
times = [0.0, 0.5, 2.0]
[physics]
potential = ["x1**2", "sin(pi*x2)"]
energy = {kind = "focusing", weight = 0.3}
[[loss]]
kind = "density"
divergence = "kl"
layer = 1
[[loss.target]]
label = "c"
mean = [1.0, 2.0]
std = 0.5
[[loss]]
kind = "position"
targets = [[0.0, 1.0], [1.0, 0.0]]
[solver]
tao_type = "bntr"
tao_grtol = 1e-09
tao_monitor = ''
"""


@pytest.mark.parametrize("text", [MOONS, FULL, MOONS + "[domain]\nlower=[-3.0, -3.0]\nupper=[3.0, 3.0]\nnodes=[4, 5]"])
def test_written_problem_is_complete_and_read_back_the_same(text: str, tmp_path: Path) -> None:
    made = check(text, tmp_path)
    written = config.dumps(made, tmp_path)
    assert check(written, tmp_path).model_dump() == made.model_dump()
    assert config.dumps(check(written, tmp_path), tmp_path) == written
    for key in ("noise = 0.02", "seed = 0", "bandwidth = 0.2", 'scheme = "euler-box"', "margin = 1.0"):
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
