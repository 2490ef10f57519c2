"""A word when a computation seems to stand still: what it is at, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENCE = 10.0
"""Seconds without progress after which there is a word; the next comes after twice as long."""


class Patience:
    """Watches over progress from a thread of its own.

    Args:
        say: takes the word.
        silence: seconds before the first.
    """

    def __init__(self, say: Callable[[str], None], silence: float = SILENCE) -> None:
        self._say, self._usual, self._silence = say, silence, silence
        self._what, self._ended = "", False
        self._moved = threading.Condition()

    def at(self, what: str, silence: float | None = None) -> None:
        """There is progress: this is what comes now; nothing: what needs no word. Another silence for it alone."""
        with self._moved:
            self._what, self._silence = what, self._usual if silence is None else silence
            self._moved.notify_all()

    def _watch(self) -> None:
        with self._moved:
            while not self._ended:
                what, waited, wait = self._what, 0.0, self._silence
                while not self._moved.wait(wait):
                    waited, wait = waited + wait, 2 * wait
                    if what:
                        self._say(f"... {what}, {waited:.3g} s so far")

    @contextmanager
    def watching(self, what: str) -> Iterator[None]:
        """While this lasts silence is broken."""
        self._what = what
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._moved:
                self._ended = True
                self._moved.notify_all()
            thread.join()
