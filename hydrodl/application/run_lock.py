"""One run at a time in a folder: a lock that names its owner, and that is known for stale when the owner is gone.

The system itself frees the lock of a process that ends, however it ends; the file says who that was. A file system may
not pass locks on between machines, so what another machine left is never taken for stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from mpi4py import MPI

from hydrodl.common.errors import InputError
from hydrodl.common.parallel import on_root

LOCK = ".hydrodl.lock"


_LONGEST = 1000  # bytes of a lock file


@contextmanager
def locked(folder: Path, comm: MPI.Comm) -> Iterator[None]:
    """Be the only run in a folder, which is there; collective, rank 0 holds the lock.

    Warns:
        UserWarning: the lock of a process that is gone was taken over.

    Raises:
        InputError: another run is at work there; its process and machine are named.
    """
    held: list[int] = []
    on_root(comm, lambda: held.append(_take(folder / LOCK)))
    try:
        yield
    finally:
        for handle in held:
            with suppress(OSError):  # the folder may be gone
                (folder / LOCK).unlink()  # before it is free, so that nobody waits at a file without a name
            os.close(handle)


def _take(path: Path) -> int:
    """The open lock file, ours."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            owner = _owner(handle)
            free = _try_lock(handle, owner)
            if not free or (owner and owner.get("host") != socket.gethostname()):
                raise _in_use(path, owner)
            if _is(handle, path):  # else its last owner has taken it away meanwhile
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    if owner:
        warnings.warn(f"{path.parent}: process {owner.get('process')} left its lock behind and is gone", stacklevel=2)
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    os.ftruncate(handle, 0)
    text = json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": started})
    os.pwrite(handle, text.encode(), 0)
    return handle


def _try_lock(handle: int, owner: dict[str, Any]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: its owner is gone if there is no such process
        number = owner.get("process")
        return not (isinstance(number, int) and psutil.pid_exists(number))
    return True


def _is(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _owner(handle: int) -> dict[str, Any]:
    """What the file says of its owner; nothing if it says nothing that makes sense."""
    try:
        found = json.loads(os.pread(handle, _LONGEST, 0))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_use(path: Path, owner: dict[str, Any]) -> InputError:
    who = f"process {owner.get('process')} on {owner.get('host')}, since {owner.get('since')}" if owner else "another"
    cure = "" if owner.get("host") == socket.gethostname() else f"; if it has ended, remove {path}"
    return InputError(f"a run is at work in {path.parent} ({who}); choose another --out, or wait for it{cure}")
