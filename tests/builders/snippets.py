"""Fenced snippets of Markdown pages and cells of notebooks, run as a reader would run them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.builders.launch import AT_MOST, SLEEPING

ROOT = Path(__file__).resolve().parents[2]
STRICT = """import warnings
from sklearn.exceptions import ConvergenceWarning
for kind in (ConvergenceWarning, RuntimeWarning):
    warnings.simplefilter("error", kind)
"""
"""What stands before a session: a snippet that does not converge, or solves another problem, is no example."""


def snippets(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path, timeout: float = AT_MOST) -> str:
    """Run one command in a folder with this environment's commands first, and return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | SLEEPING,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def cells(notebook: Path) -> list[str]:
    """The code of a notebook, cell by cell."""
    found = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


def execute(cell: str, where: str, names: dict[str, Any]) -> None:
    """Run a cell in a session's names, and show the value of a last expression as a notebook does."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), where, "eval"), names)
        for show in ("__repr__", "_repr_html_"):
            getattr(value, show, str)()
