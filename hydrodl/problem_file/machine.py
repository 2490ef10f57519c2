"""What the machines of a run can still give: memory, and how fast they are."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from hydrodl.common.memory import address_space_left, free_here
from hydrodl.common.parallel import largest, smallest

_SIDE, _FIELDS, _REPEATS = 40, 4, 20  # the test that measures speed: nodes per direction, right-hand sides, solves


def available_bytes(comm: MPI.Comm) -> float:
    """Memory that an evenly shared problem can still take on all ranks together. Collective.

    Every machine is counted once, and the fullest one sets the share of a rank.
    """
    machine = comm.Split_type(MPI.COMM_TYPE_SHARED)
    share = machine.bcast(free_here() if machine.rank == 0 else None) / machine.size
    machine.Free()
    return float(smallest(comm, min(share, address_space_left()))) * comm.size


def gigabytes(size: float) -> str:
    """A number of bytes for a person."""
    return "an unknown amount" if math.isinf(size) else f"{size / 2**30:.2g} GiB"


def seconds_per_solve(comm: MPI.Comm) -> float:
    """Time of triangular solves, which training mostly does, per node and field on the slowest rank; about 0.1 s."""
    matrix = _grid_operator(_SIDE)
    solver = PETSc.KSP().create(PETSc.COMM_SELF)
    solver.setOperators(matrix)
    solver.setType("preonly")
    solver.getPC().setType("lu")
    given = PETSc.Mat().createDense((_SIDE**2, _FIELDS), array=np.ones((_SIDE**2, _FIELDS)), comm=PETSc.COMM_SELF)
    found = given.duplicate()
    given.assemble()
    found.assemble()
    solver.setUp()
    times = []
    for _ in range(_REPEATS):
        start = perf_counter()
        solver.matSolve(given, found)
        times.append(perf_counter() - start)
    for item in (solver, given, found, matrix):
        item.destroy()
    # the median: what other programs on the machine leave us, not what we might have had alone
    return float(largest(comm, float(np.median(times)))) / (_SIDE**2 * _FIELDS)


def _grid_operator(side: int) -> PETSc.Mat:
    """Nine-point stencil on side x side nodes, diagonally dominant."""
    x, y = (index.ravel() for index in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    matrix = PETSc.Mat().createAIJ((side**2, side**2), nnz=9, comm=PETSc.COMM_SELF)
    for i, (row, column) in enumerate(zip(x, y, strict=True)):
        near = (abs(x - row) <= 1) & (abs(y - column) <= 1)
        columns = np.flatnonzero(near).astype(np.int32)
        matrix.setValues([i], columns, np.where(columns == i, 10.0, -1.0))
    matrix.assemble()
    return matrix
