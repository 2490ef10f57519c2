"""How ranks share out what slabs of layer maps do: whole slabs, or rows of nodes of every slab.

What a slab does is the same: :class:`SlabLayout` says what of it a rank has, and fetches what it needs of others. A
node that moves reaches rows around where it goes, and the window of a rank is all rows that its nodes reach, so that
displacements may be as long as they like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.heat_step import HeatStep
from hydrodl.discretisation.layer_march import LayerMarch
from hydrodl.discretisation.layer_recursion import March, NodeMarch, SlabMaps
from hydrodl.discretisation.push import Push, Splines
from hydrodl.discretisation.row_operators import RowHeat, RowStiffness
from hydrodl.discretisation.stacks import LayerStacks, RowStacks
from hydrodl.linear_algebra.grid_operators import GridStiffness
from hydrodl.linear_algebra.row_shares import RowWindow
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.grid_nodes import GridNodes

REACH = 2, 4
"""Rows that a place reaches: from so many below the one before it to so many beyond, that one not included."""


class Stiffness(Protocol):
    """c K for fields where a layout has them."""

    def product(self, fields: Floats) -> Floats:
        """c K times each of the fields (..., nodes here); collective."""


class Noise(Protocol):
    """R for fields where a layout has them."""

    def smooth(self, duals: Floats, out: Floats | None = None) -> Floats:
        """R duals, (C, nodes here); ``out`` must be contiguous and may be what was given; collective."""


class SlabLayout(Protocol):
    """What of the slabs a rank has; methods are collective.

    Attributes:
        mass: the lumped mass of the nodes here.
    """

    mass: Floats

    @property
    def stacks(self) -> LayerStacks | RowStacks:
        """Where stacks are."""

    def pushes(self, splines: Splines) -> list[Push]:
        """Those of the slabs here, yet without displacement."""

    def move(self, pushes: Sequence[Push], splines: Splines, displacements: Iterable[Floats]) -> None:
        """Give them displacements, (d, nodes here) each."""

    def noise(self, step: float, noise: Floats) -> Noise:
        """R of slabs of one thickness, for the noise along every axis."""

    def stiffness(self, factor: float) -> Stiffness:
        """The stiffness times a factor."""

    def march(self, slabs: SlabMaps) -> March:
        """Both sweeps."""


class WholeSlabs:
    """See :class:`SlabLayout`: some slabs, whole."""

    def __init__(self, domain: Domain, slabs: int) -> None:
        self.stacks, self._comm = LayerStacks(domain, slabs), domain.comm
        self.mass = self.stacks.nodes.mass

    def pushes(self, splines: Splines) -> list[Push]:
        """See :class:`SlabLayout`."""
        still = np.zeros((len(splines.shape), splines.nodes))
        return [Push(splines, still) for _ in self.stacks.layers]

    def move(self, pushes: Sequence[Push], splines: Splines, displacements: Iterable[Floats]) -> None:
        """See :class:`SlabLayout`."""
        for push, displacement in zip(pushes, displacements, strict=True):
            push.move(displacement)

    def noise(self, step: float, noise: Floats) -> Noise:
        """See :class:`SlabLayout`."""
        return HeatStep.of(self.stacks.nodes.shape, self.stacks.nodes.spacing, step, noise)

    def stiffness(self, factor: float) -> Stiffness:
        """See :class:`SlabLayout`."""
        return GridStiffness(self.stacks.nodes.shape, self.stacks.nodes.spacing, factor)

    def march(self, slabs: SlabMaps) -> March:
        """See :class:`SlabLayout`."""
        stacks = self.stacks
        if self._comm.size == 1 and stacks.nodes.sorted:
            return NodeMarch(slabs)
        return LayerMarch(
            slabs, stacks.shares, self._comm, "slab", everywhere=stacks.everywhere, field=stacks.field, together=True
        )


class SharedSlabs:
    """See :class:`SlabLayout`: rows of nodes of every slab, d > 1."""

    def __init__(self, domain: Domain, slabs: int) -> None:
        self.stacks = RowStacks(domain, slabs)
        self._shares = shares = self.stacks.shares
        here = shares.first * shares.inner
        self.mass = self.stacks.nodes.mass[here : here + shares.width]

    def pushes(self, splines: Splines) -> list[Push]:
        """See :class:`SlabLayout`."""
        own = splines.window(self._shares.rows)
        still = np.zeros((len(own.shape), own.nodes))
        return [Push(own, still) for _ in self.stacks.layers]

    def move(self, pushes: Sequence[Push], splines: Splines, displacements: Iterable[Floats]) -> None:
        """See :class:`SlabLayout`; one exchange says what rows all ranks reach in all slabs."""
        shares, rows = self._shares, splines.shape[0]
        own = splines.window(shares.rows)
        places = [own.places(displacement, shares.first) for displacement in displacements]
        windows = np.array(shares.comm.allgather(np.array([_reached(x[0], rows) for x in places])))
        for k, (push, place) in enumerate(zip(pushes, places, strict=True)):
            first, end = map(int, windows[shares.comm.rank, k])
            place[0] -= first  # exact: whole numbers, and not larger
            push.put(splines.window(end - first), place, RowWindow(shares, windows[:, k]))

    def noise(self, step: float, noise: Floats) -> Noise:
        """See :class:`SlabLayout`."""
        return RowHeat.of(self._shares, self.stacks.nodes.shape, self.stacks.nodes.spacing, step, noise)

    def stiffness(self, factor: float) -> Stiffness:
        """See :class:`SlabLayout`."""
        return RowStiffness(self._shares, self.stacks.nodes.shape, self.stacks.nodes.spacing, factor)

    def march(self, slabs: SlabMaps) -> March:
        """See :class:`SlabLayout`."""
        return NodeMarch(slabs, self.stacks.everywhere, self._shares.to_nodes)


def _reached(places: Floats, rows: int) -> tuple[int, int]:
    """The first row that places reach, and the one after the last, of so many rows."""
    inside = np.clip(np.nan_to_num(places), 0, rows - 1)  # as the kernels have it beyond walls; no number is reported
    return max(int(inside.min()) - REACH[0], 0), min(int(inside.max()) + REACH[1], rows)


SHARES = "layers", "nodes"
"""What the option "slab_share" may be."""

ROWS = 4
"""With fewer rows a rank, windows are mostly rows of others."""

NODES = 16384
"""With fewer nodes a rank, what a slab takes is less than what its exchanges take (``benchmarks/parallel.py``)."""


def better_by_nodes(ranks: int, slabs: int, shape: Sequence[int]) -> bool:
    """Are there more ranks than slabs, and nodes enough for all of them?

    Example:
        >>> [better_by_nodes(ranks, 2, (41, 41, 41)) for ranks in (1, 2, 3, 4, 8)]
        [False, False, True, True, False]
    """
    enough = shape[0] >= ROWS * ranks and np.prod(shape) >= NODES * ranks
    return ranks > slabs and len(shape) > 1 and bool(enough)


def slab_layout(domain: Domain, slabs: int, options: Mapping[str, Any]) -> SlabLayout:
    """What suits the number of ranks, slabs and nodes, or the caller's option "slab_share"; collective.

    Raises:
        InputError: another word than "layers" and "nodes", or nodes that cannot be shared out.
    """
    given, ranks = options.get("slab_share"), domain.comm.size
    if given not in (None, *SHARES):
        raise InputError(f"slab_share is {given!r}, must be {' or '.join(map(repr, SHARES))}")
    if given == "layers" or (given is None and ranks <= slabs):
        return WholeSlabs(domain, slabs)
    shape = GridNodes(domain).shape
    if given is None:
        return SharedSlabs(domain, slabs) if better_by_nodes(ranks, slabs, shape) else WholeSlabs(domain, slabs)
    if domain.dimension == 1:
        raise InputError("slab_share is 'nodes': a layer on an interval has too few to share out, take 'layers'")
    if ranks > shape[0]:
        raise InputError(f"slab_share is 'nodes': {ranks} ranks share {shape[0]} rows of nodes, take 'layers'")
    return SharedSlabs(domain, slabs)
