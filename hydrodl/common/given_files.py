"""Files that a user names, who may have the name from a stranger."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hydrodl.common.errors import InputError


@contextmanager
def _named(name: str, wrong: type[InputError]) -> Iterator[None]:
    """Around the use of a file: what goes wrong is said of it by its name."""
    try:
        yield
    except FileNotFoundError:
        raise wrong(f"{name}: no such file") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise wrong(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def open_given(path: Path, name: str, wrong: type[InputError] = InputError) -> BinaryIO:
    """A file, to be read and closed.

    Args:
        path: of the file.
        name: what to call it in messages.
        wrong: the error to raise.

    Raises:
        InputError: (or ``wrong``) no such file; a pipe or a device, which may never end; a file that cannot be read.
    """
    with _named(name, wrong):
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise wrong(f"{name} cannot be read: it is a pipe or a device")
        return path.open("rb")


def read_given(path: Path, name: str, most: int) -> bytes:
    """What is in a file of at most so many bytes; as :func:`open_given`, and a longer one is refused."""
    with _named(name, InputError), open_given(path, name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{name} is too long, at most {most} bytes are allowed")
    return content
