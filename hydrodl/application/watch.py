"""Watching a training run: checkpoints now and then, and stopping in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.application.defaults import SAVE_EVERY
from hydrodl.application.signals import AGAIN, TYPED, Stopped, caught
from hydrodl.common.parallel import largest
from hydrodl.problem.solution import Controls


class Watch:
    """The monitor of a run: saves now and then, and asks to stop at a deadline or on a signal.

    Args:
        comm: the ranks of the run; whether to save or stop is agreed between them at every step.
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
        save: Callable[[Controls], None],
        minutes: float | None = None,
        *,
        began: float | None = None,
        every: float = SAVE_EVERY,
        first: bool = True,
    ) -> None:
        self.comm, self.save = comm, save
        self.minutes, self.every, self.first = minutes, every, first
        self.saved = time.monotonic()
        self.began = self.saved if began is None else began
        self.signalled, self.asked = 0, 0.0  # the signal that asks to end, and when it came
        self.stopped = ""  # why the run was asked to stop

    def __call__(self, step: dict[str, Any]) -> bool:
        """One step of the optimiser; True asks it to stop."""
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
