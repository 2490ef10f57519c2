"""What a problem file leaves open, settled once the data are known: this is built, and written to problem.toml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mpi4py import MPI

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.node_counts import MOST, nodes_left_out
from hydrodl.discretisation.schemes import default_scheme
from hydrodl.mesh.bounding_box import around, box_nodes
from hydrodl.mesh.layer_partition import Layers, layers
from hydrodl.problem_file.building_snapshots import layers_of, listed
from hydrodl.problem_file.given_data import Given, reached
from hydrodl.problem_file.machine import available_bytes
from hydrodl.problem_file.schema import Config, Domain, check_spans
from hydrodl.problem_file.size_estimate import Sizes, memory_bytes
from hydrodl.training.minimisation import DEFAULTS


def settled(config: Config, given: Given) -> Config:
    """The problem file with corners and nodes of its box, its elements, its scheme and solver's defaults written out.

    Collective: nodes that are left out are no more than fit into the memory of all ranks.

    Raises:
        InputError: fewer layers than there are spans between snapshots; corners, a margin or nodes of another
            dimension than the data.
    """
    if given.snapshots is not None:
        config = config.model_copy(update={"data": listed(config.data, given.snapshots)})
        check_spans(config)
    box, network = config.domain, config.network
    linear, boxes = box.degree == 1, box.mesh is None and box.cells == "box"
    robust = linear and boxes
    lumped = linear if box.lumped is None else box.lumped
    scheme = network.scheme or default_scheme(robust and lumped and not box.without_walls, config.physics.fitted)
    changes: dict[str, Any] = {"lumped": lumped}
    if box.mesh is None:
        low, high = _corners(config, given)
        left_out = _nodes_left_out(config, given, scheme, (low, high)) if box.nodes is None else ()
        nodes = left_out or _nodes(box, low, high, given.train.preprocessing.lift)
        changes |= {"lower": low.tolist(), "upper": high.tolist(), "nodes": list(nodes)}
    found = {
        "domain": box.model_copy(update=changes),
        "network": network.model_copy(update={"scheme": scheme}),
        "solver": DEFAULTS | config.solver,
    }
    return config.model_copy(update=found)


def make_layers(config: Config) -> Layers:
    """The layer partition of a problem file; the times of snapshots are among its own."""
    network = config.network
    if config.data.snapshots is not None:
        return layers_of(config)[0]
    return layers(network.layers, network.depth) if network.times is None else layers(np.array(network.times))


def _corners(config: Config, given: Given) -> tuple[Floats, Floats]:
    """As given, or around the data with the margin."""
    box, dimension = config.domain, given.train.points.shape[1]
    if box.lower is None or box.upper is None:
        return around(reached(config.data, given), box.margin)
    if len(box.lower) != dimension:
        raise InputError(f"domain.lower has {len(box.lower)} numbers, the data have {dimension} features")
    return np.array(box.lower), np.array(box.upper)


def _nodes(box: Domain, low: Floats, high: Floats, lift: int) -> list[int]:
    """Nodes of the box in each direction, of which the last ``lift`` are added ones."""
    d = len(low)
    if isinstance(box.nodes, list) and len(box.nodes) != d:
        raise InputError(f"domain.nodes is {box.nodes}, must be one number or {d} (the number of features)")
    counts = box_nodes(box.nodes, low, high, lift)
    return [counts] * d if isinstance(counts, int) else list(counts)


def _nodes_left_out(config: Config, given: Given, scheme: str, corners: tuple[Floats, Floats]) -> Sequence[int]:
    """As many nodes as carry the noise exactly and fit into memory; collective."""
    samples, room = given.train, available_bytes(MPI.COMM_WORLD)
    whole = config.network.hidden_weights == "trained"
    sizes = Sizes(config.network.count, 2, len(corners[0]), samples.classes, config.network.width or 0, whole=whole)
    if memory_bytes(sizes) > room:  # so many layers that no box fits: refused for its size, not built
        return ()
    partition = make_layers(config)
    most = 2
    while most < MOST and memory_bytes(replace(sizes, nodes=2 * most)) <= room:
        most *= 2
    lift, first = samples.preprocessing.lift, MPI.COMM_WORLD.rank == 0
    return nodes_left_out(scheme, config.physics.noise, partition, corners, lift, most=most, warn=first)
