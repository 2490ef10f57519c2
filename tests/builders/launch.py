"""Programs that need MPI ranks of their own: a command line and its exit code, a rank that is killed, a demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

COMMAND = "from hydrodl.application.cli import main; main()"
AT_MOST = 600.0
"""Seconds; a loaded machine takes long."""

SLEEPING = {"MPIR_CVAR_ENABLE_HEAVY_YIELD": "1", "MPIR_CVAR_POLLS_BEFORE_YIELD": "10"}
"""Environment of ranks that sleep while they wait: other tests and programs may want the cores too."""


def launch(
    script: Path | str, ranks: int, *args: object, timeout: float = AT_MOST, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished processes, whatever the exit code; ``script`` is a path or Python code."""
    found = [Path(sys.executable).parent / "mpiexec", shutil.which("mpiexec")]
    mpiexec = next((str(path) for path in found if path is not None and Path(path).exists()), None)
    if mpiexec is None:
        raise FileNotFoundError("no mpiexec beside this Python nor on the path")
    # MPIEXEC_TIMEOUT ends every rank in an orderly way; subprocess would end mpiexec alone.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPIEXEC_TIMEOUT": str(int(timeout))}
    environment |= SLEEPING
    done = subprocess.run(
        [mpiexec, "-n", str(ranks), *_python(script), *map(str, args)],
        env=environment,
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=timeout + 15,
        check=False,
    )
    if "APPLICATION TIMED OUT" in done.stdout + done.stderr:  # which mpiexec may well call a success
        done.returncode = done.returncode or 124
        done.stderr += f"\n{ranks} ranks did not end within {timeout:g} s: {script} {' '.join(map(str, args))}"
    return done


def run_alone(script: Path | str, *args: object, cwd: Path | None = None) -> str:
    """What a program of one rank prints, which may be started by a rank of others."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "MPI_", "HYD"))}
    command = [*_python(script), *map(str, args)]
    done = subprocess.run(
        command, env=own | {"OMP_NUM_THREADS": "1"}, cwd=cwd, text=True, capture_output=True, timeout=AT_MOST
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _python(script: Path | str) -> list[str]:
    return [sys.executable, *([str(script)] if isinstance(script, Path) else ["-c", script])]
