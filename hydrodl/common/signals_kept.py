"""Libraries that answer signals in their own way when they are imported: what signals did before is put back."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 512  # bytes, more than any system's struct sigaction


@contextmanager
def signals_kept() -> Iterator[None]:
    """What every signal does before it does after it, whatever is imported within.

    Python's own ``signal`` sees the handlers of Python alone, so this asks the system.
    """
    library = ctypes.CDLL(None)
    numbers = [number for number in signal.Signals if number not in (signal.SIGKILL, signal.SIGSTOP)]
    before = {number: ctypes.create_string_buffer(_ROOM) for number in numbers}
    known = [number for number in numbers if library.sigaction(int(number), None, before[number]) == 0]
    try:
        yield
    finally:
        for number in known:
            library.sigaction(int(number), before[number], None)
