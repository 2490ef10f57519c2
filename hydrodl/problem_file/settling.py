"""What a problem file leaves open, settled once the data are known: this is built, and written to problem.toml."""

from __future__ import annotations

from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.errors import InputError
from hydrodl.discretisation.schemes import default_scheme
from hydrodl.mesh.bounding_box import around, box_nodes
from hydrodl.problem_file.building_snapshots import listed
from hydrodl.problem_file.given_data import Given, reached
from hydrodl.problem_file.schema import Config, Domain, check_spans
from hydrodl.training.minimisation import DEFAULTS


def settled(config: Config, given: Given) -> Config:
    """The problem file with corners and nodes of its box, its elements, its scheme and solver's defaults written out.

    Raises:
        InputError: fewer layers than there are spans between snapshots; corners, a margin or nodes of another
            dimension than the data.
    """
    if given.snapshots is not None:
        config = config.model_copy(update={"data": listed(config.data, given.snapshots)})
        check_spans(config)
    box = config.domain
    changes: dict[str, Any] = {"lumped": bool(box.lumped)}
    if box.mesh is None:
        low, high = _corners(config, given)
        nodes = _nodes(box, low, high, given.train.preprocessing.lift)
        lumped = box.lumped if box.lumped is not None else box.cells == "box" and box.degree == 1
        changes = {"lower": low.tolist(), "upper": high.tolist(), "nodes": nodes, "lumped": lumped}
    domain, network = box.model_copy(update=changes), config.network
    robust = domain.mesh is None and domain.cells == "box" and domain.degree == 1 and bool(domain.lumped)
    scheme = network.scheme or default_scheme(robust, config.physics.fitted)
    found = {"domain": domain, "network": network.model_copy(update={"scheme": scheme})}
    return config.model_copy(update=found | {"solver": DEFAULTS | config.solver})


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
