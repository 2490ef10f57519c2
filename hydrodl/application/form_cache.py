"""DOLFINx's cache of compiled forms, where a killed process leaves a mark that says it is still compiling.

A form is ``NAME.c`` from the moment that some process compiles it, and ``NAME.c.cached`` once it can be used. Without
the second, DOLFINx waits ten seconds and gives up, in every later run. What has not changed for a minute, and no
compiler is at work on, is taken away; processes on other machines may share the folder, so nothing younger is.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

QUIET = 60.0
"""Seconds without change after which nobody is compiling a form."""


def folder() -> Path:
    """Where compiled forms are."""
    from dolfinx import jit

    return Path(jit.get_options()["cache_dir"])


def mend(cache: Path, now: float | None = None) -> list[str]:
    """Take away what killed processes left unfinished; the names of those forms. On one rank."""
    try:
        names = set(os.listdir(cache))  # thousands, at the start of every command
    except OSError:  # there is no cache yet, or none that can be read
        return []
    open_forms = [name[:-2] for name in names if name.endswith(".c") and f"{name}.cached" not in names]
    if not open_forms:
        return []
    compiling = _command_lines()
    now = time.time() if now is None else now
    mended = []
    for form in open_forms:
        files = [cache / name for name in names if name.startswith(f"{form}.")]
        if form not in compiling and now - max(map(_changed, files)) > QUIET:
            for path in files:
                path.unlink(missing_ok=True)
            mended.append(form)
    return mended


def wait_and_mend(error: BaseException) -> list[str]:
    """Where DOLFINx gave up waiting for a form: wait until nobody can be compiling it, and mend; else nothing."""
    if "JIT compilation timed out" not in str(error):
        return []
    time.sleep(QUIET)
    return mend(folder())


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _command_lines() -> str:
    lines = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
    return "\n".join(lines)


def no_forms(error: BaseException) -> str:
    """In one line why forms cannot be compiled or kept, if that is what an error is about; else empty."""
    names = {base.__name__ for base in type(error).__mro__}
    if names & {"VerificationError", "CompileError", "PlatformError"} or "Failed JIT compilation" in str(error):
        reason = str(error).strip().splitlines()[-1]
        return f"forms cannot be compiled: {reason}; a C compiler is needed, cc or gcc on the PATH"
    if isinstance(error, OSError) and error.filename and str(error.filename).startswith(str(folder())):
        return f"compiled forms cannot be kept in {folder()}: {error.strerror}; XDG_CACHE_HOME names another folder"
    if isinstance(error, RuntimeError) and "no locator available" in str(error):
        return "compiled kernels cannot be kept; NUMBA_CACHE_DIR names a folder that can be written"
    return ""
