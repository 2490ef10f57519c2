"""The cache of compiled forms: what a killed process left is mended; without compiler or folder there is one line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ufl
from dolfinx import fem, jit
from mpi4py import MPI

import hydrodl as hd
from hydrodl.application import form_cache
from tests.builders.cli_runs import GAUSSIANS

LATER = form_cache.QUIET + 10


def test_a_form_that_a_killed_process_was_compiling_is_compiled_again(tmp_path: Path) -> None:
    domain = hd.Domain.interval(-1.0, 1.0, 5, comm=MPI.COMM_SELF)
    form = 3.25 * ufl.TestFunction(domain.V) * ufl.dx
    options = {"cache_dir": str(tmp_path), "timeout": 1}
    fem.form(form, jit_options=options)
    (mark,) = tmp_path.glob("*.cached")
    mark.unlink()  # it was killed before that
    with pytest.raises(TimeoutError) as error:
        fem.form(form, jit_options=options)
    assert "JIT compilation timed out" in str(error.value)  # what the command looks for
    assert form_cache.mend(tmp_path) == []  # somebody may be at work
    assert form_cache.mend(tmp_path, time.time() + LATER) == [mark.name.removesuffix(".c.cached")]
    fem.form(form, jit_options=options)
    assert mark.exists() and form_cache.mend(tmp_path, time.time() + LATER) == []


def test_what_a_compiler_is_at_work_on_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "libffcx_forms_busy.c").write_text("")
    process = subprocess.Popen([sys.executable, "-c", "input()", "libffcx_forms_busy.c"], stdin=subprocess.PIPE)
    try:
        assert form_cache.mend(tmp_path, time.time() + LATER) == []
    finally:
        process.communicate(b"\n")
    assert form_cache.mend(tmp_path, time.time() + LATER) == ["libffcx_forms_busy"]
    assert form_cache.mend(tmp_path / "nowhere") == []


def test_in_python_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nowhere/cc -O3")
    monkeypatch.setattr("dolfinx.jit.get_options", lambda: {"cache_dir": tmp_path})
    with pytest.raises(hd.InputError, match="there is no /nowhere/cc; a C compiler is needed"):
        hd.Domain.interval(0.0, 1.0, 3)
    (tmp_path / "form.c.cached").touch()
    assert hd.Domain.interval(0.0, 1.0, 3).nodes == 3  # what has been compiled can be used


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PATH": "/nowhere", "CC": "/nowhere/cc"}, "a C compiler is needed"),
        ({"XDG_CACHE_HOME": "/dev/null/cache"}, "XDG_CACHE_HOME names another folder"),
    ],
)
def test_without_compiler_or_cache_there_is_one_line(environment: dict[str, str], words: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(GAUSSIANS)
    own = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "hydrodl", "train", "p.toml", "--out", "o"],
        env=os.environ | own | environment,
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and words in done.stderr, done.stderr


def test_where_forms_are() -> None:
    assert form_cache.folder() == Path(jit.get_options()["cache_dir"])
