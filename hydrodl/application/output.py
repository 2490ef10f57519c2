"""Standard output that goes away: a reader that has seen enough, a full disk, a terminal that was closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Closed:
    """In the place of a standard output that was closed before the program began: writing fails, as it should."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Fail."""
        raise OSError("it is closed")

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        """No."""
        return False


class Unfailing:
    """Standard output of a run that must not end because nobody reads what it says.

    Args:
        stream: the real one.
        lost: told once, with the error, when it fails; from then on nothing is written.
    """

    def __init__(self, stream: Any, lost: Callable[[OSError], None]) -> None:
        self._stream, self._lost, self._works = stream, lost, True

    def write(self, text: str) -> int:
        """Write if that is possible."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        if self._works:
            try:
                action()
            except OSError as error:
                self._works = False
                discard(self._stream)
                self._lost(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def unfailing(lost: Callable[[OSError], None]) -> Iterator[None]:
    """While this lasts a failing standard output fails nobody."""
    stream = sys.stdout
    sys.stdout = Unfailing(stream, lost)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = stream


def discard(stream: Any) -> None:
    """Send what a stream still holds, and all that follows, nowhere."""
    with suppress(OSError, ValueError, AttributeError):  # a stream of Python's own has no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
