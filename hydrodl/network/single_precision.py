"""What a network loses when its features come in single precision."""

from __future__ import annotations

import numpy as np

from hydrodl.data.density_sampling import sample_density
from hydrodl.data.preprocessing import features_of
from hydrodl.network.network import Network

DRAWS = 2000
"""Points that are drawn to count what changes."""


MOVED = 1e-3
"""Without classes a point counts as changed if it ends further from its place than this part of the box."""


def changed_by_rounding(network: Network) -> tuple[int, int]:
    """(how many points change their label, or their end where there are no classes, how many were drawn); collective.

    The points are drawn from the initial densities.
    """
    problem = network.solution.problem
    points = sample_density(network.domain, problem.densities.values.sum(axis=0), DRAWS)
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
    return int((changed | lost).sum()), DRAWS
