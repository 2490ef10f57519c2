"""How many layers and nodes a march takes to be within a tolerance of infinitely many: by marching it again.

The same file is marched with half of its layers, and with half of its nodes; with twice as many where half are too few
to tell. By their relative energy around each other (``hd.analysis.parting``) follow the distance to the limit and the
numbers that bring it to the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hydrodl.analysis.stability.bounds import Bound, cells_per_direction
from hydrodl.analysis.stability.parting import parting
from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError, SolverError
from hydrodl.common.parallel import summed
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.layer_partition import Layers
from hydrodl.problem.flow import Flow

Size = tuple[Layers, list[int]]
"""Layers, and nodes per direction as a file gives them."""


SHARE = 0.05
"""Of the way that the population goes beside the stream: the tolerance, unless one is given."""


_FEWEST = 5
"""Nodes in a direction of a coarser march."""


_FAR = 0.25
"""Of that way: beyond it a coarser march says nothing of orders."""


@dataclass(frozen=True)
class MarchSizes:
    """What a march takes.

    Attributes:
        moved: the way that the population goes beside the stream, root mean square, in feature units.
        tolerance: of the distance to the march of infinitely many layers and nodes.
        bounds: rows for layers and for nodes, of the march itself.
        notes: why a row is missing, by what it would say.
    """

    moved: float
    tolerance: float
    bounds: tuple[Bound, ...]
    notes: dict[str, str]


def march_sizes(flow: Flow, again: Callable[[Layers, list[int]], Flow], tolerance: float | None = None) -> MarchSizes:
    """What a march takes; collective.

    Args:
        flow: the march; again: the same with other layers and nodes.
        tolerance: in feature units, or None for ``SHARE`` of ``moved``.
    """
    moved = _moved(flow)
    allowed = SHARE * moved if tolerance is None else tolerance
    found: list[Bound] = []
    notes: dict[str, str] = {}
    for what, coarser, finer in (
        ("layers", _half_layers(flow), _twice_the_layers(flow)),
        ("nodes", _half_the_nodes(flow), _twice_the_nodes(flow)),
    ):
        try:
            if not allowed > 0:
                raise InputError("nothing moves beside the stream")
            row = None if coarser is None else _from_coarser(flow, again(*coarser), allowed)
            if row is None or row[1] > _FAR * moved:
                row = _from_finer(flow, lambda size=finer: again(*size), allowed, row)  # type: ignore[misc]
            found.append(row[0])
        except (InputError, SolverError) as error:  # the same on every rank
            notes[f"needs_{what}"] = str(error)
    odd = [_odd(flow, row) for row in found]
    return MarchSizes(moved, allowed, tuple(odd), notes)


def _moved(flow: Flow) -> float:
    """(T sum Delta (R, |u - s|^2)/mass)^(1/2)."""
    weights = SlabAction(flow.domain, flow.lagrangian).mass_matrix().ones
    stream = np.array(flow.lagrangian.stream or np.zeros(flow.domain.dimension), dtype=float)
    square = ((flow.velocity - stream[:, None]) ** 2).sum(axis=1)
    local: Floats = (flow.slab_density.sum(axis=1) * square) @ weights
    mass = float(summed(flow.domain.comm, flow.density[0].sum(axis=0) @ weights))
    rates = summed(flow.domain.comm, local)
    return float(np.sqrt(max(flow.layers.depth * float(flow.layers.steps @ rates) / mass, 0.0))) if mass > 0 else 0.0


def _nodes(flow: Flow) -> list[int]:
    cells = cells_per_direction(flow.domain)
    return [round(c / flow.domain.degree) + (a not in flow.domain.periodic) for a, c in enumerate(cells)]


def _half_layers(flow: Flow) -> Size | None:
    """Every second time, where there is one."""
    return None if len(flow.layers) % 2 else (Layers(flow.layers.times[::2]), _nodes(flow))


def _twice_the_layers(flow: Flow) -> Size:
    times = flow.layers.times
    return Layers(np.sort(np.r_[times, (times[1:] + times[:-1]) / 2])), _nodes(flow)


def _half_the_nodes(flow: Flow) -> Size | None:
    """Half of the cells in every direction, an odd number of them along periodic ones, where they are enough."""
    halves = [(a, n // 2) for a, n in enumerate(_nodes(flow))]
    nodes = [n - 1 + n % 2 if a in flow.domain.periodic else n + 1 for a, n in halves]
    return None if min(nodes) < _FEWEST else (flow.layers, nodes)


def _twice_the_nodes(flow: Flow) -> Size:
    nodes = enumerate(_nodes(flow))
    return flow.layers, [2 * n + 1 if a in flow.domain.periodic else 2 * n - 1 for a, n in nodes]


def _from_coarser(flow: Flow, coarse: Flow, allowed: float) -> tuple[Bound, float]:
    """The row of a coarser march as one of the march itself, what it needs being the same; and how far that one is."""
    row = parting(coarse, flow, allowed).bounds[0]
    if row.needs_nodes is None:
        ratio, order = len(coarse.layers) / len(flow.layers), flow.scheme.order
    else:
        ratio, order = max(cells_per_direction(coarse.domain)) / max(cells_per_direction(flow.domain)), 2
    value = row.value * ratio**order
    return replace(row, value=value, holds=value <= allowed), row.value


def _from_finer(
    flow: Flow, finer: Callable[[], Flow], allowed: float, known: tuple[Bound, float] | None
) -> tuple[Bound, float]:
    """The row against a finer march, or what is known where that cannot be marched: the layers may be too thick."""
    try:
        row = parting(flow, finer(), allowed).bounds[0]
    except (InputError, SolverError) as error:
        if known is None:
            raise
        note = f"{known[0].note}; the coarser march is far away, and the finer one fails: {error}"
        return replace(known[0], note=note), known[1]
    return row, row.value


def _odd(flow: Flow, row: Bound) -> Bound:
    """Along a periodic direction an odd number: of an even one the wave of two cells feels no pressure."""
    cells = cells_per_direction(flow.domain)
    if row.needs_nodes is None or cells.index(max(cells)) not in flow.domain.periodic:
        return row
    return replace(row, needs_nodes=row.needs_nodes + 1 - row.needs_nodes % 2)
