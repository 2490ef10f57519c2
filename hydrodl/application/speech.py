"""What the command says: lines on standard output, one line of complaint on standard error. Rank 0 speaks for all."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mpi4py import MPI

from hydrodl.common.progress import shown
from hydrodl.common.text import printable

_LONGEST = 2000  # characters of a message


@contextmanager
def speaking(quiet: bool, verbose: int, aside: bool = False) -> Iterator[None]:
    """Progress as ``-q`` and ``-v`` ask; aside: on standard error, because standard output is for a program."""
    with shown(0 if quiet else 1 + verbose, sys.stderr if aside else None):
        yield


def say(*lines: str) -> None:
    """Lines on standard output."""
    for text in lines:
        print(printable(text))


def one_line(message: str) -> str:
    """A complaint as it is written."""
    text = printable(" ".join(message.split()))
    return f"hydrodl: {text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}"


def complain(message: str) -> None:
    """One line on stderr, from rank 0."""
    if MPI.COMM_WORLD.rank == 0:
        speak([one_line(message)])


def speak(lines: Sequence[str]) -> None:
    """Lines on stderr."""
    with suppress(OSError):  # stderr may be gone too
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        sys.stderr.flush()


def passed_on(stream: int = 2, at_most: float = 60.0, moment: float = 1.0) -> None:
    """Wait for the launcher to read what this rank has said (seconds), and a moment more for launchers without a pipe.

    An abort overtakes what is still unread: Hydra serves it first, and may end before it comes to the text.
    """
    deadline = time.monotonic() + at_most
    while _unread(stream) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(moment)


def _unread(stream: int) -> int:
    """Bytes in a pipe; 0 for a file or a terminal, where nothing is lost."""
    with suppress(OSError):
        if stat.S_ISFIFO(os.fstat(stream).st_mode):
            return int.from_bytes(fcntl.ioctl(stream, termios.FIONREAD, bytes(4)), sys.byteorder)
    return 0


def warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """In the place of ``warnings.showwarning``."""
    complain(f"warning: {message}")


def mended(forms: Sequence[str]) -> None:
    """What is said of compiled forms that were mended, see :mod:`~hydrodl.application.form_cache`."""
    if forms:
        complain(f"warning: {len(forms)} compiled forms were left unfinished by processes that were killed: mended")


def lost(error: OSError) -> None:
    """What is said where standard output fails a run."""
    if not isinstance(error, BrokenPipeError):  # that reader has seen enough
        complain(f"warning: {no_output(error)}; the run goes on")


def no_output(error: OSError) -> str:
    """Why standard output cannot be written."""
    return f"standard output cannot be written: {error.strerror or error}"
