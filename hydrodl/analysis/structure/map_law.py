"""The multisymplectic law of the layer-map schemes on patches of (slab, node) and (slab, cell) elements.

As in ``multisymplectic_law``: with S_P'' the second derivative of the action over a patch P of elements alone, and V,
W tangent solutions, the sum over the border of V (S_P'' W) - W (S_P'' V) vanishes, because it vanishes over all
unknowns by symmetry and over those inside because V and W solve the equations there. An unknown is inside if every
element that sees it is in P. The unknowns and the elements are those of ``map_elements``; P holds any cells, and any
nodes as sources of the push.
"""

from __future__ import annotations

import numpy as np

from hydrodl.analysis.structure.map_elements import Chain, MapElements, Part, corners
from hydrodl.analysis.structure.map_tangents import MapTangents
from hydrodl.analysis.structure.patch_sums import PatchSum, add_pairs
from hydrodl.analysis.structure.space_time_action import Tangent
from hydrodl.discretisation.layer_map_scheme import LayerMapScheme


class MapLaw:
    """The law for tangent solutions of one flow.

    Args:
        system: the linearised equations; scheme: the layer map.
    """

    def __init__(self, system: MapTangents, scheme: LayerMapScheme) -> None:
        self.elements = MapElements(system, scheme)

    def sums(self, V: Tangent, W: Tangent, patches: list[list[Part]]) -> tuple[PatchSum, ...]:
        """The law on patches, each one part a slab; collective."""
        both = [(self.elements.chains(tangent), tangent) for tangent in (V, W)]
        return tuple(self._sum(both, patch) for patch in patches)

    def _sum(self, both: list[tuple[list[Chain], Tangent]], parts: list[Part]) -> PatchSum:
        elements, local = self.elements, np.zeros(5)
        V, W = (chains for chains, _ in both)
        rows_V, rows_W = (elements.rows(chains, tangent, parts) for chains, tangent in both)
        for j, k in enumerate(map(int, elements.shares.layers)):
            for name, touched, inside in elements.touched(j, parts[k]):
                add_pairs(local, V[j][name] * rows_W[j][name], W[j][name] * rows_V[j][name], touched, inside)
            for name, other in (("phi_0", k - 1), ("phi_1", k + 1)):  # phi counts where the slab above it does
                some, inside = _around(parts, k)
                if 0 <= other < len(parts):
                    more, whole = _around(parts, other)
                    some, inside = some | more, inside & whole
                else:
                    inside = np.zeros_like(inside)
                first, second = V[j][name] * rows_W[j][name], W[j][name] * rows_V[j][name]
                counted = name == "phi_0" or other == len(parts)
                add_pairs(local, first, second, some, inside, counted=counted)
            local[4] += parts[k].cells.sum()
        return PatchSum.of(elements.flow.domain.comm, local)


def _around(parts: list[Part], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that cells of slab k in the patch touch, and those around which all of them are in it."""
    some = np.logical_or.reduce([c > 0 for c in corners(parts[k].cells)]).ravel()
    return some, np.logical_and.reduce(corners(parts[k].cells, beyond=True)).ravel()


def random_parts(elements: MapElements, count: int, seed: int) -> list[list[Part]]:
    """Patches of (slab, node) and (slab, cell) elements, the same on any ranks, in turn: a ball over some slabs, a
    slab-shaped block with scattered holes, balls that move from slab to slab; nodes and cells have holes of their own.
    """
    shape, N = elements.nodes.shape, len(elements.flow.layers)
    grids = [np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) for axes in _places(shape)]
    rng = np.random.default_rng(seed)
    out = []
    for j in range(count):
        first = int(rng.integers(0, max(N - 1, 1)))
        last = int(rng.integers(min(first + 2, N), N + 1))
        centres, radius = rng.uniform(0.2, 0.8, (N, len(shape))), rng.uniform(0.25, 0.5)
        if j % 3 != 2:
            centres[:] = centres[0]
        patch = []
        for k in range(N):
            holes = [rng.random(grid.shape[:-1]) < 0.02 for grid in grids]
            balls = [((grid - centres[k]) ** 2).sum(axis=-1) < radius**2 for grid in grids]
            masks = [~hole if j % 3 == 1 else ball for hole, ball in zip(holes, balls, strict=True)]
            patch.append(Part(*(mask & (first <= k < last) for mask in masks)))
        out.append(patch)
    return out


def _places(shape: tuple[int, ...]) -> list[list[np.ndarray]]:
    """Cells and nodes along the axes of the unit box."""
    return [[(np.arange(n - 1) + 0.5) / (n - 1) for n in shape], [np.arange(n) / (n - 1) for n in shape]]
