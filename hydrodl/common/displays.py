"""Progress for people: plain lines in a log, a table that moves on a terminal, the same in a notebook."""

from __future__ import annotations

import html
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TextIO

from hydrodl.common.patience import SILENCE, Patience
from hydrodl.common.text import printable

HEADER = ("Newton step", "objective", "gradient", "CG steps", "seconds")


ROWS = 12
"""Newton steps shown in a table."""


NOTICED = 2.0
"""Seconds after which a phase is announced."""


class Display(Protocol):
    """What shows progress to a person."""

    def say(self, words: str) -> None:
        """A line that stays."""

    def entered(self, what: str, after: float | None) -> None:
        """A phase has begun, to be announced after so many seconds; None: NOTICED."""

    def left(self, seconds: float, outcome: str) -> None:
        """It has ended: how, if that is worth a word."""

    def stepped(self, entry: Mapping[str, Any]) -> None:
        """The optimiser has made a step."""

    def close(self) -> None:
        """Nothing more will come."""


def line(entry: Mapping[str, Any], seconds: float) -> str:
    """One step of the optimiser as one line of a log."""
    return (
        f"newton {entry['iteration']:3d}  objective {entry['objective']:.6e}  gradient {entry['gradient_norm']:.1e}  "
        f"cg {entry['cg_iterations']}  {seconds:.1f} s{of(entry)}"
    )


def of(entry: Mapping[str, Any]) -> str:
    """Which round, and which of the easier problems a step belongs to, if any."""
    part = f"  (round {entry['round']})" if "round" in entry else ""
    return f"{part}  (easier problem {entry['stage'] + 1})" if entry.get("easier") else part


def display_on(stream: TextIO | None, verbose: int) -> Display:
    """The display that suits where the text goes."""
    if stream is None and _in_notebook():
        return Notebook(verbose)
    if (stream or sys.stdout).isatty():
        return Terminal(stream, verbose)
    return Lines(stream, verbose)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()  # type: ignore[attr-defined]
    return type(shell).__name__ == "ZMQInteractiveShell"


def ended(what: str, seconds: float, outcome: str) -> str:
    """What is said of a phase at its end."""
    return f"{what}: {outcome} ({seconds:.1f} s)" if outcome else f"{what}: {seconds:.1f} s"


class Lines:
    """One line a step, and one a phase of more than two seconds: when that has passed, and at its end.

    Args:
        stream: to write to; None: standard output, whatever it is at that time.
        verbose: 2: a line for every phase.
    """

    def __init__(self, stream: TextIO | None, verbose: int) -> None:
        self._stream, self._detail = stream, verbose > 1
        self._began, self._phases, self._open = time.monotonic(), list[tuple[str, float]](), ExitStack()
        self._patience = Patience(self.say, SILENCE)
        self._open.enter_context(self._patience.watching(""))

    def say(self, words: str) -> None:
        """A line that stays."""
        print(printable(words), file=self._stream, flush=True)

    def entered(self, what: str, after: float | None) -> None:
        """A phase has begun."""
        self._phases.append((what, NOTICED if after is None else after))
        self._patience.at(*self._phases[-1])

    def left(self, seconds: float, outcome: str) -> None:
        """It has ended."""
        what, after = self._phases.pop()
        self._patience.at(self._phases[-1][0] if self._phases else "")
        if self._detail or outcome or seconds > after:
            self.say(ended(what, seconds, outcome))

    def stepped(self, entry: Mapping[str, Any]) -> None:
        """A step of the optimiser."""
        self.say(line(entry, time.monotonic() - self._began))
        self._patience.at(f"step {entry['iteration'] + 1}")

    def close(self) -> None:
        """Nothing more will come."""
        self._open.close()


