"""Loads the compiled stack in the one order that works.

The ``dolfinx-solver-real`` wheel asks to be imported before dolfinx, petsc4py or mpi4py, so that all of
them bind to the same MPI; a conda environment has no such module and needs no such order.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from hydrodl.common.signals_kept import signals_kept
from hydrodl.common.start_folder import elsewhere

# Standard streams that are closed would lend their numbers to the next files: what a library prints would go there.
for number in range(3):
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one

# One thread a rank: BLAS threads and MPI ranks would fight for the same cores. Must be set before BLAS loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# MPICH's ranks wait by spinning; with more ranks than cores they must sleep instead, or a message costs a time slice
# (on a loaded machine three ranks on two cores then exchange several times as many). Read when MPI starts.
if int(os.environ.get("MPI_LOCALNRANKS", "1")) > len(os.sched_getaffinity(0)):
    os.environ.setdefault("MPIR_CVAR_ENABLE_HEAVY_YIELD", "1")
    os.environ.setdefault("MPIR_CVAR_POLLS_BEFORE_YIELD", "10")

# Where there is numba, DOLFINx makes PETSc's symbols and those of the HDF5 below it known to the whole process; h5py
# must have found its own before.
if find_spec("numba") is not None:
    import h5py  # noqa: F401

# No .petscrc and no petsc.cfg of the current folder; ~/.petscrc and PETSC_OPTIONS are the user's own. What signals do
# is the program's to say: PETSc would answer SIGTERM, SIGPIPE and others with a dump, UCX SIGHUP with its debugger.
with elsewhere(), signals_kept():
    if find_spec("dolfinx_solver") is not None:
        import dolfinx_solver  # noqa: F401

    from petsc4py import PETSc

if PETSc.ScalarType().dtype.kind != "f":
    raise ImportError(
        "hydrodl needs a PETSc built for real numbers, found a complex one; "
        "install dolfinx-solver-real (pip) or petsc=*=real* (conda)"
    )
