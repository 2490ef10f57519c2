"""Numbers, names and TOML that are wrong end in one line that names them, before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydrodl.application.train_run import building
from tests.hostile import numbers
from tests.hostile.test_problem_files import refused_in_one_line

Captured = pytest.CaptureFixture[str]
PLANE = """
[[data.mixture]]
label = "a"
mean = [-0.5, 0.0]
std = 0.4
[[data.mixture]]
label = "b"
mean = [0.5, 0.0]
std = 0.4
[domain]
nodes = 5
[network]
layers = 2
[loss]
weight = 1.0
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.toml").write_text(PLANE)
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("make_domain", "densities_on"):
        monkeypatch.setattr(building, name, lambda *_, name=name, **__: pytest.fail(f"{name} was called"))


def test_numbers_out_of_range_are_named_with_what_is_allowed(capsys: Captured, nothing_built: None) -> None:
    for key, values in numbers.ASSIGNMENTS.items():
        for value in values:
            own = key.replace("mixture.0", "mixture[0]")
            words = own.rpartition(".")[0] if key in ("network.times", "physics.energy") else own
            words = "data.mixture[0]" if key.startswith(numbers.GAUSSIAN) else words
            refused_in_one_line(["train", "p.toml", "--out", "o", "--set", f"{key}={value}"], words, capsys)


def test_what_is_too_large_for_the_memory_says_so(capsys: Captured, nothing_built: None) -> None:
    for setting in ("network.layers=1000000000000", "domain.nodes=10000000", "data.samples=100000000000"):
        refused_in_one_line(["train", "p.toml", "--out", "o", "--set", setting], "of memory", capsys)


def test_names_that_are_no_files(capsys: Captured) -> None:
    for name in numbers.NAMES.values():
        for text in (
            f'[data]\nsource = "{name}"\nlabel = "y"\n',
            f'[data]\nsource = "two_moons"\nsamples = 20\n[domain]\nmesh = "{name}"\n',
        ):
            Path("p.toml").write_text(text)
            refused_in_one_line(["train", "p.toml", "--out", "o"], "", capsys)


def test_awkward_files(capsys: Captured, nothing_built: None) -> None:
    for name, (text, words) in numbers.WHOLE.items():
        Path("p.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        refused_in_one_line(["train", "p.toml", "--out", "o"], words, capsys)
        assert not Path("o").exists() or not list(Path("o").iterdir()), name


def test_unpleasant_words_on_the_command_line(capsys: Captured) -> None:
    for arguments in (
        ["train", "p.toml", "--out", "a\0b"],
        ["train", "p.toml", "--out", "a" * 300],
        ["train", "p.toml", "--out", "loop/o"],
        ["train", "\udcff.toml"],
        ["train", "p.toml", "--set", "physics.noise=\udcff"],
        ["train", "p.toml", "--time-limit", "1e400"],
        ["train", "p.toml", "--checkpoint-every", "-1e308"],
        ["analyze", "a\0b"],
        ["analyze", "p.toml", "--tolerance", "nan"],
        ["plot", "loop"],
        ["export", "."],
        ["predict", ".", "a\0b"],
    ):
        refused_in_one_line(arguments, "", capsys)


def test_there_are_enough_of_them() -> None:
    assert numbers.count() >= 100
