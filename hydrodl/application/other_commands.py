"""The commands that need no run: new, schema, datasets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from mpi4py import MPI

from hydrodl.application.speech import say


def new(
    table: Annotated[Path, typer.Argument(metavar="TABLE.csv", help="A table with a header line.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: TABLE.toml here).")] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of class labels (default: the one that looks so).")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of times, of a table of snapshots without labels.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between cells (default: comma, semicolon or tab, whichever fits).")
    ] = None,
    decimal: Annotated[str, typer.Option(help="Decimal point or comma.")] = ".",
) -> None:
    """Write a problem file for a table: its columns read, every key with its default, explained.

    \b
    Examples:
      hydrodl new plants.csv
      hydrodl new plants.csv --label species --out plants.toml
      hydrodl new cells.csv --time day
    """
    from hydrodl.application.new_problem import write_problem

    found = write_problem(table, out, label=label, time=time, delimiter=delimiter, decimal=decimal)
    say(*found)


def schema(out: Annotated[Path | None, typer.Option(help="File to write (default: standard output).")] = None) -> None:
    """The JSON schema of PROBLEM.toml, for editors.

    \b
    Example:
      hydrodl schema --out problem.schema.json
    """
    from hydrodl.files.text_files import json_text, write_text
    from hydrodl.problem_file.json_schema import json_schema

    text = json_text(json_schema())
    if out is None:
        print(text, end="")
    else:
        write_text(out, text, MPI.COMM_WORLD)


def datasets(as_json: Annotated[bool, typer.Option("--json", help="As a JSON document.")] = False) -> None:
    """Names, sizes and sources of the built-in data sets.

    \b
    Examples:
      hydrodl datasets
      hydrodl datasets --json
    """
    from rich.console import Console
    from rich.table import Table

    from hydrodl.data.datasets import DATASETS
    from hydrodl.files.text_files import json_text

    if as_json:
        print(json_text([{"name": name} | d._asdict() for name, d in DATASETS.items()]), end="")
        return
    header = ("name", "samples", "features", "classes", "source", "description")
    rows = [(name, d.sizes, str(d.features), str(d.classes), d.source, d.description) for name, d in DATASETS.items()]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table()
    for name in header:
        table.add_column(name, no_wrap=name == "name")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


COMMANDS = (new, schema, datasets)
