"""What a computation is at, for whoever wants to know: its phases, its Newton steps, and how long they took.

Where the work is done, ``phase`` and ``step`` say so. It goes to the logger "hydrodl", which is silent unless a program
sets up logging, and to the display that ``shown`` opens: live on a terminal and in a notebook, plain lines elsewhere.
Rank 0 alone speaks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from mpi4py import MPI

from hydrodl.common.displays import NOTICED, Display, display_on, ended, line

LOG = logging.getLogger("hydrodl")
LOG.addHandler(logging.NullHandler())  # what a library does: whether and where records go is the program's affair


_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def shown(verbose: int, stream: TextIO | None = None) -> Iterator[None]:
    """While this lasts progress is displayed; inside of another such display, by that one.

    Args:
        verbose: 0: nothing; 1: steps, and phases of more than two seconds; 2: every phase.
        stream: to write to; None: standard output.
    """
    if verbose <= 0 or _display.get() is not None or MPI.COMM_WORLD.rank != 0:
        yield
        return
    display = display_on(stream, int(verbose))
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)
        display.close()


class Phase:
    """A phase under way; ``outcome`` is what to say of its end, if anything."""

    outcome = ""


@contextmanager
def phase(what: str, after: float | None = None) -> Iterator[Phase]:
    """Around a part of the work that may take seconds, such as "drawing densities.png".

    Args:
        what: as a person would say it.
        after: seconds after which it is announced; None: two.
    """
    display, began, found = _display.get(), time.monotonic(), Phase()
    if display is not None:
        display.entered(what, after)
    try:
        yield found
    finally:
        seconds = time.monotonic() - began
        if display is not None:
            display.left(seconds, found.outcome)
        _log(logging.INFO if seconds > NOTICED else logging.DEBUG, ended(what, seconds, found.outcome))


def step(entry: Mapping[str, Any]) -> None:
    """A step of the optimiser: a mapping with iteration, objective, gradient_norm, cg_iterations, seconds."""
    display = _display.get()
    if display is not None:
        display.stepped(entry)
    if LOG.isEnabledFor(logging.INFO):
        _log(logging.INFO, line(entry, entry["seconds"]))


def say(words: str) -> None:
    """A line about the work, such as its sizes."""
    display = _display.get()
    if display is not None:
        display.say(words)
    _log(logging.INFO, words)


def _log(level: int, words: str) -> None:
    if MPI.COMM_WORLD.rank == 0:
        LOG.log(level, words)
