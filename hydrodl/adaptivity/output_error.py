"""How far the output of the network is from that of the infinitely deep network with the same velocity: measured.

The velocity as a function of depth and features (``refined_problem``) is taken in 2 N and in 4 N layers, and points go
through all three networks. Where infinitely many layers would bring a point, by orders,

    x = 2 x_4N - x_2N,    error |x_N - x|,    doubt |x_4N - x_2N|,

the doubt being what was extrapolated. The bound ``depth_convergence`` is proven, and many times larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydrodl.adaptivity.refined_problem import finer_layers, velocity_on
from hydrodl.common.arrays import Floats
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.gathering import whole
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.interpolation import interpolate, into
from hydrodl.mesh.layer_partition import Layers
from hydrodl.mesh.quadrature import moment
from hydrodl.problem.flow import Flow, HasFlow
from hydrodl.problem.solution import Solution

_SUPPORT = 1e-6
"""Of the largest density: nodes with less are outside the data."""


@dataclass(frozen=True, eq=False)
class OutputError:
    """Distances, in feature space, of the network's output to that of infinitely many layers, from nodes of the data.

    Attributes:
        points: where points start, (n, d); weights: the mass there, (n,), of sum 1.
        displacements: from the network's output to that of infinitely many layers, (n, d).
        doubts: what may be wrong with the size of each, (n,).

    Example:
        >>> found = hd.output_error(solution)
        >>> 0 < found.mean < found.largest < 1
        True
    """

    points: Floats
    weights: Floats
    displacements: Floats
    doubts: Floats

    @property
    def distances(self) -> Floats:
        """|x - x_N|, (n,)."""
        return np.linalg.norm(self.displacements, axis=1)

    @property
    def mean(self) -> float:
        """Weighted by mass."""
        return float(self.weights @ self.distances)

    @property
    def largest(self) -> float:
        """Over the support of the data."""
        return float(self.distances.max())

    @property
    def doubt(self) -> float:
        """Of the mean."""
        return float(self.weights @ self.doubts)

    def to_dict(self) -> dict[str, float]:
        """The numbers of ``analysis.json``."""
        return {name: getattr(self, name) for name in ("mean", "largest", "doubt")}


def output_error(given: HasFlow | Flow) -> OutputError:
    """Push the nodes that have data through N, 2 N and 4 N layers of the same velocity; collective.

    A solution's neurons are the same in all parts of their layer. Nothing is trained and no density is moved.

    Example:
        >>> found = hd.output_error(solution)
        >>> found.displacements.shape == found.points.shape
        True
    """
    flow = given if isinstance(given, Flow) else given.flow
    points, weights = data_points(flow)
    ends, layers = [], flow.layers
    for parts in (1, 2, 4):
        if isinstance(given, Solution) and given.coefficients is not None:
            ends.append(through_neurons(given, parts, points))
            continue
        ends.append(pushed(flow.domain, velocity_on(flow, layers, flow.domain), layers, points))
        layers = finer_layers(layers)
    once, twice, four = ends
    return OutputError(points, weights, 2 * four - twice - once, np.linalg.norm(four - twice, axis=1))


def through_neurons(solution: Solution, parts: int, points: Floats) -> Floats:
    """Where points (n, d) are after all layers of neurons, each cut into so many; collective."""
    hidden, coefficients = solution.neurons, solution.coefficients
    assert hidden is not None and coefficients is not None
    x = points
    for k, (A, step) in enumerate(zip(coefficients, solution.problem.layers.steps, strict=True)):
        for _ in range(parts):
            x = into(solution.problem.domain, x + step / parts * (hidden.values(k, x) @ A.T))
    return x


def data_points(flow: Flow) -> tuple[Floats, Floats]:
    """Nodes at which there is data, and their mass over that of all."""
    mass = np.maximum(flow.density[0].sum(axis=0), 0.0) * moment(flow.domain)[: flow.domain.owned]
    nodes, (masses, density) = whole(flow.domain, np.array([mass, flow.density[0].sum(axis=0)]))
    seen = density > _SUPPORT * density.max()
    return nodes[seen], masses[seen] / masses[seen].sum()


def pushed(domain: Domain, velocity: Floats, layers: Layers, points: Floats) -> Floats:
    """Where points (n, d) are after all layers of a velocity (N, d, owned); collective."""
    x = points
    for u, step in zip(with_ghosts(domain, velocity), layers.steps, strict=True):
        x = into(domain, x + step * interpolate(domain, u, x))
    return x
