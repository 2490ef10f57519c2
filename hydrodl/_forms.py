"""What the forms of a network for other programs have in common: all of its velocity, its walls and its input map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import gather, gather_nodes, lexicographic
from hydrodl.domain import Domain


def whole(domain: Domain, velocity: Floats) -> tuple[Floats, Floats]:
    """Collective: nodes (n, d) and velocity (N, d, owned) -> (N, d, n), both sorted by x_1, x_2, x_3, on every rank.

    The order, and so whatever is made of it, does not depend on the number of ranks.
    """
    nodes, values = gather_nodes(domain), gather(domain, velocity)
    if nodes is not None and values is not None:
        order = lexicographic(nodes)
        nodes, values = nodes[order], np.ascontiguousarray(values[..., order])
    else:
        nodes, values = np.empty((domain.nodes, domain.dimension)), np.empty((*velocity.shape[:2], domain.nodes))
    domain.comm.Bcast(nodes)
    domain.comm.Bcast(values)
    return nodes, values


def fills_box(domain: Domain) -> bool:
    """Is feature space all of its bounding box, so that its nearest point to one outside is that of a box? Collective.

    In d = 1: is it one interval?
    """
    box = float(np.prod(np.subtract(*domain.bounds[::-1])))
    return abs(domain.volume - box) <= 1e-9 * box


def input_map(preprocessing: Mapping[str, Any]) -> tuple[Floats, Floats, Floats]:
    """(mean (p,), scale (p,), matrix (p, d)) of a preprocessing's ``to_dict``: x = ((f - mean) / scale) matrix.

    The matrix holds the rescaled principal components, or is the identity, and has a zero column for every coordinate
    that lifting adds.
    """
    mean, scale = (np.asarray(preprocessing[name], dtype=float) for name in ("mean", "scale"))
    matrix = np.eye(mean.size)
    if preprocessing.get("components") is not None and preprocessing.get("component_scale") is not None:
        matrix = np.asarray(preprocessing["components"], dtype=float) / np.asarray(preprocessing["component_scale"])
    return mean, scale, np.hstack([matrix, np.zeros((mean.size, int(preprocessing.get("lift") or 0)))])
