"""Which PETSc solver suits an operator: by dimension, number of nodes and ranks."""

from __future__ import annotations

from typing import Any, Protocol

from mpi4py import MPI

from hydrodl.common.petsc_options import Options
from hydrodl.mesh.domain import Domain


class Extent(Protocol):
    """What solvers ask of a domain."""

    @property
    def owned(self) -> int:
        """Number of nodes of this rank."""
        ...

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        ...

    @property
    def dimension(self) -> int:
        """Number d of feature directions."""
        ...

    @property
    def comm(self) -> MPI.Comm:
        """The ranks that share the nodes."""
        ...


MANY_NODES = 4000
"""In d = 3 the fill of a factorisation costs more than Krylov iterations above this number of nodes."""


LAYERED_NODES = 100000
"""Up to this number of nodes a factorisation fits one rank, and ranks share out the layers instead of the nodes."""


REDUNDANT_NODES = 20000
"""Up to this number of nodes one message and a solve of one's own beat the many messages of a distributed solve."""


EXACT = 1e-12
"""Relative residual of Krylov solves for densities, potentials and gradients, which count as exact."""


TIGHT: dict[str, Any] = {"ksp_rtol": EXACT, "ksp_max_it": 1000}


def solver_defaults(domain: Extent, *, symmetric: bool = False) -> dict[str, Any]:
    """How to solve with an operator on the domain, before the caller's own options.

    A direct factorisation, across ranks each with a copy of its own up to ``REDUNDANT_NODES``; in d = 3 on many nodes
    a Krylov method with incomplete factors, solved so tightly that gradients stay exact.
    """
    comm, direct = domain.comm, factor_defaults(domain.comm, symmetric=symmetric)
    if domain.dimension == 3 and domain.nodes > MANY_NODES:
        local = "icc" if symmetric else "ilu"
        tight = TIGHT | {"ksp_type": "cg" if symmetric else "gmres"}
        return tight | ({"pc_type": local} if comm.size == 1 else {"pc_type": "bjacobi", "sub_pc_type": local})
    if comm.size > 1 and domain.nodes <= REDUNDANT_NODES:
        own = {"redundant_pc_type": direct["pc_type"], "redundant_pc_factor_mat_ordering_type": "nd"}
        return direct | own | {"pc_type": "redundant"}
    return direct


def by_layers(domain: Domain, options: Options, width: int, *, independent: bool = False) -> bool:
    """Is it better to share out operators by layers, each whole on one rank, than to share out their nodes?

    Up to ``LAYERED_NODES`` nodes, unless the caller chose a solver: yes for direct solves, and for Krylov methods where
    the ``width`` right-hand sides, one after another, keep all ranks busy, or where all are known at once.
    """
    direct = domain.dimension < 3 or domain.nodes <= MANY_NODES
    fit = domain.nodes <= LAYERED_NODES and (direct or independent or domain.comm.size <= width)
    return domain.comm.size > 1 and fit and not {"ksp_type", "pc_type"} & set(options)


def describe(settings: Options, *, layered: bool = False) -> str:
    """A linear solver in a few words, such as "lu", "lu by layers" or "gmres/bjacobi-ilu"."""
    kinds = [settings.get(key) for key in ("pc_type", "sub_pc_type", "redundant_pc_type")]
    words = "-".join(str(kind) for kind in kinds if kind)
    if "pc_factor_mat_solver_type" in settings:
        words += f" ({settings['pc_factor_mat_solver_type']})"
    if settings.get("ksp_type", "preonly") != "preonly":
        words = f"{settings['ksp_type']}/{words}"
    return words + (" by layers" if layered else "")


def factor_defaults(comm: Any, *, symmetric: bool = False) -> dict[str, Any]:
    """A direct factorisation: PETSc's own on one rank (the fastest triangular solves), MUMPS across ranks."""
    kind = "cholesky" if symmetric else "lu"
    defaults: dict[str, Any] = TIGHT | {"ksp_type": "preonly", "pc_type": kind}
    if comm.size > 1:
        defaults["pc_factor_mat_solver_type"] = "mumps"
    else:
        defaults["pc_factor_mat_ordering_type"] = "nd"
    return defaults
