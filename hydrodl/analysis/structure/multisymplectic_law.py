"""Discrete multisymplecticity: for tangent solutions V, W and any patch P of (slab, cell) pairs

    sum over unknowns i on the border of P of  V_i (S_P'' W)_i - W_i (S_P'' V)_i  =  0,

S_P'' the Hessian of the action assembled over P alone. S_P'' is symmetric, so the sum over all unknowns vanishes; an
unknown inside P (every slab and cell it touches is in P) has (S_P'' W)_i = 0 because W solves the linearised equations.
With P the slabs between two layers the sum is the difference of the two-forms at those layers,

    omega_k(V, W) = sum_c (drho_c, dphi_c')_h - (drho_c', dphi_c)_h,    V = (drho, dphi), W = (drho', dphi').

Unknowns of the first and last layer carry data and always count as border; a wall of feature space does not. The law
belongs to K and L of ``multisymplectic_form``: with the vertex rule, tangents of another S(z) (a node's own
energies) satisfy it too, tangents of another transport, noise, smoothness or step do not.

The action of the layer-map schemes has other elements, (slab, node) and (slab, cell), and more unknowns: ``map_law``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from dolfinx import mesh as dmesh

from hydrodl.analysis.structure.map_law import MapLaw, random_parts
from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.patch_sums import Patch, PatchSum, add_pairs
from hydrodl.analysis.structure.space_time_action import SpaceTime, Tangent
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.common.parallel import everywhere, summed
from hydrodl.common.parameters import COUNT
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import Halo
from hydrodl.problem.flow import Flow


@dataclass(frozen=True, eq=False)
class Multisymplecticity:
    """The laws on random patches and at all layers, for one pair of random tangent solutions.

    Attributes:
        patches: one entry a patch.
        two_form: omega_k(V, W), shape (N + 1,); two_form_size: the sum of its terms' absolute values, (N + 1,).

    Example:
        >>> found = hd.analysis.multisymplecticity(flow, patches=2, slabs=(0, 4))
        >>> len(found.patches), found.two_form_drift < 1e-6
        (2, True)
    """

    patches: tuple[PatchSum, ...]
    two_form: Floats
    two_form_size: Floats

    @property
    def residual(self) -> float:
        """The largest residual of all patches."""
        return max(patch.residual for patch in self.patches)

    @property
    def two_form_drift(self) -> float:
        """max - min of omega_k, relative to the largest sum of its terms."""
        return float(np.ptp(self.two_form) / max(self.two_form_size.max(), np.finfo(float).tiny))


def multisymplecticity(
    flow: Flow,
    *,
    patches: int = 8,
    seed: int = 0,
    slabs: tuple[int, int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Multisymplecticity:
    """Check the discrete multisymplectic law of a flow on random patches; collective, the same on any number of ranks.

    Args:
        flow: a discrete flow. The law is one of the equations linearised at its fields, whatever they are; that they
            solve the equations themselves is what ``conservation.slab_balances`` tells.
        patches: number of random patches, at least 1.
        seed: of the patches and of the tangent solutions' data.
        slabs: (first, last): look at slabs first .. last - 1 only; the law is local, so a part of a large flow will do.
        options: PETSc's options for the tangent equations: a factorisation of all of them for the box schemes, a Krylov
            method for the change of the velocity for the layer maps.

    Raises:
        InputError: fewer than one patch, or slabs that are not there.
        SolverError: the tangent equations could not be solved.

    Example:
        >>> hd.analysis.multisymplecticity(flow, patches=2, slabs=(0, 4)).residual < 1e-8
        True
    """
    COUNT.check("patches", patches)
    flow = flow if slabs is None else flow.window(*slabs)
    data = [random_data(flow, seed), random_data(flow, seed + 1)]
    if isinstance(flow.scheme, LayerMapScheme):
        maps = MapTangents(flow)
        V, W = maps.tangents(data, options)
        law = MapLaw(maps, flow.scheme)
        found = law.sums(V, W, random_parts(law.elements, patches, seed))
        return Multisymplecticity(found, *two_form(maps, V, W))
    system = SpaceTime(flow)
    V, W = system.tangents(data, options)
    sums = tuple(patch_sum(system, V, W, patch) for patch in random_patches(flow, patches, seed))
    return Multisymplecticity(sums, *two_form(system, V, W))


def patch_sum(system: SpaceTime, V: Tangent, W: Tangent, patch: Patch) -> PatchSum:
    """The law on one patch of (slab, cell) pairs, shape (N, owned cells of this rank); collective.

    Raises:
        InputError: a patch of another shape.
    """
    flow = system.flow
    shape, comm = (len(flow.layers), _cells(flow.domain)), flow.domain.comm
    if not everywhere(comm, np.shape(patch) == shape):
        raise InputError(f"the patch has shape {np.shape(patch)}, must be (slabs, cells) = {shape} on this rank")
    inner, touched = _inside(flow.domain, np.asarray(patch, dtype=bool))
    local = np.zeros(5)
    fields_V, fields_W = _unknowns(V), _unknowns(W)
    rows_V, rows_W = system.product(V, patch), system.product(W, patch)
    for part, nodes in enumerate(inner):
        first, second = fields_V[part] * rows_W[part], fields_W[part] * rows_V[part]
        add_pairs(local, first, second, touched[part][:, None], nodes[:, None])
    local[4] = np.sum(patch)
    return PatchSum.of(comm, local)


def two_form(system: SpaceTime | MapTangents, V: Tangent, W: Tangent) -> tuple[Floats, Floats]:
    """omega_k(V, W) at every layer and the sum of its terms' absolute values, each (N + 1,); collective."""
    local = np.empty((2, len(V.density)))
    for k in range(len(V.density)):
        first = system.mass_product(V.density[k]) * W.potential[k]
        second = system.mass_product(W.density[k]) * V.potential[k]
        local[:, k] = (first - second).sum(), (np.abs(first) + np.abs(second)).sum()
    total = summed(system.flow.domain.comm, local)
    return total[0], total[1]


