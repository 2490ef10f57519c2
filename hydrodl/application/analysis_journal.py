"""The parts of an analysis in turn, and what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable

from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.progress import phase


class Journal:
    """Does the parts of an analysis in turn: announces and times them, and notes why one could not be done.

    Attributes:
        notes: {key of analysis.json: what a reader must know of it}; seconds: {part: time}.
    """

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def note(self, key: str, reason: str) -> None:
        """Add to what is known of a key."""
        known = self.notes.get(key)
        self.notes[key] = f"{known}; {reason}" if known else reason

    def part[T](self, name: str, keys: tuple[str, ...], action: Callable[[], T]) -> T | None:
        """The result of a part, or None with a note for each key if the part does not apply or fails."""
        began = time.monotonic()
        found: T | None = None
        with phase(name) as told:
            try:
                found, told.outcome = action(), "done"
            except (InputError, SolverError) as error:  # the same on every rank
                told.outcome = f"left out: {error}"
                for key in keys:
                    self.note(key, str(error))
        self.seconds[name] = time.monotonic() - began
        return found
