"""Runs a Python program on several MPI ranks with the environment's own mpiexec."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def launch(
    script: Path | str, ranks: int, *args: object, timeout: float = 120, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished process, whatever its exit code; ``script`` is a path or Python code."""
    found = [Path(sys.executable).parent / "mpiexec", shutil.which("mpiexec")]
    mpiexec = next((str(path) for path in found if path is not None and Path(path).exists()), None)
    if mpiexec is None:
        raise FileNotFoundError("no mpiexec beside this Python nor on the path")
    program = [str(script)] if isinstance(script, Path) or script.endswith(".py") else ["-c", script]
    command = [mpiexec, "-n", str(ranks), sys.executable, *program, *map(str, args)]
    # MPIEXEC_TIMEOUT ends every rank in an orderly way; subprocess would end mpiexec alone.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPIEXEC_TIMEOUT": str(int(timeout))}
    # Waiting ranks give way to working ones: other tests and programs may want the cores too.
    environment |= {"MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1"}
    done = subprocess.run(
        command, env=environment, cwd=cwd, text=True, capture_output=True, timeout=timeout + 15, check=False
    )
    if "APPLICATION TIMED OUT" in done.stdout + done.stderr:  # which mpiexec may well call a success
        done.returncode = done.returncode or 124
    return done


def run_on_ranks(script_path_or_code: Path | str, ranks: int, *args: object, timeout: float = 120) -> str:
    """What the program wrote to stdout.

    Raises:
        RuntimeError: it ended with another exit code than 0, or took longer than ``timeout`` seconds.
    """
    done = launch(script_path_or_code, ranks, *args, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"{ranks} ranks ended with exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
