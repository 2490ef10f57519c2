"""What a transport needs of its mesh, and how far its answer is from the samples and from the noise asked for."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats, evenly
from hydrodl.data.preprocessing import Preprocessing, raw_metric
from hydrodl.mesh.bounding_box import NODES
from hydrodl.transport.bridge_result import Bridge
from hydrodl.transport.sliced_distance import by_chance, sliced_distance

MOST_NODES = {1: 2000, 2: 4000, 3: 6000}
"""Nodes in all that are taken unasked, by dimension."""


MOST_SAMPLES = 2000
"""Samples that are carried over to see how far from the target they come."""


FAR, CHANCES = 0.05, 3.5
"""Samples are far from the target above this distance and so many times what chance makes (the most of sixty: 3.0)."""


EXCESS = 0.02
"""Part of the work that noise beyond what was asked for may add without a word."""


def carrying_nodes(low: Floats, high: Floats, noise: float, step: float) -> list[int]:
    """Nodes per direction whose splines bring no more than the noise: h <= 2 sqrt(nu Delta).

    At least NODES in the longest direction, and no more than MOST_NODES in all.
    """
    extent, d = high - low, len(low)
    spacing = min(2 * np.sqrt(noise * step), float(extent.max()) / (NODES[d] - 1))
    counts = np.ceil(extent / spacing - 1e-9) + 1
    if counts.prod() > MOST_NODES[d]:
        spacing = (extent.prod() / MOST_NODES[d]) ** (1 / d)
        counts = np.floor(extent / spacing) + 1
    return [max(2, int(count)) for count in counts]


def some(points: Floats) -> Floats:
    """At most MOST_SAMPLES of the points, spread evenly over their order."""
    return points[evenly(len(points), MOST_SAMPLES)]


def missed(carried: Floats, target: Floats) -> tuple[float, str]:
    """The distance of samples carried over to those of the target, and words if that is more than chance explains."""
    target = some(target)
    distance, chance = sliced_distance(carried, target), by_chance(len(carried), len(target))
    if distance <= FAR + CHANCES * chance:
        return distance, ""
    return distance, (
        f"the samples carried over are {distance:.2g} mean deviations of the target from its samples, where chance "
        f"explains about {1.6 * chance:.2g}: outliers, or a bandwidth or a mesh too coarse for the target"
    )


def excess_of_noise(found: Bridge, preprocessing: Preprocessing) -> str:
    """Words if the noise that the scheme adds makes the work too large by part EXCESS, as it would with Gaussians."""
    solution = found.solution
    asked = float(solution.problem.lagrangian.noise)  # type: ignore[arg-type]
    units = np.diag(raw_metric(preprocessing, solution.problem.domain.dimension))
    felt = np.array(solution.effective_noise)
    excess = float(sum(u * (_resting(nu) - _resting(asked)) for u, nu in zip(units, felt, strict=True)))
    if not found.raw_cost > 0 or excess <= EXCESS * found.raw_cost:
        return ""
    return (
        f"the mesh brings the noise {felt.max():.2g} where {asked:g} was asked for: the cost {found.raw_cost:.4g} is "
        f"about {excess:.2g} ({excess / found.raw_cost:.0%}) too high; take more nodes or fewer layers"
    )


def _resting(nu: float) -> float:
    """Work of the bridge of a Gaussian of deviation 1 with itself, per direction, over depth 1.

    With c = sqrt(1 + nu^2) - nu the covariance of beginning and end and v = 1 - c^2:  nu (log(2 nu / v) - 1) + 1 - c.
    """
    c = np.sqrt(1 + nu**2) - nu
    return float(nu * (np.log(2 * nu / (1 - c**2)) - 1) + 1 - c)
