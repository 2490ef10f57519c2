"""The files of a run for other programs, by format."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI

from hydrodl.application.run_directory import Run, check_writable, load
from hydrodl.common.errors import InputError
from hydrodl.common.progress import phase
from hydrodl.files.archive import write_npz
from hydrodl.files.onnx_file import check_onnx, needs_double, write_onnx
from hydrodl.files.paraview import write_paraview, write_vtk
from hydrodl.network.single_precision import changed_by_rounding

EXPORTS: dict[str, Callable[[Path, Run], Any]] = {
    "paraview": lambda folder, run: write_paraview(folder, run.network, run.train),
    "vtk": lambda folder, run: write_vtk(folder, run.solution, run.train),
    "onnx": lambda folder, run: write_onnx(folder / "network.onnx", run.network),
    "npz": lambda folder, run: write_npz(folder / "network.npz", run.solution),
}


FILES = {
    "paraview": ("fields.pvd", "open_in_paraview.py"),
    "vtk": ("fields.pvd",),
    "onnx": ("network.onnx",),
    "npz": ("network.npz",),
}
"""What to open, by format."""


def export(folder: Path, kinds: Sequence[str] | None, out: Path, comm: MPI.Comm = MPI.COMM_WORLD) -> list[str]:
    """Write a run in other formats, see ``EXPORTS``; collective. A warning tells of an ONNX file in double precision.

    Returns the names of the files to open.

    Args:
        folder: the directory of the run.
        kinds: formats; None is all of them, but for ONNX with a warning where the network has no exact ONNX form.
        out: the directory to write to.
        comm: all ranks.

    Raises:
        InputError: an unknown format, a directory that cannot be read or written, or ONNX asked for in vain; before
            any file is written.
    """
    for kind in kinds or ():
        if kind not in EXPORTS:
            raise InputError(f"export format is {kind!r}, must be one of {', '.join(EXPORTS)}")
    wanted = list(EXPORTS if kinds is None else kinds)
    if "paraview" in wanted and "vtk" in wanted:
        wanted.remove("vtk")  # it is the same series without the script
    check_writable(out, comm)
    with phase("reading the run"):
        run = load(folder, comm)
        network = run.network
    if "onnx" in wanted:
        try:
            check_onnx(network)
        except InputError as error:
            if kinds is not None:
                raise
            warnings.warn(f"no ONNX file: {error}", stacklevel=2)
            wanted.remove("onnx")
    if "onnx" in wanted and needs_double(network):
        changed, drawn = changed_by_rounding(network)
        warnings.warn(
            f"network.onnx takes features of type double: float32 would change {changed} of {drawn} points drawn from "
            "the training densities",
            stacklevel=2,
        )
    for kind in wanted:
        with phase(f"writing {kind}"):
            EXPORTS[kind](out, run)
    return [name for kind in wanted for name in FILES[kind]]