def random_data(flow: Flow, seed: int) -> tuple[Floats, Floats]:
    """Changes of the initial density (without mass) and of phi_N: a few random waves, the same on any ranks."""
    domain, classes = flow.domain, flow.density.shape[1]
    low, high = domain.bounds
    x = np.pi * (domain.coordinates[: domain.owned] - low) / (high - low)
    rng = np.random.default_rng(seed)

    def waves() -> Floats:
        modes, phases = rng.integers(1, 4, (classes, 3, domain.dimension)), rng.uniform(0, 2 * np.pi, (classes, 3))
        heights = rng.standard_normal((classes, 3))
        return np.array([h @ np.cos(m @ x.T + p[:, None]) for m, p, h in zip(modes, phases, heights, strict=True)])

    return waves(), waves()


def random_patches(flow: Flow, count: int, seed: int) -> list[Patch]:
    """Patches of (slab, cell) pairs, the same on any ranks, in turn: a ball of cells over some slabs, a slab-shaped
    block with scattered holes, balls that move from slab to slab."""
    domain, N = flow.domain, len(flow.layers)
    middles, numbers = _midpoints(domain), np.asarray(domain.mesh.topology.original_cell_index)[: _cells(domain)]
    low, high = domain.bounds
    total = domain.mesh.topology.index_map(domain.dimension).size_global
    rng = np.random.default_rng(seed)
    out = []
    for j in range(count):
        first = int(rng.integers(0, max(N - 1, 1)))
        last = int(rng.integers(min(first + 2, N), N + 1))
        centres = low + (high - low) * rng.uniform(0.2, 0.8, (N, domain.dimension))
        radius, holes = rng.uniform(0.25, 0.5), rng.random((N, total)) < 0.02
        if j % 3 != 2:
            centres[:] = centres[0]
        patch = np.zeros((N, len(middles)), dtype=bool)
        for k in range(first, last):
            ball = (np.abs((middles - centres[k]) / (high - low)) ** 2).sum(axis=1) < radius**2
            patch[k] = ~holes[k, numbers] if j % 3 == 1 else ball
        out.append(patch)
    return out


def _unknowns(tangent: Tangent) -> tuple[Floats, Floats]:
    return np.concatenate([tangent.velocity, tangent.slab_density], axis=1), tangent.potential


def _inside(domain: Domain, patch: Patch) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Which nodes are inside the patch, which it touches: for slab unknowns (N, .) and layer unknowns (N + 1, .)."""
    halo, N = Halo(domain), len(patch)
    nodes = domain.V.dofmap.list[: patch.shape[1]]
    counts = halo.stack(N + 1)
    for k in range(N):
        np.add.at(counts[k], nodes, patch[k][:, None].astype(float))
    np.add.at(counts[N], nodes, 1.0)
    halo.accumulate(counts)
    counts = counts[:, : halo.owned]
    whole, touched = counts[:N] == counts[N], counts[:N] > 0
    layer = np.zeros((N + 1, halo.owned), dtype=bool)
    layer[1:N] = whole[:-1] & whole[1:]
    at_layer = np.zeros_like(layer)
    at_layer[:N] |= touched
    at_layer[1:] |= touched
    return (whole, layer), (touched, at_layer)


def _cells(domain: Domain) -> int:
    return int(domain.mesh.topology.index_map(domain.mesh.topology.dim).size_local)


def _midpoints(domain: Domain) -> Floats:
    cells = np.arange(_cells(domain), dtype=np.int32)
    return dmesh.compute_midpoints(domain.mesh, domain.mesh.topology.dim, cells)[:, : domain.dimension]
