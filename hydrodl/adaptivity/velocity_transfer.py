"""A velocity from one partition of depth and one mesh to others: the start of the next solve."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.interpolation import into
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.point_location import locate
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Solution


def transfer(solution: Solution, problem: Problem) -> Floats:
    """The velocity of a solution on the layers and nodes of another problem, to start training from; collective.

    In depth u is linear between the middles of old layers and constant beyond the first and the last of them, also
    on either side of a loss inside, where it may jump. In features it is its own finite-element function; outside the
    old mesh it has the value of the nearest point inside. On the same layers and the same mesh nothing changes. Layers
    of another total depth are stretched, so that the network stays the same.

    Returns:
        Starting velocity for ``train(problem, initial=...)``, shape (N, d, owned), N and owned of the problem.

    Raises:
        InputError: another dimension, another communicator size, or a problem with neurons.

    Example:
        >>> deeper = replace(problem, layers=hd.layers(20))
        >>> hd.transfer(solution, deeper).shape == (20, 2, domain.owned)
        True
    """
    old, new = solution.problem.domain, problem.domain
    if problem.control is not None:
        raise InputError("neurons have coefficients of their own: transfer carries the velocity of the field control")
    if old.dimension != new.dimension:
        raise InputError(f"the solution has dimension {old.dimension}, the problem has dimension {new.dimension}")
    if old.comm.size != new.comm.size:
        raise InputError(f"the solution lives on {old.comm.size} ranks, the problem on {new.comm.size}")
    velocity = _in_depth(solution, problem.layers)
    return velocity if old is new else on_nodes_of(new, old, velocity)


def _in_depth(solution: Solution, layers: Layers) -> Floats:
    """The velocity in the middles of other layers, on the old nodes."""
    times, velocity = solution.problem.layers.times, solution.velocity
    middle = (times[1:] + times[:-1]) / 2
    wanted = (layers.times[1:] + layers.times[:-1]) / 2 * (times[-1] / layers.depth)
    out = np.empty((len(layers), *velocity.shape[1:]))
    for part in solution.flow.sections:
        rows = np.flatnonzero((wanted >= times[part.start]) & (wanted < times[part.stop]))
        at = np.interp(wanted[rows], middle[part], np.arange(part.start, part.stop))
        below = np.minimum(at.astype(int), part.stop - 1)
        above, weight = np.minimum(below + 1, part.stop - 1), (at - below)[:, None, None]
        out[rows] = (1 - weight) * velocity[below] + weight * velocity[above]
    return out * (times[-1] / layers.depth)


def on_nodes_of(new: Domain, old: Domain, values: Floats) -> Floats:
    """Fields (..., owned) at the owned nodes of another domain: each rank's nodes go round, and answers come back.

    Collective; nobody holds more than the nodes of one rank.
    """
    fields = with_ghosts(old, values).reshape(-1, old.coordinates.shape[0])
    out = np.zeros((len(fields), new.owned))
    for rank in range(old.comm.size):
        nodes = new.coordinates[: new.owned] if old.comm.rank == rank else None
        points = into(old, old.comm.bcast(nodes, rank))
        found = locate(old, points)
        seen = np.zeros((len(fields), len(points)))
        if len(found.rows):
            table = old.V.element.basix_element.tabulate(0, found.reference)[0, :, :, 0]
            seen[:, found.rows] = np.einsum("ki,mki->mk", table, fields[:, old.V.dofmap.list[found.cells]])
        old.comm.Reduce(seen, out if old.comm.rank == rank else None, MPI.SUM, rank)
    return out.reshape(*values.shape[:-1], new.owned)
