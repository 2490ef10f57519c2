"""Watching a training run: progress for people, checkpoints for machines, and stopping in time."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import numpy as np
from mpi4py import MPI
from rich.console import Console
from rich.live import Live
from rich.table import Table

from hydrodl.application.defaults import SAVE_EVERY
from hydrodl.application.signals import AGAIN, TYPED, Stopped, caught
from hydrodl.common.parallel import largest
from hydrodl.problem.solution import Controls

_ROWS = 12  # Newton steps shown on a terminal


class Show(Protocol):
    """Takes what the optimiser's monitor is given, after every step."""

    def __call__(self, step: dict[str, Any]) -> None:
        """Show one step."""


def line(step: dict[str, Any], seconds: float) -> str:
    """One step as one line of a log."""
    return (
        f"newton {step['iteration']:3d}  objective {step['objective']:.6e}  gradient {step['gradient_norm']:.1e}  "
        f"cg {step['cg_iterations']}  {seconds:.1f} s{_of_easier(step)}"
    )


def _of_easier(step: dict[str, Any]) -> str:
    """Which of the easier problems a step belongs to, if any."""
    return f"  (easier problem {step['stage'] + 1})" if step.get("easier") else ""


@contextmanager
def progress(title: str, comm: MPI.Comm) -> Iterator[Show]:
    """A display for rank 0: live on a terminal, plain lines elsewhere; nothing on other ranks."""
    began = time.monotonic()
    if comm.rank != 0:
        yield lambda step: None
        return
    if not sys.stdout.isatty():
        print(title, flush=True)
        yield lambda step: print(line(step, time.monotonic() - began), flush=True)
        return
    rows: list[tuple[dict[str, Any], float]] = []
    with Live(_table(title, rows), console=Console(), refresh_per_second=4) as live:

        def show(step: dict[str, Any]) -> None:
            kept = {key: value for key, value in step.items() if key not in ("velocity", "controls")}
            rows.append((kept, time.monotonic() - began))
            live.update(_table(title, rows))

        yield show


def _table(title: str, rows: list[tuple[dict[str, Any], float]]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("Newton step", "objective", "gradient", "CG steps", "seconds"):
        table.add_column(name, justify="right")
    for step, seconds in rows[-_ROWS:]:
        numbers = (f"{step['objective']:.6e}", f"{step['gradient_norm']:.1e}", str(step["cg_iterations"]))
        table.add_row(str(step["iteration"]) + _of_easier(step), *numbers, f"{seconds:.1f}")
    return table


class Watch:
    """The monitor of a run: shows every step, saves now and then, and asks to stop at a deadline or on a signal.

    Args:
        comm: the ranks of the run; whether to save or stop is agreed between them at every step.
        show: called on every rank.
        save: collective, called with the controls of the step.
        minutes: time after ``began`` at which to stop, None for never.
        began: when the run began, by ``time.monotonic``; default now.
        every: least minutes between two saves; 0 saves at every step.
        first: save the starting point too, whatever the time: then there is something to resume from the beginning,
            and a disk without room is known of before the work is done.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        show: Show,
        save: Callable[[Controls], None],
        minutes: float | None = None,
        *,
        began: float | None = None,
        every: float = SAVE_EVERY,
        first: bool = True,
    ) -> None:
        self.comm, self.show, self.save = comm, show, save
        self.minutes, self.every, self.first = minutes, every, first
        self.saved = time.monotonic()
        self.began = self.saved if began is None else began
        self.signalled, self.asked = 0, 0.0  # the signal that asks to end, and when it came
        self.stopped = ""  # why the run was asked to stop

    def __call__(self, step: dict[str, Any]) -> bool:
        """One step of the optimiser; True asks it to stop."""
        self.show(step)
        now = time.monotonic()
        due = self.first if step["iteration"] == 0 else now - self.saved >= 60 * self.every
        late = self.minutes is not None and now - self.began >= 60 * self.minutes
        due, late, signalled = largest(self.comm, np.array([due, late, self.signalled]))
        if due:
            self.save(step["controls"])
            self.saved = time.monotonic()
        if signalled:
            self.stopped = f"stopped by {signal.Signals(signalled).name}"
        elif late:
            self.stopped = f"time limit of {self.minutes:g} min"
        return bool(self.stopped)

    @contextmanager
    def catching_signals(self) -> Iterator[None]:
        """While this lasts a signal ends the run at its next step; a second Ctrl-C ends it at once."""
        with caught(self._note):
            yield

    def _note(self, number: int) -> None:
        now = time.monotonic()
        if not self.signalled:
            self.signalled, self.asked = number, now
            if number in TYPED and self.comm.rank == 0:
                with suppress(OSError):  # not by print, which may be at work where the signal came
                    os.write(2, b"hydrodl: stopping at the next step; once more to stop at once\n")
        elif number in TYPED and now - self.asked >= AGAIN:
            raise Stopped(number, "stopped at once by")
