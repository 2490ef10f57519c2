"""The C compiler that DOLFINx needs when a form is first used: where there is none, one line says so at once."""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

from dolfinx import jit

from hydrodl.common.errors import InputError


def check_compiler() -> None:
    """Refuse to begin where no form can be compiled and none has been, instead of ending in the compiler's traceback.

    Raises:
        InputError: the compiler of Python's own settings, or that of CC, is not on the PATH, and no form is cached.
    """
    words = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(words[0]) or any(Path(jit.get_options()["cache_dir"]).glob("*.cached")):
        return
    raise InputError(
        f"forms cannot be compiled: there is no {words[0]}; a C compiler is needed, cc or gcc on the PATH (Debian and "
        "Ubuntu: apt-get install gcc libc6-dev)"
    )
