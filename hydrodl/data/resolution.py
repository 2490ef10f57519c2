"""Whether a mesh shows the samples: its cells beside the spread of the classes and the kernel of their densities."""

from __future__ import annotations

import numpy as np

from hydrodl.common.arrays import Floats, Ints
from hydrodl.common.parallel import summed
from hydrodl.data.samples import Samples
from hydrodl.mesh.domain import Domain

COARSE = 2.0
"""A cell so many times as wide as a class spreads does not show the class."""


BLURRED = 4.0
"""A cell so many times as wide as the kernel doubles its width: hat functions of width h have the variance h^2/6."""


def resolution_notes(domain: Domain, samples: Samples, bandwidth: float, cells: Ints) -> tuple[str, ...]:
    """What a mesh does not show of the samples, in words; collective.

    Args:
        domain: the mesh.
        samples: in its coordinates.
        bandwidth: of the kernel.
        cells: those of this rank in which samples lie, one entry a sample.
    """
    data = samples.preprocessing.taken
    width = _widths(domain, cells)[:data]
    within = spread_within(samples)[:data]
    with np.errstate(divide="ignore"):
        worst = int(np.argmax(np.where(within > 0, width / within, 0.0)))
    if within[worst] > 0 and width[worst] > COARSE * within[worst]:
        finer = int(np.ceil(np.ptp(np.array(domain.bounds), axis=0)[worst] / within[worst])) + 1
        return (
            f"the cells of the mesh are {width[worst]:.3g} wide in direction {worst + 1}, where a class spreads "
            f"{within[worst]:.3g}: the mesh does not show the samples; take about {finer} nodes there, or a mesh in "
            "the units of the data",
        )
    if width.max() > BLURRED * bandwidth:
        return (
            f"the cells of the mesh are {width.max():.3g} wide, more than {BLURRED:g} bandwidths ({bandwidth:.3g}): "
            "the mesh, not the bandwidth, says how smooth the densities are; more nodes or a larger bandwidth help",
        )
    return ()


def spread_within(samples: Samples) -> Floats:
    """How far the samples of a class spread, the root of the mean square over samples, shape (d,).

    Half the distance between the quantiles 0.16 and 0.84 of the class, a Gaussian's deviation, which knows no outliers.
    """
    points, total = samples.points, np.zeros(samples.points.shape[1])
    for c in range(samples.classes):
        mine = points[samples.labels == c]
        if len(mine):
            total += len(mine) * (np.diff(np.quantile(mine, [0.16, 0.84], axis=0), axis=0)[0] / 2) ** 2
    return np.sqrt(total / len(points))


def _widths(domain: Domain, cells: Ints) -> Floats:
    """Mean extent of the cells in which samples lie, shape (d,); collective."""
    geometry = domain.mesh.geometry
    corners = geometry.x[geometry.dofmaps[0][cells]][:, :, : domain.dimension]
    extents = np.ptp(corners, axis=1).sum(axis=0) if len(cells) else np.zeros(domain.dimension)
    found = summed(domain.comm, np.append(extents, float(len(cells))))
    return np.asarray(found[:-1] / found[-1])
