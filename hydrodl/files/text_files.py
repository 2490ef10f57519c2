"""Text and JSON files that one rank writes for all and that take their name when they are complete."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.parallel import on_root, replacing


def plain(value: Any) -> Any:
    """The same in JSON's types; a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, content: Any, comm: MPI.Comm) -> None:
    """Rank 0 writes JSON values, see :func:`plain`, for a person to read; collective."""
    write_text(path, json_text(content), comm)


def json_text(content: Any) -> str:
    """JSON for a person to read."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def write_text(path: Path, text: str, comm: MPI.Comm) -> None:
    """Rank 0 writes the file, which takes its name when it is complete; collective."""

    def write() -> None:
        with replacing(path) as file:
            file.write_text(text, encoding="utf-8")

    on_root(comm, write)
