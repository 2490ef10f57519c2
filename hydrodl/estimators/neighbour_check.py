"""What a fit misses: nearest neighbours, who know no flow, no noise and no mesh, predict the same samples."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.data.resolution import spread_within
from hydrodl.data.samples import Samples
from hydrodl.problem.solution import Solution

NEIGHBOURS = (1, 5, 15)
"""Numbers of neighbours who vote; the best of them counts."""


LOOKED_AT = 2000
"""Samples that are looked at, spread evenly over their order."""


MISSED, CHANCE = 0.02, 0.5
"""Behind the neighbours by more than MISSED + CHANCE / sqrt(n) is told."""


def neighbours_accuracy(points: Floats, labels: Ints) -> float:
    """Part of points (n, d) whose class their nearest others name, with the best number of these; leave one out."""
    from scipy.spatial import cKDTree

    most = min(max(NEIGHBOURS), len(points) - 1)
    if most < 1:
        return 0.0
    _, near = cKDTree(points).query(points, most + 1)
    others = near != np.arange(len(points))[:, None]
    others[others.all(axis=1), -1] = False  # more than that many at the very same place
    near = near[others].reshape(len(points), most)
    found = []
    for k in {min(k, most) for k in NEIGHBOURS}:
        votes = np.zeros((len(points), int(labels.max()) + 1))
        for j in range(k):
            votes[np.arange(len(points)), labels[near[:, j]]] += 1 + 1e-6 * (
                k - j
            )  # the nearer one where votes are even
        found.append(float((votes.argmax(axis=1) == labels).mean()))
    return max(found)


def behind_neighbours(samples: Samples, predicted: Ints, rows: Ints, solution: Solution) -> str:
    """Words if the samples of these rows are predicted less well than by their neighbours; nothing if not.

    The neighbours are looked for in feature space, and in all features where coordinates are components of more.
    """
    labels, preprocessing = samples.labels[rows], samples.preprocessing
    right = float((predicted == labels).mean())
    allowed = MISSED + CHANCE / np.sqrt(len(rows))
    spaces = {"": samples.points[rows]}
    if preprocessing.components is not None:
        spaces[" of all features"] = (samples.features[rows] - preprocessing.mean) / preprocessing.scale
    for where, points in spaces.items():
        theirs = neighbours_accuracy(points, labels)
        if theirs > right + allowed:
            cure = "dimensions = 3 keeps more of the features" if where else _cure(samples, solution)
            return (
                f"{right:.3f} of the training samples are predicted, by their nearest neighbours{where} {theirs:.3f} "
                f"(leave one out): {cure}"
            )
    return ""


def _cure(samples: Samples, solution: Solution) -> str:
    """What is likely to help."""
    problem = solution.problem
    data = samples.preprocessing.taken
    kick = float(np.sqrt(2 * max(solution.effective_noise) * problem.layers.depth))
    spread = spread_within(samples)[:data]
    narrow = float(spread.min(initial=np.inf, where=spread > 0))
    if kick > narrow:
        return (
            f"the noise moves a point by {kick:.2g}, and a class spreads {narrow:.2g}; take less noise, with the nodes "
            "that carry it or fewer layers"
        )
    if data < 3 and not samples.preprocessing.lift:
        return (
            "what no flow separates in this dimension may be separated with lift = 1; or another weight or less noise"
        )
    return "more nodes with less noise, or another weight"
