"""A stopwatch of wall and CPU time that can be halted while a measurement is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time


class Clock:
    """Seconds since it was made, without those spent inside ``halted``."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    @property
    def wall(self) -> float:
        """Wall seconds."""
        return perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        """CPU seconds of this process, all threads."""
        return process_time() - self._cpu

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Stand still."""
        wall, cpu = self.wall, self.cpu
        yield
        self._wall, self._cpu = perf_counter() - wall, process_time() - cpu