class _Board:
    """What a display that moves shows: the last lines, the last steps, and what goes on."""

    def __init__(self, verbose: int) -> None:
        self.began, self.detail = time.monotonic(), verbose > 1
        self.lines: list[str] = []
        self.steps: list[Sequence[str]] = []
        self.phases: list[tuple[str, float, float]] = []  # name, seconds until it is announced, when it began
        self._next: tuple[str, float] | None = None  # the step that comes, and since when

    @property
    def now(self) -> tuple[str, float]:
        """What goes on and for how long; asked for by another thread."""
        last, coming = self.phases[-1:], self._next
        if not last:
            return "", 0.0
        what, since = (last[0][0], last[0][2]) if coming is None else (f"{last[0][0]}, {coming[0]}", coming[1])
        return what, time.monotonic() - since

    def enter(self, what: str, after: float | None) -> None:
        """A phase begins."""
        self.phases.append((what, NOTICED if after is None else after, time.monotonic()))
        self._next = None

    def ended(self, seconds: float, outcome: str) -> str:
        """What stays of a phase, if anything."""
        what, after, _ = self.phases.pop()
        self._next = None
        return ended(what, seconds, outcome) if self.detail or outcome or seconds > after else ""

    def add(self, entry: Mapping[str, Any]) -> None:
        """One more step."""
        numbers = (f"{entry['objective']:.6e}", f"{entry['gradient_norm']:.1e}", str(entry["cg_iterations"]))
        row = (f"{entry['iteration']}{of(entry)}", *numbers, f"{time.monotonic() - self.began:.1f}")
        self.steps = [*self.steps, row][-ROWS:]
        self._next = f"step {entry['iteration'] + 1}", time.monotonic()


class _Moving(ABC):
    """A display that is drawn again as things go on."""

    def __init__(self, verbose: int) -> None:
        self._board = _Board(verbose)

    @abstractmethod
    def say(self, words: str) -> None:
        """A line that stays."""

    @abstractmethod
    def _show(self) -> None:
        """Draw what the board holds now."""

    def entered(self, what: str, after: float | None) -> None:
        """A phase has begun."""
        self._board.enter(what, after)
        self._show()

    def left(self, seconds: float, outcome: str) -> None:
        """It has ended."""
        if words := self._board.ended(seconds, outcome):
            self.say(words)
        self._show()

    def stepped(self, entry: Mapping[str, Any]) -> None:
        """A step of the optimiser."""
        self._board.add(entry)
        self._show()

    def close(self) -> None:
        """The last table stays."""
        self._board.phases.clear()
        self._show()


class Terminal(_Moving):
    """A table of the last steps that moves, and under it what goes on and for how long; lines stay above it.

    Args:
        stream: the terminal; None: standard output.
        verbose: 2: a line for every phase.
    """

    def __init__(self, stream: TextIO | None, verbose: int) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(verbose)
        self._live = Live(self, console=Console(file=stream, highlight=False), refresh_per_second=4)
        self._live.start()

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        parts: list[Any] = []
        if self._board.steps:
            table = Table()
            for name in HEADER:
                table.add_column(name, justify="right")
            for row in self._board.steps:
                table.add_row(*row)
            parts.append(table)
        what, seconds = self._board.now
        if what:
            parts.append(Text(f"{printable(what)} ... {seconds:.0f} s", "dim"))
        return Group(*parts)

    def say(self, words: str) -> None:
        """A line that stays."""
        self._live.console.print(printable(words), markup=False)

    def _show(self) -> None:
        self._live.refresh()

    def close(self) -> None:
        """The last table stays."""
        super().close()
        self._live.stop()


class Notebook(_Moving):
    """The same in a cell's output, which is replaced as things go on.

    Args:
        verbose: 2: a line for every phase.
    """

    def __init__(self, verbose: int) -> None:
        from IPython.display import HTML, display

        super().__init__(verbose)
        self._html, self._handle = HTML, display(HTML(""), display_id=True)

    def say(self, words: str) -> None:
        """A line that stays."""
        self._board.lines.append(words)
        self._show()

    def _show(self) -> None:
        self._handle.update(self._html(self.html()))

    def html(self) -> str:
        """What the cell shows."""
        board = self._board
        words = [*board.lines, *([f"{board.now[0]} ..."] if board.now[0] else [])]
        text = "".join(f"<div>{html.escape(printable(line))}</div>" for line in words)
        cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in board.steps]
        head = "".join(f"<th>{name}</th>" for name in HEADER)
        table = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>" if cells else ""
        return f"<div>{text}{table}</div>"
