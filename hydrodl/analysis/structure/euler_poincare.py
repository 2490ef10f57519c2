"""Residual of the Euler-Poincare momentum equation on the fields of a flow,

    d_t m + L_u m = sum_c [ rho_c grad(dl/drho_c) + nu (Laplace rho_c grad phi_c - rho_c grad Laplace phi_c) ],
    m = dl/du,   L_u m = (u . grad) m + (grad u)^T m + m div u,

in which phi survives only through the noise. It is no equation of the scheme, which has eliminated nothing, so its
residual tells how close the discrete fields are to a fluid: order 2 in h on uniform boxes, and in Delta order 2 for
theta = 1/2 (equal layers) and 1 for theta = 1. Derivatives of nodal fields are recovered; three of them are nested, so
that on other meshes and degrees no order is promised, and nodes next to a wall are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from dolfinx import fem, la
from dolfinx import mesh as dmesh
from numpy.typing import NDArray

from hydrodl.analysis.structure.slab_hamiltonian import Recovery
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import summed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.problem.flow import Flow

WALL = 4
"""Cells between a wall and the nodes where the residual is measured: nested recovered derivatives see no wall there."""


@dataclass(frozen=True, eq=False)
class EulerPoincare:
    """Norms at layers t_1 .. t_{N-1} over nodes away from the walls, nan where a loss acts; shape (N - 1,).

    Attributes:
        times: the layers.
        residual: L2 norm of the residual; size: sum of the L2 norms of the equation's terms.
        nodes: number of nodes measured.

    Example:
        >>> hd.analysis.euler_poincare(flow).residual.shape
        (15,)
    """

    times: Floats
    residual: Floats
    size: Floats
    nodes: int

    @property
    def relative(self) -> float:
        """The root of the mean square of residuals over that of sizes."""
        size = np.sqrt(np.nanmean(self.size**2))
        return float(np.sqrt(np.nanmean(self.residual**2)) / max(size, np.finfo(float).tiny))


def euler_poincare(flow: Flow, *, margin: float = 0.0) -> EulerPoincare:
    """The residual of the momentum equation at every layer inside; collective.

    Args:
        flow: a discrete flow.
        margin: measure only at nodes at least this far inside the bounding box of feature space (and 4 cells from
            every wall): data that do not meet the walls' conditions make layers there in which no order is seen.

    Raises:
        InputError: fewer than 2 layers, or no node far enough from the walls.

    Example:
        >>> found = hd.analysis.euler_poincare(flow)
        >>> found.nodes <= domain.nodes
        True
    """
    if len(flow.layers) < 2:
        raise InputError("the momentum equation needs at least 2 layers, to difference between them")
    recovery = Recovery(flow)
    away = _away_from_walls(flow.domain, WALL) & _deep_inside(flow.domain, margin)
    count = summed(flow.domain.comm, int(away.sum()))
    if not count:
        raise InputError(f"no node is further than {WALL} cells and {margin} from every wall; refine the mesh")
    momentum, slopes = recovery.cost_slopes(flow)
    slopes += 0.5 * (flow.layer_slopes[:-1] + flow.layer_slopes[1:])
    terms = [_terms(flow, recovery, k, momentum[k], slopes[k]) for k in range(len(momentum))]
    middles = 0.5 * (flow.layers.times[1:] + flow.layers.times[:-1])
    inside, weight = flow.losses_inside, recovery.mass.ones * away
    residual, size = np.full((2, len(middles) - 1), np.nan)
    for k in range(len(residual)):
        rate = (momentum[k + 1] - momentum[k]) / (middles[k + 1] - middles[k])
        carried, forced = (0.5 * (a + b) for a, b in zip(terms[k], terms[k + 1], strict=True))
        norms = [_norm(flow.domain, weight, f) for f in (rate + carried - forced, rate, carried, forced)]
        if not inside[k]:
            residual[k], size[k] = norms[0], sum(norms[1:])
    return EulerPoincare(flow.layers.times[1:-1], residual, size, count)


def _terms(flow: Flow, recovery: Recovery, k: int, m: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """L_u m and the right-hand side of slab k, each (d, owned)."""
    u, r, q, noise = flow.velocity[k], flow.slab_density[k], flow.slab_potential[k], float(flow.lagrangian.noise)
    du, dm = recovery.gradients(u), recovery.gradients(m)  # du[j, i] = d_i u_j
    carried = np.einsum("jn,ijn->in", u, dm) + np.einsum("jin,jn->in", du, m) + m * np.einsum("jjn->n", du)
    curved = recovery.laplacians(q)
    forced = np.einsum("cn,cin->in", r, recovery.gradients(slope))
    forced += noise * np.einsum("cn,cin->in", recovery.laplacians(r), recovery.gradients(q))
    return carried, forced - noise * np.einsum("cn,cin->in", r, recovery.gradients(curved))


def _norm(domain: Domain, weight: Floats, field: Floats) -> float:
    return float(np.sqrt(max(summed(domain.comm, float((weight * field**2).sum())), 0.0)))


def _away_from_walls(domain: Domain, cells: int) -> NDArray[np.bool_]:
    """Owned nodes with more than a number of cells between them and every wall."""
    mesh, halo = domain.mesh, Halo(domain)
    near = halo.stack(1)
    near[0, fem.locate_dofs_topological(domain.V, mesh.topology.dim - 1, _wall_facets(mesh))] = 1.0
    nodes = domain.V.dofmap.list[: mesh.topology.index_map(mesh.topology.dim).size_local]
    for _ in range(cells):
        halo.update(near)
        touched = nodes[(near[0, nodes] > 0).any(axis=1)]
        near[0, np.unique(touched)] = 1.0
        halo.accumulate(near)
    return near[0, : halo.owned] == 0


def _deep_inside(domain: Domain, margin: float) -> NDArray[np.bool_]:
    low, high = domain.bounds
    x = domain.coordinates[: domain.owned]
    return ((x >= low + margin) & (x <= high - margin)).all(axis=1)


def _wall_facets(mesh: dmesh.Mesh) -> NDArray[np.int32]:
    """Local facets of a single cell, over all ranks: DOLFINx itself takes ends of ranks for walls where d = 1."""
    topology, tdim = mesh.topology, mesh.topology.dim
    topology.create_entities(tdim - 1)
    topology.create_connectivity(tdim, tdim - 1)
    topology.create_connectivity(tdim - 1, tdim)
    cells, facets = topology.connectivity(tdim, tdim - 1), la.vector(topology.index_map(tdim - 1))
    np.add.at(facets.array, cells.array[: cells.offsets[topology.index_map(tdim).size_local]], 1.0)
    facets.scatter_reverse(la.InsertMode.add)
    facets.scatter_forward()
    return np.flatnonzero(facets.array == 1.0).astype(np.int32)
