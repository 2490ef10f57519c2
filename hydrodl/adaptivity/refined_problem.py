"""A solved problem on a mesh and layers twice as fine, with the solution's velocity there: nothing is trained.

On uniform boxes of degree 1 densities, targets and velocities are taken for cubic splines of their nodal values, whose
error is of fourth order; elsewhere for their own finite-element functions, on the same cells cut in pieces. The
velocity is linear in depth between the middles of layers and on to the ends. A layer map x + Delta u(x) has its
velocity at the points below it: smooth in depth is the velocity in the middle of the paths, u(x - Delta/2 u).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.ndimage import map_coordinates, spline_filter

from hydrodl.adaptivity.mesh_refinement import check_refinable, refine_cells
from hydrodl.adaptivity.velocity_transfer import on_nodes_of
from hydrodl.common.arrays import Floats
from hydrodl.data.class_densities import Densities
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.uniform_grid import Grid, spread
from hydrodl.physics.losses import Density, Loss
from hydrodl.problem.flow import Flow
from hydrodl.problem.problem import Problem

_ITERATIONS = 3
"""Of v(x) = u(x - s v(x)), each better by a factor s |grad u|."""


def finer_layers(layers: Layers) -> Layers:
    """Every layer cut in two."""
    times = layers.times
    return Layers(np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2])))


def finer_domain(domain: Domain) -> Domain:
    """Half the spacing: equal cells of the same box, or every edge of a mesh of simplices cut in two; collective.

    Raises:
        InputError: a mesh of boxes that is no uniform one of degree 1, or curved cells.
    """
    if domain.uniform_box and domain.degree == 1:
        grid, _ = Grid.of(domain)
        nodes = [2 * int(n) - 1 for n in grid.counts]
        return Domain.box(grid.lower, grid.upper, nodes, lumped=domain.lumped, comm=domain.comm)
    check_refinable(domain, 1.0)
    topology = domain.mesh.topology
    return refine_cells(domain, np.arange(topology.index_map(topology.dim).size_local, dtype=np.int32))


def on_domain(problem: Problem, domain: Domain) -> Problem:
    """The problem with its densities and targets on another domain, without neurons; collective."""
    losses = [_moved(loss, problem.domain, domain) for loss in problem.terms]
    densities = densities_on(problem.densities, domain)
    return replace(problem, domain=domain, densities=densities, losses=losses, control=None)


def on_layers(problem: Problem, layers: Layers) -> Problem:
    """The problem on layers of which each of its own is made of two, without neurons."""
    losses = [_at_twice(loss) for loss in problem.terms]
    return replace(problem, layers=layers, losses=losses, control=None)


def _at_twice(loss: Any) -> Loss:
    return loss if loss.layer is None else replace(loss, layer=2 * loss.layer)  # type: ignore[no-any-return]


def _at_layer(loss: Any, layers: Mapping[int, int]) -> Loss:
    return loss if loss.layer is None else replace(loss, layer=layers[loss.layer])  # type: ignore[no-any-return]


def _moved(loss: Loss, old: Domain, new: Domain) -> Loss:
    return replace(loss, target=densities_on(loss.target, new)) if isinstance(loss, Density) else loss


def densities_on(given: Densities, domain: Domain) -> Densities:
    """Densities on another domain, not negative and of the same masses; collective."""
    moved = replace(given, domain=domain, values=np.maximum(fields_on(given.domain, domain, given.values), 0.0))
    return replace(moved, values=moved.values * (given.masses / moved.masses)[:, None])


def fields_on(old: Domain, new: Domain, values: Floats) -> Floats:
    """Nodal fields (..., owned) on the owned nodes of another domain; collective."""
    if old is new:
        return values
    if not (old.uniform_box and new.uniform_box and old.degree == new.degree == 1):
        return on_nodes_of(new, old, values)
    (grid, order), (fine, place) = Grid.of(old), Grid.of(new)
    flat, out = values.reshape(-1, old.owned), np.empty((int(np.prod(values.shape[:-1])), new.owned))
    for field, found in zip(flat, out, strict=True):  # one at a time: every rank makes all of it
        found[:] = _splined(grid, fine, spread(old, order, grid.size, field))[place]
    return out.reshape(*values.shape[:-1], new.owned)


def _splined(grid: Grid, fine: Grid, values: Floats) -> Floats:
    """A field on all nodes of a grid at all nodes of another of the same box."""
    table = values.reshape(tuple(grid.counts))
    for axis, (low, high, n, m) in enumerate(zip(grid.lower, grid.upper, grid.counts, fine.counts, strict=True)):
        spline = make_interp_spline(np.linspace(low, high, n), table, k=min(3, 2 * ((int(n) - 2) // 2) + 1), axis=axis)
        table = spline(np.linspace(low, high, m))
    return table.ravel()


def velocity_on(flow: Flow, layers: Layers, domain: Domain) -> Floats:
    """The flow's velocity in other layers of the same depth and on another domain, (N, d, owned); collective."""
    if np.array_equal(layers.times, flow.layers.times):
        return fields_on(flow.domain, domain, flow.velocity)
    u = fields_on(flow.domain, domain, _in_depth(flow, layers))
    return _along_paths(flow, layers, domain, u) if flow.scheme.moves_points else u


