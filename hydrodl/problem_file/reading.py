"""The problem file: reading it, overriding keys, checking everything at once, and writing it back complete.

A wrong file raises one ``InputError`` that lists all that is wrong with it: the key, what was found, what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mpi4py import MPI
from pydantic import ValidationError

from hydrodl.common.errors import InputError
from hydrodl.common.parallel import on_root
from hydrodl.data.datasets import DATASETS
from hydrodl.problem_file import toml_text
from hydrodl.problem_file.march_schema import March
from hydrodl.problem_file.schema import Config
from hydrodl.problem_file.schema_errors import explain


def from_tables(tables: dict[str, Any], folder: Path) -> Config:
    """Check the tables of a problem file and make its paths absolute, taken relative to ``folder``.

    Raises:
        InputError: listing every unknown key (with the nearest known one), wrong type and value out of range.
    """
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        raise InputError(explain(error, Config, tables)) from None
    return _with_paths(config, lambda path: _absolute(folder / path))


def _absolute(path: Path) -> str:
    try:
        return str(path.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, NUL: whoever opens the file will say so
        return str(path)


def load(
    path: str | Path, overrides: Sequence[str] = (), *, check_data: bool = True, comm: MPI.Comm = MPI.COMM_WORLD
) -> Config:
    """Read and check a problem file on one rank, for all; collective.

    Args:
        path: the file.
        overrides: ``section.key=value`` texts, applied in order.
        check_data: see that a table named as data source is there.
        comm: the ranks that call.

    Raises:
        InputError: unreadable file, TOML syntax, wrong override, or anything :func:`from_tables` refuses.
    """
    content: Any = None
    if comm.rank == 0:
        try:
            content = from_tables(_overridden(Path(path), overrides), Path(path).parent)
            if check_data:
                _check_source(content)
        except InputError as error:
            content = error
    content = comm.bcast(content, root=0)
    if isinstance(content, InputError):
        raise content
    return content


def load_march(path: str | Path, overrides: Sequence[str] = (), *, comm: MPI.Comm = MPI.COMM_WORLD) -> March:
    """Read and check the file of a march on one rank, for all; collective.

    Raises:
        InputError: as :func:`load`.
    """

    def read() -> March:
        tables = _overridden(Path(path), overrides)
        try:
            return March.model_validate(tables)
        except ValidationError as error:
            raise InputError(explain(error, March, tables)) from None

    return on_root(comm, read)


def dumps(config: Config, folder: Path) -> str:
    """TOML text with every default written out and paths relative to ``folder``, where it will be kept."""
    home = folder.resolve()
    tables = _with_paths(config, lambda path: os.path.relpath(path, home)).model_dump()
    if config.network.times is not None:
        del tables["network"]["layers"], tables["network"]["depth"]
    if config.domain.mesh is not None:
        del tables["domain"]["nodes"], tables["domain"]["cells"]
    if len(config.loss) == 1:
        tables["loss"] = tables["loss"][0]
    return toml_text.dumps(tables)


def _overridden(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    tables = toml_text.read(path)
    toml_text.override(tables, overrides)
    return tables


def _with_paths(config: Config, change: Any) -> Config:
    data, domain = config.data, config.domain
    if data.is_table:
        data = data.model_copy(update={"source": change(data.source)})
    if data.snapshots is not None:
        entries = [e.model_copy(update={"source": e.source and change(e.source)}) for e in data.snapshots]
        data = data.model_copy(update={"snapshots": entries})
    if domain.mesh is not None:
        domain = domain.model_copy(update={"mesh": change(domain.mesh)})
    return config.model_copy(update={"data": data, "domain": domain})


def _check_source(config: Config) -> None:
    for entry in config.data.snapshots or []:
        if entry.source is not None and not os.path.exists(entry.source):
            raise InputError(f"data.snapshots.source: no such file {entry.source}")
    source = config.data.source
    if config.data.is_table and source is not None and not os.path.exists(source):
        near = get_close_matches(Path(source).name, DATASETS, n=1)
        hint = f"; did you mean the built-in {near[0]!r}?" if near else f"; built-in sets are {', '.join(DATASETS)}"
        raise InputError(f"data.source: no such file {source}{hint}")
