"""Signals that ask a command to end: Ctrl-C, SIGTERM of a queue, SIGHUP of a terminal that closes, SIGQUIT.

A run listens and ends in order; any other command ends at once, in one line. What was ignored when the program began
(nohup, a shell's jobs in the background) stays ignored, and afterwards all is as it was.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


TYPED = (signal.SIGINT, signal.SIGQUIT)
"""Those that a person types."""


AGAIN = 1.0
"""Seconds after which a signal is a second wish; what comes sooner is the first, passed on by mpiexec and terminal."""


class Stopped(BaseException):
    """A signal ends the command at once."""

    def __init__(self, number: int, words: str = "stopped by") -> None:
        super().__init__(f"{words} {signal.Signals(number).name}")


@contextmanager
def caught(act: Callable[[int], None]) -> Iterator[None]:
    """While this lasts, the signals call ``act`` with their number. Only in the main thread, where Python can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ASKING}
    listening = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in listening:
        signal.signal(number, lambda found, _: act(found))
    try:
        yield
    finally:
        for number in listening:
            signal.signal(number, before[number])


def ending_at_once() -> Callable[[int], None]:
    """What to do on signals outside of training: the first ends the command, others are the same wish."""
    asked: list[int] = []

    def end(number: int) -> None:
        asked.append(number)
        if len(asked) == 1:
            raise Stopped(number)

    return end