def _in_depth(flow: Flow, layers: Layers) -> Floats:
    """Linear between the middles of layers, and beyond them up to losses inside and to the ends."""
    times = flow.layers.times
    old, new = (times[1:] + times[:-1]) / 2, (layers.times[1:] + layers.times[:-1]) / 2
    out = np.empty((len(layers), *flow.velocity.shape[1:]))
    for part in flow.sections:
        rows = np.flatnonzero((new >= times[part.start]) & (new < times[part.stop]))
        if part.stop - part.start == 1:
            out[rows] = flow.velocity[part.start]
            continue
        below = np.clip(np.searchsorted(old[part], new[rows]) - 1, 0, part.stop - part.start - 2) + part.start
        weight = ((new[rows] - old[below]) / (old[below + 1] - old[below]))[:, None, None]
        out[rows] = (1 - weight) * flow.velocity[below] + weight * flow.velocity[below + 1]
    return out


def _along_paths(flow: Flow, layers: Layers, domain: Domain, velocity: Floats) -> Floats:
    """v(x) = u(x - s v(x)), s half the difference of thicknesses: from points below one layer to those below others."""
    grid, order = Grid.of(domain)
    middle = (layers.times[1:] + layers.times[:-1]) / 2
    thick = flow.layers.steps[np.searchsorted(flow.layers.times, middle) - 1]
    out, nodes, shape = velocity.copy(), grid.nodes[order], tuple(grid.counts)
    for v, shift in zip(out, (thick - layers.steps) / 2, strict=True):
        splines = [spline_filter(u.reshape(shape), mode="mirror") for u in spread(domain, order, grid.size, v)]
        for _ in range(_ITERATIONS):
            places = ((grid.into(nodes - shift * v.T) - grid.lower) / grid.spacing).T
            v[:] = [map_coordinates(u, places, order=3, mode="mirror", prefilter=False) for u in splines]
    return out


def resized(problem: Problem, layers: int, nodes: int | None = None) -> Problem:
    """The problem in another number of layers, placed in the same way, and of nodes in the direction with most of them.

    Losses inside stay at their depths, so that there may be a few layers more; neurons stay neurons.

    Raises:
        InputError: other nodes on a mesh that is no uniform box of degree 1.
    """
    if nodes is not None:
        grid, _ = Grid.of(problem.domain)
        if nodes != grid.counts.max():
            problem = replace(on_domain(problem, _with_nodes(problem.domain, grid, nodes)), control=problem.control)
    old, times, at = len(problem.layers), problem.layers.times, {0: 0}
    inside = sorted({loss.layer for loss in problem.terms if loss.layer is not None} | {old})
    pieces = [np.zeros(1)]
    for first, last in pairwise([0, *inside]):
        count = max(1, round(layers * (last - first) / old))
        pieces.append(np.interp(np.linspace(first, last, count + 1), np.arange(old + 1), times)[1:])
        at[last] = at[first] + count
    losses = [_at_layer(loss, at) for loss in problem.terms]
    return replace(problem, layers=Layers(np.concatenate(pieces)), losses=losses)


def _with_nodes(domain: Domain, grid: Grid, nodes: int) -> Domain:
    """The same box with other nodes: so many where there are most, in proportion elsewhere."""
    cells = grid.counts - 1
    counts = [max(2, round(int(n) * (nodes - 1) / int(cells.max()))) + 1 for n in cells]
    return Domain.box(grid.lower, grid.upper, counts, lumped=domain.lumped, comm=domain.comm)
