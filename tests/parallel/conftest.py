"""Every rank runs the same tests, and a test passes where it passes on every rank.

    mpiexec -n 2 python -m pytest tests/parallel

Rank 0 prints, for all. After each phase of a test the ranks tell each other how it went, so that a failure on one is a
failure on all; a rank whose others do not come says so and ends the run. A test in which every rank waits is ended by
``faulthandler_timeout`` (pyproject.toml), which shows where each of them stands.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Generator
from pathlib import Path

import hydrodl  # noqa: F401

# isort: split
import pytest
from mpi4py import MPI

from hydrodl.application.speech import passed_on

RANKS = MPI.COMM_WORLD.Dup()  # the tests' own messages go another way
PATIENCE = {"failed": 120.0, "passed": 600.0, "skipped": 600.0}
"""Seconds that a rank waits for the others at the end of a phase; a rank that failed may have left them waiting."""


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if RANKS.rank > 0:
        config.pluginmanager.unregister(name="terminalreporter")
        config.pluginmanager.register(pytest.TerminalReporter(config, io.StringIO()), "terminalreporter")


def pytest_collection_finish(session: pytest.Session) -> None:
    found = [item.nodeid for item in session.items]
    if any(other != found for other in RANKS.allgather(found)):
        raise pytest.UsageError("the ranks found different tests: they must run the same ones in the same order")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    together = told(
        f"{report.when} of {item.nodeid}", report.outcome, re.sub("0x[0-9a-f]+", "0x..", report.longreprtext)
    )
    if len({outcome for outcome, _ in together}) > 1 or report.outcome == "failed":
        alike: dict[tuple[str, str], list[str]] = {}
        for rank, said in enumerate(together):
            alike.setdefault(said, []).append(str(rank))
        report.outcome = "failed"
        report.longrepr = "\n".join(f"--- on rank {', '.join(r)}: {how}\n{text}" for (how, text), r in alike.items())
    return report


def told(what: str, outcome: str, text: str) -> list[tuple[str, str]]:
    """What every rank has to tell of this phase."""
    arrived, began = RANKS.Ibarrier(), time.monotonic()
    while not arrived.Test():
        if time.monotonic() - began > PATIENCE[outcome]:
            waited = f"rank {RANKS.rank} waited {PATIENCE[outcome]:g} s for the others at the end of the {what}"
            os.write(2, f"\n{waited}, which {outcome} here\n{text}\n".encode())
            passed_on()
            RANKS.Abort(1)
        time.sleep(0.001)
    return RANKS.allgather((outcome, text))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One folder for all ranks."""
    return RANKS.bcast(tmp_path)


def pytest_unconfigure() -> None:
    RANKS.Free()
