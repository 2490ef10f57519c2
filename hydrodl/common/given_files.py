"""Files that a user names, who may have the name from a stranger."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hydrodl.common.errors import InputError


def read_given(path: Path, name: str, most: int | None = None, wrong: type[InputError] = InputError) -> bytes:
    """What is in a file.

    Args:
        path: of the file.
        name: what to call it in messages.
        most: bytes that are allowed.
        wrong: the error to raise.

    Raises:
        InputError: (or ``wrong``) no such file; a pipe or a device, which may never end; a file that cannot be read,
            or is too long.
    """
    try:
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise wrong(f"{name} cannot be read: it is a pipe or a device")
        with path.open("rb") as file:
            content = file.read() if most is None else file.read(most + 1)
    except FileNotFoundError:
        raise wrong(f"{name}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise wrong(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if most is not None and len(content) > most:
        raise wrong(f"{name} is too long, at most {most} bytes are allowed")
    return content
