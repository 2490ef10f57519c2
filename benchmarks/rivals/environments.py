"""Finds or makes the environment of another package, and runs a program in it; hydrodl's own is never touched."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "MPLBACKEND": "agg",
}


class UnavailableError(Exception):
    """A package cannot be installed here, or its program failed; the message says which and why."""


def options(description: str, limit: float) -> argparse.ArgumentParser:
    """Options that all comparisons have; ``limit`` is the default of the one by that name."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(tempfile.gettempdir()) / "hydrodl-rivals"
    parser.add_argument("--cache", type=Path, default=default, help="folder of the other packages' environments")
    parser.add_argument("--limit", type=float, default=limit, help="CPU seconds after which the other one is stopped")
    parser.add_argument("--small", action="store_true", help="a small size, to see that it works")
    return parser


def environment(cache: Path, name: str, packages: list[str]) -> Path:
    """The Python of a virtual environment with these packages, made when it is not there."""
    folder = cache / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _quietly([sys.executable, "-m", "venv", "--clear", str(folder)], packages)
        _quietly([str(python), "-m", "pip", "install", "--quiet", *packages], packages)
        (folder / "ready").touch()
    return python


def beside(cache: Path, name: str, packages: list[str]) -> Path:
    """A folder with these packages without their dependencies, for PYTHONPATH beside hydrodl's own environment."""
    folder = cache / name
    if not (folder / "ready").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(folder)]
        _quietly(pip + packages, packages)
        (folder / "ready").touch()
    return folder


def _quietly(command: list[str], packages: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnavailableError(f"{', '.join(packages)} cannot be installed here: {last}")


def run(python: Path | str, program: str, arguments: list[str], path: Path | None = None) -> dict[str, Any]:
    """Run a program of this folder on one thread and read the JSON of its last line.

    Args:
        python: the interpreter.
        program, arguments: what it runs.
        path: a folder from ``beside``, for a program in hydrodl's own environment. Its compiled forms are cached
            in a folder of their own: a search through a long-used cache of FFCx would be held against it.
    """
    search = {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(path)])} if path else {}
    if path:
        search["XDG_CACHE_HOME"] = str(path.parent / f"{path.name}-forms")
    command = [str(python), str(HERE / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD | search)
    if done.returncode:
        raise UnavailableError(f"{program} failed:\n{done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
