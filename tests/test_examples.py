"""Every public name has an example in its docstring, and what the example says is so.

They go on from the examples of ``hydrodl`` and ``hydrodl.analysis`` themselves, which are run once.
"""

from __future__ import annotations

import doctest
from typing import Any

import pytest

import hydrodl as hd

FACES = {"hd": hd, "hd.analysis": hd.analysis, "hd.plot": hd.plot}
NOT_EXPLAINED = {"DATASETS", "analysis", "plot"}  # a table and two faces
NAMES = [f"{face}.{name}" for face, module in FACES.items() for name in module.__all__ if name not in NOT_EXPLAINED]


def run(name: str, text: str | None, names: dict[str, Any]) -> None:
    """Run the examples in a text; names that they set stay in ``names``."""
    test = doctest.DocTestParser().get_doctest(text or "", names, name, None, None)
    assert test.examples, f"{name} has no example"
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append, clear_globs=False)
    assert result.failed == 0, "".join(said)
    names.update(test.globs)


@pytest.fixture(scope="module")
def shared() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for module in (hd, hd.analysis):
        run(module.__name__, module.__doc__, names)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_right(
    name: str, shared: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    face, _, last = name.rpartition(".")
    run(name, getattr(FACES[face], last).__doc__, dict(shared))
