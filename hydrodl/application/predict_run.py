"""``hydrodl predict``: the labels and class probabilities that a run gives to the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hydrodl.application.run_directory import load
from hydrodl.common.errors import InputError
from hydrodl.common.text import table_cell
from hydrodl.data.tables import read_columns
from hydrodl.network.noise_average import posterior_proba


def predict(
    folder: Path,
    points: Path,
    comm: MPI.Comm = MPI.COMM_WORLD,
    *,
    averaged: bool = False,
    kept: Sequence[str] = (),
    delimiter: str | None = None,
    decimal: str | None = None,
) -> list[list[str]]:
    """The rows of a prediction table, its header first: label, then the probability of every class; collective.

    A cell that a spreadsheet would take for a formula has a quote before it, see :func:`table_cell`.

    Args:
        folder: of the run.
        points: a table with the columns of the training data; "-": standard input.
        comm: all ranks.
        averaged: probabilities averaged over the noise of the flow, instead of those of the network without noise.
        kept: columns of the table, such as a number or a name of the rows, that come first in the result.
        delimiter, decimal: of the table; None: as its first lines show, and as in the training data.

    Raises:
        InputError: a run without a readout, or a table without the training features or the columns to keep, or with
            unusable cells.
    """
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
    probabilities = posterior_proba(run.network, features) if averaged else run.network.predict_proba(features)
    first = [[table_cell(text) for text in texts] for texts in zip(*table.texts.values(), strict=True)]
    rows = [[table_cell(names[int(np.argmax(row))]), *(repr(float(p)) for p in row)] for row in probabilities]
    header = [*map(table_cell, kept), "label", *(f"p_{name}" for name in names)]
    return [header, *([*before, *row] for before, row in zip(first or [[]] * len(rows), rows, strict=True))]
