"""Tests on several ranks fail where one rank fails, and end where ranks wait for each other for ever."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.builders.launch import launch

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[1]
CONFTEST = (ROOT / "tests/parallel/conftest.py").read_text()
PYTEST = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
TESTS = """
import pytest
from mpi4py import MPI
WORLD = MPI.COMM_WORLD
@pytest.fixture
def lame():
    assert WORLD.rank != 1, "lame"
def test_fine(folder):
    assert all(other == folder for other in WORLD.allgather(folder))
def test_one_fails():
    assert WORLD.rank != 1, "alone"
def test_set_up_fails(lame):
    pass
def test_one_leaves_out():
    if WORLD.rank == 1:
        pytest.skip("no time")
def test_all_fail():
    assert False, "together"
"""
LEFT = """
from mpi4py import MPI
def test_one_leaves_the_others_waiting():
    assert MPI.COMM_WORLD.rank != 0, "gone"
    MPI.COMM_WORLD.barrier()
"""
STUCK = """
from mpi4py import MPI
def test_all_wait():
    MPI.COMM_WORLD.recv()
"""


def run(folder: Path, tests: str, *options: str, conftest: str = CONFTEST) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_some.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return launch(PYTEST, 2, "-q", "-p", "no:cacheprovider", *options, folder, cwd=ROOT)


def test_a_failure_on_one_rank_is_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)
    assert done.returncode == 1
    assert done.stdout.count("3 failed, 1 passed, 1 error in") == 1, done.stdout  # rank 0 speaks for both
    for rank_and_words in ("on rank 1: failed", "alone", "lame", "on rank 0: passed", "on rank 1: skipped"):
        assert rank_and_words in done.stdout
    assert "AssertionError: together" in done.stdout and "on rank 0, 1: failed" in done.stdout


def test_ranks_that_find_other_tests_do_not_start(tmp_path: Path) -> None:
    tests = "from mpi4py import MPI\ndef test_some(): pass\nif MPI.COMM_WORLD.rank:\n    def test_more(): pass\n"
    done = run(tmp_path, tests)
    assert done.returncode != 0 and "the ranks found different tests" in done.stdout + done.stderr


def test_a_rank_that_left_the_others_waiting_ends_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, LEFT, conftest=CONFTEST.replace('"failed": 120.0', '"failed": 1.0'))
    assert done.returncode not in (0, 124)
    assert "rank 0 waited 1 s for the others at the end of the call of" in done.stderr
    assert "test_one_leaves_the_others_waiting" in done.stderr and "gone" in done.stderr


def test_ranks_that_all_wait_are_ended_and_show_where(tmp_path: Path) -> None:
    done = run(tmp_path, STUCK, "-o", "faulthandler_timeout=2", "-o", "faulthandler_exit_on_timeout=true")
    assert done.returncode not in (0, 124)
    assert "in test_all_wait" in done.stderr


def test_the_launcher_reports_failure_and_ends_a_deadlock() -> None:
    assert launch("import sys; sys.exit(3)", 2).returncode == 3
    done = launch("import time; time.sleep(600)", 2, timeout=2)
    assert done.returncode != 0 and "2 ranks did not end within 2 s" in done.stderr


def test_the_suite_is_ended_like_that(request: pytest.FixtureRequest) -> None:
    assert float(request.config.getini("faulthandler_timeout")) >= 600
    assert request.config.getini("faulthandler_exit_on_timeout") is True
