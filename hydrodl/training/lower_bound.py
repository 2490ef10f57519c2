"""What J is at least, for any velocity, where densities are not negative."""

from __future__ import annotations

import numpy as np

from hydrodl.common.parallel import smallest
from hydrodl.physics.internal_energy import Entropy, Power
from hydrodl.problem.problem import Problem


def lower_bound(problem: Problem) -> float:
    """Least possible J of positive densities: 0 from losses and speeds, and what potential and energy add; collective.

    The total mass is m at every depth, so V adds at least T m min V; s R log R is at least -s/e everywhere; congestion
    adds at least 0; what crowding pays has no bound: -inf.
    """
    domain, physics, depth = problem.domain, problem.lagrangian, float(problem.layers.depth)
    values = physics.potentials(domain.coordinates[: domain.owned], problem.classes)
    least = smallest(domain.comm, float(values.min(initial=np.inf)))
    bound = min(least, 0.0) * depth * float(problem.densities.masses.sum())
    if physics.energy is None or isinstance(physics.energy, Power):
        return bound
    if isinstance(physics.energy, Entropy) and physics.energy.weight > 0:
        return bound - float(physics.energy.weight) / np.e * domain.volume * depth
    return -np.inf
