"""Demos at their small size, as scripts of the process that tests them."""

from __future__ import annotations

import contextlib
import io
import runpy
from pathlib import Path

import pytest

DEMOS = Path(__file__).parents[2] / "demos"


def demo(name: str, folder: Path) -> str:
    """What a demo prints in a folder."""
    script = str(DEMOS / f"{name}.py")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.chdir(folder)
        patch.setattr("sys.argv", [script, "--small"])
        runpy.run_path(script, run_name="__main__")
    return printed.getvalue()
