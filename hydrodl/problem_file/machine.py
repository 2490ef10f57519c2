"""What the machines of a run can still give: memory, and how fast they are."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
from mpi4py import MPI
from petsc4py import PETSc

from hydrodl.common.parallel import largest, smallest

UNLIMITED = 2.0**60  # cgroups of the first version write a huge number where there is no limit


_V2 = ("memory.max", "memory.current", "inactive_file")


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


_SIDE, _FIELDS, _REPEATS = 40, 4, 20  # the test that measures speed: nodes per direction, right-hand sides, solves


def available_bytes(comm: MPI.Comm) -> float:
    """Memory that an evenly shared problem can still take on all ranks together. Collective.

    Every machine is counted once, and the fullest one sets the share of a rank.
    """
    machine = comm.Split_type(MPI.COMM_TYPE_SHARED)
    share = machine.bcast(free_here() if machine.rank == 0 else None) / machine.size
    machine.Free()
    return float(smallest(comm, min(share, _free_address_space()))) * comm.size


def free_here(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes this machine can still give: what is available, or less where a control group (a batch job) limits it."""
    return min([float(psutil.virtual_memory().available), *_free_in_groups(proc, cgroups)])


def _free_in_groups(proc: Path, cgroups: Path) -> Iterator[float]:
    """What is left in every control group around this process, of either version."""
    try:
        memberships = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        memberships = []
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, names = (cgroups / "memory", _V1) if controllers else (cgroups, _V2)
        inner = Path(path.lstrip("/"))
        for group in (inner, *inner.parents):  # inside a container only the last of them, the top, is there
            yield _free_in(top / group, *names)


def _free_in(group: Path, limit: str, usage: str, reclaimable: str) -> float:
    """Limit less usage, without the file cache that the system gives back; infinite without a limit."""
    try:
        most = float((group / limit).read_text())
        if most >= UNLIMITED:
            return float("inf")
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = float((group / usage).read_text()) - float(statistics.get(reclaimable, 0))
    except (OSError, ValueError):  # no such group, or the limit is "max"
        return float("inf")
    return max(most - used, 0.0)


def _free_address_space() -> float:
    """What ``ulimit -v`` leaves this process."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    return max(float(limit - psutil.Process().memory_info().vms), 0.0)


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
