"""Class probabilities averaged over the noise of the network, without sampling.

v_c(t, x), the expected output softmax_c(z(X_T)) of the stochastic network that is at x at time t, solves Kolmogorov's
backward equation d_t v + u . grad v + nu Laplace v = 0, v(T) = softmax(z). Here it is swept backward with the slab
matrices of training, A = M - theta Delta L(u): one slab of the forward sweep is

    rho' = (A^-1 M rho - (1 - theta) rho) / theta,      and so      v = (A^-T M v' - (1 - theta) v') / theta

is its exact adjoint, (v', rho')_h = (v, rho)_h: what the densities carried forward is what v predicts. On the robust
family with theta = 1 every slab takes averages, so that 0 <= v <= 1; the sum over classes is 1 in every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hydrodl.common.arrays import Floats
from hydrodl.common.cards import Card, plural
from hydrodl.common.errors import InputError
from hydrodl.data.preprocessing import Preprocessing
from hydrodl.discretisation.stacks import placed
from hydrodl.mesh.domain import Domain
from hydrodl.mesh.ghosts import with_ghosts
from hydrodl.mesh.interpolation import checked_points, interpolate, into
from hydrodl.network.network import Network
from hydrodl.problem.solution import Solution


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Card):
    """Noise-averaged class probabilities as fields over feature space.

    Attributes:
        domain: feature space.
        preprocessing: from raw features to mesh coordinates.
        values: v_c at layers t_0 .. t_N at this rank's owned nodes, shape (N + 1, C, owned).

    Example:
        >>> averaged = hd.posterior(network)
        >>> averaged.values.shape == (17, 3, domain.owned)
        True
    """

    domain: Domain
    preprocessing: Preprocessing
    values: Floats

    def __str__(self) -> str:
        layers, classes = self.values.shape[:2]
        return f"probabilities of {plural(classes, 'class')} at {plural(layers, 'layer')}, averaged over the noise"

    def facts(self) -> Mapping[str, Any]:
        """For a notebook."""
        return {
            "features": self.domain,
            "raw features": self.preprocessing,
            "values": f"{self.values.shape}, this rank",
        }

    def at(self, points: ArrayLike, layer: int = 0) -> Floats:
        """v at mesh coordinates (n, d), for a network entered at a layer; shape (n, C); collective.

        Points outside feature space count as its nearest points, as in ``Network.push``. With theta = 1/2, or outside
        the robust family, values may leave [0, 1] where the flow is not resolved.

        Raises:
            InputError: points of another dimension or not finite, or a layer that is not there.
        """
        last = len(self.values) - 1
        if not 0 <= layer <= last:
            raise InputError(f"layer is {layer}, must lie in 0..{last}")
        x = into(self.domain, checked_points(points, self.domain.dimension))
        return interpolate(self.domain, with_ghosts(self.domain, self.values[layer]), x)

    def predict_proba(self, features: ArrayLike) -> Floats:
        """Class probabilities of raw features (n, p), shape (n, C): v(0), clipped to [0, 1], rows scaled to sum 1.

        Raises:
            DataError: features that are not an (n, p) table of finite numbers.
        """
        positive = np.clip(self.at(self.preprocessing.apply(features)), 0.0, 1.0)
        return positive / positive.sum(axis=1, keepdims=True)


def posterior(network: Network | Solution) -> Posterior:
    """The backward Kolmogorov sweep from the readout's probabilities at the last layer; collective.

    Costs one factorisation and C solves a slab.

    Raises:
        InputError: a network without a readout.
        SolverError: a slab operator could not be solved with.

    Example:
        >>> hd.posterior(network).predict_proba(samples.features[:5]).sum(axis=1).round(12)
        array([1., 1., 1., 1., 1.])
    """
    network = Network(network) if isinstance(network, Solution) else network
    readout, problem = network.readout, network.solution.problem
    nodes = problem.domain.coordinates[: problem.domain.owned]
    values = sweep_back(network.solution, readout.probabilities(nodes).T)
    return Posterior(problem.domain, network.preprocessing, values)


def sweep_back(solution: Solution, last: Floats) -> Floats:
    """Expected values at every layer of functions of the last layer's features; collective.

    Args:
        solution: velocity and scheme.
        last: nodal values of the functions, shape (m, owned).

    Returns:
        shape (N + 1, m, owned), the given ones last.

    Raises:
        SolverError: a slab operator could not be solved with.
    """
    problem, steps = solution.problem, solution.problem.layers.steps
    transport = problem.method.transport(problem.domain, problem.lagrangian, 1, len(last), {})
    values, slab = np.empty((len(steps) + 1, *last.shape)), transport.stacks.stack(len(last))
    slab = slab[..., : transport.stacks.owned]
    values[-1] = last
    try:
        for k in reversed(range(len(steps))):
            below = np.empty_like(last)
            transport.set_velocity(placed(transport.stacks, solution.velocity[k : k + 1]), steps[k : k + 1])
            transport.march.backward(None, {1: -transport.mass.apply(values[k + 1])}, slab, {0: below})
            values[k] = transport.mass.solve(below)
    finally:
        transport.close()
    return values
