"""Progress goes to the logger "hydrodl" and to the display that is open; without either nothing is said."""

from __future__ import annotations

import logging
import sys
import time
import types
from typing import Any

import pytest

from hydrodl.common import displays, progress
from hydrodl.common.displays import Lines, Notebook, Terminal

STEP = {"iteration": 3, "objective": 1.5, "gradient_norm": 2e-3, "cg_iterations": 7, "seconds": 0.5}


class Screen:
    """A terminal that keeps what is written."""

    encoding = "utf-8"

    def __init__(self, terminal: bool = True) -> None:
        self.text, self._terminal = "", terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return self._terminal


def work() -> None:
    progress.say("4 layers")
    with progress.phase("drawing [a].png"):
        progress.step(STEP | {"round": 2, "stage": 0, "easier": True})
    with progress.phase("analysis") as told:
        told.outcome = "left out: <b>"


def test_a_library_is_silent_unless_a_program_asks(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert [type(handler) for handler in progress.LOG.handlers] == [logging.NullHandler]
    assert progress.LOG.level == logging.NOTSET
    work()
    assert capsys.readouterr() == ("", "") and not caplog.records
    with caplog.at_level(logging.DEBUG, "hydrodl"):
        work()
    assert {record.name for record in caplog.records} == {"hydrodl"}
    told = [(record.levelname, record.getMessage().split(":")[0]) for record in caplog.records]
    assert told == [
        ("INFO", "4 layers"),
        ("INFO", "newton   3  objective 1.500000e+00  gradient 2.0e-03  cg 7  0.5 s  (round 2)  (easier problem 1)"),
        ("DEBUG", "drawing [a].png"),
        ("DEBUG", "analysis"),
    ]


def test_plain_lines_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    for verbose, noticed, phases in ((1, 600.0, 0), (2, 600.0, 1), (1, 0.0, 1)):
        monkeypatch.setattr(displays, "NOTICED", noticed)
        log: Any = Screen(terminal=False)
        with progress.shown(verbose, log), progress.shown(1, log):  # one display, however many ask for one
            work()
        lines = [line for line in log.text.splitlines() if not line.startswith("...")]
        assert lines[0] == "4 layers" and lines[1].startswith("newton   3  objective 1.5")
        assert sum(line.startswith("drawing [a].png: 0.0 s") for line in lines) == phases
        assert "analysis: left out: <b> (0.0 s)" in lines
    quiet: Any = Screen(terminal=False)
    with progress.shown(0, quiet):
        work()
    assert quiet.text == ""


def test_a_phase_of_more_than_two_seconds_is_announced_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displays, "NOTICED", 0.01)
    log: Any = Screen(terminal=False)
    with progress.shown(1, log), progress.phase("drawing"):
        while "... drawing, 0.01 s so far" not in log.text:
            time.sleep(0.005)


def test_a_table_that_moves_on_a_terminal() -> None:
    screen: Any = Screen()
    assert isinstance(displays.display_on(None, 1), Lines)
    with progress.shown(1, screen):
        work()
    assert "4 layers" in screen.text and "analysis: left out: <b> (0.0 s)" in screen.text
    assert all(word in screen.text for word in (*displays.HEADER, "1.500000e+00", "round 2"))
    shown: Any = displays.display_on(screen, 1)
    assert isinstance(shown, Terminal)
    shown.close()


def test_a_cell_of_a_notebook_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    handle = types.SimpleNamespace(update=seen.append)
    shell = type("ZMQInteractiveShell", (), {})()
    fake = types.ModuleType("IPython")
    fake.get_ipython = lambda: shell  # type: ignore[attr-defined]
    fake.display = types.ModuleType("IPython.display")  # type: ignore[attr-defined]
    fake.display.HTML = str
    fake.display.display = lambda *_, **__: handle
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", fake.display)
    shown = displays.display_on(None, 1)
    assert isinstance(shown, Notebook)
    shown.close()
    with progress.shown(1):
        work()
    assert any("drawing [a].png ..." in text for text in seen)
    assert "<td>1.500000e+00</td>" in seen[-1] and "&lt;b&gt;" in seen[-1] and "<b>" not in seen[-1]
