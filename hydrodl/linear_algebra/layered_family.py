"""Operators shared out over ranks by layers: every rank factors and solves the slabs of its own layers, whole.

Factorisations of different slabs are independent, so that a share of the layers is a share of the work; no triangular
solve crosses ranks. Layers are dealt out in short segments, like cards, and sweeps run through them as through a
pipeline, one class after another; with as many classes as ranks every rank is busy but for the first few segments:

    rank 0   class a, segment 0 | class b, segment 0 | class a, segment 2 | class b, segment 2 | ...
    rank 1                      | class a, segment 1 | class b, segment 1 | class a, segment 3 | ...

Stacks of fields are distributed by nodes everywhere else; two exchanges of a whole stack go there and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from numpy.typing import NDArray

from hydrodl.common.arrays import Floats
from hydrodl.linear_algebra.layer_shares import Shares
from hydrodl.linear_algebra.operator_family import OperatorFamily
from hydrodl.linear_algebra.solver_choice import by_layers, describe, solver_defaults
from hydrodl.linear_algebra.sparsity import Pattern
from hydrodl.mesh.domain import Domain


@dataclass(frozen=True)
class _Whole:
    """What an ``OperatorFamily`` asks of a domain, for all nodes on one rank."""

    nodes: int
    dimension: int

    @property
    def owned(self) -> int:
        """Every node."""
        return self.nodes

    @property
    def comm(self) -> MPI.Comm:
        """This rank alone."""
        return MPI.COMM_SELF


class LayeredFamily:
    """Operators A_0 .. A_{n-1} as in ``OperatorFamily``, each whole on the rank that has its layer.

    Args:
        domain, pattern, columns, count, options, name, adjustable: as for ``OperatorFamily``.
        width: number of fields that ``solve_all`` solves at once, a divisor of those of a slab.
    """

    def __init__(
        self,
        domain: Domain,
        pattern: Pattern,
        columns: NDArray[np.int64],
        count: int,
        *,
        options: Mapping[str, Any],
        name: str,
        adjustable: bool = False,
        width: int = 1,
    ) -> None:
        self.pattern, self.name, self._comm = pattern, name, domain.comm
        self.shares = shares = Shares(domain, count)
        self._values = np.zeros((count, pattern.size))
        self._columns = columns[pattern.columns]
        self._sizes = np.array(self._comm.allgather(pattern.size))
        counts = np.concatenate(self._comm.allgather(np.diff(pattern.pointers)))
        every = np.concatenate(self._comm.allgather(self._columns))
        rows = np.repeat(np.arange(shares.nodes), counts)
        self._order = np.lexsort((every, rows))
        pointers = np.append(0, np.cumsum(counts)).astype(np.int32)
        whole = Pattern(pointers, every[self._order].astype(np.int32), self._order, np.empty(0, dtype=np.int64))
        numbers = np.arange(shares.nodes, dtype=np.int64)
        self.own = OperatorFamily(
            _Whole(shares.nodes, domain.dimension),
            whole,
            numbers,
            shares.mine,
            width,
            options=options,
            name=name,
            adjustable=adjustable,
        )
        self.scope, self._width = self.own.scope, width

    def set(self, k: int, values: Floats) -> None:
        """Give operator k this rank's entries, in the order of the pattern; ``factor`` puts them to use."""
        self._values[k] = values

    def factor(self) -> None:
        """Bring the operators to their ranks and factor them there; collective."""
        whole = self.shares.to_layers(self._values[:, None], self._sizes)
        for j in range(self.shares.mine):
            self.own.set(j, whole[j, 0, self._order])

    def solve_to(self, accuracy: float) -> None:
        """See ``OperatorFamily.solve_to``."""
        self.own.solve_to(accuracy)

    def solve_all(self, stack: Floats) -> Floats:
        """X_k with A_k X_k = rhs_k for every k, stack (n, m, owned)."""
        found = self.shares.to_layers(stack)
        for j, fields in enumerate(found):
            for group in fields.reshape(-1, self._width, self.shares.nodes):
                group[...] = self.own.solve(j, group)
        out = np.empty_like(stack)
        self.shares.to_nodes(found, out)
        return out

    def solve(self, k: int, rhs: Floats, *, transpose: bool = False) -> Floats:
        """X with A_k X = rhs, or A_k^T X = rhs, shape (m, owned); the other ranks wait: sweeps go through ``march``."""
        found = self.shares.everywhere(rhs)
        root = self.shares.holder(k)
        if self._comm.rank == root:
            for field in found:
                field[...] = self.own.solve(self.shares.place(k), field[None], transpose=transpose)[0]
        self._comm.Bcast(found, root)
        return np.ascontiguousarray(found[:, self.shares.here])

    def product(self, k: int, fields: Floats) -> Floats:
        """A_k times each of the fields (m, owned)."""
        shape = (len(self.pattern.pointers) - 1, self.shares.nodes)
        rows = sp.csr_array((self._values[k], self._columns, self.pattern.pointers), shape=shape)
        return np.ascontiguousarray((rows @ self.shares.everywhere(fields).T).T)

    def destroy(self) -> None:
        """Free the PETSc objects."""
        self.own.destroy()


def operator_family(
    domain: Domain,
    pattern: Pattern,
    columns: NDArray[np.int64],
    count: int,
    width: int,
    *,
    options: Mapping[str, Any],
    name: str,
    symmetric: bool = False,
    independent: bool = False,
) -> tuple[OperatorFamily | LayeredFamily, str]:
    """A family with the solver that suits its size, or the caller's, and that solver in a few words.

    Args:
        domain, pattern, columns, count, width, name: as for ``OperatorFamily``.
        options: the caller's PETSc options.
        symmetric: the operators are symmetric and positive definite.
        independent: no right-hand side depends on another operator's solution.
    """
    free = "ksp_rtol" not in options
    if by_layers(domain, options, width, independent=independent):
        settings = solver_defaults(_Whole(domain.nodes, domain.dimension), symmetric=symmetric) | dict(options)
        own = LayeredFamily(
            domain,
            pattern,
            columns,
            count,
            options=settings,
            name=name,
            adjustable=free,
            width=width if independent else 1,
        )
        return own, describe(settings, layered=True)
    settings = solver_defaults(domain, symmetric=symmetric) | dict(options)
    shared = OperatorFamily(domain, pattern, columns, count, width, options=settings, name=name, adjustable=free)
    return shared, describe(settings)
