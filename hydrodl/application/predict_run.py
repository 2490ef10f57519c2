"""``hydrodl predict``: the labels and class probabilities that a run gives to the rows of a table."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpi4py import MPI

from hydrodl.application.run_directory import load
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.progress import phase
from hydrodl.common.text import printable, table_cell
from hydrodl.data.tables import read_columns
from hydrodl.files.text_files import json_text
from hydrodl.network.noise_average import posterior


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run says of the rows of a table.

    Attributes:
        kept: the cells of columns that were carried along, by name.
        class_names: C names.
        probabilities: shape (n, C).
        radius: how far features may move, in their own units, before the label can change, (n,); None: not asked.
    """

    kept: Mapping[str, Sequence[str]]
    class_names: Sequence[str]
    probabilities: Floats
    radius: Floats | None = None

    @property
    def labels(self) -> list[str]:
        """The most probable class of each row."""
        return [self.class_names[k] for k in self.probabilities.argmax(axis=1)]

    def rows(self) -> list[list[str]]:
        """As a table, header first: columns carried along, label, then the probability of every class.

        A cell that a spreadsheet would take for a formula has a quote before it, see :func:`table_cell`.
        """
        header = [*map(table_cell, self.kept), "label", *(f"p_{name}" for name in self.class_names)]
        header += [] if self.radius is None else ["radius"]
        first = [[table_cell(cell) for cell in row] for row in zip(*self.kept.values(), strict=True)]
        numbers = [[repr(float(p)) for p in row] for row in self.probabilities]
        if self.radius is not None:
            numbers = [[*row, repr(float(r))] for row, r in zip(numbers, self.radius, strict=True)]
        before = first or [[]] * len(numbers)
        named = zip(before, self.labels, numbers, strict=True)
        return [header, *([*row, table_cell(label), *cells] for row, label, cells in named)]

    def document(self) -> dict[str, Any]:
        """As JSON values: the classes, and a mapping for each row."""
        names = list(self.class_names)
        texts = [dict(zip(self.kept, row, strict=True)) for row in zip(*self.kept.values(), strict=True)]
        rows: list[dict[str, Any]] = [
            {"label": label, "probabilities": dict(zip(names, map(float, row), strict=True))}
            for label, row in zip(self.labels, self.probabilities, strict=True)
        ]
        if self.radius is not None:
            rows = [row | {"radius": float(r)} for row, r in zip(rows, self.radius, strict=True)]
        if texts:
            rows = [{"kept": text} | row for text, row in zip(texts, rows, strict=True)]
        return {"classes": names, "rows": rows}


def predict(
    folder: Path,
    points: Path,
    comm: MPI.Comm = MPI.COMM_WORLD,
    *,
    averaged: bool = False,
    certified: bool = False,
    kept: Sequence[str] = (),
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Predictions:
    """Label and class probabilities of every row of a table; collective.

    Args:
        folder: of the run.
        points: a table with the columns of the training data; "-": standard input.
        comm: all ranks.
        averaged: probabilities averaged over the noise of the flow, instead of those of the network without noise.
        certified: also a certified radius of each label, of the network without noise.
        kept: columns of the table, such as a number or a name of the rows, that come first in the result.
        delimiter, decimal: of the table; None: as its first lines show, and as in the training data.

    Raises:
        InputError: a run without a readout, or a table without the training features or the columns to keep, or with
            unusable cells; certified and averaged both, or certified where there is no exact form.
    """
    if averaged and certified:
        raise InputError("certificates are those of the network without noise: take either --certify or --posterior")
    with phase("reading the run"):
        run = load(folder, comm)
    if run.solution.problem.readout is None:
        kinds = ", ".join(loss.kind for loss in run.config.loss)
        raise InputError(f"the run in {folder} has no readout (its loss is {kinds}); predict needs classification")
    names = run.solution.problem.densities.class_names
    table = read_columns(
        points,
        run.preprocessing.feature_names,
        kept,
        delimiter=delimiter,
        decimal=run.config.data.decimal if decimal is None else decimal,
        comm=comm,
    )
    features = table.numbers
    with phase(f"predicting {len(features)} rows"):
        probabilities = (posterior(run.network) if averaged else run.network).predict_proba(features)
    radius = None
    if certified:
        with phase(f"certifying {len(features)} rows"):
            radius = run.network.certify(features).radius
    return Predictions(table.texts, names, probabilities, radius)


def write(found: Predictions, out: Path | None, as_json: bool) -> None:
    """Write predictions to a file or to standard output; where that is a terminal, without what it would obey."""
    if as_json:
        text = json_text(found.document())
    else:
        shown = out is None and sys.stdout.isatty()
        rows = [[printable(cell) for cell in row] for row in found.rows()] if shown else found.rows()
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(rows)
        text = lines.getvalue()
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8", newline="")
