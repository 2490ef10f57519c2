"""The C compiler that DOLFINx needs when a form is first used, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hydrodl.common.errors import InputError


def no_compiler(error: BaseException) -> str:
    """In one line that forms cannot be compiled, if that is what an error is about; else empty."""
    names = {base.__name__ for base in type(error).__mro__}
    if not names & {"VerificationError", "CompileError", "PlatformError"} and "Failed JIT compilation" not in str(
        error
    ):
        return ""
    reason = str(error).strip().splitlines()[-1]
    return f"forms cannot be compiled: {reason}; a C compiler is needed, cc or gcc on the PATH"


@contextmanager
def first_forms() -> Iterator[None]:
    """Around the first forms of a program: a missing compiler is one line in the place of its own traceback."""
    try:
        yield
    except Exception as error:
        if words := no_compiler(error):
            raise InputError(f"{words} (Debian and Ubuntu: apt-get install gcc libc6-dev)") from None
        raise
