"""What programs that run on several ranks say: one line for all ranks, whether they agree or not."""

from __future__ import annotations

from collections.abc import Callable

import hydrodl as hd

# isort: split
from mpi4py import MPI


def refused(action: Callable[[], object]) -> None:
    try:
        action()
    except hd.InputError as error:
        report(str(error))
    else:
        report("nothing was refused")


def report(text: str) -> None:
    """One line of output for what all ranks say."""
    said = MPI.COMM_WORLD.gather(text)
    if said is not None:
        print(f"{len(said)} ranks: {said[0]}" if len(set(said)) == 1 else f"ranks disagree: {said}", flush=True)
