"""The folder a program is started in is no place for settings: a stranger may have filled it.

PETSc (.petscrc, petsc.cfg), SLEPc, FFCx, DOLFINx, Matplotlib and Numba look there when they are imported or first
used, and what they find can name code to load. They look once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def elsewhere() -> Iterator[None]:
    """Be in the root folder of the system, which nobody but its owner fills, and then back."""
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    try:
        os.chdir("/")
        yield
    finally:
        os.fchdir(here)
        os.close(here)
