"""What a network loses when its features come in single precision."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats
from hydrodl.data.density_sampling import sample_density
from hydrodl.data.preprocessing import features_of, input_map, raw_map
from hydrodl.network.network import Network

DRAWS = 2000
"""Points that are drawn to count what changes."""


SPREADS = 5.0
"""Features that mesh coordinates do not fix lie within so many of their scales around their means."""


MOVED = 1e-3
"""Without classes a point counts as changed if it ends further from its place than this part of the box."""


def rounding(network: Network) -> Floats:
    """How far float32 moves a point of the box in mesh coordinates, as the root of the squares over features; (d,).

    A feature f loses at most |f| 2^-24, or 2^-150 where it is tiny; one beyond the range of float32 is lost. Local.
    """
    mean, scale, matrix = input_map(network.preprocessing.to_dict())
    reach = np.abs(network.bounds).max(axis=0)
    largest = np.abs(mean) + np.abs(raw_map(network.preprocessing, len(reach))) @ reach
    if network.preprocessing.components is not None:
        largest = np.maximum(largest, np.abs(mean) + SPREADS * scale)
    lost = np.maximum(largest * 2.0**-24, 2.0**-150)
    lost[largest > np.finfo(np.float32).max] = np.inf
    with np.errstate(invalid="ignore"):  # inf of a feature that does not count
        moved = np.where(matrix == 0, 0.0, (lost / scale)[:, None] * np.abs(matrix))
    return np.sqrt((moved**2).sum(axis=0))


def changed_by_rounding(network: Network, draws: int = DRAWS, seed: int = 0) -> tuple[int, int]:
    """(how many points change their label, or their end where there are no classes, how many were drawn); collective.

    The points are drawn from the initial densities.
    """
    problem = network.solution.problem
    points = sample_density(network.domain, problem.densities.values.sum(axis=0), draws, seed)
    exact = features_of(network.preprocessing, points)
    with np.errstate(over="ignore"):
        near = exact.astype(np.float32).astype(np.float64)
    lost = ~np.isfinite(near).all(axis=1)
    near[lost] = exact[lost]
    if problem.readout is not None:
        changed = network.predict(exact) != network.predict(near)
    else:
        lower, upper = network.bounds
        ways = np.abs(network.transform(exact) - network.transform(near))
        changed = (ways > MOVED * (upper - lower)).any(axis=1)
    return int((changed | lost).sum()), draws
